import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// Sending what should not be sent, and reading nothing: what the other end makes of it is what one wants to see.
extension Commands {
    struct SendFrame: Command {
        static let name = "frame"
        static let arguments = "[fin=0|1] [rsv=0-7] [op=NAME|0-15] [mask=HEX8|none] [len=N] [text|hex|base64 PAYLOAD]"
        static let briefArguments = "[FIELDS] [DATA]"
        static let summary = "send one frame just so, valid or not"
        static let details = """
            Each field has a default, and together they make a valid text frame. rsv=4 is RSV1; mask has the key's four bytes as they are on the wire; len is the \
            length that the header claims. A line shows what went out.
            """
        static let example = "/frame fin=0 rsv=4 op=ping hex 00 ff"

        let frame: HandMadeFrame

        init(_ argument: Substring) throws(CommandFailure) { frame = try HandMadeFrame(argument) }

        static func complete(_ argument: Substring) -> Candidates? { HandMadeFrame.complete(argument) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) { try interpreter.send(frame) }
    }

    struct SendRaw: Command {
        static let name = "raw"
        static let arguments = "HEX"
        static let summary = "send bytes as they are, in no frame"
        static let details = "What is no whole frame makes it unknown where the other end takes the next frame to begin."
        static let example = "/raw 81 05 68 65"

        let bytes: [UInt8]

        init(_ argument: Substring) throws(CommandFailure) { bytes = try decodedBytes(argument) { try Hex.decode($0) } }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) { try interpreter.send(raw: bytes) }
    }

    struct CloseAnyway: Command {
        static let name = "close!"
        static let arguments = "CODE [REASON]"
        static let summary = "send a Close with any code and reason"
        static let details =
            "CODE is 0 to 65535, also one that may not be sent. The connection stays as it is until the other end does something about it."
        static let example = "/close! 1005"

        let frame: HandMadeFrame

        init(_ argument: Substring) throws(CommandFailure) {
            let argument = argument.trimmed
            let number = argument.prefix { !$0.isWhitespace }
            guard !number.isEmpty else { throw CommandFailure("no close code was given") }
            guard let code = Int(decimal: number, in: 0...Int(UInt16.max)) else {
                throw CommandFailure("\(number.quoted) is not a number of 16 bits: give 0 to 65535")
            }
            var frame = HandMadeFrame()
            frame.frame.opcode = Opcode.close.rawValue
            frame.frame.payload = [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(argument[number.endIndex...].trimmed.utf8)
            self.frame = frame
        }

        private static let codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map { "\($0) " }

        static func complete(_ argument: Substring) -> Candidates? { Candidates(words: codes, typed: argument) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) { try interpreter.send(frame) }
    }

    struct Pause: Command {
        static let name = "pause"
        static let summary = "stop reading from the socket"
        static let details =
            "Pings go unanswered meanwhile, and once the buffers are full the other end has to wait. /resume, closing and the end go on reading."

        init(_ argument: Substring) {}

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            guard interpreter.run.pause() else { throw CommandFailure("\(UsageError.notOpen(.closed))") }
            interpreter.reply(
                "reading is paused: pings go unanswered meanwhile, and once the buffers are full the other end has to wait; /resume goes on"
            )
        }
    }

    struct Resume: Command {
        static let name = "resume"
        static let summary = "read on after /pause"
        static let details = "What came meanwhile is shown. The other end has its time for pongs anew."

        init(_ argument: Substring) {}

        @EventLoop func run(in interpreter: Interpreter) {
            interpreter.reply(interpreter.run.unpause() ? "reading goes on" : "reading wasn't paused")
        }
    }
}

extension HandMadeFrame {
    /// Reads `fin=0 op=ping text …`: fields in any order, then the payload, if there is one.
    init(_ argument: Substring) throws(CommandFailure) {
        var rest = argument.trimmed[...]
        var given: Set<Substring> = []
        while !rest.isEmpty {
            let word = rest.prefix { !$0.isWhitespace }
            let after = rest[word.endIndex...]
            if let form = PayloadForm(rawValue: String(word)) {
                // A text's blanks are its own, except the one after the word.
                frame.payload = try form.bytes(form == .text ? argument[word.endIndex...].dropFirst() : after.trimmed)
                return
            }
            guard let equals = word.firstIndex(of: "=") else {
                throw CommandFailure("\(word.quoted) is not a field: give \(Self.fieldList), then text, hex or base64 and the payload")
            }
            let field = word[..<equals]
            guard given.insert(field).inserted else { throw CommandFailure("\(field.escaped)= was given twice") }
            try set(field, word[word.index(after: equals)...])
            rest = after.drop(while: \.isWhitespace)
        }
    }

    private enum PayloadForm: String, CaseIterable {
        case text, hex, base64

        func bytes(_ text: Substring) throws(CommandFailure) -> [UInt8] {
            do {
                return switch self {
                case .text: Array(text.utf8)
                case .hex: try Hex.decode(String(text))
                case .base64: try Base64.decode(String(text))
                }
            } catch {
                throw CommandFailure("\(rawValue): \(error)")
            }
        }
    }

    static let opcodes: [(name: String, opcode: Opcode)] = [
        ("text", .text), ("binary", .binary), ("continuation", .continuation), ("close", .close), ("ping", .ping), ("pong", .pong),
    ]

    private static let fields: [(name: String, values: [String])] = [
        ("fin", ["0", "1"]), ("rsv", (0...7).map(String.init)), ("op", opcodes.map(\.name) + (0...15).map(String.init)),
        ("mask", ["none"]), ("len", []),
    ]

    private static var fieldList: String { fields.map { "\($0.name)=" }.joined(separator: ", ") }

    private mutating func set(_ field: Substring, _ value: Substring) throws(CommandFailure) {
        func number(_ range: ClosedRange<Int>) throws(CommandFailure) -> Int {
            guard let number = Int(decimal: value, in: range) else {
                throw CommandFailure("\(field)=\(value.escaped) must be \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        switch field {
        case "fin": frame.isFinal = try number(0...1) == 1
        case "rsv": frame.reserved = UInt8(try number(0...7))
        case "op":
            if let named = Self.opcodes.first(where: { $0.name == value }) {
                frame.opcode = named.opcode.rawValue
            } else if let code = Int(decimal: value, in: 0...15) {
                frame.opcode = UInt8(code)
            } else {
                let names = Self.opcodes.map(\.name).joined(separator: ", ")
                throw CommandFailure("op=\(value.escaped) must be one of \(names), or 0 to 15")
            }
        case "mask": mask = try Self.mask(value)
        case "len":
            guard value.isDecimal, let length = UInt64(value) else {
                throw CommandFailure("len=\(value.escaped) must be 0 to \(UInt64.max)")
            }
            frame.claimedLength = length
        default: throw CommandFailure("\(field.quoted) is not a field: give \(Self.fieldList), then text, hex or base64 and the payload")
        }
    }

    private static func mask(_ value: Substring) throws(CommandFailure) -> Mask {
        if value == "none" { return .none }
        guard value.utf8.count == 8, let bytes = try? Hex.decode(String(value)), bytes.count == 4 else {
            throw CommandFailure("mask=\(value.escaped) must be none, or the key's four bytes as eight hexadecimal digits")
        }
        return .key(bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) })
    }

    /// What Tab may put at the end of the argument: fields that weren't given, their values, and the forms of a payload.
    static func complete(_ argument: Substring) -> Candidates? {
        let words = argument.split(separator: " ", omittingEmptySubsequences: false)
        guard let typed = words.last, !words.dropLast().contains(where: { PayloadForm(rawValue: String($0)) != nil }) else { return nil }
        if let equals = typed.firstIndex(of: "=") {
            let name = typed[..<equals]
            let values = fields.first { $0.name == name }?.values ?? []
            return Candidates(words: values.map { "\(name)=\($0) " }, typed: typed)
        }
        let given = words.dropLast().map { $0.prefix { $0 != "=" } }
        let missing = fields.filter { field in !given.contains { $0 == field.name } }
        return Candidates(words: missing.map { "\($0.name)=" } + PayloadForm.allCases.map { "\($0.rawValue) " }, typed: typed)
    }
}
