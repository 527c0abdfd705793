import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    /// `--show` and `--hide` in pipes.
    @Suite
    struct ThinningRunTests {
        @Test("--show writes only messages in which it is found, --hide leaves those out, and standard error counts what was left out")
        func shows() throws {
            let server = try TestServer.feed(["a1", "b2", "a3", "ab4"])
            let shown = try run(["--show", "a", server.url], input: "")
            #expect(shown.output == "a1\na3\nab4\n" && shown.errors == "--show \"a\" left out 1 message\n" && shown.status == 0)
            let hidden = try run(["--hide", "a", server.url], input: "")
            #expect(hidden.output == "b2\n" && hidden.errors == "--hide \"a\" left out 3 messages\n")
            let both = try run(["--show=a", "--hide=b", server.url], input: "")
            #expect(both.output == "a1\na3\n")
            #expect(both.errors == "--show \"a\" left out 1 message\n--hide \"b\" left out 1 message\n")
            #expect(try run(["-q", "--hide", "a", server.url], input: "").errors.isEmpty)
            #expect(try run(["--hide", "x", server.url], input: "").errors.isEmpty)
        }

        @Test("--count, -1 and --until look at what is shown")
        func stops() throws {
            let server = try TestServer.feed(["a1", "b2", "a3", "b4"])
            #expect(try run(["--show", "b", "-1", server.url]).output == "b2\n")
            #expect(try run(["--hide", "1", "--count", "2", server.url]).output == "b2\na3\n")
            #expect(try run(["--show", "b", "--until", "[34]", server.url]).output == "b2\nb4\n")
            let none = try run(["--show", "c", "-1", "--idle", "0.3", server.url], input: "")
            #expect(none.status == 8 && none.output.isEmpty)
        }

        @Test("binary messages are matched as they are shown, and --json leaves out their events")
        func binary() throws {
            let server = try TestServer { socket in
                afterOpening(socket) { socket in
                    for bytes: [UInt8] in [[0, 0xFF], [0x41, 0x42], [0xFF, 0xFE]] {
                        try? bytes.withUnsafeBytes { try socket.send(.binary, $0) }
                    }
                }
            }
            #expect(try run(["--show", "^00ff$", server.url], input: "").output == "00ff\n")
            #expect(try run(["--binary-as", "raw", "--show", "^AB$", server.url], input: "").output == "AB")
            #expect(try run(["--binary-as", "size", "--hide", "2 bytes", server.url], input: "").output.isEmpty)
            let json = try run(["--json", "--show", "^QUI=$", server.url], input: "")
            #expect(json.output.matches(of: /"event":"message"/).count == 1 && json.output.contains(#""base64":"QUI=""#), "\(json.output)")
            // What is saved isn't shown, and so it isn't left out.
            let directory = try TemporaryDirectory()
            _ = try run(["--save", directory.file("all"), "--show", "nothing", server.url], input: "")
            #expect(directory.read("all") == [0, 0xFF, 0x41, 0x42, 0xFF, 0xFE])
        }

        @Test("a pattern that takes too long is reported once, and counts as not found")
        func limit() throws {
            let hostile = String(repeating: "a", count: 60) + "b"
            let server = try TestServer.feed([hostile, "aa", hostile])
            let report =
                "(a|aa)+$x?b\" takes too much time or memory on a message of 61 bytes: give a pattern that backtracks less; it counts as not found\n"
            let shown = try run(["--show", "(a|aa)+$x?b", server.url], input: "")
            #expect(shown.status == 0 && shown.output.isEmpty)
            #expect(shown.errors == "wsline: --show \"\(report)--show \"(a|aa)+$x?b\" left out 3 messages\n")
            let hidden = try run(["--hide", "(a|aa)+$x?b", server.url], input: "")
            #expect(hidden.output == "\(hostile)\naa\n\(hostile)\n" && hidden.errors == "wsline: --hide \"\(report)")
        }

        @Test("an invalid pattern is status 64, quoted, with what is wrong and where", arguments: ["--show", "--hide"])
        func invalid(option: String) throws {
            let result = try run([option, "a(", "ws://localhost/"])
            #expect(result.status == 64)
            #expect(
                result.errors
                    == "wsline: \(option) \"a(\" is not a valid regular expression: missing closing parenthesis (at character 3)\n")
        }

        @Test("what is left out is echoed all the same, and keeps the run listening")
        func others() throws {
            let seen = Gathered<String>()
            let server = try TestServer { socket in
                socket.onMessage = { seen.append(String(decoding: $1.withUnsafeBytes { Array($0) }, as: UTF8.self)) }
                afterOpening(socket) { try? $0.send("ball") }
            }
            let result = try run(["--echo", "--show", "nothing", "-w", "0.5", server.url])
            #expect(result.output.isEmpty)
            #expect(try seen.first(1) == ["ball"])
        }
    }
}
