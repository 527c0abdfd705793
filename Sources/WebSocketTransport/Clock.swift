import COpenSSL
import Dispatch
import WebSocketProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Nanoseconds on the clock that `DispatchTime` counts on.
public func monotonicNow() -> Instant { DispatchTime.now().uptimeNanoseconds }

/// Seconds as nanoseconds; what is beyond counting is the most that can be counted.
public func nanoseconds(_ seconds: Double) -> Instant { Instant(exactly: (max(seconds, 0) * 1e9).rounded()) ?? .max / 4 }

/// Fills `bytes` with unpredictable ones: a few from the system itself, many from OpenSSL's generator, which the system seeds. That one is faster
/// by far, but takes a millisecond to set up.
public func fillRandom(_ bytes: UnsafeMutableRawBufferPointer) {
    if bytes.count <= 256, getentropy(bytes.baseAddress, bytes.count) == 0 { return }
    var rest = bytes
    while let base = rest.baseAddress, rest.count > 0 {
        let count = min(rest.count, 1 << 16)
        guard RAND_bytes(base.assumingMemoryBound(to: UInt8.self), Int32(count)) == 1 else {
            fatalError("OpenSSL has no random numbers, which masking needs")
        }
        rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
    }
}
