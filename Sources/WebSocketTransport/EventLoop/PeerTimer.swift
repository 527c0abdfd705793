import WebSocketProtocol

/// Bounds what a peer may take before there is a ``Connection`` with a deadline of its own.
///
/// Time in which this process doesn't run isn't the peer's: the loop reads what has come before it looks at the time, and a timer that goes off
/// late begins anew.
@EventLoop
final class PeerTimer {
    private var deadline: Instant = 0
    private let duration: Instant
    // Weak: the last reference may be let go on another thread, and the loop comes to `deinit` only later.
    private lazy var timer = Timer { [weak self] in
        guard let self else { return }
        if isLate { start() } else { onDue() }
    }
    private let onDue: () -> Void

    /// - Parameter onDue: called when the time is over, unless ``cancel()`` comes first.
    init(seconds: Double, onDue: @escaping () -> Void) {
        duration = nanoseconds(min(seconds, 1e9))
        self.onDue = onDue
        start()
    }

    isolated deinit { timer.disarm() }

    func cancel() { timer.disarm() }

    /// When the time runs out, for whoever goes on bounding it.
    func handOver() -> Instant {
        cancel()
        return isLate ? monotonicNow() &+ duration : deadline
    }

    private func start() {
        deadline = monotonicNow() &+ duration
        timer.arm(at: deadline)
    }

    private var isLate: Bool { deadline &+ Connection.punctuality < monotonicNow() }
}
