import CPosix

/// A growable queue of raw bytes: written at its end, consumed from its front, and reused without allocating while it fits.
///
/// Every pointer it hands out is valid until the next mutating call.
struct ByteBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private(set) var capacity = 0
    private var start = 0
    private var end = 0
    /// What it counts in, where it may grow large.
    private let budget: MemoryBudget?

    init(budget: MemoryBudget? = nil) { self.budget = budget }

    deinit {
        _ = budget?.change(from: capacity, to: 0, mayExceed: true)
        free(base)
    }

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    /// The bytes written and not yet consumed.
    var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base.map { $0 + start }, count: end - start) }

    /// Room for at least `minimum` bytes after the last one; what is written there counts after `commit`.
    mutating func spare(atLeast minimum: Int) -> UnsafeMutableRawBufferPointer {
        if capacity - end < minimum {
            do { try makeRoom(for: minimum, upTo: .max, mayExceed: true) } catch { Memory.fail(count + minimum) }
        }
        return UnsafeMutableRawBufferPointer(start: base.map { $0 + end }, count: capacity - end)
    }

    /// Makes room for `minimum` bytes more.
    ///
    /// - Parameter most: the bytes that it will ever hold: it doesn't grow ahead of need past these.
    /// - Throws: `outOfMemory`, with nothing changed, if the budget or the system has no memory for them.
    mutating func reserve(_ minimum: Int, upTo most: Int = .max) throws(ProtocolError) {
        if capacity - end < minimum { try makeRoom(for: minimum, upTo: most, mayExceed: false) }
    }

    /// Takes in `byteCount` bytes that were written into `spare`.
    mutating func commit(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= capacity - end)
        end += byteCount
    }

    mutating func append(_ source: UnsafeRawBufferPointer) {
        guard let from = source.baseAddress, source.count > 0 else { return }
        let room = spare(atLeast: source.count)
        room.baseAddress?.copyMemory(from: from, byteCount: source.count)
        end += source.count
    }

    /// Drops `byteCount` bytes from the front.
    mutating func consume(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count)
        start += byteCount
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Drops `byteCount` bytes from the end.
    mutating func removeLast(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count)
        end -= byteCount
    }

    /// Drops all bytes, and frees the memory when more than `limit` bytes were held.
    mutating func removeAll(keepingCapacityUpTo limit: Int = .max) {
        start = 0
        end = 0
        if capacity > limit {
            _ = budget?.change(from: capacity, to: 0, mayExceed: true)
            free(base)
            base = nil
            capacity = 0
        }
    }

    private mutating func makeRoom(for minimum: Int, upTo most: Int, mayExceed: Bool) throws(ProtocolError) {
        let used = count
        if let base, start > 0, capacity - used >= minimum, start >= used || used < 4096 {
            // The free room is in front, and the move is short or no longer than what was consumed: amortised constant.
            base.copyMemory(from: base + start, byteCount: used)
        } else {
            let wanted = max(used + minimum, min(capacity * 2, most), 256)
            if let budget, !budget.change(from: capacity, to: wanted, mayExceed: mayExceed) { throw .outOfMemory(limit: budget.limit) }
            let fresh: UnsafeMutableRawPointer?
            if start == 0 {
                fresh = realloc(base, wanted)
            } else {
                fresh = malloc(wanted)
                if let fresh, let base {
                    fresh.copyMemory(from: base + start, byteCount: used)
                    free(base)
                }
            }
            guard let fresh else {
                _ = budget?.change(from: wanted, to: capacity, mayExceed: true)
                throw .outOfMemory(limit: nil)
            }
            base = fresh
            capacity = wanted
        }
        start = 0
        end = used
    }
}
