import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Hands SIGINT, SIGTERM and SIGHUP to a queue, so that a Close can be sent before the program leaves.
///
/// A queue that does not come round to it, because a file system hangs for example, does not keep the program from leaving: it ends when
/// `patience` is over.
final class SignalWatcher {
    private let sources: [any DispatchSourceSignal]

    /// - Parameter patience: seconds until the process ends whatever becomes of the handler.
    init(
        queue: DispatchQueue, signals: [Int32] = [SIGINT, SIGTERM, SIGHUP], patience: Double = 1.5,
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
                watch.asyncAfter(deadline: .now() + patience) { ExitStatus(signal: number).leave() }
            }
            source.resume()
            return source
        }
    }
}
