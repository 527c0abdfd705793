import Dispatch
import WebSocketProtocol

/// Bounds what a peer may take before there is a ``Connection`` with a deadline of its own.
///
/// Time in which this process doesn't run isn't the peer's: what has come by the deadline is read first, and a timer that fires late begins
/// anew. It belongs to the queue that it is made for.
final class PeerTimer {
    private var deadline = DispatchTime.now()
    private let seconds: Double
    private let timer: any DispatchSourceTimer
    private var isCancelled = false

    /// - Parameter onDue: called on `queue` when the time is over, unless ``cancel()`` comes first.
    init(seconds: Double, queue: DispatchQueue, onDue: @escaping () -> Void) {
        self.seconds = max(0, min(seconds, 1e9))
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in
            Poller.onceReadyIsTold(on: queue) {
                guard let self, !self.isCancelled else { return }
                if self.isLate { self.start() } else { onDue() }
            }
        }
        start()
        timer.resume()
    }

    deinit { timer.cancel() }

    func cancel() {
        isCancelled = true
        timer.cancel()
    }

    /// When the time runs out, for whoever goes on bounding it.
    func handOver() -> DispatchTime {
        cancel()
        return isLate ? .now() + seconds : deadline
    }

    private func start() {
        deadline = .now() + seconds
        timer.schedule(deadline: deadline, leeway: .milliseconds(1))
    }

    private var isLate: Bool { deadline.uptimeNanoseconds &+ Connection.punctuality < monotonicNow() }
}
