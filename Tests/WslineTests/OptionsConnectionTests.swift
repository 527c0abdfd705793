import Testing
import WebSocketProtocol
import WebSocketTransport
import CPosix

@testable import wsline

@Suite("Options of the connection")
struct OptionsConnectionTests {
    @Test("Subprotocols are repeated or listed with commas, and keep their order")
    func subprotocols() throws {
        #expect(try connecting("-s", "b", "--subprotocol", "a").connection.handshake.subprotocols == ["b", "a"])
        #expect(try connecting("-s", "b, a,c").connection.handshake.subprotocols == ["b", "a", "c"])
    }

    @Test("Headers keep their order, and repeated ones stay")
    func headers() throws {
        let headers = try connecting("-H", "a:b", "--header", "X-Y:  z: 1 ", "-H", "a: c", "-H", "Empty:").connection.handshake.headers
        #expect(headers.map { "\($0.name)=\($0.value)" } == ["a=b", "X-Y=z: 1", "a=c", "Empty="])
    }

    @Test("Origin, host, user agent and version go into the handshake")
    func request() throws {
        let none = try connecting().connection.handshake
        #expect(none.origin == nil && none.host == nil && none.userAgent == "wsline/\(Help.programVersion)" && none.version == .rfc6455)
        let all = try connecting("-o", "https://o", "--host", "h", "--user-agent", "u", "-p", "8").connection.handshake
        #expect(all.origin == "https://o" && all.host == "h" && all.userAgent == "u" && all.version == .draft8)
        #expect(try connecting("-p13").connection.handshake.version == .rfc6455)
        #expect(try connecting("--user-agent", "").connection.handshake.userAgent == nil)
    }

    @Test("--auth and --bearer take the secret itself")
    func authorization() throws {
        #expect(try connecting().connection.handshake.authorization == nil)
        #expect(basic("user", "pass") != nil && bearer("token") != nil)
        #expect(try authorization("--auth", "user:pa:ss") == basic("user", "pa:ss"))
        #expect(try authorization("--auth", "user") == basic("user", ""))
        #expect(try authorization("--bearer", "t0k.en") == bearer("t0k.en"))
    }

    @Test("@FILE takes a secret from a file, less one line end", arguments: ["\n", "\r\n", ""])
    func secretFile(lineEnd: String) throws {
        try withFile("user:pass\(lineEnd)") { path in
            let found = try authorization("--auth", "@\(path)")
            #expect(found == basic("user", "pass"))
        }
        try withFile("token\(lineEnd)") { path in
            let found = try authorization("--bearer", "@\(path)")
            #expect(found == bearer("token"))
        }
    }

    @Test("A secret's file that can't be used is named, and its text is not")
    func badSecretFile() throws {
        #expect(
            refusal(["--auth", "@/nowhere/at all", "ws://h"])
                == "--auth: can't read the file \"/nowhere/at all\": no such file or directory")
        #expect(refusal(["--bearer", "@/", "ws://h"]) == "--bearer: can't read the file \"/\": is a directory")
        #expect(refusal(["--auth", "@", "ws://h"]) == "--auth @ names no file: give @FILE")
        try withFile("hunter2\nsecond line") { path in
            #expect(
                refusal(["--bearer", "@\(path)", "ws://h"])
                    == "--bearer has no token that can be sent: it must be visible ASCII, with no blanks in it")
        }
        try withFile(String(repeating: "x", count: (64 << 10) + 1)) { path in
            #expect(
                refusal(["--bearer", "@\(path)", "ws://h"])
                    == "--bearer: the file \"\(path)\" is too large for a secret: 64 KiB are the most")
        }
    }

    @Test("Compression is offered unless refused, with the parameters that are given")
    func deflate() throws {
        #expect(try connecting().connection.deflate == PermessageDeflateSettings())
        #expect(try connecting("--no-deflate").connection.deflate == nil)
        #expect(try connecting("--deflate", "level=9").connection.deflate == (try PermessageDeflateSettings(parsing: "level=9")))
    }

    @Test("-4, -6, --resolve, --unix-socket and --servername say where the way leads")
    func way() throws {
        #expect(try connecting().connection.dialing.families == .any)
        #expect(try connecting("-4").connection.dialing.families == .ipv4)
        #expect(try connecting("-6").connection.dialing.families == .ipv6)
        let resolve = try connecting("--resolve", "a:80:127.0.0.1", "--resolve", "b:81:::1").connection.dialing.overrides
        #expect(resolve.map(\.host) == ["a", "b"])
        #expect(try connecting("--servername", "n").connection.dialing.serverName == "n")
        let url = try WebSocketURL("ws://h:81/")
        #expect(try connecting().connection.target(for: url) == .host("h", port: 81))
        #expect(try connecting("--unix-socket", "/s").connection.target(for: url) == .unix(path: "/s"))
        let socketURL = try WebSocketURL("ws+unix:///p:/")
        #expect(try connecting().connection.target(for: socketURL) == .unix(path: "/p"))
    }

    @Test("Times and sizes have their defaults, and take others")
    func limits() throws {
        let none = try connecting().connection
        #expect(none.dialing.connectTimeout == 10)
        #expect(none.limits.closeTimeout == 5_000_000_000)
        #expect(none.limits.maxMessageSize == 64 << 20)
        #expect(none.limits.pingInterval == 0 && none.limits.pingTimeout == 0)
        let all = try connecting(
            "--connect-timeout", "2.5", "--close-timeout", "0", "--max-message", "1G", "--ping-interval", "0.5", "--ping-timeout", "0.001"
        ).connection
        #expect(all.dialing.connectTimeout == 2.5)
        #expect(all.limits.closeTimeout == 0)
        #expect(all.limits.maxMessageSize == 1 << 30)
        #expect(all.limits.pingInterval == 500_000_000 && all.limits.pingTimeout == 1_000_000)
    }

    @Test("The proxy is the environment's, none, or the one given")
    func proxy() throws {
        guard case .environment = try connecting().connection.proxy else { return #expect(Bool(false)) }
        guard case .none = try connecting("--no-proxy").connection.proxy else { return #expect(Bool(false)) }
        guard case .given(let proxy) = try connecting("--proxy", "socks5h://u:p@h:9").connection.proxy else {
            return #expect(Bool(false))
        }
        let expected = try Proxy(parsing: "socks5h://u:p@h:9")
        #expect(proxy == expected)
    }

    @Test("--reconnect takes a number if one follows, and leaves a URL alone")
    func reconnect() throws {
        #expect(try connecting().connection.reconnectAttempts == 0)
        for arguments in [["--reconnect"], ["--reconnect", "-n"]] {
            #expect(try configuration(arguments + ["ws://localhost"]).connection.reconnectAttempts == .max)
        }
        for arguments in [["--reconnect", "5"], ["--reconnect=5"]] {
            #expect(try configuration(arguments + ["ws://localhost"]).connection.reconnectAttempts == 5)
        }
        #expect(try configuration(["ws://localhost", "--reconnect"]).connection.reconnectAttempts == .max)
        #expect(try configuration(["-x", "--reconnect", "ws://localhost"]).input.execute == ["--reconnect"])
        #expect(try configuration(["-x", "--reconnect", "ws://localhost"]).connection.reconnectAttempts == 0)
    }

    // MARK: TLS

    @Test("The certificate isn't checked with -n, -k and their long forms", arguments: ["-n", "-k", "--no-check", "--insecure"])
    func insecure(option: String) throws {
        #expect(try connecting(option).connection.tls.insecure)
        #expect(try connecting().connection.tls.insecure == false)
    }

    @Test("Certificates, key, trust and version go to TLS")
    func tls() throws {
        #expect(try connecting().connection.tls.identity == nil)
        let tls = try connecting("--cert", "c", "--key", "k", "--passphrase", "p", "--ca", "a", "--tls-min", "1.3").connection.tls
        #expect(tls.identity?.certificateFile == "c" && tls.identity?.keyFile == "k" && tls.identity?.passphrase?.revealed == "p")
        #expect(tls.caFile == "a" && tls.minimumVersion == .v13)
        #expect(try connecting().connection.tls.minimumVersion == .v12)
        #expect(try connecting("--cert", "c").connection.tls.identity?.keyFile == nil)
    }

    @Test("The key log is the environment's, unless empty")
    func keyLog() throws {
        func keyLog(_ environment: [String: String]) throws -> String? {
            try configuration(["ws://localhost"], environment: environment).connection.tls.keyLogFile
        }
        #expect(try keyLog(["SSLKEYLOGFILE": "/log"]) == "/log")
        #expect(try keyLog(["SSLKEYLOGFILE": ""]) == nil)
        #expect(try keyLog([:]) == nil)
    }

    @Test("A passphrase without a value is asked for, also before an option or a URL")
    func passphrase() throws {
        let asked = [["--passphrase", "ws://h"], ["ws://h", "--passphrase"], ["--passphrase", "-n", "ws://h"]]
        for arguments in asked {
            let configuration = try configuration(["--cert", "c"] + arguments)
            #expect(configuration.asksPassphrase)
            #expect(configuration.connection.tls.identity?.passphrase == nil)
        }
        for arguments in [["--passphrase", "s3cret", "-c", "ws://h"], ["--passphrase=-n://", "ws://h"]] {
            let configuration = try configuration(["--cert", "c"] + arguments)
            #expect(!configuration.asksPassphrase)
            #expect(configuration.connection.tls.identity?.passphrase != nil)
        }
    }

    @Test("With -l, certificates, trust and subprotocols are the server's")
    func listening() throws {
        let arguments = ["-l", "8080", "--cert", "c", "--key", "k", "--ca", "a", "-s", "x", "--tls-min", "1.3"]
        let options = try configuration(arguments).connection
        #expect(options.tls.identity?.certificateFile == "c" && options.tls.identity?.keyFile == "k")
        #expect(options.tls.caFile == "a" && options.handshake.subprotocols == ["x"] && options.tls.minimumVersion == .v13)
        let plain = try configuration(["-l", "8080"]).connection
        #expect(plain.tls.identity == nil && plain.tls.caFile == nil && plain.tls.minimumVersion == .v12)
        #expect(plain.handshake.subprotocols.isEmpty)
    }

    // MARK: Helpers

    private func authorization(_ option: String, _ value: String) throws -> Authorization? {
        try connecting(option, value).connection.handshake.authorization
    }

    private func basic(_ user: String, _ password: String) -> Authorization? {
        try? Authorization(user: user, password: .init(password))
    }

    private func bearer(_ token: String) -> Authorization? {
        Authorization(bearer: .init(token))
    }

    /// Runs the body with the path of a file that holds the text and is removed behind it.
    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        var template = Array("/tmp/wsline-options-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { unlink(path) }
        let bytes = Array(text.utf8)
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        try body(path)
    }
}
