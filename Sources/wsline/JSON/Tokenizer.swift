import WebSocketProtocol

/// Takes a JSON text apart, strictly by its grammar (RFC 8259): a token a call, each where it stands in the text.
///
/// Nothing is decoded, copied or written anew, and nesting takes none of the stack, so that a text may be as large and as hostile as it likes.
/// The bytes are valid UTF-8, and stay where they are while they are looked at.
struct JSONTokenizer {
    struct Token: Equatable {
        enum Kind: Equatable {
            case beginObject, endObject, beginArray, endArray, comma, colon, name, string, number, `true`, `false`, null
        }

        let kind: Kind
        /// Its bytes in the text; a string's with its quotes.
        let range: Range<Int>
    }

    /// What the grammar allows next.
    private enum Expected { case value, valueOrEnd, name, nameOrEnd, colon, commaOrEnd, end }

    private let text: UnsafeRawBufferPointer
    /// Where the token that was returned last ends.
    private(set) var position: Int
    /// How many arrays and objects are open.
    private(set) var depth = 0
    private var expected = Expected.value
    /// A bit for each of them, set for an object: the innermost 64, and those round them.
    private var inner: UInt64 = 0
    private var outer: [UInt64] = []

    /// How deep arrays and objects may nest (RFC 8259, section 9, leaves it to the parser).
    static let deepest = 512

    /// - Parameter start: where the text begins, or a value in it.
    init(_ text: UnsafeRawBufferPointer, from start: Int = 0) {
        self.text = text
        position = start
    }

    /// Returns the next token; nil once the text is over.
    ///
    /// - Throws: where the first byte is that can't belong to a JSON text, which is the count if the text is cut off.
    mutating func next() throws(JSONSyntaxError) -> Token? {
        skipBlanks()
        let start = position
        guard start < text.count else {
            guard expected == .end else { throw wrong }
            return nil
        }
        let kind: Token.Kind
        switch text[start] {
        case UInt8(ascii: "\""):
            kind = try string()
        case UInt8(ascii: ","):
            guard expected == .commaOrEnd else { throw wrong }
            expected = isInObject ? .name : .value
            position += 1
            kind = .comma
        case UInt8(ascii: ":"):
            guard expected == .colon else { throw wrong }
            expected = .value
            position += 1
            kind = .colon
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try beginValue()
            try number()
            kind = .number
        case UInt8(ascii: "{"):
            try open(isObject: true)
            kind = .beginObject
        case UInt8(ascii: "["):
            try open(isObject: false)
            kind = .beginArray
        case UInt8(ascii: "}"):
            guard expected == .nameOrEnd || expected == .commaOrEnd && isInObject else { throw wrong }
            close()
            kind = .endObject
        case UInt8(ascii: "]"):
            guard expected == .valueOrEnd || expected == .commaOrEnd && !isInObject else { throw wrong }
            close()
            kind = .endArray
        case UInt8(ascii: "t"):
            try literal("true")
            kind = .true
        case UInt8(ascii: "f"):
            try literal("false")
            kind = .false
        case UInt8(ascii: "n"):
            try literal("null")
            kind = .null
        default: throw wrong
        }
        return Token(kind: kind, range: start..<position)
    }

    private var wrong: JSONSyntaxError { JSONSyntaxError(offset: position) }

    // MARK: Structure

    private var isInObject: Bool { inner & 1 != 0 }

    private mutating func beginValue() throws(JSONSyntaxError) {
        guard expected == .value || expected == .valueOrEnd else { throw wrong }
        expected = depth == 0 ? .end : .commaOrEnd
    }

    private mutating func open(isObject: Bool) throws(JSONSyntaxError) {
        try beginValue()
        guard depth < Self.deepest else { throw wrong }
        if depth > 0, depth % 64 == 0 { outer.append(inner) }
        inner = inner << 1 | (isObject ? 1 : 0)
        depth += 1
        expected = isObject ? .nameOrEnd : .valueOrEnd
        position += 1
    }

    private mutating func close() {
        depth -= 1
        inner >>= 1
        if depth > 0, depth % 64 == 0 { inner = outer.removeLast() }
        expected = depth == 0 ? .end : .commaOrEnd
        position += 1
    }

    // MARK: Tokens

    // Each of these passes over what it is named for; if that isn't there, `position` is at the first wrong byte.

    private mutating func string() throws(JSONSyntaxError) -> Token.Kind {
        let isName = expected == .name || expected == .nameOrEnd
        if isName { expected = .colon } else { try beginValue() }
        position += 1
        while true {
            position = Self.skipPlain(text, from: position)
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return isName ? .name : .string
            case UInt8(ascii: "\\"):
                position += 1
                try escape()
            default: throw wrong
            }
        }
    }

    /// What follows a backslash.
    private mutating func escape() throws(JSONSyntaxError) {
        switch byte {
        case UInt8(ascii: "u"):
            position += 1
            for _ in 0..<4 {
                guard let byte, Hex.value(of: byte) != nil else { throw wrong }
                position += 1
            }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        default: throw wrong
        }
    }

    private mutating func number() throws(JSONSyntaxError) {
        if byte == UInt8(ascii: "-") { position += 1 }
        if byte == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if byte == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            position += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = position
        while let byte, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw wrong }
    }

    private mutating func literal(_ word: StaticString) throws(JSONSyntaxError) {
        try beginValue()
        for index in 0..<word.utf8CodeUnitCount {
            guard byte == word.utf8Start[index] else { throw wrong }
            position += 1
        }
    }

    // MARK: Bytes

    private var byte: UInt8? { position < text.count ? text[position] : nil }

    private mutating func skipBlanks() {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// The next byte of a string from `start` on that ends it, begins an escape, or can't be in one. Eight bytes are looked at a step.
    private static func skipPlain(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var position = start
        while position &+ 8 <= text.count, !hasSpecial(text.loadUnaligned(fromByteOffset: position, as: UInt64.self)) { position &+= 8 }
        while position < text.count {
            switch text[position] {
            case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"): return position
            default: position &+= 1
            }
        }
        return position
    }

    /// Whether one of eight bytes is below 0x20, a quotation mark or a backslash.
    private static func hasSpecial(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        // `x - n` sets the top bit of a byte whose own isn't set where x < n; what it borrows matters only where that already held.
        let control = (word &- ones &* 0x20) & ~word
        let quote = word ^ ones &* 0x22
        let backslash = word ^ ones &* 0x5C
        return (control | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash) & 0x8080_8080_8080_8080 != 0
    }
}

/// Where a text isn't JSON, or a string of it can't be decoded.
struct JSONSyntaxError: Error, Equatable {
    /// Of the first wrong byte, from 0 on.
    let offset: Int
}
