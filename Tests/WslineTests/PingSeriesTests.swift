import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("A series of pings (/ping -c)", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct PingSeriesTests {
    /// A run whose series take no time, or no end.
    private func testRun(listens: Bool = false, interval: Double = 0.001, patience: Double = 1000) throws -> TestRun {
        let test = try TestRun(listens: listens)
        test.commands.seriesTiming = (interval, patience)
        return test
    }

    @Test("it sends one after the other without waiting for pongs, reports each, sums up, and then the next line may follow")
    func series() async throws {
        let test = try testRun()
        #expect(try !test.enter("/ping -c 3"))
        #expect(test.peer.pings == [[1]], "the first goes at once")
        try await waitUntil("three pings are sent") { test.peer.pings.count == 3 }
        #expect(test.commands.isBusy)
        for payload: UInt8 in 1...3 { test.receivePong([payload], after: UInt64(payload) * 1_000_000) }
        #expect(
            test.console.lines == [
                "pong after 1.0 ms", "pong after 2.0 ms", "pong after 3.0 ms",
                "3 pings, 0 lost: min 1.0 ms, median 2.01 ms, p99 3.0 ms, max 3.0 ms",
            ])
        #expect(!test.commands.isBusy && test.console.resumes > 0)
    }

    @Test("each has the payload that was given")
    func payload() async throws {
        let test = try testRun()
        try test.enter("/ping -c 2  hey")
        try await waitUntil("two pings are sent") { test.peer.pings.count == 2 }
        #expect(test.peer.pings == [Array(" hey".utf8), Array(" hey".utf8)])
        for _ in 0..<2 { test.receivePong(Array(" hey".utf8), after: 1_000_000) }
        #expect(test.console.lines.last?.hasPrefix("2 pings, 0 lost: ") == true)
    }

    @Test("pongs that stay out are lost: those that a later pong passed over, and the last once they had their time")
    func lost() async throws {
        let test = try testRun()
        try test.enter("/ping -c 4")
        try await waitUntil("four pings are sent") { test.peer.pings.count == 4 }
        test.receivePong([2], after: 1_000_000)
        test.receivePong([4], after: 1_000_000)
        #expect(test.console.lines.last == "4 pings, 2 lost: min 1.0 ms, median 1.0 ms, p99 1.0 ms, max 1.0 ms")
        let silent = try testRun(patience: 0.001)
        try silent.enter("/ping -c 1")
        try await waitUntil("the series is over") { !silent.commands.isBusy }
        #expect(silent.console.lines == ["1 ping, 1 lost"])
    }

    @Test("it ends with the connection, and says how far it came")
    func detached() throws {
        let test = try testRun(interval: 1000)
        try test.enter("/ping -c 10")
        test.receivePong([1], after: 1_000_000)
        test.detach()
        #expect(test.console.lines.last?.hasPrefix("1 ping, 0 lost: ") == true)
        #expect(!test.commands.isBusy)
    }

    @Test("a connection that is being closed ends it too")
    func closing() async throws {
        let test = try testRun()
        try test.enter("/ping -c 10")
        test.peer.readyState = .closing
        try await waitUntil("the series is over") { !test.commands.isBusy }
        #expect(test.console.lines.suffix(2) == ["the connection is closing, not open", "1 ping, 1 lost"])
    }

    @Test("another series takes its place; a single ping and a message go between")
    func another() async throws {
        let test = try testRun(interval: 1000)
        try test.enter("/ping -c 10")
        try test.enter("/ping one")
        try test.enter("hello")
        test.receivePong(Array("one".utf8), after: 1_000_000)
        #expect(test.console.lines == ["pong after 1.0 ms"])
        try test.enter("/ping -c 1 two")
        #expect(test.console.lines.last == "1 ping, 1 lost")
        test.receivePong(Array("two".utf8), after: 2_000_000)
        #expect(test.console.lines.last?.hasPrefix("1 ping, 0 lost: min 2.0 ms") == true)
        #expect(test.peer.texts == ["hello"])
    }

    @Test("of a listener every client gets each; with nobody there nothing begins")
    func clients() async throws {
        let test = try testRun(listens: true)
        test.peer.pinged = [1, 2]
        try test.enter("/ping -c 2 x")
        try await waitUntil("four pings are sent") { test.peer.pings.count == 4 }
        for client in [1, 2, 1] { test.receivePong([0x78], after: 1_000_000, from: client) }
        #expect(test.commands.isBusy)
        test.receivePong([0x78], after: 3_000_000, from: 2)
        #expect(test.console.lines.last?.hasPrefix("4 pings, 0 lost: min 1.0 ms") == true)
        let alone = try TestRun(listens: true, isAttached: false)
        #expect(try alone.enter("/ping -c 3"))
        #expect(alone.console.lines == ["no client is connected: nothing was sent"])
    }

    @Test("/status shows how the round trips are distributed once there are several, and how many pings were lost")
    func status() throws {
        let test = try testRun()
        test.role.status = []
        for time: UInt64 in 1...4 { test.receivePong([9], after: time * 1_000_000) }
        test.role.lostPings = 1
        try test.enter("/status")
        #expect(
            test.console.lines == [
                "round trip   4.0 ms", "round trips  4 (min 1.0 ms, median 2.01 ms, p99 4.0 ms, max 4.0 ms), 1 lost",
            ])
    }
}
