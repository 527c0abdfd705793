/// Masking of client frames (RFC 6455, section 5.3): byte `i` of a payload is XORed with byte `i mod 4` of the key.
enum Masking {
    /// Masks, or unmasks, `bytes` in place; `offset` is the position of the first one in the payload. The key's first byte on the wire is the lowest.
    static func apply(_ key: UInt32, to bytes: UnsafeMutableRawBufferPointer, offset: UInt64 = 0) {
        guard let base = bytes.baseAddress else { return }
        copy(UnsafeRawPointer(base), to: base, count: bytes.count, key: key, offset: offset)
    }

    /// Copies `count` bytes from `source` to `target`, masked. The two may be the same, else must not overlap.
    static func copy(_ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int, key: UInt32, offset: UInt64 = 0) {
        let rotation = UInt32(truncatingIfNeeded: offset & 3) &* 8
        let phased = rotation == 0 ? key : (key &>> rotation) | (key &<< (32 &- rotation))
        let word = UInt64(littleEndian: UInt64(phased) | UInt64(phased) &<< 32)
        var i = 0
        // Four words a turn, which the compiler turns into vector instructions.
        while i &+ 32 <= count {
            let a = source.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            let b = source.loadUnaligned(fromByteOffset: i &+ 8, as: UInt64.self)
            let c = source.loadUnaligned(fromByteOffset: i &+ 16, as: UInt64.self)
            let d = source.loadUnaligned(fromByteOffset: i &+ 24, as: UInt64.self)
            target.storeBytes(of: a ^ word, toByteOffset: i, as: UInt64.self)
            target.storeBytes(of: b ^ word, toByteOffset: i &+ 8, as: UInt64.self)
            target.storeBytes(of: c ^ word, toByteOffset: i &+ 16, as: UInt64.self)
            target.storeBytes(of: d ^ word, toByteOffset: i &+ 24, as: UInt64.self)
            i &+= 32
        }
        while i &+ 8 <= count {
            let a = source.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            target.storeBytes(of: a ^ word, toByteOffset: i, as: UInt64.self)
            i &+= 8
        }
        var rest = phased
        while i < count {
            let byte = source.load(fromByteOffset: i, as: UInt8.self)
            target.storeBytes(of: byte ^ UInt8(truncatingIfNeeded: rest), toByteOffset: i, as: UInt8.self)
            rest = rest &>> 8 | rest &<< 24
            i &+= 1
        }
    }
}

/// Masking keys, drawn from the system's random source in blocks: a fresh, unpredictable key for each frame (RFC 6455, section 5.3)
/// without a system call each.
struct MaskSource: ~Copyable {
    private let fill: RandomFill
    private let block: UnsafeMutableBufferPointer<UInt32>
    private var position: Int

    init(_ fill: @escaping RandomFill) {
        self.fill = fill
        // As many bytes as the system fills at once.
        block = .allocate(capacity: 64)
        block.initialize(repeating: 0)
        position = block.count
    }

    deinit { block.deallocate() }

    mutating func next() -> UInt32 {
        if position == block.count {
            fill(UnsafeMutableRawBufferPointer(block))
            position = 0
        }
        defer { position &+= 1 }
        return block[position]
    }
}
