import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    /// TLS that fails only once it seemed to stand, and TLS with a proxy.
    @Suite
    struct TLSRunTests {
        private let directory: TemporaryDirectory
        private let authority: Certificate
        private let certificate: Certificate

        init() throws {
            directory = try TemporaryDirectory()
            authority = try Certificate.authority(in: directory)
            certificate = try Certificate.localhost(issuer: authority, in: directory)
        }

        /// An echo server that demands a client certificate of our authority.
        private func demanding() throws -> TestServer {
            var options = TLSContext.ServerOptions(
                identity: TLSIdentity(certificateFile: certificate.certificateFile, keyFile: certificate.keyFile))
            options.clientCAFile = authority.certificateFile
            return try TestServer.echo(tls: try TLSContext.server(options))
        }

        @Test("TLS 1.3: a server that misses our certificate is named as a TLS failure, 4, with --cert as the hint, however it is met")
        func certificateRequired() throws {
            let server = try demanding()
            let url = "wss://localhost:\(server.port)/"
            // The alert comes after the handshake, with or without a reset behind it.
            for options in [[], ["-v"], ["-H", "X: \(String(repeating: "x", count: 20_000))"], [], []] {
                let result = try run(options + ["-1", "--ca", authority.certificateFile, url], input: "hi\n")
                #expect(result.status == 4)
                let verdict =
                    "wsline: TLS failed: \"localhost\" sent the alert \"certificate required\": "
                    + "the server wants a client certificate: give --cert\n"
                #expect(result.errors.hasSuffix(verdict), "\(result.errors)")
            }
            let unchecked = try run(["-k", "-1", url], input: "hi\n")
            #expect(unchecked.status == 4 && unchecked.errors.contains("give --cert"), "\(unchecked.errors)")
            let events = try run(["--json", "-1", "--ca", authority.certificateFile, url], input: "hi\n")
            #expect(events.output.contains(#""stage":"tls""#) && events.output.contains(#""exit":4"#), "\(events.output)")
        }

        @Test("TLS 1.3: a server that doesn't accept our certificate is named as a TLS failure, 4, with the alert's name")
        func certificateRefused() throws {
            let server = try demanding()
            let stranger = try Certificate.authority("another CA", in: directory, as: "stranger")
            let mine = try Certificate(.init("client"), issuer: stranger, in: directory, as: "mine")
            let good = try Certificate(.init("client"), issuer: authority, in: directory, as: "good")
            let arguments = ["-1", "--ca", authority.certificateFile, "wss://localhost:\(server.port)/"]
            for _ in 0..<3 {
                let result = try run(["--cert", mine.certificateFile, "--key", mine.keyFile] + arguments, input: "hi\n")
                #expect(result.status == 4)
                let verdict =
                    "wsline: TLS failed: \"localhost\" sent the alert \"unknown CA\": "
                    + "the server does not accept the certificate that --cert names\n"
                #expect(result.errors == verdict, "\(result.errors)")
            }
            #expect(try run(["--cert", good.certificateFile, "--key", good.keyFile] + arguments, input: "hi\n").output == "hi\n")
        }

        @Test("A listener that a client's TLS refuses says so, and by which alert")
        func listenerRefused() throws {
            let listener = try start([
                "-l", "0", "--cert", certificate.certificateFile, "--key", certificate.keyFile,
            ])
            try listener.wait(for: .errors) { $0.contains("(press CTRL+C to quit)\n") }
            let port = listener.errorText.split(separator: ":").last?.prefix { $0.isNumber } ?? ""
            let result = try run(["-1", "wss://127.0.0.1:\(port)/"], input: "hi\n")
            #expect(result.status == 4)
            try listener.wait(for: .errors) { $0.contains("alert \"unknown CA\"") }
            listener.send(signal: 15)
            try listener.waitForExit()
        }

        @Test("--ca and -k reach an https proxy, whose certificate is refused without them")
        func proxyTrust() throws {
            let proxy = try TestServer.echo(tls: try context(certificate), behindProxy: true)
            let arguments = ["-1", "--proxy", "https://localhost:\(proxy.port)", "ws://example.invalid/"]
            let refused = try run(arguments, input: "hi\n")
            #expect(refused.status == 5)
            #expect(refused.errors.hasPrefix("wsline: proxy failed: the certificate of \"localhost\""), "\(refused.errors)")
            #expect(refused.errors.contains("--ca FILE") && refused.errors.contains("-k"), "\(refused.errors)")
            let trusted = try run(["--ca", authority.certificateFile] + arguments, input: "hi\n")
            #expect(trusted.status == 0 && trusted.output == "hi\n", "\(trusted.errors)")
            let unchecked = try run(["-k"] + arguments, input: "hi\n")
            #expect(unchecked.status == 0 && unchecked.output == "hi\n", "\(unchecked.errors)")
            let missing = try run(["--ca", "/nonexistent.pem"] + arguments, input: "hi\n")
            #expect(missing.status == 74, "\(missing.errors)")
        }

        @Test("The client's certificate is for the server, not for an https proxy")
        func proxyIdentity() throws {
            var options = TLSContext.ServerOptions(
                identity: TLSIdentity(certificateFile: certificate.certificateFile, keyFile: certificate.keyFile))
            options.clientCAFile = authority.certificateFile
            let proxy = try TestServer.echo(tls: try TLSContext.server(options), behindProxy: true)
            let mine = try Certificate(.init("client"), issuer: authority, in: directory, as: "mine")
            let result = try run(
                [
                    "-1", "--ca", authority.certificateFile, "--cert", mine.certificateFile, "--key", mine.keyFile, "--proxy",
                    "https://localhost:\(proxy.port)", "ws://example.invalid/",
                ], input: "hi\n")
            #expect(result.status == 5)
            #expect(
                result.errors.hasPrefix("wsline: proxy failed: \"localhost\" sent the alert \"certificate required\""),
                "\(result.errors)")
        }

        @Test("A name that can't be resolved here for a socks5 proxy is 2; what a socks5h proxy can't resolve is 5")
        func names() throws {
            let proxy = try LoopbackServer {
                guard try $0.receive(exactly: 3) == [5, 1, 0] else { return }
                try $0.send([5, 0])
                _ = try $0.receive(exactly: 21)
                try $0.send([5, 4, 0, 1, 0, 0, 0, 0, 0, 0])
                $0.hang()
            }
            let here = try run(["--proxy", "socks5://127.0.0.1:\(proxy.port)", "ws://wsline.invalid/"])
            #expect(here.status == 2)
            #expect(here.errors.hasPrefix("wsline: name lookup failed: can't resolve \"wsline.invalid\""), "\(here.errors)")
            let there = try run(["--proxy", "socks5h://127.0.0.1:\(proxy.port)", "ws://wsline.invalid/"])
            #expect(there.status == 5, "\(there.errors)")
            let unknown = try run(["--proxy", "socks5://wsline.invalid", "ws://127.0.0.1:1/"])
            #expect(unknown.status == 5, "the proxy's own name is the proxy's failure")
        }
    }
}
