import WebSocketProtocol

/// The pieces of a JSON line (RFC 8259). Members are written in the order of the calls, each but the first after a comma.
extension [UInt8] {
    /// `"name":` after a comma; the value is the caller's to append.
    @inline(__always)
    mutating func appendJSONName(_ name: StaticString) {
        append(literal: ",\"")
        append(literal: name)
        append(literal: "\":")
    }

    mutating func appendJSON(_ name: StaticString, _ value: some StringProtocol) {
        appendJSONName(name)
        appendJSONString(value)
    }

    mutating func appendJSON(_ name: StaticString, literal value: StaticString) {
        appendJSONName(name)
        append(UInt8(ascii: "\""))
        append(literal: value)
        append(UInt8(ascii: "\""))
    }

    mutating func appendJSON(_ name: StaticString, _ value: Bool) {
        appendJSONName(name)
        append(literal: value ? "true" : "false")
    }

    mutating func appendJSON(_ name: StaticString, _ value: UInt64) {
        appendJSONName(name)
        append(decimal: value)
    }

    /// A number of milliseconds with three digits after the point.
    mutating func appendJSON(_ name: StaticString, microseconds: UInt64) {
        appendJSONName(name)
        append(decimal: microseconds / 1000)
        let start = count
        append(literal: ".000")
        withUnsafeMutableBytes { $0.write(microseconds % 1000, digits: 3, at: start + 1) }
    }

    /// `"text":"…"`, of bytes that are valid UTF-8.
    mutating func appendJSON(text bytes: UnsafeRawBufferPointer) {
        appendJSONName("text")
        appendJSONString(utf8: bytes)
    }

    mutating func appendJSON(base64 bytes: UnsafeRawBufferPointer) {
        appendJSONName("base64")
        append(UInt8(ascii: "\""))
        Base64.encode(bytes.bytes, into: &self)
        append(UInt8(ascii: "\""))
    }

    mutating func appendJSONString(_ text: some StringProtocol) {
        var text = String(text)
        text.withUTF8 { appendJSONString(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// A JSON string of valid UTF-8. Escaped are quotation mark, backslash and every character that could drive a terminal or break a line:
    /// C0, DEL, C1, U+2028, U+2029 and the bidirectional controls. All else stays as it is, so a parser gets back exactly what went in.
    mutating func appendJSONString(utf8 bytes: UnsafeRawBufferPointer) {
        reserveCapacity(count + bytes.count + 2)
        append(UInt8(ascii: "\""))
        var runStart = 0
        var i = 0
        while true {
            i = Self.skipPlain(bytes, from: i)
            guard i < bytes.count else { break }
            if let (value, length) = Self.escapedScalar(bytes, at: i) {
                append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[runStart..<i]))
                appendJSONEscape(value)
                i += length
                runStart = i
            } else {
                i += 1
            }
        }
        append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[runStart...]))
        append(UInt8(ascii: "\""))
    }

    /// The next byte from `start` on that may begin a character to escape. ASCII is looked at eight bytes a step.
    private static func skipPlain(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var i = start
        while i &+ 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)
            guard !mayNeedEscape(word) else { break }
            i &+= 8
        }
        while i < bytes.count {
            switch bytes[i] {
            case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x7F, 0xC2, 0xD8, 0xE2: return i
            default: i &+= 1
            }
        }
        return i
    }

    /// Whether one of eight bytes is below 0x20, a quotation mark, a backslash, DEL, or not ASCII.
    private static func mayNeedEscape(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        // A byte's top bit is set by `x - n` where x < n, and carries over into its neighbours only where that already held.
        let control = word &- ones &* 0x20
        let quote = (word ^ ones &* 0x22) &- ones
        let backslash = (word ^ ones &* 0x5C) &- ones
        let delete = (word ^ ones &* 0x7F) &- ones
        return (word | control | quote | backslash | delete) & tops != 0
    }

    /// The character at `index` and its length in bytes, if it is one that must be escaped.
    private static func escapedScalar(_ bytes: UnsafeRawBufferPointer, at index: Int) -> (UInt16, length: Int)? {
        let first = bytes[index]
        if first < 0x80 { return (UInt16(first), 1) }
        guard index + 1 < bytes.count else { return nil }
        let second = bytes[index + 1]
        switch (first, second) {
        case (0xC2, 0x80...0x9F): return (UInt16(second), 2)
        case (0xD8, 0x9C): return (0x061C, 2)
        case (0xE2, 0x80), (0xE2, 0x81):
            guard index + 2 < bytes.count else { return nil }
            let third = bytes[index + 2]
            switch (second, third) {
            case (0x80, 0x8E...0x8F), (0x80, 0xA8...0xAE): return (0x2000 | UInt16(third & 0x3F), 3)
            case (0x81, 0xA6...0xA9): return (0x2040 | UInt16(third & 0x3F), 3)
            default: return nil
            }
        default: return nil
        }
    }

    private mutating func appendJSONEscape(_ value: UInt16) {
        append(UInt8(ascii: "\\"))
        switch value {
        case 0x22: append(UInt8(ascii: "\""))
        case 0x5C: append(UInt8(ascii: "\\"))
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        default:
            append(UInt8(ascii: "u"))
            for digit in 0..<4 { append(hexDigit(UInt8(truncatingIfNeeded: value >> UInt16(12 - 4 * digit)) & 15)) }
        }
    }
}
