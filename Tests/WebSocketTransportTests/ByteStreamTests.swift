import Dispatch
import TestSupport
import Testing

@testable import WebSocketTransport

@Suite(.timeLimit(.minutes(1))) struct ByteStreamTests {
    /// More than any socket buffer takes.
    static let flood = noise(64 << 20)

    /// Both kinds of stream keep the same promises.
    static func pair(tls: Bool) async throws -> StreamPair {
        guard tls else { return try await .plain() }
        let contexts = try TestTLS()
        return try await StreamPair(server: contexts.server, client: contexts.client)
    }

    @Test("64 MiB come back from an echo as they were, though both sides block meanwhile", arguments: [false, true])
    func echo(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        await pair.server.queue.run { pair.server.relay(to: pair.server) }
        let bytes = Self.flood
        async let sent = pair.client.send(bytes)
        let echoed = await pair.client.collect(atLeast: bytes.count)
        #expect(await sent == nil)
        #expect(echoed.bytes == bytes)
        await pair.client.dispose()
        await pair.server.dispose()
    }

    @Test("a reader with a small buffer gets everything that TLS holds, with no further event from the socket", arguments: [1, 7, 16385])
    func smallBuffer(size: Int) async throws {
        let pair = try await Self.pair(tls: true)
        let bytes = noise(40_000)
        await pair.server.send(bytes)
        // Nothing more is sent: what OpenSSL has read ahead comes by the stream's own wake-ups.
        let got = await pair.client.collect(atLeast: bytes.count, buffer: size)
        #expect(got.bytes == bytes)
        await pair.server.dispose()
        await pair.client.dispose()
    }

    @Test("a handler that reads once per call is called until nothing is left", arguments: [false, true])
    func oneReadPerCall(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        let bytes = noise(100_000)
        async let sent = pair.server.send(bytes)
        let client = pair.client
        let got: [UInt8] = await client.queue.callback { resume in
            let collected = Box([UInt8]())
            client.onReadable = {
                var buffer = [UInt8](repeating: 0, count: 1000)
                guard case .bytes(let count) = buffer.withUnsafeMutableBytes({ client.read(into: $0) }) else { return }
                collected.value += buffer[..<count]
                guard collected.value.count == bytes.count else { return }
                client.onReadable = nil
                client.pauseReading()
                resume(collected.value)
            }
            client.resumeReading()
        }
        #expect(got == bytes)
        #expect(await sent == nil)
        await client.dispose()
        await pair.server.dispose()
    }

    @Test("bytes and a hang-up that come together are both told to a handler that reads once per call", arguments: [false, true])
    func hangUp(isReset: Bool) async throws {
        let pair = try await Self.pair(tls: false)
        let client = pair.client
        if !isReset { await client.queue.run { client.shutdownWrite() } }
        await pair.server.send(noise(3000))
        await pair.server.queue.run { isReset ? pair.server.abort() : pair.server.close() }
        let got: Transcript = await client.queue.callback { resume in
            let collected = Box(Transcript())
            client.onReadable = {
                var buffer = [UInt8](repeating: 0, count: 1000)
                switch buffer.withUnsafeMutableBytes({ client.read(into: $0) }) {
                case .bytes(let count): collected.value.bytes += buffer[..<count]
                case .wouldBlock: return
                case let ending:
                    client.onReadable = nil
                    collected.value.ending = ending
                    resume(collected.value)
                }
            }
            client.resumeReading()
        }
        // Of a reset connection a system may drop what was not read yet.
        #expect(isReset ? got.failure?.kind == .reset : got.endedCleanly && got.bytes.count == 3000)
        await client.dispose()
    }

    @Test("one read gathers several TLS records")
    func gathersRecords() async throws {
        let pair = try await Self.pair(tls: true)
        for _ in 0..<50 { await pair.server.send("0123456789") }
        await pair.server.finish()
        let sizes = await readSizes(pair.client)
        #expect(sizes.reduce(0, +) == 500)
        #expect(sizes.count < 50)
        await pair.client.dispose()
    }

    /// How much each read gave, once everything has arrived.
    private func readSizes(_ stream: ByteStream) async -> [Int] {
        await stream.queue.callback { resume in
            let sizes = Box([Int]())
            stream.onReadable = {
                var buffer = [UInt8](repeating: 0, count: 4096)
                while true {
                    switch buffer.withUnsafeMutableBytes({ stream.read(into: $0) }) {
                    case .bytes(let count): sizes.value.append(count)
                    case .wouldBlock: return
                    case .end, .failed:
                        stream.onReadable = nil
                        return resume(sizes.value)
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
        let calls = Box(0)
        await client.queue.run {
            client.onReadable = { calls.value += 1 }
            client.resumeReading()
            client.pauseReading()
        }
        await pair.server.send("hello")
        // The echo of a second connection's worth of work is no proof of silence; that the bytes are still there is.
        #expect(await client.queue.run { calls.value } == 0)
        #expect(await client.collect(atLeast: 5).text == "hello")
        await client.dispose()
        await pair.server.dispose()
    }

    @Test("after shutdownWrite the peer sees the end and can still answer", arguments: [false, true])
    func halfClose(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        await pair.client.send("question")
        await pair.client.finish()
        let question = await pair.server.collect()
        #expect(question.text == "question")
        #expect(question.endedCleanly)
        await pair.server.send("answer")
        await pair.server.dispose()
        let answer = await pair.client.collect()
        #expect(answer.text == "answer")
        #expect(answer.endedCleanly)
        let refused = await pair.client.send([1])
        #expect(refused?.kind == .closed)
        await pair.client.dispose()
    }

    @Test("the end is told again at each read")
    func endIsSticky() async throws {
        let pair = try await Self.pair(tls: false)
        await pair.server.dispose()
        #expect(await pair.client.collect().endedCleanly)
        #expect(await pair.client.collect().endedCleanly)
        await pair.client.dispose()
    }

    @Test("a reset is told apart from an end", arguments: [false, true])
    func reset(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        await pair.server.queue.run { pair.server.abort() }
        let got = await pair.client.collect()
        #expect(got.failure?.kind == .reset)
        #expect(got.failure?.stage == .stream)
        await pair.client.dispose()
    }

    @Test("a TLS stream that a FIN cuts off with no close_notify is truncated, not ended")
    func truncation() async throws {
        let pair = try await Self.pair(tls: true)
        await pair.server.send("the first half")
        await pair.server.queue.run { pair.server.socket.shutdownWrite() }
        let got = await pair.client.collect()
        #expect(got.text == "the first half")
        #expect(got.failure?.kind == .truncated)
        await pair.client.dispose()
        await pair.server.dispose()
    }

    @Test("writing to a peer that is gone fails, and no signal kills the process", arguments: [false, true])
    func brokenPipe(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        await pair.server.queue.run { pair.server.abort() }
        let error = await pair.client.send(Self.flood)
        #expect(error?.kind == .reset)
        await pair.client.dispose()
    }

    @Test("a peer that does not read makes writes wait, and they go on when it reads", arguments: [false, true])
    func backpressure(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        let bytes = Self.flood
        let client = pair.client
        let taken = await client.queue.run {
            var taken = 0
            while case .bytes(let count) = bytes.withUnsafeBytes({ client.write(UnsafeRawBufferPointer(rebasing: $0[taken...])) }),
                count > 0
            {
                taken += count
            }
            return taken
        }
        #expect(taken < bytes.count)
        async let rest = client.send(Array(bytes[taken...]))
        #expect(await pair.server.collect(atLeast: bytes.count).bytes == bytes)
        #expect(await rest == nil)
        await client.dispose()
        await pair.server.dispose()
    }

    @Test("closing may be repeated, from a handler too, and what follows fails softly", arguments: [false, true])
    func closeIsIdempotent(tls: Bool) async throws {
        let pair = try await Self.pair(tls: tls)
        let client = pair.client
        await pair.server.send("x")
        await client.queue.callback { resume in
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
        let got = await client.queue.run {
            var byte: UInt8 = 0
            return withUnsafeMutableBytes(of: &byte) { client.read(into: $0) }
        }
        guard case .failed(let error) = got else {
            Issue.record("\(got)")
            return
        }
        #expect(error.kind == .closed)
        await pair.server.dispose()
    }

    @Test("a stream that is let go unclosed gives its socket back, asleep or awake", arguments: [false, true])
    func forgotten(awake: Bool) async throws {
        let listener = try TestListener()
        var dialed: DialedStream? = try await dial(.host("127.0.0.1", port: listener.port)).get()
        let server = try await listener.accept()
        if let stream = dialed?.stream {
            await stream.queue.run {
                stream.resumeReading()
                if !awake { stream.pauseReading() }
            }
        }
        dialed = nil
        #expect(await server.collect().endedCleanly)
        await server.dispose()
    }
}
