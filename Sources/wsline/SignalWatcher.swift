import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Hands SIGINT, SIGTERM and SIGHUP to a queue, so that a Close can be sent before the program leaves.
final class SignalWatcher {
    private let sources: [any DispatchSourceSignal]

    init(queue: DispatchQueue, signals: [Int32] = [SIGINT, SIGTERM, SIGHUP], _ handler: @escaping (Int32) -> Void) {
        sources = signals.compactMap { number in
            // One that our starter had us ignore, as nohup does with SIGHUP, stays ignored.
            let before = unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
            if number != SIGINT, before == unsafeBitCast(SIG_IGN, to: Int.self) { return nil }
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { handler(number) }
            source.resume()
            return source
        }
    }
}
