import CPosix
import Dispatch
import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketTransport

@Suite(.eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct EventLoopTests {
    /// What happened, in order.
    private let order = Box<[String]>([])

    private let began = monotonicNow()

    /// A moment that is over already, the later the more `steps`.
    private func past(_ steps: Int) -> Instant { began &- nanoseconds(10) &+ Instant(steps) }

    private func timer(_ name: String) -> Timer { Timer { [order] in order.value.append(name) } }

    /// Waits until the next turn's timers have gone off.
    private func turn() async {
        await callback { done in
            EventLoop.later { Timer(after: 0) { done(()) } }
        }
    }

    // MARK: Times

    @Test("timers go off in the order of their deadlines, however they were armed")
    func deadlines() async {
        for step in [3, 1, 5, 2, 4] { timer("\(step)").arm(at: past(step)) }
        await turn()
        #expect(order.value == ["1", "2", "3", "4", "5"])
    }

    @Test("a timer goes off at its time and not before, those of the future in their order")
    func future() async {
        await callback { done in
            Timer(after: 0.06) { done(()) }
            for step in [3, 1, 2] {
                Timer(after: Double(step) * 0.02) { [order] in
                    #expect(monotonicNow() - began >= nanoseconds(Double(step) * 0.02))
                    order.value.append("\(step)")
                }
            }
        }
        #expect(order.value.prefix(2) == ["1", "2"])
    }

    @Test("a timer that is disarmed doesn't go off, nor one that another disarms whose time has come with its own")
    func disarmed() async {
        let never = timer("never")
        never.arm(at: past(1))
        never.disarm()
        let late = timer("late")
        let first = Timer { [order] in
            order.value.append("first")
            late.disarm()
        }
        first.arm(at: past(1))
        late.arm(at: past(1 << 20))
        #expect(late.isArmed)
        await turn()
        await turn()
        #expect(order.value == ["first"])
        #expect(!never.isArmed && !late.isArmed)
    }

    @Test("a timer that is armed anew while it goes off waits for the next turn, and one that another arms anew too")
    func armedWithin() async {
        let other = timer("other")
        var again: Timer?
        again = Timer { [order] in
            order.value.append("armed")
            EventLoop.later { order.value.append("next turn") }
            if order.value.count < 2 { again?.arm(at: past(0)) }
            other.arm(at: past(1))
        }
        again?.arm(at: past(0))
        other.arm(at: past(1 << 20))
        await turn()
        await turn()
        await turn()
        again = nil
        #expect(order.value == ["armed", "next turn", "armed", "next turn", "other"])
    }

    @Test("a timer whose deadline is moved goes off once, at the new one")
    func moved() async {
        let (earlier, later) = (timer("earlier"), timer("later"))
        earlier.arm(at: past(1 << 20))
        later.arm(at: past(1))
        timer("between").arm(at: past(1 << 10))
        earlier.arm(at: past(2))
        later.arm(at: past(1 << 21))
        await turn()
        await turn()
        #expect(order.value == ["earlier", "between", "later"])
    }

    @Test("of hundreds of timers that are armed, moved and disarmed at random, those left go off as sorting orders them", arguments: 1...5)
    func heap(seed: UInt64) async {
        var random = SeededGenerator(seed: seed)
        var model: [Int: Instant] = [:]
        var fired: [Int] = []
        let timers = (0..<400).map { number in Timer { fired.append(number) } }
        for _ in 0..<2000 {
            let number = Int.random(in: timers.indices, using: &random)
            if Int.random(in: 0..<4, using: &random) == 0 {
                timers[number].disarm()
                model[number] = nil
            } else {
                // Few enough that some are equal.
                let deadline = past(Int.random(in: 0..<1000, using: &random))
                timers[number].arm(at: deadline)
                model[number] = deadline
            }
        }
        #expect(timers.indices.filter { timers[$0].isArmed } == model.keys.sorted())
        await turn()
        #expect(fired.sorted() == model.keys.sorted())
        #expect(fired.compactMap { model[$0] } == model.values.sorted())
    }

    // MARK: Turns

    @Test("what is to be done later is done after what is being done and before the next wait, and what that adds in the next turn")
    func later() async throws {
        let pipe = try Pipe()
        pipe.put(1)
        await callback { done in
            let watch = DescriptorWatch(pipe.reader)
            watch.onReadable = { [order] in
                order.value.append("waited")
                watch.cancel()
            }
            watch.arm(reading: true)
            EventLoop.later { [order] in
                order.value.append("later")
                EventLoop.later {
                    order.value.append("next turn")
                    done(())
                }
            }
            EventLoop.later { [order] in order.value.append("then") }
            order.value.append("now")
        }
        #expect(order.value == ["now", "later", "then", "waited", "next turn"])
    }

    @Test("what is readable by the time of a deadline is told before the timer goes off, even if the loop comes late to both")
    func descriptorsFirst() async throws {
        let pipe = try Pipe()
        await callback { done in
            let watch = DescriptorWatch(pipe.reader)
            watch.onReadable = { [order] in
                order.value.append("readable")
                watch.cancel()
            }
            watch.arm(reading: true)
            let timer = Timer(after: 0.001) { [order] in
                order.value.append("time")
                done(())
            }
            pipe.put(1)
            while monotonicNow() <= timer.deadline {}
        }
        #expect(order.value == ["readable", "time"])
    }

    @Test("of two watches that are ready in one turn, the one that the other's handler cancels is told nothing")
    func cancelledByAnother() async throws {
        let pipes = [try Pipe(), try Pipe()]
        let watches = pipes.map { DescriptorWatch($0.reader) }
        for (number, watch) in watches.enumerated() {
            watch.onReadable = { [order] in
                order.value.append("told")
                watches[1 - number].cancel()
                watch.arm()
            }
            watch.arm(reading: true)
            pipes[number].put(1)
        }
        await turn()
        await turn()
        #expect(order.value == ["told"])
        for watch in watches { watch.cancel() }
    }

    @Test("a watch that a handler adds is told in the next turn, also in the place of one that was cancelled")
    func addedByAnother() async throws {
        let (first, second) = (try Pipe(), try Pipe())
        first.put(1)
        second.put(2)
        await callback { done in
            let watch = DescriptorWatch(first.reader)
            watch.onReadable = { [order] in
                order.value.append("first")
                watch.cancel()
                let added = DescriptorWatch(second.reader)
                added.onReadable = {
                    order.value.append("added")
                    added.cancel()
                    done(())
                }
                added.arm(reading: true)
                EventLoop.later { order.value.append("next turn") }
            }
            watch.arm(reading: true)
        }
        #expect(order.value == ["first", "next turn", "added"])
    }

    // MARK: Threads

    @Test("what another thread sends in wakes the loop, and runs in the order that it was sent")
    nonisolated func enter() async {
        for _ in 0..<100 {
            let order = await Box<[Int]>([])
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    for number in 0..<3 { EventLoop.enter { order.value.append(number) } }
                    EventLoop.enter { continuation.resume() }
                }
            }
            #expect(await order.value == [0, 1, 2])
        }
    }

    @Test("another thread gets back what it had made on the loop")
    nonisolated func sync() async {
        let made = EventLoop.sync {
            EventLoop.shared.preconditionIsolated()
            return [monotonicNow()]
        }
        #expect(made.count == 1 && made[0] <= monotonicNow())
    }

    @Test("an async function that is isolated to the loop runs on its thread, also after it waited for another's")
    func isolation() async throws {
        let thread = Box<pthread_t?>(nil)
        EventLoop.enter { thread.value = pthread_self() }
        await turn()
        let own = try #require(thread.value)
        for _ in 0..<3 {
            EventLoop.shared.preconditionIsolated()
            #expect(EventLoop.assumeIsolated { pthread_equal(own, pthread_self()) != 0 })
            await elsewhere()
        }
    }

    @concurrent private nonisolated func elsewhere() async { await Task.yield() }
}
