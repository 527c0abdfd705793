import Testing
import WebSocketProtocol

@testable import wsline

@Suite("When a run stops after its input")
struct StopClockTests {
    private static let second = StopClock.second
    private static let closeTimeout = 5 * second

    private func clock(
        echoes: Bool = false, executes: Bool = false, endedAt end: Instant? = 0, _ set: (inout StopOptions) -> Void = { _ in }
    ) -> StopClock {
        var stop = StopOptions()
        set(&stop)
        var clock = StopClock(stop, echoes: echoes, executes: executes, closeTimeout: Self.closeTimeout)
        if let end { clock.inputEnded(at: end) }
        return clock
    }

    private func seconds(_ value: Double) -> Instant { Instant(value * 1e9) }

    @Test("nothing ends a run by time before its input has ended")
    func beforeTheEnd() {
        for wait: StopOptions.Wait? in [nil, .seconds(1), .untilClosed] {
            var clock = clock(endedAt: nil) { $0.wait = wait }
            clock.received(3, incomplete: nil, at: 10)
            #expect(clock.deadline == nil && !clock.isRunning)
        }
    }

    @Test("by default a second counts from when the input has left, and from each message")
    func silence() {
        var clock = clock()
        #expect(clock.deadline == nil, "the input has ended, and not left")
        clock.inputLeft(at: seconds(3))
        #expect(clock.deadline == seconds(4))
        clock.received(1, incomplete: nil, at: seconds(3.5))
        #expect(clock.deadline == seconds(4.5))
        clock.received(1, incomplete: nil, at: seconds(4.2))
        #expect(clock.deadline == seconds(4.5), "a look at what brought no message, a ping perhaps, changes nothing")
        #expect(clock.isDefault)
    }

    @Test("a message that is arriving suspends the second, for as long as some of it comes within the closing handshake's time")
    func incomplete() {
        var clock = clock()
        clock.inputLeft(at: 0)
        clock.received(0, incomplete: 10, at: seconds(0.5))
        #expect(clock.deadline == seconds(5.5))
        clock.received(0, incomplete: 10, at: seconds(3))
        #expect(clock.deadline == seconds(5.5), "no byte of it came")
        clock.received(0, incomplete: 11, at: seconds(4))
        #expect(clock.deadline == seconds(9))
        clock.received(1, incomplete: nil, at: seconds(5))
        #expect(clock.deadline == seconds(6))
        clock.received(2, incomplete: 11, at: seconds(5.5))
        #expect(clock.deadline == seconds(10.5), "the next one is another, of whatever size")
    }

    @Test("the second does not run without a connection, and begins anew on the next")
    func disconnected() {
        var clock = clock()
        clock.inputLeft(at: 0)
        clock.received(0, incomplete: 1, at: 0)
        clock.disconnected()
        #expect(clock.deadline == nil)
        clock.inputEnded(at: seconds(7))
        clock.inputLeft(at: seconds(7))
        #expect(clock.deadline == seconds(8))
    }

    @Test("what is not read, because standard output is blocked, is no silence")
    func paused() {
        var (silence, idle, wait) = (clock(), clock { $0.idle = 2 }, clock { $0.wait = .seconds(2) })
        silence.inputLeft(at: 0)
        silence.paused()
        idle.paused()
        wait.paused()
        #expect(silence.deadline == nil && idle.deadline == nil && wait.deadline == seconds(2))
        silence.resumed(at: seconds(9))
        idle.resumed(at: seconds(9))
        #expect(silence.deadline == seconds(10) && idle.deadline == seconds(11))
    }

    @Test("-w and --idle are bounds that neither waiting input nor a message on its way suspends; the earlier one counts")
    func bounds() {
        var wait = clock(endedAt: seconds(1)) { $0.wait = .seconds(0.5) }
        var idle = clock(endedAt: seconds(1)) { $0.idle = 2 }
        var both = clock(endedAt: seconds(1)) { ($0.wait, $0.idle) = (.seconds(3), 2) }
        #expect(wait.deadline == seconds(1.5) && idle.deadline == seconds(3) && both.deadline == seconds(3))
        wait.received(1, incomplete: 4, at: seconds(2.5))
        idle.received(1, incomplete: 4, at: seconds(2.5))
        both.received(1, incomplete: 4, at: seconds(2.5))
        #expect(wait.deadline == seconds(1.5) && idle.deadline == seconds(4.5) && both.deadline == seconds(4))
        idle.received(1, incomplete: 5, at: seconds(4))
        #expect(idle.deadline == seconds(4.5), "a message counts once it is whole")
        idle.inputEnded(at: seconds(9))
        #expect(idle.deadline == seconds(4.5), "the first end counts")
        #expect(clock { $0.wait = .seconds(0) }.deadline == 0)
    }

    @Test("-w -1, a goal and --echo wait for the server's Close, unless a bound is given; -x has two seconds")
    func others() {
        #expect(clock { $0.wait = .untilClosed }.deadline == nil)
        #expect(clock { $0.count = 1 }.deadline == nil)
        #expect(clock(echoes: true).deadline == nil)
        #expect(!clock(echoes: true).isRunning)
        #expect(clock(executes: true).deadline == seconds(2))
        #expect(clock(executes: true) { $0.count = 1 }.deadline == nil)
        #expect(clock(executes: true) { $0.idle = 3 }.deadline == seconds(3))
        #expect(clock { ($0.count, $0.wait) = (1, .seconds(1)) }.deadline == seconds(1))
        #expect(clock(echoes: true) { $0.idle = 1 }.deadline == seconds(1))
    }

    @Test("a time beyond counting is no overflow")
    func endless() {
        #expect(clock(endedAt: seconds(1)) { ($0.wait, $0.idle) = (.seconds(1e300), 1e300) }.deadline.map { $0 > seconds(1e9) } == true)
    }
}
