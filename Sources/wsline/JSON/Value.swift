import WebSocketProtocol

/// A value of a JSON text, where it stands: it is read out of the text's bytes, which have to stay there.
///
/// Of members with the same name the last one counts, as in a browser's `JSON.parse`.
struct JSONValue {
    enum Kind { case object, array, string, number, `true`, `false`, null }

    let kind: Kind
    /// The text that it is part of.
    let text: UnsafeRawBufferPointer
    /// Where it stands there, without the blanks round it.
    let range: Range<Int>

    /// The value that the whole of `text`, which is valid UTF-8, is.
    ///
    /// - Throws: where it isn't JSON.
    init(parsing text: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        var tokens = JSONTokenizer(text)
        guard let value = try tokens.nextValue(of: text), try tokens.next() == nil else { throw JSONSyntaxError(offset: tokens.position) }
        self = value
    }

    fileprivate init(_ kind: Kind, _ text: UnsafeRawBufferPointer, _ range: Range<Int>) {
        (self.kind, self.text, self.range) = (kind, text, range)
    }

    /// As it is written.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: text[range]) }

    // MARK: Objects and arrays

    /// An object's members in order; none of another value.
    var members: Members { Members(tokens: JSONTokenizer(text, from: range.lowerBound), text: text) }

    /// An array's elements in order; none of another value.
    var elements: Elements { Elements(tokens: JSONTokenizer(text, from: range.lowerBound), text: text) }

    /// A way down from a value.
    enum Step: Equatable {
        case member(String)
        /// From 0 on.
        case element(Int)
    }

    /// The value that the steps lead to; nil if there is none.
    func value(at path: some Sequence<Step>) -> JSONValue? {
        var value = self
        for step in path {
            guard let next = value.value(after: step) else { return nil }
            value = next
        }
        return value
    }

    /// The member of that name; nil if there is none, or this isn't an object.
    func member(_ name: String) -> JSONValue? { value(after: .member(name)) }

    private func value(after step: Step) -> JSONValue? {
        var found: JSONValue?
        switch step {
        case .member(let name):
            for (key, value) in members where key.isString(name) { found = value }
        case .element(var index):
            for value in elements {
                if index == 0 { return value }
                index -= 1
            }
        }
        return found
    }

    struct Members: Sequence, IteratorProtocol {
        fileprivate var tokens: JSONTokenizer
        fileprivate let text: UnsafeRawBufferPointer

        mutating func next() -> (name: JSONValue, value: JSONValue)? {
            while let token = try? tokens.next(), token.kind != .beginArray {
                guard token.kind == .name else {
                    if tokens.depth == 0 { return nil }
                    continue
                }
                guard (try? tokens.next()) != nil, let value = try? tokens.nextValue(of: text) else { return nil }
                return (JSONValue(.string, text, token.range), value)
            }
            return nil
        }
    }

    struct Elements: Sequence, IteratorProtocol {
        fileprivate var tokens: JSONTokenizer
        fileprivate let text: UnsafeRawBufferPointer

        mutating func next() -> JSONValue? {
            if tokens.depth == 0 {
                guard let token = try? tokens.next(), token.kind == .beginArray else { return nil }
            }
            return try? tokens.nextValue(of: text)
        }
    }

    // MARK: Strings and numbers

    /// A string's characters, as valid UTF-8.
    ///
    /// - Throws: where half of a surrogate pair stands, which is no character (RFC 8259, section 8.2).
    func decoded() throws(JSONSyntaxError) -> [UInt8] {
        let end = range.upperBound - 1
        var result: [UInt8] = []
        result.reserveCapacity(range.count - 2)
        var position = range.lowerBound + 1
        while let escape = text[position..<end].firstIndex(of: UInt8(ascii: "\\")) {
            result.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[position..<escape]))
            position = try decode(escape, to: &result)
        }
        result.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[position..<end]))
        return result
    }

    /// Whether it is this string.
    func isString(_ other: String) -> Bool {
        guard kind == .string else { return false }
        let content = text[(range.lowerBound + 1)..<(range.upperBound - 1)]
        guard content.contains(UInt8(ascii: "\\")) else { return content.elementsEqual(other.utf8) }
        return (try? decoded())?.elementsEqual(other.utf8) ?? false
    }

    /// The number that is nearest to the one that is written; nil if it isn't a number. One too large for the type is infinite.
    var double: Double? { kind == .number ? Double(String(decoding: bytes, as: UTF8.self)) : nil }

    /// Decodes the escape at `position`; returns where it ends.
    private func decode(_ position: Int, to result: inout [UInt8]) throws(JSONSyntaxError) -> Int {
        switch text[position + 1] {
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"):
            let unit = codeUnit(position)
            if let scalar = Unicode.Scalar(unit) {
                result.append(contentsOf: Unicode.UTF8.encode(scalar) ?? .init())
                return position + 6
            }
            // A pair of escapes stands for a character above U+FFFF (RFC 8259, section 7).
            let low = codeUnit(position + 6)
            guard unit < 0xDC00, (0xDC00...0xDFFF).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF)
            else { throw JSONSyntaxError(offset: position) }
            result.append(contentsOf: Unicode.UTF8.encode(scalar) ?? .init())
            return position + 12
        case let byte: result.append(byte)
        }
        return position + 2
    }

    /// What the four digits of the escape `\uXXXX` at `position` stand for; 0 if there is none.
    private func codeUnit(_ position: Int) -> UInt32 {
        guard position + 6 < range.upperBound, text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u") else {
            return 0
        }
        return text[(position + 2)..<(position + 6)].reduce(0) { $0 << 4 | UInt32(Hex.value(of: $1) ?? 0) }
    }
}

extension JSONTokenizer {
    /// Takes the next value whole; nil if the array, the object or the text is over.
    fileprivate mutating func nextValue(of text: UnsafeRawBufferPointer) throws(JSONSyntaxError) -> JSONValue? {
        var token = try next()
        if token?.kind == .comma { token = try next() }
        guard let token, let kind = JSONValue.Kind(token.kind) else { return nil }
        if kind == .object || kind == .array {
            let around = depth - 1
            while depth > around { _ = try next() }
        }
        return JSONValue(kind, text, token.range.lowerBound..<position)
    }
}

extension JSONValue.Kind {
    /// What a token begins, if it begins a value.
    fileprivate init?(_ token: JSONTokenizer.Token.Kind) {
        switch token {
        case .beginObject: self = .object
        case .beginArray: self = .array
        case .string: self = .string
        case .number: self = .number
        case .true: self = .true
        case .false: self = .false
        case .null: self = .null
        case .endObject, .endArray, .comma, .colon, .name: return nil
        }
    }
}

extension JSONValue {
    /// What may be JSON that is an object or an array; no other begins so.
    static func mayBeStructure(_ text: UnsafeRawBufferPointer) -> Bool {
        let first = text.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }
}
