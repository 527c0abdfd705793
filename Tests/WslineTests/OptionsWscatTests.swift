import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("Command lines of wscat")
struct OptionsWscatTests {
    @Test(
        "Every command line that wscat's own help leads to is taken as it is",
        arguments: [
            ["-c", "ws://localhost:8080"],
            ["--connect", "wss://localhost", "--no-check"],
            ["-c", "localhost:8080/path", "-n", "-P", "--slash", "--no-color"],
            ["-c", "ws://localhost", "-s", "chat", "-s", "superchat", "-o", "http://example.org", "-p", "13"],
            ["-c", "ws://localhost", "-H", "a:b", "-H", "Cookie: x=y", "--host", "example.org"],
            ["-c", "ws://localhost", "--auth", "user:pass", "--header", "X-A:b"],
            ["-c", "ws://localhost", "-x", "text with -dashes", "-w", "5"],
            ["-c", "ws://localhost", "-x", "-starts with one", "--wait", "0"],
            ["-c", "ws://localhost", "-x{\"a\":1}", "-w5"],
            ["-nPc", "wss://localhost"],
            ["-c", "wss://localhost", "--ca", "ca.pem", "--cert", "c.pem", "--key", "k.pem", "--passphrase", "secret"],
            ["--passphrase", "secret", "--cert", "c.pem", "--key", "k.pem", "-c", "wss://localhost"],
            ["-c", "wss://localhost", "--cert", "c.pem", "--key", "k.pem", "--passphrase"],
            ["-c", "ws://localhost", "--proxy", "http://proxy:3128", "--show-ping-pong"],
            ["-l", "8080"], ["--listen", "8080", "-P"], ["-l8080", "--no-color"],
        ])
    func accepted(arguments: [String]) {
        #expect(refusal(arguments) == nil)
    }

    @Test("A long one of them means the same")
    func meaning() throws {
        let configuration = try configuration([
            "-c", "wss://echo.example.org/a?b=c", "-n", "-s", "one", "--subprotocol", "two", "-H", "a:b", "--auth", "user:pass", "-o",
            "https://o",
            "--host", "h", "-p", "8", "-x", "hello -n world", "-w", "5", "-P", "--slash", "--no-color",
        ])
        #expect(configuration.url == "wss://echo.example.org/a?b=c")
        #expect(configuration.connection.tls.insecure)
        let handshake = configuration.connection.handshake
        #expect(handshake.subprotocols == ["one", "two"] && handshake.origin == "https://o" && handshake.host == "h")
        #expect(handshake.headers.map(\.name) == ["a"] && handshake.version == .draft8)
        #expect(handshake.authorization == (try Authorization(user: "user", password: .init("pass"))))
        #expect(configuration.input.execute == ["hello -n world"] && configuration.input.slash)
        #expect(configuration.stop.wait == .seconds(5))
        #expect(configuration.output.showsPings && configuration.output.noColor)
    }

    @Test("Redirects are followed with -L, ten unless --max-redirects says otherwise, and else none")
    func redirects() throws {
        #expect(try connecting().connection.redirects == 0)
        #expect(try connecting("-L").connection.redirects == 10)
        #expect(try connecting("--location", "--max-redirects", "3").connection.redirects == 3)
        #expect(
            refusal(["--max-redirects", "3", "ws://h"]) == "--max-redirects without --location: no redirect is followed without it")
        #expect(
            refusal(["-L", "--max-redirects", "x", "ws://h"]) == "--max-redirects \"x\" is not a valid count: give a whole number from 1")
    }
}
