import TestSupport
import Testing
import CPosix

@Suite("Listening: clients, messages and lines")
struct ListenTests {
    @Test("what clients send goes to standard output, and their coming and going to standard error")
    func receives() throws {
        let server = try Listening(["-s", "chat"], input: .file("/dev/null"))
        let client = try server.client(["-s", "other", "-s", "chat", "-w", "0"])
        try client.write("one\ntwo\n")
        client.closeInput()
        #expect(try client.waitForExit().status == .exited(0))
        try server.program.wait(for: .errors) { $0.contains("client 1 disconnected (code: 1000, reason: \"\")\n") }
        #expect(server.program.outputText == "one\ntwo\n")
        #expect(server.program.errorText.contains(/client 1 connected from 127\.0\.0\.1:\d+ \(path \/, subprotocol chat\)\n/))
        #expect(try server.end() == .exited(143))
    }

    @Test("lines go to every client; input that ended leaves the listener serving")
    func sends() throws {
        let server = try Listening()
        // In the pipe before anybody is there to get it: it waits for the first client.
        try server.program.write("early\n")
        let first = try server.client(["--count", "3"], input: .file("/dev/null"))
        try first.wait { $0 == "early\n" }
        let second = try server.client(["--count", "2"], input: .file("/dev/null"))
        try server.waitForClients(2)
        try server.program.write("to all\nof you")
        server.program.closeInput()
        #expect(try first.waitForExit().status == .exited(0))
        #expect(try second.waitForExit().status == .exited(0))
        #expect(first.outputText == "early\nto all\nof you\n")
        #expect(second.outputText == "to all\nof you\n")
        let third = try server.client(["-x", "still there?", "-w", "0"])
        try third.waitForExit()
        try server.program.wait { $0 == "still there?\n" }
    }

    @Test("a message sent in fragments goes on to nobody who missed its beginning")
    func fragments() throws {
        let server = try Listening(["--split", "whole"])
        let first = try server.client(["-w", "-1"], input: .file("/dev/null"))
        try server.waitForClients(1)
        // More than is held of one message, so its first fragment leaves.
        try server.program.write([UInt8](repeating: 0x61, count: 3 << 20))
        let late = try server.client(["-w", "-1"], input: .file("/dev/null"))
        try server.waitForClients(2)
        server.program.closeInput()
        try first.wait { $0.utf8.count == 3 << 20 + 1 }
        #expect(try server.end() == .exited(143))
        try late.waitForExit()
        #expect(late.outputText.isEmpty)
        #expect(!late.errorText.contains("1002"))
    }

    @Test("the rest of a message goes to nobody once all are gone that got its beginning")
    func abandonedMessage() throws {
        let server = try Listening()
        let first = try server.client(["-w", "-1"], input: .file("/dev/null"))
        try server.waitForClients(1)
        // More than is held of one message, so its first fragment leaves.
        try server.program.write([UInt8](repeating: 0x61, count: 3 << 20))
        first.send(signal: SIGKILL)
        try server.program.wait(for: .errors) { $0.contains("client 1 disconnected") }
        let second = try server.client(["--count", "1"], input: .file("/dev/null"))
        try server.waitForClients(2)
        try server.program.write("end\nnext\n")
        #expect(try second.waitForExit().status == .exited(0))
        #expect(second.outputText == "next\n")
    }

    @Test("a reader of standard output that takes a rest holds the clients up, and nothing is lost")
    func outputBackpressure() throws {
        let server = try Listening(input: .file("/dev/null"), output: .unread)
        let lines = (0..<200_000).map { "line \($0)\n" }.joined()
        let clients = try (0..<2).map { _ in try server.client() }
        for client in clients { client.writeForever(Array(lines.utf8)) }
        try server.waitForClients(2)
        let probe = try server.connect()
        try probe.open()
        let message = RawClient.frame(0x82, [UInt8](repeating: 0, count: 64 << 10))
        #expect(probe.flood(with: message, upTo: 64 << 20) < 64 << 20)
        expectPeakMemory(server.program.peakMemory, below: 128 << 20)
        server.program.read()
        try server.program.wait { $0.contains("line 199999\n") }
        #expect(try server.end() == .exited(143))
    }

    @Test("events as JSON bear the client's number")
    func json() throws {
        let server = try Listening(["--json"], input: .file("/dev/null"))
        for text in ["a", "b"] {
            let client = try server.client(["-x", text, "-w", "0"])
            try client.waitForExit()
        }
        try server.program.wait { $0.split(separator: "\n").count == 6 }
        let events = server.program.outputText.split(separator: "\n").map { line in
            (line.firstMatch(of: /"event":"(\w+)","dir":"in","client":(\d)/)).map { "\($0.1) \($0.2)" } ?? "none"
        }
        #expect(events == ["open 1", "message 1", "close 1", "open 2", "message 2", "close 2"])
    }

    @Test("--count ends the run, and binary messages are saved")
    func counts() throws {
        let directory = try TemporaryDirectory()
        let server = try Listening(["--count", "2", "--save", directory.path], input: .file("/dev/null"))
        let client = try server.client(["--send-as", "hex", "-w", "-1"])
        try client.write("00ff\n0a\n")
        #expect(try server.program.waitForExit().status == .exited(0))
        #expect(try readFile(directory.file("000001.bin")) == [0x00, 0xFF])
        #expect(try readFile(directory.file("000002.bin")) == [0x0A])
        #expect(server.program.outputText.isEmpty)
    }

    @Test("each signal tells all clients 1001 and has its own exit status", arguments: [SIGINT, SIGTERM, SIGHUP])
    func signals(_ signal: Int32) throws {
        let status = 128 + signal
        for arguments in [[], ["--echo"]] {
            let server = try Listening(arguments)
            let clients = try (1...2).map { _ in try server.client(["-v", "-w", "-1"], input: .file("/dev/null")) }
            try server.waitForClients(2)
            #expect(try server.end(signal) == .exited(status))
            for client in clients {
                #expect(try client.waitForExit().status == .exited(0))
                #expect(client.errorText.contains("closed by the server: 1001"))
            }
        }
    }

    @Test("a client that never answers the Close is left behind after a second")
    func endIsBounded() throws {
        let server = try Listening()
        let client = try server.connect()
        try client.open()
        try server.waitForClients(1)
        let began = ContinuousClock.now
        #expect(try server.end() == .exited(143))
        #expect(ContinuousClock.now - began < .seconds(4))
    }

    @Test("an address that is taken is named, with exit status 74")
    func addressInUse() throws {
        let server = try Listening()
        let wsline = try PseudoTerminal.builtProduct("wsline")
        for arguments in [[], ["--echo"]] {
            let second = try RunningProcess(wsline, ["-l", "127.0.0.1:\(server.port)"] + arguments)
            #expect(try second.waitForExit().status == .exited(74))
            #expect(second.errorText.contains("127.0.0.1:\(server.port)"))
        }
    }

    @Test("a UNIX socket serves, and its file goes with the listener")
    func unixSocket() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("socket")
        let wsline = try PseudoTerminal.builtProduct("wsline")
        let server = try RunningProcess(wsline, ["-l", "unix:\(path)", "--echo"])
        try server.wait(for: .errors) { $0.contains("Listening on ws+unix://\(path) ") }
        let client = try RunningProcess(wsline, ["--count", "1", "ws+unix://\(path):/uri"])
        try client.write("through a file\n")
        #expect(try client.waitForExit().status == .exited(0))
        #expect(client.outputText == "through a file\n")
        #expect(server.errorText.contains("client 1 connected (path /uri)"))
        server.send(signal: SIGTERM)
        try server.waitForExit()
        #expect(access(path, F_OK) != 0)
    }
}

@Suite("Listening at a terminal", .serialized)
struct ListenTerminalTests {
    private let wsline: String
    private let directory: TemporaryDirectory

    init() throws {
        wsline = try PseudoTerminal.builtProduct("wsline")
        directory = try TemporaryDirectory()
    }

    /// A listener at a terminal, and its port.
    private func listen(_ arguments: [String] = ["--no-history"]) throws -> (PseudoTerminal, UInt16) {
        let terminal = try PseudoTerminal(wsline, ["-l", "127.0.0.1:0"] + arguments, columns: 120, rows: 40)
        terminal.patience = 30
        try terminal.wait { $0.rows.contains { $0.contains("CTRL+C") } && $0.rows.contains(">") }
        let line = terminal.screen.rows.joined(separator: " ")
        let port = try #require(line.firstMatch(of: /127\.0\.0\.1:(\d+)/)?.1)
        return (terminal, try #require(UInt16(port)))
    }

    /// A client that listens until the server closes; its number is the next.
    private func connect(_ terminal: PseudoTerminal, _ port: UInt16, _ arguments: [String] = [], as number: Int) throws -> RunningProcess {
        let client = try RunningProcess(wsline, arguments + ["-w", "-1", "ws://127.0.0.1:\(port)/"])
        try terminal.wait { $0.everything.contains { $0.hasPrefix("client \(number) connected") } }
        return client
    }

    @Test("messages appear above the prompt with their client's number, typed lines go out, and Ctrl-C quits")
    func conversation() throws {
        let (terminal, port) = try listen()
        terminal.type("nobody yet\r")
        try terminal.wait { $0.rows.contains { $0.hasPrefix("no client is connected") } }
        let client = try RunningProcess(wsline, ["-w", "-1", "ws://127.0.0.1:\(port)/"])
        try client.write("hello \u{1b}[31m\n")
        try terminal.wait { $0.rows.contains("<1 hello \\x1b[31m") }
        terminal.type("hello yourself\r")
        client.closeInput()
        try client.wait { $0 == "hello yourself\n" }
        terminal.type("\u{3}")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(try client.waitForExit().status == .exited(0))
    }

    @Test("Tab completes a command, and Up brings back the last line")
    func editing() throws {
        let (terminal, port) = try listen(["--history", directory.file("history")])
        terminal.type("/st\t\r")
        try terminal.wait { $0.rows.contains("> /status") && $0.rows.contains("clients     0") }
        terminal.type("to whom it concerns\r")
        try terminal.wait { $0.rows.contains { $0.hasPrefix("no client is connected") } && $0.rows.last { $0 != "" } == ">" }
        let client = try connect(terminal, port, as: 1)
        terminal.type("\u{1b}[A")
        try terminal.wait { $0.rows.last { $0 != "" } == "> to whom it concerns" }
        terminal.type("\r")
        try client.wait { $0 == "to whom it concerns\n" }
        terminal.type("\u{1b}[A\u{1b}[A\u{1b}[A\r")
        try terminal.wait { $0.rows.contains("clients     1") }
    }

    @Test("/status counts the clients, and /ping tells how long the pong of each took")
    func statusAndPing() throws {
        let (terminal, port) = try listen()
        let clients = try (1...2).map { try connect(terminal, port, as: $0) }
        try terminal.enter("/status", until: "clients     2")
        #expect(terminal.screen.everything.contains("state       listening"))
        terminal.type("/ping\r")
        try terminal.wait { screen in
            (1...2).allSatisfy { number in
                screen.rows.contains { $0.hasPrefix("client \(number): pong after ") && $0.hasSuffix(" ms") }
            }
        }
        try terminal.enter("/status") { $0.wholeMatch(of: /round trip +[0-9.]+ ms/) != nil }
        clients[0].closeInput()
        clients[0].send(signal: SIGTERM)
        try terminal.wait { $0.rows.contains { $0.hasPrefix("client 1 disconnected") } }
        try terminal.enter("/status") { $0.wholeMatch(of: /clients +1/) != nil }
    }

    @Test("/file sends a file to all clients, in fragments where it is large")
    func file() throws {
        let (terminal, port) = try listen()
        let clients = try (1...2).map { try connect(terminal, port, as: $0) }
        let text = (0..<300_000).map { "\($0) " }.joined()
        let path = try directory.write(Array(text.utf8), to: "large")
        try terminal.enter("/file -t \(path)", until: "sent \(text.utf8.count) bytes of \"\(path)\"")
        terminal.type("afterwards\r")
        for client in clients { try client.wait { $0 == "\(text)\nafterwards\n" } }
    }

    @Test("/quit and Ctrl-D close every connection with 1001, and exit with 0", arguments: ["/quit\r", "\u{4}"])
    func quit(keys: String) throws {
        let (terminal, port) = try listen()
        let clients = try (1...2).map { try connect(terminal, port, ["-v"], as: $0) }
        terminal.type(keys)
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.isCooked)
        for client in clients {
            #expect(try client.waitForExit().status == .exited(0))
            #expect(client.errorText.contains("closed by the server: 1001"))
        }
    }

    @Test("a file that is being sent is cut when the last client leaves, which is said; the next is for who comes then")
    func fileIsCut() throws {
        let (terminal, port) = try listen()
        let slow = try Optional(RawClient(port: port))
        try slow?.open()
        try terminal.wait { $0.rows.contains { $0.hasPrefix("client 1 connected") } }
        let path = try directory.write([UInt8](repeating: 0x61, count: 64 << 20), to: "huge")
        terminal.type("/file \(path)\r")
        try terminal.enter("hello") { $0.contains("is still being sent (") }
        try #require(slow).abort()
        try terminal.wait { $0.everything.contains { $0.contains("the connection closed before \"\(path)\" was sent whole: ") } }
        let client = try connect(terminal, port, as: 2)
        let text = [UInt8](repeating: 0x62, count: 2 << 20)
        let next = try directory.write(text, to: "next")
        try terminal.enter("/file -t \(next)", until: "sent \(text.count) bytes of \"\(next)\"")
        try client.wait { $0.utf8.count == text.count + 1 }
    }
}
