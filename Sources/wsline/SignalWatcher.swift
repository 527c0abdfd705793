import Dispatch
import CPosix

/// Hands SIGINT, SIGTERM and SIGHUP to a queue, so that a Close can be sent before the program leaves.
///
/// A queue that does not come round to it, because nobody reads standard error for example, does not keep the program from leaving: it ends
/// when `patience` is over.
final class SignalWatcher {
    private let sources: [any DispatchSourceSignal]

    /// - Parameter patience: seconds until the process ends whatever becomes of the handler; nil for never.
    init(
        queue: DispatchQueue, signals: [Int32] = [SIGINT, SIGTERM, SIGHUP], patience: Double? = nil,
        _ handler: @escaping @Sendable (Int32) -> Void
    ) {
        let watch = DispatchQueue(label: "wsline.signals")
        sources = signals.compactMap { number in
            // One that our starter had us ignore, as nohup does with SIGHUP, stays ignored.
            let before = unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
            if number != SIGINT, before == unsafeBitCast(SIG_IGN, to: Int.self) { return nil }
            let source = DispatchSource.makeSignalSource(signal: number, queue: watch)
            source.setEventHandler {
                queue.async { handler(number) }
                if let patience { watch.asyncAfter(deadline: .now() + patience) { _exit(128 + number) } }
            }
            source.resume()
            return source
        }
    }
}
