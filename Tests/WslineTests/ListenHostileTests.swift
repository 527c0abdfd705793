import TestSupport
import Testing
import CPosix

@Suite("Listening to clients that do wrong")
struct ListenHostileTests {
    /// The listener still does its work.
    private func expectService(_ server: Listening, _ arguments: [String] = []) throws {
        let client = try server.client(arguments + ["--count", "1"])
        try client.write("all well?\n")
        #expect(try client.waitForExit().status == .exited(0), "\(client.errorText)")
        #expect(client.outputText == "all well?\n")
    }

    @Test(
        "a request that is no handshake gets an HTTP error and a line",
        arguments: [
            ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405", "the method is \"POST\""),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426", "Upgrade"),
            ("\u{1b}]0;title\u{7}\r\n\r\n", "HTTP/1.1 400", "0x1b"),
            ("\u{16}\u{3}\u{1}\u{2}", "HTTP/1.1 400", "the client speaks TLS, and this port does not"),
            ("GET / HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 100_000), "HTTP/1.1 400", "no handshake"),
        ])
    func badRequest(_ request: String, _ status: String, _ told: String) throws {
        let server = try Listening(["--echo"])
        let client = try server.connect()
        // The listener may have had enough before it has it all.
        try? client.connection.send(request)
        let response = String(decoding: try client.connection.receive(atMost: 4096), as: UTF8.self)
        #expect(response.hasPrefix(status))
        try server.program.wait(for: .errors) { $0.contains("no handshake: ") && $0.contains(told) }
        #expect(!server.program.errorText.utf8.contains(0x1B))
        try expectService(server)
    }

    @Test("a breach of the protocol is answered with its close code, and told")
    func breach() throws {
        let server = try Listening(["--echo"])
        let client = try server.connect()
        try client.open()
        try client.connection.send([0x81, 0x01, 0x61])
        #expect(try client.connection.receive(exactly: 4).suffix(2) == [0x03, 0xEA])
        try server.program.wait(for: .errors) { $0.contains(/client 1: .*closed with 1002/) }
        close(client)
        try server.program.wait(for: .errors) { $0.contains("client 1 disconnected") }
        try expectService(server)
    }

    private func close(_ client: RawClient) { client.connection.shutdownWrite() }

    @Test("a message past --max-message is refused with 1009 before it is taken in")
    func tooLarge() throws {
        let server = try Listening(["--echo", "--max-message", "1K"])
        let client = try server.connect()
        try client.open()
        try client.connection.send([0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
        #expect(try client.connection.receive(exactly: 4).suffix(2) == [0x03, 0xF1])
        try expectService(server)
    }

    @Test("a client that does not finish its request is left after ten seconds")
    func slowHandshake() throws {
        let server = try Listening(["--echo"])
        let client = try server.connect()
        try client.connection.send("GET / HTTP/1.1\r\n")
        try server.program.wait(for: .errors, within: 30) { $0.contains("no handshake within 10 s") }
        try expectService(server)
    }

    @Test("a client that does not read its echoes is not read from either, and holds nobody up")
    func unreadEchoes() throws {
        let server = try Listening(["--echo"])
        let client = try server.connect()
        try client.open()
        let message = RawClient.frame(0x82, [UInt8](repeating: 7, count: 64 << 10))
        #expect(client.flood(with: message, upTo: 256 << 20) < 256 << 20)
        try expectService(server)
        expectPeakMemory(server.program.peakMemory, below: 128 << 20)
        #expect(try server.end() == .exited(143))
    }

    @Test("a hundred clients at once are all heard")
    func manyClients() throws {
        let server = try Listening(input: .file("/dev/null"))
        let clients = try (0..<100).map { _ in try server.connect() }
        for client in clients { try client.open() }
        for (number, client) in clients.enumerated() { try client.connection.send(RawClient.frame(0x81, Array("\(number)".utf8))) }
        try server.program.wait { $0.split(separator: "\n").count == 100 }
        #expect(Set(server.program.outputText.split(separator: "\n").compactMap { Int($0) }) == Set(0..<100))
    }

    @Test("a frame that comes with the request is not lost")
    func pipelined() throws {
        let server = try Listening(input: .file("/dev/null"))
        let client = try server.connect()
        try client.connection.send(
            Array(
                ("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").utf8)
                + RawClient.frame(0x81, Array("eager".utf8)))
        try server.program.wait { $0 == "eager\n" }
    }

    @Test("with a certificate it serves wss, and tells of clients that speak no TLS")
    func tls() throws {
        let directory = try TemporaryDirectory()
        let authority = try Certificate.authority(in: directory)
        let own = try Certificate.localhost(issuer: authority, in: directory)
        let arguments = ["--echo", "--cert", own.certificateFile, "--key", own.keyFile]
        let server = try Listening(arguments, scheme: "wss")
        #expect(server.program.errorText.contains("Listening on wss://127.0.0.1:"))
        let plain = try server.connect()
        try plain.connection.send("GET / HTTP/1.1\r\n\r\n")
        try server.program.wait(for: .errors) { $0.contains("TLS failed") }
        try expectService(server, ["--ca", authority.certificateFile])
    }

    @Test("--ca lets in nobody without a certificate that it issued")
    func clientCertificates() throws {
        let directory = try TemporaryDirectory()
        let authority = try Certificate.authority(in: directory)
        let own = try Certificate.localhost(issuer: authority, in: directory)
        let arguments = ["--echo", "--cert", own.certificateFile, "--key", own.keyFile, "--ca", authority.certificateFile]
        let server = try Listening(arguments, scheme: "wss")
        let stranger = try server.client(["--ca", authority.certificateFile, "-w", "-1"], input: .file("/dev/null"))
        #expect(try stranger.waitForExit().status != .exited(0))
        try server.program.wait(for: .errors) { $0.contains("TLS failed") }
        let known = ["--ca", authority.certificateFile, "--cert", own.certificateFile, "--key", own.keyFile]
        try expectService(server, known)
    }
}
