import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@Suite("Options of a conversation at a terminal", .serialized)
struct TerminalRunTests {
    @Test("--passphrase with no value asks for it, unseen, and only the right one opens the key")
    func passphrase() throws {
        let directory = try TemporaryDirectory()
        var template = Certificate.Template("client")
        template.passphrase = "open sesame"
        let certificate = try Certificate(template, in: directory, as: "client")
        // Nobody listens there: the key has been read when that shows.
        let arguments = ["--cert", certificate.certificateFile, "--key", certificate.keyFile, "--passphrase", "wss://127.0.0.1:1/"]
        for (answer, status) in [("open sesame", 3), ("a guess", 74)] as [(String, Int32)] {
            let terminal = try PseudoTerminal.wsline(arguments, columns: 160, connects: false)
            try terminal.wait { $0.rows.contains { $0.hasPrefix("Passphrase for ") } }
            terminal.type(answer + "\r")
            #expect(try terminal.waitForExit() == .exited(status))
            #expect(terminal.isCooked)
            #expect(!String(decoding: terminal.transcript, as: UTF8.self).contains(answer))
        }
        let empty = try PseudoTerminal.wsline(arguments, columns: 160, connects: false)
        try empty.wait { $0.rows.contains { $0.hasPrefix("Passphrase for ") } }
        empty.type("\r")
        #expect(try empty.waitForExit() == .exited(64))
    }

    @Test("A history file that can't be used is reported once, as a client and as a listener", arguments: [[], ["-l", "127.0.0.1:0"]])
    func historyIsNoFile(arguments: [String]) throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(arguments.isEmpty ? [server.url] : arguments, history: "/dev/null", connects: false)
        try terminal.wait { $0.rows.contains(">") && $0.everything.contains { $0.contains("press CTRL+C to quit") } }
        for line in ["one", "two"] { try terminal.enter(line) { $0 == (arguments.isEmpty ? "< " + line : ">") } }
        terminal.type("\u{4}")
        _ = try terminal.waitForExit()
        let told = terminal.screen.everything.filter { $0.contains("/dev/null") }
        #expect(told == ["the history '/dev/null' is not a file"])
    }

    @Test("With --reconnect the prompt stays, and a line goes to the new connection")
    func reconnect() throws {
        let server = try TerminalServer { socket, kind, bytes in
            if bytes == Array("die".utf8) { return socket.abort() }
            try TerminalServer.echo(socket, kind, bytes)
        }
        let terminal = try PseudoTerminal.wsline(["--reconnect", "3", server.url])
        terminal.type("die\r")
        try terminal.wait { screen in screen.everything.count { $0 == "Connected (press CTRL+C to quit)" } == 2 }
        try terminal.enter("alive", until: "< alive")
        #expect(terminal.screen.everything.count { $0.hasPrefix("Disconnected (code: 1006") } == 1)
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
    }

    @Test("With standard error elsewhere, the conversation stays on the terminal, and -v goes there")
    func standardErrorElsewhere() throws {
        let server = try TerminalServer()
        let directory = try TemporaryDirectory()
        let command = "exec \(try PseudoTerminal.builtProduct("wsline")) --no-history -v \(server.url) 2>\(directory.file("log"))"
        let terminal = try PseudoTerminal("/bin/sh", ["-c", command])
        try terminal.wait { $0.rows.contains(">") && $0.rows.contains("Connected (press CTRL+C to quit)") }
        try terminal.enter("/ping") { $0.hasPrefix("pong after ") }
        try terminal.enter("/nope") { $0.hasPrefix("wsline: there is no command") }
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(!terminal.screen.everything.contains { $0.hasPrefix("* ") })
        let log = String(decoding: directory.read("log") ?? [], as: UTF8.self)
        #expect(log.contains("> GET / HTTP/1.1\n"))
        #expect(!log.contains("\u{1b}"))
    }

    @Test("-q leaves out what is neither asked for nor wrong")
    func quiet() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(["-q", server.url], connects: false)
        try terminal.wait { $0.rows.contains(">") }
        try terminal.enter("/ping") { $0.hasPrefix("pong after ") }
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(!terminal.screen.everything.contains { $0.hasPrefix("Connected") || $0.hasPrefix("Disconnected") })
    }

    @Test("--json shows events, harmless to the terminal as well")
    func json() throws {
        let server = try TerminalServer { socket, _, _ in try socket.send("\u{1b}[2J\u{9b}") }
        let terminal = try PseudoTerminal.wsline(["--json", server.url], columns: 200, connects: false)
        try terminal.wait { $0.rows.contains(">") && $0.everything.contains { $0.contains(#""event":"open""#) } }
        try terminal.enter("go") { $0.contains(#"\u001b[2J\u009b"#) }
    }

    @Test("--echo answers each message with itself")
    func echo() throws {
        let server = try TerminalServer(
            handler: { socket, _, bytes in if bytes == Array("ball".utf8) { try socket.send("caught") } }, onOpen: { try? $0.send("ball") })
        let terminal = try PseudoTerminal.wsline(["--echo", server.url], connects: false)
        try terminal.wait { $0.everything.contains("< ball") && $0.everything.contains("< caught") }
        try terminal.wait { _ in server.texts == ["ball", "caught"] }
    }

    @Test("What is typed is sent as --send-as says, and what doesn't fit is refused")
    func encoding() throws {
        let server = try TerminalServer { socket, kind, bytes in try socket.send("got \(bytes.count) \(kind)") }
        let terminal = try PseudoTerminal.wsline(["--send-as", "hex", server.url])
        try terminal.enter("00 ff", until: "< got 2 binary")
        try terminal.enter("zz") { $0.hasPrefix("wsline: ") && $0.contains("is not a hexadecimal digit") }
        #expect(server.received.count == 1)
    }
}
