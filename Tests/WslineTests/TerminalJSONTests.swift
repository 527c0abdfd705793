import LineTerminal
import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport
import CPosix

@Suite("JSON at a terminal", .serialized)
struct TerminalJSONTests {
    private let text = #"{"id":12345678901234567890,"a":["\u00e9",{}]}"#
    private let style = Style(isEnabled: true)

    private var colored: String {
        "< " + style.end + "{" + style.apply(.name, #""id""#) + ":" + style.apply(.number, "12345678901234567890") + ","
            + style.apply(.name, #""a""#)
            + ":[" + style.apply(.string, #""\u00e9""#) + ",{}]}"
    }

    private func rows(after row: String, _ terminal: PseudoTerminal) -> [String] {
        let rows = terminal.screen.everything
        return rows.lastIndex(of: row).map { Array(rows[($0 + 1)...]) } ?? []
    }

    @Test("JSON is coloured by token, and what isn't JSON is shown as it came")
    func colors() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter(text, until: "< " + text)
        try terminal.enter(text + " x", until: "< " + text + " x")
        let transcript = String(decoding: terminal.transcript, as: UTF8.self)
        #expect(transcript.contains(colored))
        #expect(transcript.contains(style.start(.incoming) + "< " + text + " x" + style.end))
        #expect(terminal.screen.unknown == [])
    }

    @Test(
        "colours are off with --no-color, NO_COLOR and a dumb terminal, and --pretty indents without them",
        arguments: [(["--no-color"], [:]), ([], ["NO_COLOR": "1"]), ([], ["TERM": "dumb"])] as [([String], [String: String])])
    func noColors(options: [String], environment: [String: String]) throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(options + ["--pretty", server.url], environment: environment)
        try terminal.enter(#"{"a":1}"#, until: "  }")
        #expect(rows(after: "< {", terminal).starts(with: [#"    "a": 1"#, "  }"]))
        #expect(!String(decoding: terminal.transcript, as: UTF8.self).contains(/\x1b\[\d*m/))
    }

    @Test("/pretty turns indenting on and off, and Tab knows its words")
    func pretty() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("/pret\ton\r")
        try terminal.wait { $0.everything.contains("JSON is indented") }
        try terminal.enter(#"{"a":[1]}"#, until: "  }")
        #expect(rows(after: "< {", terminal).starts(with: [#"    "a": ["#, "      1", "    ]", "  }"]))
        terminal.type("/pretty of\t\r")
        try terminal.wait { $0.everything.contains("JSON is shown as it comes") }
        try terminal.enter(#"{"b":[1]}"#, until: #"< {"b":[1]}"#)
        try terminal.enter("/pretty maybe") { $0 == #"wsline: /pretty: "maybe" must be one of on or off"# }
        try terminal.enter("/pretty") {
            $0 == "wsline: usage: /pretty on|off" || $0 == "usage: /pretty on|off" || $0 == "wsline: /pretty: neither on nor off was given"
        }
    }

    @Test("further lines of a message and of a dump are indented, so that none looks like another message or a line of ours")
    func continuations() throws {
        let forged = "one\n< forged\n> forged\nwsline: forged\nDisconnected (code: 1000, reason: \"\"): normal closure\n"
        let server = try TerminalServer { socket, _, bytes in
            if bytes == Array("binary".utf8) {
                return try [UInt8](repeating: 0x41, count: 40).withUnsafeBytes { try socket.send(.binary, $0) }
            }
            try socket.send(bytes == Array("json".utf8) ? "[\n1,\n2]" : forged)
        }
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter("text", until: "< one")
        try terminal.wait { $0.everything.contains("  wsline: forged") && $0.everything.contains { $0.hasPrefix("  Disconnected") } }
        let lines = ["  < forged", "  > forged", "  wsline: forged"]
        #expect(rows(after: "< one", terminal).starts(with: lines))
        try terminal.enter("binary", until: "< binary, 40 bytes")
        try terminal.wait { $0.everything.contains { $0.hasPrefix("  00000020  41 41 41") } }
        #expect(rows(after: "< binary, 40 bytes", terminal).prefix(3).allSatisfy { $0.hasPrefix("  000000") })
        try terminal.enter("json", until: "  2]")
        #expect(rows(after: "< [", terminal).starts(with: ["  1,", "  2]"]))
    }

    @Test("an answer of JSON-RPC stands beside its request's number and time, an error with its code and message")
    func calls() throws {
        let server = try TerminalServer { socket, _, bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            let id = text.contains("\"id\":1,") ? 1 : 2
            try socket.send(#"{"method":"log"}"#)
            try socket.send(id == 1 ? #"{"id":1,"result":{}}"# : #"{"id":2,"error":{"code":-1,"message":"no\u001b"}}"#)
        }
        let terminal = try PseudoTerminal.wsline(["--jsonrpc", server.url], columns: 120)
        try terminal.enter("Browser.getVersion") { $0.contains(#/^< #1 Browser\.getVersion, [0-9.]+ ms: {"id":1,"result":{}}$/#) }
        try terminal.enter("fail now=true") { $0.contains(#/^< #2 fail, [0-9.]+ ms: error -1 "no\\x1b": {"id":2,"error":/#) }
        #expect(terminal.screen.everything.count { $0 == #"< {"method":"log"}"# } == 2)
        #expect(server.texts.last == #"{"jsonrpc":"2.0","id":2,"method":"fail","params":{"now":true}}"#)
        try terminal.enter("fail [1") { $0.hasPrefix("wsline: not JSON at byte 8: ") }
    }

    @Test("messages of -x are coloured and indented as well where standard output is the terminal, and a pipe gets none of it")
    func execute() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(["--pretty", "-x", #"{"a":1}"#, "--count", "1", server.url], connects: false)
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.screen.everything.contains(#"  "a": 1"#))
        #expect(String(decoding: terminal.transcript, as: UTF8.self).contains(style.apply(.name, #""a""#)))
        let directory = try TemporaryDirectory()
        let command =
            "exec \(try PseudoTerminal.builtProduct("wsline")) --pretty -x '{\"a\":1}' --count 1 \(server.url) >\(directory.file("out"))"
        let piped = try PseudoTerminal("/bin/sh", ["-c", command])
        #expect(try piped.waitForExit() == .exited(0))
        #expect(directory.read("out") == Array("{\"a\":1}\n".utf8))
    }
}
