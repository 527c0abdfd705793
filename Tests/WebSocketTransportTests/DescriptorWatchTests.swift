import Dispatch
import Synchronization
import Testing

@testable import WebSocketTransport
import CPosix

@Suite struct DescriptorWatchTests {
    /// A non-blocking pipe, each of whose ends is closed once.
    private final class Pipe: @unchecked Sendable {
        // Invariant: one test uses it, on its queue once that is in use.
        private(set) var reader: Int32 = -1
        private(set) var writer: Int32 = -1

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            (reader, writer) = (ends[0], ends[1])
            for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
            ignoreBrokenPipeSignal
        }

        deinit {
            closeReader()
            if writer >= 0 { close(writer) }
        }

        func closeReader() {
            if reader >= 0 { close(reader) }
            reader = -1
        }

        func put(_ byte: UInt8) { _ = [byte].withUnsafeBytes { write(writer, $0.baseAddress, 1) } }

        func take() -> UInt8? {
            var byte: UInt8 = 0
            return read(reader, &byte, 1) == 1 ? byte : nil
        }

        func fill() {
            let zeros = [UInt8](repeating: 0, count: 1 << 16)
            while write(writer, zeros, zeros.count) > 0 {}
        }
    }

    private let queue = DispatchQueue(label: "test.watch")

    /// Waits until `body` has called its argument; everything happens on the queue.
    private func until(_ body: @escaping @Sendable (@escaping () -> Void) -> Void) async {
        await queue.callback { resume in body { resume(()) } }
    }

    /// Waits until what got ready last of all has been told, twice over: what was ready before would have been told by then.
    private func othersHadTheirTurn() async throws {
        let pipe = try Pipe()
        let watch = Box(DescriptorWatch(pipe.reader, queue: queue))
        await until { done in
            var calls = 0
            watch.value.onReadable = {
                calls += 1
                guard calls == 2 else { return }
                watch.value.cancel()
                done()
            }
            watch.value.arm(reading: true)
            pipe.put(1)
        }
    }

    @Test("what can be read is told on the queue, again and again until it has been")
    func readable() async throws {
        let pipe = try Pipe()
        let watch = Box(DescriptorWatch(pipe.reader, queue: queue))
        await until { [queue] done in
            var calls = 0
            watch.value.onReadable = {
                dispatchPrecondition(condition: .onQueue(queue))
                calls += 1
                guard calls == 3 else { return }
                #expect(pipe.take() == 7)
                watch.value.arm()
                done()
            }
            watch.value.arm(reading: true)
            pipe.put(7)
        }
        queue.sync { watch.value.cancel() }
    }

    @Test("one that wants nothing is told nothing, and what came meanwhile once it wants again")
    func paused() async throws {
        let pipe = try Pipe()
        let watch = Box(DescriptorWatch(pipe.reader, queue: queue))
        let isWanted = Box(false)
        queue.sync {
            watch.value.onReadable = {
                #expect(isWanted.value)
                watch.value.arm()
            }
            watch.value.arm(reading: true)
            watch.value.arm()
            pipe.put(1)
        }
        try await othersHadTheirTurn()
        await until { done in
            isWanted.value = true
            watch.value.onReadable = {
                watch.value.cancel()
                done()
            }
            watch.value.arm(reading: true)
        }
    }

    @Test("a pipe whose reader goes has broken, whether it is empty or full", arguments: [false, true])
    func broken(isFull: Bool) async throws {
        let pipe = try Pipe()
        if isFull { pipe.fill() }
        let watch = Box(DescriptorWatch(pipe.writer, queue: queue))
        await until { done in
            watch.value.onBreak = {
                watch.value.arm()
                done()
            }
            watch.value.arm(breaking: true)
            pipe.closeReader()
        }
        queue.sync { watch.value.cancel() }
    }

    @Test("a watch tells nothing once it is cancelled or gone, though it was ready")
    func cancelled() async throws {
        let pipe = try Pipe()
        let cancelled = Box(DescriptorWatch(pipe.reader, queue: queue))
        queue.sync {
            var gone: DescriptorWatch? = DescriptorWatch(pipe.reader, queue: queue)
            for watch in [cancelled.value, gone] {
                watch?.onReadable = { Issue.record("told") }
                watch?.arm(reading: true)
            }
            pipe.put(1)
            cancelled.value.cancel()
            gone = nil
        }
        try await othersHadTheirTurn()
        withExtendedLifetime(cancelled) {}
    }

    @Test("a leased descriptor is open as long as somebody watches it or holds the lease, and closed then")
    func leased() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, streamSocket, 0, &ends) == 0)
        defer { close(ends[1]) }
        var lease: DescriptorLease? = DescriptorLease(Socket(descriptor: ends[0]))
        let watch = lease.map { DescriptorWatch($0, queue: queue) }
        lease = nil
        queue.sync { watch?.arm(reading: true) }
        #expect(fcntl(ends[0], F_GETFD) >= 0)
        queue.sync { watch?.cancel() }
        var byte: UInt8 = 0
        #expect(read(ends[1], &byte, 1) == 0)
    }

    @Test("what is to be done later is done on its queue, after what is being done, from any thread")
    func later() async {
        let order = Box<[Int]>([])
        await until { [queue] done in
            for number in 1...3 {
                Poller.later(on: queue) {
                    dispatchPrecondition(condition: .onQueue(queue))
                    order.value.append(number)
                    if number == 3 { done() }
                }
            }
            order.value.append(0)
        }
        #expect(order.value == [0, 1, 2, 3])
    }
}
