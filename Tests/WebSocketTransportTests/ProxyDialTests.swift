import TestSupport
import Testing

@testable import WebSocketTransport

@Suite(.eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct ProxyDialTests {
    private let tls: TestTLS

    init() throws { tls = try TestTLS() }

    /// A proxy that answers the dialogue with `answer` and then relays to `target`.
    private func tunnel(
        _ client: ByteStream, to target: UInt16, through answer: @Sendable (ByteStream) async throws -> Void
    ) async throws {
        try await answer(client)
        let upstream = try await dial(.host("127.0.0.1", port: target)).get().stream
        client.relay(to: upstream)
        upstream.relay(to: client)
    }

    /// Reads one CONNECT request and accepts it.
    private static let acceptCONNECT: @Sendable (ByteStream) async throws -> Void = { stream in
        var head = ""
        while !head.hasSuffix("\r\n\r\n") { head += await stream.collect(atLeast: 1, buffer: 1).text }
        #expect(head.hasPrefix("CONNECT target.test:"))
        await stream.send("HTTP/1.1 200 Connection established\r\n\r\n")
    }

    @Test(
        "2 MiB come back through an http or https proxy, with ws and wss alike: TLS runs inside TLS", arguments: [false, true],
        [false, true])
    func connect(proxyTLS: Bool, targetTLS: Bool) async throws {
        let proxy = try TestListener(tls: proxyTLS ? tls.server : nil)
        let server = try TestListener(tls: targetTLS ? tls.server : nil)
        var options = DialOptions()
        options.proxy = try Proxy(parsing: "\(proxyTLS ? "https" : "http")://127.0.0.1:\(proxy.port)")
        options.proxyTLS = tls.client
        options.tls = targetTLS ? tls.client : nil
        options.serverName = "localhost"
        let dialOptions = options
        let steps = Box([String]())
        async let dialed = dial(.host("target.test", port: server.port), dialOptions) { event in
            switch event {
            case .securedProxy: steps.value.append("proxy TLS")
            case .tunnelled: steps.value.append("tunnel")
            case .secured: steps.value.append("TLS")
            default: break
            }
        }
        try await tunnel(try await proxy.accept(), to: server.port, through: Self.acceptCONNECT)
        let accepted = try await server.accept()
        let client = try await dialed.get()
        accepted.relay(to: accepted)

        let bytes = await noise(2 << 20)
        async let sent = client.stream.send(bytes)
        #expect(await areSame(client.stream.collect(atLeast: bytes.count).bytes, bytes))
        #expect(await sent == nil)
        #expect(steps.value == (proxyTLS ? ["proxy TLS"] : []) + ["tunnel"] + (targetTLS ? ["TLS"] : []))
        #expect(client.timings.proxy ?? -1 > 0)

        client.stream.shutdownWrite()
        let end = await client.stream.collect()
        #expect(end.endedCleanly)
        client.stream.close()
        accepted.close()
    }

    /// A SOCKS5 proxy's side: no authentication, any request; the request is handed to `check`.
    private func acceptSOCKS(_ check: @escaping @Sendable ([UInt8]) -> Void) -> @Sendable (ByteStream) async throws -> Void {
        { stream in
            #expect(await stream.collect(atLeast: 3, buffer: 3).bytes == [5, 1, 0])
            await stream.send([5, 0])
            let head = await stream.collect(atLeast: 5, buffer: 5).bytes
            let rest = head[3] == 3 ? Int(head[4]) + 2 : 4 - 1 + 2
            check(head + (await stream.collect(atLeast: rest, buffer: rest).bytes))
            await stream.send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        }
    }

    @Test("socks5h hands the name over, socks5 looks it up first", arguments: [false, true])
    func socks(remote: Bool) async throws {
        let proxy = try TestListener()
        let server = try TestListener()
        var options = DialOptions()
        options.proxy = try Proxy(parsing: "\(remote ? "socks5h" : "socks5")://127.0.0.1:\(proxy.port)")
        let dialOptions = options
        async let dialed = dial(.host("localhost", port: server.port), dialOptions)
        let port = [UInt8(server.port >> 8), UInt8(server.port & 0xFF)]
        let expected = remote ? [5, 1, 0, 3, 9] + Array("localhost".utf8) + port : [5, 1, 0, 1, 127, 0, 0, 1] + port
        try await tunnel(try await proxy.accept(), to: server.port, through: acceptSOCKS { #expect($0 == expected) })
        let accepted = try await server.accept()
        let client = try await dialed.get()
        await client.stream.send("through SOCKS")
        #expect(await accepted.collect(atLeast: 13).text == "through SOCKS")
        client.stream.close()
        accepted.close()
    }

    @Test(
        "a proxy that refuses, hangs up or hangs is told of as such",
        arguments: [("HTTP/1.1 407 No\r\n\r\n", .authentication), ("", .protocolFailure), (nil, .timedOut)]
            as [(String?, TransportError.Kind)])
    func failures(answer: String?, kind: TransportError.Kind) async throws {
        let server = try LoopbackServer { connection in
            _ = try connection.receive(through: "\r\n\r\n")
            guard let answer else { return connection.hang() }
            try connection.send(answer)
        }
        var options = DialOptions()
        options.proxy = try Proxy(parsing: "127.0.0.1:\(server.port)")
        options.connectTimeout = kind == .timedOut ? 0.1 : 10
        let error = await dial(.host("target.test", port: 80), options).error
        #expect(error?.stage == .proxy)
        #expect(error?.kind == kind)
    }

    @Test("a proxy that can't be reached, or has no name, is the proxy's failure")
    func unreachable() async throws {
        let listener = try TestListener()
        listener.close()
        var options = DialOptions()
        options.proxy = try Proxy(parsing: "127.0.0.1:\(listener.port)")
        let refused = await dial(.host("target.test", port: 80), options).error
        #expect(refused?.stage == .proxy)
        #expect(refused?.message == "can't connect to the proxy http://127.0.0.1:\(listener.port) (127.0.0.1: connection refused)")
        options.proxy = try Proxy(parsing: "no.such.host.invalid")
        let unknown = await dial(.host("target.test", port: 80), options).error
        #expect(unknown?.stage == .proxy)
        #expect(unknown?.message.hasPrefix("can't resolve the proxy's name \"no.such.host.invalid\": ") == true)
    }

    @Test("an https proxy's certificate is checked against the proxy's name")
    func proxyCertificate() async throws {
        let other = try Certificate(
            Certificate.Template("other", names: ["DNS:other.test"]), issuer: tls.authority, in: tls.directory, as: "other")
        let proxy = try TestListener(tls: try TLSContext.server(.init(identity: other.identity)))
        var options = DialOptions()
        options.proxy = try Proxy(parsing: "https://127.0.0.1:\(proxy.port)")
        options.proxyTLS = tls.client
        let error = await dial(.host("target.test", port: 80), options).error
        #expect(error?.stage == .proxy)
        #expect(error?.kind == .certificate)
        #expect(error?.message == "the certificate is for other.test, not 127.0.0.1")
    }
}
