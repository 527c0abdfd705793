import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

extension ProgramTests {
    @Suite
    struct PatternRunTests {
        /// Every way to cut the letters into ones and twos is a way to fail: for 60 of them more than 10^12.
        private static let hostile = String(repeating: "a", count: 60) + "b"
        private static func failure(_ pattern: String, _ bytes: Int) -> String {
            "wsline: --until \(pattern) takes too much time or memory on a message of \(bytes) bytes: give a pattern that backtracks less\n"
        }

        @Test("--until ends the run with 65 where a message makes its pattern take too long; an answer before that stands")
        func limit() throws {
            let server = try TestServer.feed(["a", Self.hostile, "aa"])
            let result = try run(["--until", "(a|aa)+$x?b", server.url])
            #expect(result.status == 65)
            #expect(result.output == "a\n\(Self.hostile)\n")
            #expect(result.errors == Self.failure("\"(a|aa)+$x?b\"", 61))
            let found = try run(["--until", "(a|aa)+$", server.url])
            #expect(found.status == 0 && found.output == "a\n" && found.errors.isEmpty)
        }

        @Test("A long message can't outlast --until's bound either, with a pattern whose time grows with the square of the length")
        func longMessage() throws {
            let long = String(repeating: "a", count: 1 << 20)
            let server = try TestServer.feed([long])
            let result = try run(["--until", "a.*b", server.url])
            #expect(result.status == 65)
            #expect(result.errors == Self.failure("\"a.*b\"", 1 << 20))
        }

        @Test("A listener's --until is bounded too, and --json has the error as an event")
        func others() throws {
            let server = try TestServer.feed([Self.hostile])
            let json = try run(["--json", "--until", "(a|aa)+$", server.url])
            #expect(json.status == 65)
            #expect(json.output.contains(#""event":"error""#) && json.output.contains(#""exit":65"#), "\(json.output)")

            let listener = try start(["-l", "0", "--until", "(a|aa)+$"])
            try listener.wait(for: .errors) { $0.contains("Listening on ws://127.0.0.1:") }
            let port = listener.errorText.split(separator: "127.0.0.1:").last?.prefix { $0.isNumber } ?? ""
            _ = try run(["-w", "-1", "ws://127.0.0.1:\(port)/"], input: Self.hostile + "\n")
            let ended = try finish(listener)
            #expect(ended.status == 65)
            #expect(ended.errors.contains(Self.failure("\"(a|aa)+$\"", 61)), "\(ended.errors)")
        }

        @Test(
            "Patterns match characters, not bytes: classes, dots, letter case and word boundaries know Unicode, ^ and $ the message's ends")
        func dialect() throws {
            let server = try TestServer.feed(["grüße", "дом", "naïveté", "line one\nline two", "=end="])
            func until(_ pattern: String) throws -> String? {
                try run(["--until", pattern, "--idle", "0.5", server.url], input: "").output.split(separator: "\n").last.map(String.init)
            }
            #expect(try until("^gr.ße$") == "grüße")
            #expect(try until("(?i)GRÜSSE|ДОМ") == "дом")
            #expect(try until("^\\w+é$") == "naïveté")
            #expect(try until("[ïö]ve") == "naïveté")
            #expect(try until("(?m)^line two$") == "line two")
            #expect(try until("^(.)end\\1$") == "=end=")
        }

        @Test("A pattern that can't be read is exit status 64, quoted, with what is wrong and where")
        func unreadable() throws {
            let result = try run(["--until", "grüß[e", "ws://localhost/"])
            #expect(result.status == 64)
            #expect(
                result.errors
                    == "wsline: --until \"grüß[e\" is not a valid regular expression: missing terminating ] for character class (at character 7)\n"
            )
        }
    }
}
