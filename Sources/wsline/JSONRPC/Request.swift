import WebSocketProtocol

/// A line `METHOD ARGUMENT …` as a request of JSON-RPC 2.0.
///
/// An argument that is JSON is taken as such, any other is a string. One that begins with a quotation mark, `[` or `{` has to be JSON, and
/// blanks may stand in it. `NAME=VALUE` names an argument; either all of them are named or none is.
struct RPCRequest {
    /// As a JSON string, as is each name.
    let method: [UInt8]
    private let arguments: [Argument]

    fileprivate struct Argument {
        /// Nil if it goes by its place.
        let name: [UInt8]?
        /// As JSON.
        let value: [UInt8]
    }

    /// - Throws: what is wrong with the line; bytes count from 1.
    init(parsing line: UnsafeRawBufferPointer) throws(CommandFailure) {
        var words = Words(line)
        guard let method = try words.next(mayBeNamed: false) else {
            throw CommandFailure("the line has no method: write METHOD ARGUMENT …, or a request in JSON")
        }
        self.method = method.value
        var arguments: [Argument] = []
        var names: Set<[UInt8]> = []
        while let argument = try words.next(mayBeNamed: true) {
            guard argument.name == nil || names.insert(argument.name ?? []).inserted else {
                throw CommandFailure("\(argument) gives a name a second time")
            }
            if let first = arguments.first, (first.name == nil) != (argument.name == nil) {
                throw CommandFailure("\(first) and \(argument) can't go together: name all arguments, as in NAME=VALUE, or none")
            }
            arguments.append(argument)
        }
        self.arguments = arguments
    }

    /// The request (JSON-RPC 2.0, section 4).
    ///
    /// - Parameter namesVersion: whether it has the member `jsonrpc`.
    func json(id: Int, namesVersion: Bool = true) -> [UInt8] {
        var request: [UInt8] = []
        request.append(literal: namesVersion ? #"{"jsonrpc":"2.0","id":"# : #"{"id":"#)
        request.append(decimal: UInt64(id.magnitude))
        request.append(literal: #","method":"#)
        request += method
        guard let first = arguments.first else { return request + [UInt8(ascii: "}")] }
        request.append(literal: first.name == nil ? #","params":["# : #","params":{"#)
        for (index, argument) in arguments.enumerated() {
            if index > 0 { request.append(UInt8(ascii: ",")) }
            if let name = argument.name { request += name + [UInt8(ascii: ":")] }
            request += argument.value
        }
        request.append(literal: first.name == nil ? "]}" : "}}")
        return request
    }
}

extension RPCRequest.Argument: CustomStringConvertible {
    var description: String {
        let name = name.map { String(decoding: $0.dropFirst().dropLast(), as: UTF8.self) + "=" } ?? ""
        return (name + String(decoding: value, as: UTF8.self)).escaped
    }
}

/// Cuts a line at its blanks, except at those in JSON.
private struct Words {
    private let line: UnsafeRawBufferPointer
    private var position = 0

    init(_ line: UnsafeRawBufferPointer) { self.line = line }

    mutating func next(mayBeNamed: Bool) throws(CommandFailure) -> RPCRequest.Argument? {
        while let byte, byte.isBlank { position += 1 }
        guard byte != nil else { return nil }
        let name = mayBeNamed ? try name() : nil
        let start = position
        if byte?.beginsJSON == true {
            position = try jsonEnd()
            guard byte?.isBlank ?? true else {
                throw CommandFailure("a blank has to follow the argument that ends before byte \(position + 1)")
            }
        } else {
            while let byte, !byte.isBlank { position += 1 }
        }
        let word = UnsafeRawBufferPointer(rebasing: line[start..<position])
        // A method is a string, whatever it looks like.
        let isJSON = mayBeNamed || word.first == UInt8(ascii: "\"") ? (try? JSONValue(parsing: word)) != nil : false
        return RPCRequest.Argument(name: name, value: isJSON ? Array(word) : Self.string(word))
    }

    /// Passes over `NAME=`, if that is what stands here. A name that isn't an identifier has to be in quotes.
    private mutating func name() throws(CommandFailure) -> [UInt8]? {
        let isQuoted = byte == UInt8(ascii: "\"")
        var end = position
        if isQuoted { end = try jsonEnd() } else { while end < line.count, line[end].isInName(first: end == position) { end += 1 } }
        guard end > position, end < line.count, line[end] == UInt8(ascii: "=") else { return nil }
        let name = UnsafeRawBufferPointer(rebasing: line[position..<end])
        position = end + 1
        return isQuoted ? Array(name) : Self.string(name)
    }

    /// Where the JSON that begins here ends.
    private func jsonEnd() throws(CommandFailure) -> Int {
        var tokens = JSONTokenizer(line, from: position)
        do throws(JSONSyntaxError) {
            repeat { _ = try tokens.next() } while tokens.depth > 0
        } catch {
            let hint = #"what begins with ", [ or { has to be JSON; a string is written "in quotes", with \" and \\ in it"#
            throw CommandFailure("not JSON at byte \(error.offset + 1): \(hint)")
        }
        return tokens.position
    }

    private static func string(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        var string: [UInt8] = []
        string.appendJSONString(utf8: text)
        return string
    }

    private var byte: UInt8? { position < line.count ? line[position] : nil }
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == 0x20 || (0x09...0x0D).contains(self) }

    fileprivate var beginsJSON: Bool { self == UInt8(ascii: "\"") || self == UInt8(ascii: "[") || self == UInt8(ascii: "{") }

    /// Of an identifier in most languages, and what APIs put between its parts.
    fileprivate func isInName(first: Bool) -> Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
            true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"): !first
        default: false
        }
    }
}
