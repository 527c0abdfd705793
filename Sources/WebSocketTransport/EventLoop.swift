import CPosix
import Dispatch
import Synchronization
import WebSocketProtocol

/// The one thread on which connections live: it waits for descriptors and times, and everything between the socket and the printer runs on it.
///
/// As a global actor it lets the compiler prove what is on that thread. Calls within it are synchronous: no hop and no task lies on the path of a
/// message. Everybody else comes in by ``enter(_:)``.
@globalActor
public actor EventLoop {
    public static let shared = EventLoop()
    private static let executor = LoopExecutor()
    @EventLoop private static let waits = Waits(bell: executor.bell.reads)
    @EventLoop static let timers = Timers()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { Self.executor.asUnownedSerialExecutor() }

    /// Runs `start`, then the loop for good, on the calling thread. Once in a process.
    public nonisolated static func run(_ start: @EventLoop () -> Void) -> Never {
        executor.adoptThread()
        assumeIsolated(start)
        while true { assumeIsolated(turn) }
    }

    /// Runs `body` on the loop. From any thread.
    public nonisolated static func enter(_ body: @escaping @EventLoop @Sendable () -> Void) {
        executor.add(.work { assumeIsolated(body) })
    }

    /// Runs `body` on the loop, and returns what it returns. From any other thread.
    public nonisolated static func sync<Value: Sendable>(_ body: @escaping @EventLoop @Sendable () -> Value) -> Value {
        precondition(executor.isIsolatingCurrentContext() != true, "the loop would wait for itself")
        let result = Mutex<Value?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        enter {
            let value = body()
            result.withLock { $0 = value }
            isDone.signal()
        }
        isDone.wait()
        guard let value = result.withLock({ $0 }) else { preconditionFailure("the loop has run it") }
        return value
    }

    /// Runs `body` after what runs now, and before the next wait.
    @EventLoop public static func later(_ body: @escaping () -> Void) { upcoming.append(body) }

    @EventLoop private static var upcoming: [() -> Void] = []

    /// Runs `body`, which belongs to the loop, from a function of which the compiler doesn't know that it does. Traps on any other thread.
    public nonisolated static func assumeIsolated<Value>(_ body: @EventLoop () throws -> Value) rethrows -> Value {
        executor.checkIsolated()
        return try withoutActuallyEscaping(body) { try unsafeBitCast($0, to: (() throws -> Value).self)() }
    }

    /// Descriptors come before times: what has come by its deadline counts, even if we ran too late to see it in time.
    @EventLoop private static func turn() {
        executor.runJobs()
        let bodies = upcoming
        if !bodies.isEmpty { upcoming = [] }
        for body in bodies { body() }
        let deadline = executor.hasJobs || !upcoming.isEmpty ? 0 : timers.nextDeadline
        if waits.wait(until: deadline) { executor.quietBell() }
        timers.fire()
    }

    @EventLoop static func add(_ watch: DescriptorWatch, _ descriptor: Int32, _ events: Int16) { waits.add(watch, descriptor, events) }
    @EventLoop static func update(_ watch: DescriptorWatch, _ events: Int16) { waits.update(watch, events) }
    @EventLoop static func remove(_ watch: DescriptorWatch) { waits.remove(watch) }
}

/// What comes to the loop from other threads, and from itself for later.
private final class LoopExecutor: SerialExecutor {
    enum Item {
        case job(UnownedJob)
        case work(@Sendable () -> Void)
    }

    private struct State {
        var items: [Item] = []
        /// The loop's; nil before it runs.
        var thread: pthread_t?

        var isHere: Bool { thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    private let state = Mutex(State())
    /// A pipe whose only use is to end the wait.
    let bell: (reads: Int32, writes: Int32)

    init() {
        guard let pipe = makePipe() else { fatalError("no descriptors are left to wait on others with") }
        bell = pipe
    }

    func adoptThread() {
        state.withLock { state in
            precondition(state.thread == nil, "there is one loop, and it runs already")
            state.thread = pthread_self()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    func add(_ item: Item) {
        let isElsewhere = state.withLock { state in
            state.items.append(item)
            return state.thread != nil && !state.isHere
        }
        guard isElsewhere else { return }
        var ring: UInt8 = 1
        _ = write(bell.writes, &ring, 1)
    }

    func quietBell() {
        var rings: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        while read(bell.reads, &rings, MemoryLayout.size(ofValue: rings)) > 0 {}
    }

    var hasJobs: Bool { state.withLock { !$0.items.isEmpty } }

    /// Runs what is there by now; what that adds waits for the next turn.
    func runJobs() {
        let items = state.withLock { state in
            defer { if !state.items.isEmpty { state.items = [] } }
            return state.items
        }
        for item in items {
            switch item {
            case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .work(let work): work()
            }
        }
    }

    func isIsolatingCurrentContext() -> Bool? { state.withLock { $0.isHere } }

    func checkIsolated() { precondition(state.withLock { $0.isHere }, "only the event loop's thread may do this") }
}

/// The descriptors that are waited for, with `poll`.
@EventLoop
private final class Waits {
    /// The bell first.
    private var polls: [pollfd]
    /// Whose each is; nil for the bell, and for those removed since the last wait.
    private var watches: [DescriptorWatch?] = [nil]
    private var hasHoles = false

    init(bell: Int32) { polls = [pollfd(fd: bell, events: Int16(POLLIN), revents: 0)] }

    func add(_ watch: DescriptorWatch, _ descriptor: Int32, _ events: Int16) {
        watch.index = polls.count
        polls.append(pollfd(fd: descriptor, events: events, revents: 0))
        watches.append(watch)
    }

    func update(_ watch: DescriptorWatch, _ events: Int16) { polls[watch.index].events = events }

    func remove(_ watch: DescriptorWatch) {
        // In place, since events may be reported just now.
        polls[watch.index].fd = -1
        polls[watch.index].revents = 0
        watches[watch.index] = nil
        watch.index = 0
        hasHoles = true
    }

    /// Waits until something happens or `deadline` comes, and calls the watches concerned. Returns true if the bell rang.
    func wait(until deadline: Instant?) -> Bool {
        if hasHoles { close() }
        let count = poll(&polls, nfds_t(polls.count), milliseconds(until: deadline))
        guard count != 0 else { return false }
        guard count > 0 else {
            // A signal isn't a failure; memory that is short now may not be in a moment. Anything else is ours to have done wrong.
            guard errno == EINTR || errno == EAGAIN || errno == ENOMEM else { fatalError("poll failed: \(errorText(errno))") }
            return false
        }
        for index in polls.indices.dropFirst() where polls[index].revents != 0 { watches[index]?.happened(polls[index].revents) }
        return polls[0].revents != 0
    }

    private func milliseconds(until deadline: Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let now = monotonicNow()
        guard deadline > now else { return 0 }
        // Rounded up: a wait that ends too early would only be followed by another.
        return Int32(clamping: (deadline - now + 999_999) / 1_000_000)
    }

    private func close() {
        hasHoles = false
        var kept = 1
        for index in polls.indices.dropFirst() {
            guard let watch = watches[index] else { continue }
            polls[kept] = polls[index]
            watches[kept] = watch
            watch.index = kept
            kept += 1
        }
        polls.removeSubrange(kept...)
        watches.removeSubrange(kept...)
    }
}
