import TestSupport
import Testing

@testable import WebSocketTransport
import CPosix

@Suite(.eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct DialerTests {
    /// A port on which nobody listens.
    private func freePort() async throws -> UInt16 {
        let listener = try TestListener()
        listener.close()
        return listener.port
    }

    @Test("a refused connection names each address with its reason")
    func refused() async throws {
        let port = try await freePort()
        var options = DialOptions()
        options.overrides = [try ResolveOverride(parsing: "server.test:\(port):127.0.0.1,::1")]
        let error = try #require(await dial(.host("server.test", port: port), options).error)
        #expect(error.stage == .connect)
        #expect(error.kind == .refused)
        #expect(error.message == "can't connect to server.test:\(port) (::1: connection refused; 127.0.0.1: connection refused)")
    }

    @Test("a literal is not told twice")
    func refusedLiteral() async throws {
        let port = try await freePort()
        #expect(await dial(.host("127.0.0.1", port: port)).error?.message == "can't connect to 127.0.0.1:\(port): connection refused")
        #expect(await dial(.host("::1", port: port)).error?.message == "can't connect to [::1]:\(port): connection refused")
    }

    @Test("localhost is looked up and connected to, and each step is told in order")
    func localhost() async throws {
        let listener = try TestListener()
        let steps = Box([String]())
        let dialed = try await dial(.host("localhost", port: listener.port)) { event in
            switch event {
            case .resolving(let host): steps.value.append("resolving \(host)")
            case .resolved(_, let addresses, _): steps.value.append(addresses.isEmpty ? "nothing" : "resolved")
            case .trying: steps.value.append("trying")
            case .connected(let address, let local):
                steps.value.append("connected")
                #expect(address.port == listener.port)
                #expect(local?.host == address.host)
            case .failed, .securedProxy, .tunnelled, .secured: steps.value.append("unexpected \(event)")
            }
        }.get()
        let told = steps.value
        #expect(told.first == "resolving localhost")
        #expect(told.suffix(1) == ["connected"])
        #expect(Set(told) == ["resolving localhost", "resolved", "trying", "connected"])
        #expect(dialed.timings.name > 0)
        #expect(dialed.timings.connect > 0)
        #expect(dialed.timings.tls == nil)
        #expect(dialed.deadline != nil)
        dialed.stream.close()
    }

    @Test("a name that nobody knows fails at the name stage, quoted")
    func unknownName() async throws {
        let error = try #require(await dial(.host("no such\u{1b}host.invalid", port: 80)).error)
        #expect(error.stage == .name)
        #expect(error.kind == .notFound)
        #expect(error.message.hasPrefix("can't resolve \"no such\\x1bhost.invalid\": "))
    }

    @Test("an address of the wrong family is refused before anything is tried")
    func wrongFamily() async {
        var options = DialOptions()
        options.families = .ipv4
        let error = await dial(.host("::1", port: 80), options).error
        #expect(error?.stage == .name)
        #expect(error?.message == "can't use ::1 for \"::1\": only IPv4 (-4) is allowed")
    }

    @Test("restricted to one family, only that is asked for and tried", arguments: [AddressFamilies.ipv4, .ipv6])
    func oneFamily(families: AddressFamilies) async throws {
        let listener = try TestListener()
        var options = DialOptions()
        options.families = families
        options.overrides = [try ResolveOverride(parsing: "both.test:\(listener.port):127.0.0.1,[::1]")]
        let dialed = try await dial(.host("both.test", port: listener.port), options).get()
        let peer = dialed.stream.peerAddress
        #expect(peer?.host == (families == .ipv4 ? "127.0.0.1" : "::1"))
        dialed.stream.close()
    }

    @Test("the second address is tried when the first refuses")
    func fallback() async throws {
        let listener = try TestListener(on: .host("127.0.0.1", port: 0))
        var options = DialOptions()
        options.overrides = [try ResolveOverride(parsing: "both.test:\(listener.port):127.0.0.1,[::1]")]
        let failures = Box([SocketAddress]())
        let dialed = try await dial(.host("both.test", port: listener.port), options) { event in
            if case .failed(let address, _) = event { failures.value.append(address) }
        }.get()
        #expect(failures.value == [.ipv6(1, port: listener.port)])
        dialed.stream.close()
    }

    @Test("a server that hangs within the TLS handshake meets the timeout")
    func hangingServer() async throws {
        let server = try LoopbackServer { $0.hang() }
        var options = DialOptions()
        options.tls = try TestTLS().client
        options.connectTimeout = 0.1
        let error = await dial(.host("127.0.0.1", port: server.port), options).error
        #expect(error?.stage == .tls)
        #expect(error?.kind == .timedOut)
        #expect(error?.message == "127.0.0.1:\(server.port) did not finish the TLS handshake within 0.1 s")
    }

    @Test("an address that never answers meets the timeout")
    func silentAddress() async throws {
        // A listener that accepts nobody: once its queue is full, further connections get no answer.
        let address = SocketAddress.ipv4(0x7F00_0001, port: 0)
        let listener = try Socket(for: address)
        try listener.bind(to: address)
        #expect(listen(listener.descriptor, 0) == 0)
        let bound = try #require(listener.localAddress)
        let crowd = try (0..<8).map { _ in
            let socket = try Socket(for: bound)
            _ = try socket.connect(to: bound)
            return socket
        }
        defer { (crowd + [listener]).forEach { $0.close() } }
        var options = DialOptions()
        options.connectTimeout = 0.2
        let error = await dial(.host("127.0.0.1", port: bound.port ?? 0), options).error
        #expect(error?.stage == .connect)
        #expect(error?.kind == .timedOut)
        #expect(error?.message == "can't connect to \(bound) within 0.2 s")
        #expect(error?.hint == "give it longer with --connect-timeout SECS")
    }

    @Test("after cancel nothing is told, and the server sees the end")
    func cancel() async throws {
        let server = try LoopbackServer { connection in _ = try connection.receiveToEnd() }
        var told = false
        var options = DialOptions()
        options.tls = try TestTLS().client
        await callback { resume in
            var handle: Dialer?
            handle = Dialer(
                to: .host("127.0.0.1", port: server.port), options: options,
                onProgress: { event in
                    guard case .connected = event else { return }
                    handle?.cancel()
                    handle = nil
                    EventLoop.later { resume(()) }
                },
                completion: { _ in told = true })
        }
        #expect(!told)
    }

    @Test("a UNIX socket is connected to")
    func unixSocket() async throws {
        let directory = try TemporaryDirectory()
        let listener = try TestListener(on: .unix(path: directory.file("s")))
        let dialed = try await dial(.unix(path: directory.file("s"))).get()
        let accepted = try await listener.accept()
        await dialed.stream.send("over the file")
        #expect(await accepted.collect(atLeast: 13).text == "over the file")
        #expect(dialed.timings.name < 1)
        dialed.stream.close()
        accepted.close()
    }

    @Test("a UNIX socket that is missing, or on which nobody listens, is named with the reason")
    func unixErrors() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s")
        #expect(await dial(.unix(path: path)).error?.message == "can't connect to unix:\(path): no such file or directory")
        let socket = try Socket(for: .unix(path: path))
        try socket.bind(to: .unix(path: path))
        socket.close()
        let error = await dial(.unix(path: path)).error
        #expect(error?.message == "can't connect to unix:\(path): connection refused")
        #expect(error?.kind == .refused)
    }

    @Test("a UNIX socket's path that is too long is refused with its length")
    func longPath() async {
        let error = await dial(.unix(path: "/tmp/" + String(repeating: "x", count: 200))).error
        #expect(error?.message.contains("has 205 bytes: at most \(SocketAddress.maximumPathLength) fit") == true)
    }
}
