/// Checks UTF-8 as it arrives, in pieces cut anywhere (RFC 3629; RFC 6455, section 8.1).
///
/// Overlong forms, surrogates and code points above U+10FFFF are refused at the first byte that can't belong to a valid sequence.
public struct UTF8Validator: Sendable {
    /// How many continuation bytes the character begun still needs.
    private var missing = 0
    /// What the next continuation byte may be; narrower than 0x80…0xBF after some lead bytes.
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xBF

    public init() {}

    /// Whether what was consumed ends between two characters.
    public var isComplete: Bool { missing == 0 }

    /// Consumes `bytes`; returns the offset of the first wrong byte, or nil where there is none. After a wrong byte the validator is spent.
    public mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        let count = bytes.count
        var i = 0
        while i < count {
            if missing == 0 {
                i = Self.skipCharacters(base, from: Self.skipASCII(base, from: i, count: count), count: count)
                if i == count { return nil }
                let byte = base.load(fromByteOffset: i, as: UInt8.self)
                guard byte >= 0x80 else { continue }
                guard begin(byte) else { return i }
                i &+= 1
            }
            while missing > 0, i < count {
                let byte = base.load(fromByteOffset: i, as: UInt8.self)
                guard byte >= lower, byte <= upper else { return i }
                lower = 0x80
                upper = 0xBF
                missing &-= 1
                i &+= 1
            }
        }
        return nil
    }

    /// The offset of the first wrong byte of a whole text, or nil; a character cut off at the end counts as wrong there.
    public static func firstError(in bytes: UnsafeRawBufferPointer) -> Int? {
        var validator = UTF8Validator()
        if let offset = validator.consume(bytes) { return offset }
        return validator.isComplete ? nil : bytes.count
    }

    /// Whether a whole text is valid; fast where it is ASCII.
    @inline(__always)
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        return skipASCII(base, from: 0, count: bytes.count) == bytes.count || firstError(in: bytes) == nil
    }

    /// Takes the lead byte of a character of more than one byte (RFC 3629, section 4, has the ranges).
    private mutating func begin(_ lead: UInt8) -> Bool {
        switch lead {
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lower) = (2, 0xA0)
        case 0xED: (missing, upper) = (2, 0x9F)
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, lower) = (3, 0x90)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, upper) = (3, 0x8F)
        default: return false
        }
        return true
    }

    /// Skips characters that are in order as long as four bytes can be looked at, up to a run of ASCII. What it stops at need not be wrong.
    @inline(__always)
    private static func skipCharacters(_ base: UnsafeRawPointer, from start: Int, count: Int) -> Int {
        var i = start
        while i &+ 4 <= count {
            let word = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: i, as: UInt32.self))
            if word & 0x80 == 0 {
                if word & 0x8080_8080 == 0 { break }
                i &+= 1
            } else if word & 0x0000_C0E0 == 0x0000_80C0, word & 0x1E != 0 {
                i &+= 2
            } else if word & 0x00C0_C0F0 == 0x0080_80E0, word & 0x200F != 0, word & 0x200F != 0x200D {
                // Neither overlong nor a surrogate.
                i &+= 3
            } else if word & 0xC0C0_C0F8 == 0x8080_80F0, word & 0x3007 != 0, word & 7 < 4 || word & 0x3007 == 4 {
                // Neither overlong nor above U+10FFFF.
                i &+= 4
            } else {
                break
            }
        }
        return i
    }

    @inline(__always)
    private static func skipASCII(_ base: UnsafeRawPointer, from start: Int, count: Int) -> Int {
        let high: UInt64 = 0x8080_8080_8080_8080
        var i = start
        while i &+ 32 <= count {
            let a = base.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            let b = base.loadUnaligned(fromByteOffset: i &+ 8, as: UInt64.self)
            let c = base.loadUnaligned(fromByteOffset: i &+ 16, as: UInt64.self)
            let d = base.loadUnaligned(fromByteOffset: i &+ 24, as: UInt64.self)
            if (a | b | c | d) & high != 0 { break }
            i &+= 32
        }
        while i &+ 8 <= count, base.loadUnaligned(fromByteOffset: i, as: UInt64.self) & high == 0 { i &+= 8 }
        while i < count, base.load(fromByteOffset: i, as: UInt8.self) < 0x80 { i &+= 1 }
        return i
    }
}
