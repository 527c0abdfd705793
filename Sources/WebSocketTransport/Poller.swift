import Dispatch
import Synchronization
import CPosix

/// Waits for all descriptors on one thread, with `poll`, and runs what they have to be told there, each on its own queue.
///
/// Dispatch's sources take two threads for each event on Linux: its manager waits, and wakes another thread for the handler. A round trip over a
/// pipe and a socket takes half as long again for it. They also tell of a hang-up but once, and spin on an error that comes alone.
public final class Poller: @unchecked Sendable {
    // Invariant: what several threads use is behind `state`; the rest belongs to the one thread that waits.

    static let shared = Poller()

    private struct Entry {
        weak var watch: DescriptorWatch?
        let queue: DispatchQueue
        let descriptor: Int32
        var events: Int16
    }

    private struct Later {
        let queue: DispatchQueue
        let work: DispatchWorkItem
    }

    private struct State: @unchecked Sendable {
        // Invariant: a watch is touched on its queue only; here it's but found.
        var entries: [UInt64: Entry] = [:]
        var hasChanged = true
        var lastNumber: UInt64 = 0
        var later: [Later] = []
        /// The thread that waits; nil before there is one.
        var thread: pthread_t?

        /// Whether the thread that waits has to be told that something is new.
        var needsBell: Bool { thread.map { pthread_equal($0, pthread_self()) == 0 } ?? false }
    }

    private let state = Mutex(State())
    /// A pipe whose only use is to end the wait.
    private let bell: (reads: Int32, writes: Int32)
    /// What is waited for, the bell first, and the number of each.
    private var waits: [pollfd] = []
    private var numbers: [UInt64] = []

    private init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "no descriptors are left to wait on others with")
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        bell = (ends[0], ends[1])
    }

    /// Runs `start` on `queue`, then for good what is waited for: on the calling thread, unless another one waits already.
    public static func run(on queue: DispatchQueue, _ start: () -> Void) -> Never {
        let isOurs = shared.state.withLock { state in
            if state.thread == nil { state.thread = pthread_self() }
            return !state.needsBell
        }
        queue.sync(execute: start)
        if isOurs { shared.loop() }
        while true { pause() }
    }

    /// Runs `body` on `queue`, not before this returns.
    public static func later(on queue: DispatchQueue, _ body: @escaping () -> Void) {
        let item = Later(queue: queue, work: DispatchWorkItem(block: body))
        shared.change { $0.later.append(item) }
    }

    /// Runs `body` on `queue` once everything that is ready now has been told.
    static func onceReadyIsTold(on queue: DispatchQueue, _ body: @escaping () -> Void) {
        // What is run later is followed by a look at all descriptors; the events of the last look may be older than this call.
        later(on: queue) { later(on: queue, body) }
    }

    /// Returns the number under which `watch` is told of `events`.
    func add(_ watch: DescriptorWatch, _ descriptor: Int32, _ events: Int16) -> UInt64 {
        change { state in
            state.lastNumber += 1
            state.entries[state.lastNumber] = Entry(watch: watch, queue: watch.queue, descriptor: descriptor, events: events)
            state.hasChanged = true
            return state.lastNumber
        }
    }

    func update(_ number: UInt64, _ events: Int16) {
        change { state in
            state.entries[number]?.events = events
            state.hasChanged = true
        }
    }

    func remove(_ number: UInt64) {
        change { state in
            state.entries[number] = nil
            state.hasChanged = true
        }
    }

    private func change<R>(_ body: (inout State) -> R) -> R {
        let (result, needsBell) = state.withLock { state in
            if state.thread == nil { state.thread = startThread() }
            return (body(&state), state.needsBell)
        }
        if needsBell {
            var ring: UInt8 = 1
            _ = write(bell.writes, &ring, 1)
        }
        return result
    }

    private func startThread() -> pthread_t {
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        let error = pthread_create(&thread, nil, { _ in Poller.shared.loop() }, nil)
        #if canImport(Darwin)
            guard error == 0, let thread else { fatalError("no thread can be made to wait for descriptors") }
        #else
            guard error == 0 else { fatalError("no thread can be made to wait for descriptors") }
        #endif
        return thread
    }

    private func loop() -> Never {
        while true {
            let later = state.withLock { state in
                if state.hasChanged { listWaits(&state) }
                let later = state.later
                if !later.isEmpty { state.later = [] }
                return later
            }
            for item in later { item.queue.sync(execute: item.work) }
            let count = poll(&waits, nfds_t(waits.count), later.isEmpty ? -1 : 0)
            guard count > 0 else { continue }
            if waits[0].revents != 0 { quietBell() }
            for index in waits.indices.dropFirst() where waits[index].revents != 0 { tell(numbers[index], waits[index]) }
        }
    }

    private func listWaits(_ state: inout State) {
        state.hasChanged = false
        waits = [pollfd(fd: bell.reads, events: Int16(POLLIN), revents: 0)]
        numbers = [0]
        for (number, entry) in state.entries {
            waits.append(pollfd(fd: entry.descriptor, events: entry.events, revents: 0))
            numbers.append(number)
        }
    }

    private func quietBell() {
        var rings: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        while read(bell.reads, &rings, MemoryLayout.size(ofValue: rings)) > 0 {}
    }

    /// A watch that was removed since the wait ended isn't found any more, or knows it once its queue comes to it.
    private func tell(_ number: UInt64, _ wait: pollfd) {
        guard let queue = state.withLock({ $0.entries[number]?.queue }) else { return }
        // Looked up on its queue: whatever was done there before, its end included, counts.
        queue.sync { state.withLock { $0.entries[number]?.watch }?.happened(wait.revents) }
    }
}
