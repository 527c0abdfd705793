import Testing

@testable import WebSocketTransport
import CPosix

@Suite(.eventLoop)
@EventLoop
struct DescriptorWatchTests {
    /// Waits until what got ready last of all has been told, twice over: what was ready before would have been told by then.
    private func othersHadTheirTurn() async throws {
        let pipe = try Pipe()
        let watch = DescriptorWatch(pipe.reader)
        await callback { done in
            var calls = 0
            watch.onReadable = {
                calls += 1
                guard calls == 2 else { return }
                watch.cancel()
                done(())
            }
            watch.arm(reading: true)
            pipe.put(1)
        }
    }

    @Test("what can be read is told, again and again until it has been")
    func readable() async throws {
        let pipe = try Pipe()
        let watch = DescriptorWatch(pipe.reader)
        await callback { done in
            var calls = 0
            watch.onReadable = {
                calls += 1
                guard calls == 3 else { return }
                #expect(pipe.take() == 7)
                watch.arm()
                done(())
            }
            watch.arm(reading: true)
            pipe.put(7)
        }
        watch.cancel()
    }

    @Test("one that wants nothing is told nothing, and what came meanwhile once it wants again")
    func paused() async throws {
        let pipe = try Pipe()
        let watch = DescriptorWatch(pipe.reader)
        var isWanted = false
        watch.onReadable = {
            #expect(isWanted)
            watch.arm()
        }
        watch.arm(reading: true)
        watch.arm()
        pipe.put(1)
        try await othersHadTheirTurn()
        await callback { done in
            isWanted = true
            watch.onReadable = {
                watch.cancel()
                done(())
            }
            watch.arm(reading: true)
        }
    }

    @Test("a pipe whose reader goes has broken, whether it is empty or full", arguments: [false, true])
    func broken(isFull: Bool) async throws {
        let pipe = try Pipe()
        if isFull { pipe.fill() }
        let watch = DescriptorWatch(pipe.writer)
        await callback { done in
            watch.onBreak = {
                watch.arm()
                done(())
            }
            watch.arm(breaking: true)
            pipe.closeReader()
        }
        watch.cancel()
    }

    @Test("a watch tells nothing once it is cancelled, though it was ready")
    func cancelled() async throws {
        let pipe = try Pipe()
        let watch = DescriptorWatch(pipe.reader)
        watch.onReadable = { Issue.record("told") }
        watch.arm(reading: true)
        pipe.put(1)
        watch.cancel()
        try await othersHadTheirTurn()
    }

    @Test("the loop holds a watch as long as it wants something, and no longer")
    func held() async throws {
        let pipe = try Pipe()
        weak var held: DescriptorWatch?
        await callback { done in
            let watch = DescriptorWatch(pipe.reader)
            watch.onReadable = { [unowned watch] in
                watch.arm()
                done(())
            }
            watch.arm(reading: true)
            held = watch
            pipe.put(1)
        }
        try await othersHadTheirTurn()
        #expect(held == nil)
    }

    @Test("a leased descriptor is open as long as somebody watches it or holds the lease, and closed then")
    func leased() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, streamSocket, 0, &ends) == 0)
        defer { close(ends[1]) }
        var lease: DescriptorLease? = DescriptorLease(Socket(descriptor: ends[0]))
        let watch = lease.map { DescriptorWatch($0) }
        lease = nil
        watch?.arm(reading: true)
        #expect(fcntl(ends[0], F_GETFD) >= 0)
        watch?.cancel()
        var byte: UInt8 = 0
        #expect(read(ends[1], &byte, 1) == 0)
    }
}
