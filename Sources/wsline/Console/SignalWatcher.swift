import Dispatch
import WebSocketTransport
import CPosix

/// Hands SIGINT, SIGTERM and SIGHUP to the loop, so that a Close can be sent before the program leaves.
///
/// A loop that does not come round to it, because a file system hangs for example, does not keep the program from leaving: it ends when
/// `patience` is over.
final class SignalWatcher {
    private let sources: [any DispatchSourceSignal]
    private static let signals = [SIGINT, SIGTERM, SIGHUP]

    /// Keeps the signals for a watcher that is made later; to be called before there is a second thread, since threads block what their maker does.
    ///
    /// A signal that isn't blocked is lost, and the run goes on: one that comes before Dispatch has its source ready is ignored, and so is one that
    /// another thread than Dispatch's gets.
    static func holdSignals() {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// - Parameter patience: seconds until the process ends whatever becomes of the handler.
    init(patience: Double = 1.5, _ handler: @escaping @EventLoop @Sendable (Int32) -> Void) {
        let watch = DispatchQueue(label: "wsline.signals")
        sources = Self.signals.compactMap { number in
            // One that our starter had us ignore, as nohup does with SIGHUP, stays ignored.
            let before = unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
            if number != SIGINT, before == unsafeBitCast(SIG_IGN, to: Int.self) { return nil }
            let source = DispatchSource.makeSignalSource(signal: number, queue: watch)
            source.setEventHandler {
                EventLoop.enter { handler(number) }
                watch.asyncAfter(deadline: .now() + patience) { ExitStatus(signal: number).leave() }
            }
            source.resume()
            return source
        }
    }
}
