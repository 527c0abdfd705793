import WebSocketProtocol

/// Something that the loop does at a time.
@EventLoop
public final class Timer {
    private let body: () -> Void
    public fileprivate(set) var deadline: Instant = .max
    /// Its place among those that are armed; nil while it isn't.
    fileprivate var index: Int?

    /// - Parameter body: called once each time that it's armed, unless it's disarmed before.
    public init(_ body: @escaping () -> Void) { self.body = body }

    /// A timer that is armed to go off in `seconds`.
    @discardableResult
    public convenience init(after seconds: Double, _ body: @escaping () -> Void) {
        self.init(body)
        arm(at: monotonicNow() &+ nanoseconds(seconds))
    }

    public var isArmed: Bool { index != nil }

    /// Lets it go off at `deadline`, and not when it was to before. While it's armed the loop holds it.
    public func arm(at deadline: Instant) {
        if index != nil { EventLoop.timers.remove(self) }
        self.deadline = deadline
        EventLoop.timers.add(self)
    }

    public func disarm() {
        if index != nil { EventLoop.timers.remove(self) }
        // It may be among those that are going off just now.
        deadline = .max
    }

    fileprivate func fire() { body() }
}

/// The timers that are armed, as a heap: the earliest first.
@EventLoop
final class Timers {
    private var heap: [Timer] = []

    nonisolated init() {}

    var nextDeadline: Instant? { heap.first?.deadline }

    /// Lets those go off whose time has come. One that is armed anew meanwhile waits for the next turn.
    func fire() {
        guard let first = heap.first else { return }
        let now = monotonicNow()
        guard first.deadline <= now else { return }
        var due: [Timer] = []
        while let next = heap.first, next.deadline <= now {
            remove(next)
            due.append(next)
        }
        for timer in due where timer.deadline <= now && !timer.isArmed { timer.fire() }
    }

    func add(_ timer: Timer) {
        timer.index = heap.count
        heap.append(timer)
        rise(heap.count - 1)
    }

    func remove(_ timer: Timer) {
        guard let index = timer.index else { return }
        timer.index = nil
        let last = heap.removeLast()
        guard last !== timer else { return }
        place(last, at: index)
        rise(index)
        sink(last.index ?? index)
    }

    private func place(_ timer: Timer, at index: Int) {
        heap[index] = timer
        timer.index = index
    }

    private func swap(_ one: Int, _ other: Int) {
        let timer = heap[one]
        place(heap[other], at: one)
        place(timer, at: other)
    }

    private func rise(_ start: Int) {
        var index = start
        while index > 0, heap[index].deadline < heap[(index - 1) / 2].deadline {
            swap(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            if 2 * index + 1 < heap.count, heap[2 * index + 1].deadline < heap[least].deadline { least = 2 * index + 1 }
            if 2 * index + 2 < heap.count, heap[2 * index + 2].deadline < heap[least].deadline { least = 2 * index + 2 }
            guard least != index else { return }
            swap(index, least)
            index = least
        }
    }
}
