import LineTerminal
import WebSocketProtocol

/// How JSON is shown at a terminal: coloured by token, and indented if that is asked for.
///
/// White space between tokens alone may change: numbers, names, their order and escapes are what came.
struct JSONFormat {
    /// Whether each member and element gets a row of its own.
    var indents = false
    /// Whether what could drive a terminal is made harmless.
    var filters = true
    private let isColored: Bool
    private let name: [UInt8]
    private let string: [UInt8]
    private let number: [UInt8]
    private let keyword: [UInt8]
    private let end: [UInt8]

    init(_ style: Style) {
        isColored = style.isEnabled
        (name, string) = (Array(style.start(.name).utf8), Array(style.start(.string).utf8))
        (number, keyword) = (Array(style.start(.number).utf8), Array(style.start(.keyword).utf8))
        end = Array(style.end.utf8)
    }

    /// Whether it shows JSON in another way than text.
    var isActive: Bool { isColored || indents }

    /// Appends a text that is an object or an array; only the beginning, if with the white space that is put in it takes more than `limit`
    /// bytes. All of it has to be JSON.
    ///
    /// - Returns: how many of its bytes are shown; nil, and the output is as it was, if it is anything else.
    func append(_ text: UnsafeRawBufferPointer, limit: Int = .max, to output: inout [UInt8]) -> Int? {
        guard JSONValue.mayBeStructure(text) else { return nil }
        let start = output.count
        do throws(JSONSyntaxError) {
            return try write(text, limit: limit, to: &output)
        } catch {
            output.removeLast(output.count - start)
            return nil
        }
    }

    private func write(_ text: UnsafeRawBufferPointer, limit: Int, to output: inout [UInt8]) throws(JSONSyntaxError) -> Int {
        var tokens = JSONTokenizer(text)
        var previous = JSONTokenizer.Token(kind: .colon, range: 0..<0)
        // Somebody may nest deeply what is short: what is put in stays in proportion.
        var room = max(4 * text.count, 64 << 10)
        var left = limit
        // The first token follows nothing.
        var isFirst = true
        while let token = try tokens.next() {
            let depth = tokens.depth - (token.kind.begins ? 1 : 0)
            let space = text[previous.range.upperBound..<token.range.lowerBound]
            // What is put in, or at least what stays.
            left -= indents ? isFirst ? 0 : indentation(token.kind, after: previous.kind, depth, room) : space.count
            let bytes = UnsafeRawBufferPointer(rebasing: text[token.range]).prefix(ofText: max(left, 0))
            guard !bytes.isEmpty else { return try skip(&tokens, shown: previous.range.upperBound) }
            left -= bytes.count
            Self.requireRoom(space.count + bytes.count + 2 * depth, in: output)
            if !indents {
                append(UnsafeRawBufferPointer(rebasing: space), mayHide: true, to: &output)
            } else if !isFirst {
                indent(token.kind, after: previous.kind, depth, &room, &output)
            }
            append(bytes, token.kind, to: &output)
            if bytes.count < token.range.count { return try skip(&tokens, shown: token.range.lowerBound + bytes.count) }
            previous = token
            isFirst = false
        }
        if indents { return text.count }
        let space = text[previous.range.upperBound...].prefix(left)
        append(UnsafeRawBufferPointer(rebasing: space), mayHide: true, to: &output)
        return space.endIndex
    }

    /// Reads on to the end, where the text may still turn out to be no JSON.
    private func skip(_ tokens: inout JSONTokenizer, shown: Int) throws(JSONSyntaxError) -> Int {
        while try tokens.next() != nil {}
        return shown
    }

    /// How many bytes stand before a token of an indented text.
    private func indentation(
        _ kind: JSONTokenizer.Token.Kind, after previous: JSONTokenizer.Token.Kind, _ depth: Int, _ room: Int
    ) -> Int {
        if previous == .colon { return 1 }
        guard kind.ends ? !previous.begins : previous == .comma || previous.begins else { return 0 }
        let count = 1 + 2 * depth
        return room >= count ? count : 0
    }

    /// What stands before a token of an indented text.
    private func indent(
        _ kind: JSONTokenizer.Token.Kind, after previous: JSONTokenizer.Token.Kind, _ depth: Int, _ room: inout Int, _ output: inout [UInt8]
    ) {
        let count = indentation(kind, after: previous, depth, room)
        guard count > 0 else { return }
        if previous == .colon { return output.append(0x20) }
        room -= count
        output.append(0x0A)
        output.append(contentsOf: repeatElement(0x20, count: count - 1))
    }

    private func append(_ bytes: UnsafeRawBufferPointer, _ kind: JSONTokenizer.Token.Kind, to output: inout [UInt8]) {
        let color: [UInt8]
        switch kind {
        case .beginObject, .endObject, .beginArray, .endArray, .comma, .colon: return output.append(bytes[0])
        case .name: color = name
        case .string: color = string
        case .number: color = number
        case .true, .false, .null: color = keyword
        }
        output.append(contentsOf: color)
        append(bytes, mayHide: kind == .name || kind == .string, to: &output)
        output.append(contentsOf: end)
    }

    /// - Parameter mayHide: whether there may be something that drives a terminal in it.
    private func append(_ bytes: UnsafeRawBufferPointer, mayHide: Bool, to output: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        if filters, mayHide { EscapeFilter.append(bytes, to: &output) } else { output.append(contentsOf: bytes) }
    }

    /// An array that grows is there twice.
    private static func requireRoom(_ count: Int, in output: [UInt8]) {
        // Escapes may take four bytes for one.
        let needed = output.count + 4 * count + 32
        if needed > output.capacity { Memory.require(2 * max(needed, output.capacity)) }
    }
}

extension JSONTokenizer.Token.Kind {
    fileprivate var begins: Bool { self == .beginObject || self == .beginArray }
    fileprivate var ends: Bool { self == .endObject || self == .endArray }
}
