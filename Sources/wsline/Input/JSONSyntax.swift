/// Checks a text against the grammar of JSON, strictly (RFC 8259).
struct JSONSyntax {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    /// How deep arrays and objects may nest (RFC 8259, section 9, leaves it to the parser).
    private static let deepest = 512

    /// The offset of the first byte that can't belong to a JSON text, which is the count if the text is cut off; nil if it is one.
    /// `bytes` are valid UTF-8.
    static func firstError(in bytes: UnsafeRawBufferPointer) -> Int? {
        var syntax = JSONSyntax(bytes: bytes)
        syntax.skipBlanks()
        guard syntax.value(depth: 0) else { return syntax.position }
        syntax.skipBlanks()
        return syntax.position == bytes.count ? nil : syntax.position
    }

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    // Each of these passes over what it is named for, and returns whether it was there; if not, `position` is at the first wrong byte.

    private mutating func value(depth: Int) -> Bool {
        switch next {
        case UInt8(ascii: "{"): depth < Self.deepest && list(from: "{", to: "}") { $0.member(depth: depth + 1) }
        case UInt8(ascii: "["): depth < Self.deepest && list(from: "[", to: "]") { $0.value(depth: depth + 1) }
        case UInt8(ascii: "\""): string()
        case UInt8(ascii: "t"): literal("true")
        case UInt8(ascii: "f"): literal("false")
        case UInt8(ascii: "n"): literal("null")
        default: number()
        }
    }

    private mutating func list(from start: Unicode.Scalar, to end: Unicode.Scalar, element: (inout JSONSyntax) -> Bool) -> Bool {
        guard skip(start) else { return false }
        skipBlanks()
        if skip(end) { return true }
        while true {
            guard element(&self) else { return false }
            skipBlanks()
            if skip(end) { return true }
            guard skip(",") else { return false }
            skipBlanks()
        }
    }

    private mutating func member(depth: Int) -> Bool {
        guard string() else { return false }
        skipBlanks()
        guard skip(":") else { return false }
        skipBlanks()
        return value(depth: depth)
    }

    private mutating func string() -> Bool {
        guard skip("\"") else { return false }
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return true
            case UInt8(ascii: "\\"):
                position += 1
                guard escape() else { return false }
            case 0x20...: position += 1
            default: return false
            }
        }
        return false
    }

    /// What follows a backslash.
    private mutating func escape() -> Bool {
        guard !skip("u") else { return (0..<4).allSatisfy { _ in skip { Self.isHexDigit($0) } } }
        return skip { "\"\\/bfnrt".utf8.contains($0) }
    }

    private mutating func number() -> Bool {
        _ = skip("-")
        if !skip("0"), !digits() { return false }
        if skip("."), !digits() { return false }
        if skip("e") || skip("E") {
            _ = skip("+") || skip("-")
            return digits()
        }
        return true
    }

    private mutating func digits() -> Bool {
        guard skip(where: Self.isDigit) else { return false }
        while skip(where: Self.isDigit) {}
        return true
    }

    private mutating func literal(_ word: StaticString) -> Bool {
        word.withUTF8Buffer { $0.allSatisfy { byte in skip { $0 == byte } } }
    }

    private mutating func skipBlanks() {
        while skip(where: { [0x20, 0x09, 0x0a, 0x0d].contains($0) }) {}
    }

    // MARK: Bytes

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skip(_ scalar: Unicode.Scalar) -> Bool { skip { $0 == UInt8(ascii: scalar) } }

    private mutating func skip(where condition: (UInt8) -> Bool) -> Bool {
        guard let next, condition(next) else { return false }
        position += 1
        return true
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
