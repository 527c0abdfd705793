import TestSupport
import Testing

@testable import WebSocketTransport

@Suite(.eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct ByteStreamTests {
    /// More than any socket buffer takes.
    private static let flood = Task { await noise(64 << 20) }

    /// Both kinds of stream keep the same promises.
    static func pair(tls: Bool) async throws -> StreamPair {
        guard tls else { return try await .plain() }
        let contexts = try TestTLS()
        return try await StreamPair(server: contexts.server, client: contexts.client)
    }

    @Test("64 MiB come back from an echo as they were, though both sides block meanwhile", arguments: [false, true])
    func echo(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        pair.server.relay(to: pair.server)
        let bytes = await Self.flood.value
        async let sent = pair.client.send(bytes)
        let echoed = await pair.client.collect(atLeast: bytes.count)
        #expect(await sent == nil)
        #expect(await areSame(echoed.bytes, bytes))
        pair.client.close()
        pair.server.close()
    }

    @Test("a reader with a small buffer gets everything that TLS holds, with no further event from the socket", arguments: [1, 7, 16385])
    func smallBuffer(size: Int) async throws {
        let pair = try await Self.pair(tls: true)
        let bytes = await noise(40_000)
        await pair.server.send(bytes)
        // Nothing more is sent: what OpenSSL has read ahead comes by the stream's own wake-ups.
        let got = await pair.client.collect(atLeast: bytes.count, buffer: size)
        #expect(await areSame(got.bytes, bytes))
        pair.server.close()
        pair.client.close()
    }

    @Test("a handler that reads once per call is called until nothing is left", arguments: [false, true])
    func oneReadPerCall(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        let bytes = await noise(100_000)
        async let sent = pair.server.send(bytes)
        let client = pair.client
        let got: [UInt8] = await callback { resume in
            var collected: [UInt8] = []
            client.onReadable = {
                var buffer = [UInt8](repeating: 0, count: 1000)
                guard case .bytes(let count) = buffer.withUnsafeMutableBytes({ client.read(into: $0) }) else { return }
                collected += buffer[..<count]
                guard collected.count == bytes.count else { return }
                client.onReadable = nil
                client.pauseReading()
                resume(collected)
            }
            client.resumeReading()
        }
        #expect(await areSame(got, bytes))
        #expect(await sent == nil)
        client.close()
        pair.server.close()
    }

    @Test("bytes and a hang-up that come together are both told to a handler that reads once per call", arguments: [false, true])
    func hangUp(isReset: Bool) async throws {
        let pair = try await Self.pair(tls: false)
        let client = pair.client
        if !isReset { client.shutdownWrite() }
        await pair.server.send(await noise(3000))
        isReset ? pair.server.abort() : pair.server.close()
        let got: Transcript = await callback { resume in
            var collected = Transcript()
            client.onReadable = {
                var buffer = [UInt8](repeating: 0, count: 1000)
                switch buffer.withUnsafeMutableBytes({ client.read(into: $0) }) {
                case .bytes(let count): collected.bytes += buffer[..<count]
                case .wouldBlock: return
                case let ending:
                    client.onReadable = nil
                    collected.ending = ending
                    resume(collected)
                }
            }
            client.resumeReading()
        }
        // Of a reset connection a system may drop what was not read yet.
        #expect(isReset ? got.failure?.kind == .reset : got.endedCleanly && got.bytes.count == 3000)
        client.close()
    }

    @Test("one read gathers several TLS records")
    func gathersRecords() async throws {
        let pair = try await Self.pair(tls: true)
        for _ in 0..<50 { await pair.server.send("0123456789") }
        pair.server.shutdownWrite()
        let sizes = await readSizes(pair.client)
        #expect(sizes.reduce(0, +) == 500)
        #expect(sizes.count < 50)
        pair.client.close()
    }

    /// How much each read gave, once everything has arrived.
    private func readSizes(_ stream: ByteStream) async -> [Int] {
        await callback { resume in
            var sizes: [Int] = []
            stream.onReadable = {
                var buffer = [UInt8](repeating: 0, count: 4096)
                while true {
                    switch buffer.withUnsafeMutableBytes({ stream.read(into: $0) }) {
                    case .bytes(let count): sizes.append(count)
                    case .wouldBlock: return
                    case .end, .failed:
                        stream.onReadable = nil
                        return resume(sizes)
                    }
                }
            }
            stream.resumeReading()
        }
    }

    @Test("a paused stream tells nothing, and what came meanwhile is told on resuming", arguments: [false, true])
    func pause(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        let client = pair.client
        var calls = 0
        client.onReadable = { calls += 1 }
        client.resumeReading()
        client.pauseReading()
        await pair.server.send("hello")
        // The echo of a second connection's worth of work is no proof of silence; that the bytes are still there is.
        #expect(calls == 0)
        #expect(await client.collect(atLeast: 5).text == "hello")
        client.close()
        pair.server.close()
    }

    @Test("after shutdownWrite the peer sees the end and can still answer", arguments: [false, true])
    func halfClose(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        await pair.client.send("question")
        pair.client.shutdownWrite()
        let question = await pair.server.collect()
        #expect(question.text == "question")
        #expect(question.endedCleanly)
        await pair.server.send("answer")
        pair.server.close()
        let answer = await pair.client.collect()
        #expect(answer.text == "answer")
        #expect(answer.endedCleanly)
        let refused = await pair.client.send([1])
        #expect(refused?.kind == .closed)
        pair.client.close()
    }

    @Test("the end is told again at each read")
    func endIsSticky() async throws {
        let pair = try await Self.pair(tls: false)
        pair.server.close()
        #expect(await pair.client.collect().endedCleanly)
        #expect(await pair.client.collect().endedCleanly)
        pair.client.close()
    }

    @Test("a reset is told apart from an end", arguments: [false, true])
    func reset(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        pair.server.abort()
        let got = await pair.client.collect()
        #expect(got.failure?.kind == .reset)
        #expect(got.failure?.stage == .stream)
        pair.client.close()
    }

    @Test("a TLS stream that a FIN cuts off with no close_notify is truncated, not ended")
    func truncation() async throws {
        let pair = try await Self.pair(tls: true)
        await pair.server.send("the first half")
        pair.server.socket.shutdownWrite()
        let got = await pair.client.collect()
        #expect(got.text == "the first half")
        #expect(got.failure?.kind == .truncated)
        pair.client.close()
        pair.server.close()
    }

    @Test("writing to a peer that is gone fails, and no signal kills the process", arguments: [false, true])
    func brokenPipe(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        pair.server.abort()
        let error = await pair.client.send(Self.flood.value)
        #expect(error?.kind == .reset)
        pair.client.close()
    }

    @Test("a peer that does not read makes writes wait, and they go on when it reads", arguments: [false, true])
    func backpressure(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        let bytes = await Self.flood.value
        let client = pair.client
        var taken = 0
        while case .bytes(let count) = bytes.withUnsafeBytes({ client.write(UnsafeRawBufferPointer(rebasing: $0[taken...])) }), count > 0 {
            taken += count
        }
        #expect(taken < bytes.count)
        let untaken = Array(bytes[taken...])
        async let rest = client.send(untaken)
        #expect(await areSame(pair.server.collect(atLeast: bytes.count).bytes, bytes))
        #expect(await rest == nil)
        client.close()
        pair.server.close()
    }

    @Test("closing may be repeated, from a handler too, and what follows fails softly", arguments: [false, true])
    func closeIsIdempotent(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        let client = pair.client
        await pair.server.send("x")
        await callback { resume in
            client.onReadable = {
                client.close()
                client.close()
                client.abort()
                client.shutdownWrite()
                client.resumeReading()
                resume(())
            }
            client.resumeReading()
        }
        var byte: UInt8 = 0
        let got = withUnsafeMutableBytes(of: &byte) { client.read(into: $0) }
        guard case .failed(let error) = got else {
            Issue.record("\(got)")
            return
        }
        #expect(error.kind == .closed)
        pair.server.close()
    }

    @Test("a stream that is let go unclosed gives its socket back, asleep or awake", arguments: [false, true])
    func forgotten(awake: Bool) async throws {
        let listener = try TestListener()
        var dialed: DialedStream? = try await dial(.host("127.0.0.1", port: listener.port)).get()
        let server = try await listener.accept()
        if let stream = dialed?.stream {
            stream.resumeReading()
            if !awake { stream.pauseReading() }
        }
        dialed = nil
        #expect(await server.collect().endedCleanly)
        server.close()
    }
}
