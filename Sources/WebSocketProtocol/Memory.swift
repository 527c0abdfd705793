import Synchronization
import CPosix

/// Where large memory is asked for, since a Swift array that gets none is a trap: without memory the program ends as it wants to.
public enum Memory {
    /// Ends the process, which could not get so many bytes; set by the program.
    public static let onFailure = Mutex<@Sendable (Int) -> Never>({ fatalError("out of memory: \($0) bytes") })

    /// Memory of `byteCount` bytes, to be given back with ``free(_:)``.
    public static func allocate(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        guard let base = malloc(byteCount) else { fail(byteCount) }
        return UnsafeMutableRawBufferPointer(start: base, count: byteCount)
    }

    public static func free(_ buffer: UnsafeMutableRawBufferPointer) { systemFree(buffer.baseAddress) }

    /// Makes sure, where it's worth the call, that an array can have `byteCount` bytes now.
    public static func require(_ byteCount: Int) {
        if byteCount >= 1 << 20 { free(allocate(byteCount)) }
    }

    static func fail(_ byteCount: Int) -> Never { onFailure.withLock { $0 }(byteCount) }
}

private func systemFree(_ base: UnsafeMutableRawPointer?) { free(base) }

/// How much memory the messages of several connections may hold together: those received and not yet whole, and those that wait to be sent.
///
/// A connection's large buffers count with their whole capacity; those of up to ``free`` bytes, which every connection has, don't.
public final class MemoryBudget: Sendable {
    /// Bytes.
    public let limit: Int
    private let used = Atomic<Int>(0)

    /// What isn't counted, for each buffer: about what one read, or a batch of writes, takes; bytes.
    static let free = 256 << 10

    public init(limit: Int) { self.limit = limit }

    /// Takes note of a buffer that grows or shrinks. Returns false, and nothing is changed, if it may not grow so far.
    ///
    /// - Parameter mayExceed: for what must be sent, such as a Close frame, whatever the limit says.
    @discardableResult
    public func change(from old: Int, to new: Int, mayExceed: Bool) -> Bool {
        let change = (new > Self.free ? new : 0) - (old > Self.free ? old : 0)
        guard change != 0 else { return true }
        let total = used.wrappingAdd(change, ordering: .relaxed).newValue
        guard change < 0 || mayExceed || total <= limit else {
            used.wrappingSubtract(change, ordering: .relaxed)
            return false
        }
        return true
    }
}
