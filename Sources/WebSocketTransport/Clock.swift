import Dispatch
import WebSocketProtocol
import CPosix

/// Nanoseconds on the clock that `DispatchTime` counts on.
public func monotonicNow() -> Instant { DispatchTime.now().uptimeNanoseconds }

/// Seconds as nanoseconds; more than can be counted is the most that can.
public func nanoseconds(_ seconds: Double) -> Instant { Instant(exactly: (max(seconds, 0) * 1e9).rounded()) ?? .max / 4 }

/// Fills `bytes` with unpredictable ones, from the system itself: OpenSSL's generator would take a millisecond and 2 MiB to set up.
public func fillRandom(_ bytes: UnsafeMutableRawBufferPointer) {
    var rest = bytes
    while let base = rest.baseAddress, rest.count > 0 {
        // POSIX allows no more at once.
        let count = min(rest.count, 256)
        guard getentropy(base, count) == 0 else { fatalError("the system has no random numbers, which masking needs") }
        rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
    }
}

extension Duration {
    var asSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// Seconds with no more digits than they need: `10`, `0.5`.
func formatted(_ seconds: Double) -> String {
    seconds == seconds.rounded() && abs(seconds) < 1e15 ? String(Int(seconds)) : String(seconds)
}
