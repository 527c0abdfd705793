/// Hexadecimal, two digits a byte (RFC 4648, section 8, in either case).
public enum Hex {
    /// Why a text isn't hexadecimal. Columns count bytes from 1.
    public enum DecodeError: Error, Hashable, Sendable, CustomStringConvertible {
        case invalidCharacter(UInt8, column: Int)
        /// A byte's second digit is missing: the text, or a run of digits before a blank, ends after the first.
        case halfByte(column: Int)

        public var description: String {
            switch self {
            case .invalidCharacter(let byte, let column): "\(byte.quoted) at column \(column) is not a hexadecimal digit"
            case .halfByte(let column): "the digit at column \(column) stands alone: a byte takes two hexadecimal digits"
            }
        }
    }

    /// The bytes that `text` stands for. Blanks (space, tab, line ends) may stand between bytes, not inside one.
    public static func decode(_ text: String) throws(DecodeError) -> [UInt8] { try decode(Array(text.utf8).span.bytes) }

    /// The bytes that `text`, in ASCII, stands for; see ``decode(_:)-(String)``.
    public static func decode(_ text: RawSpan) throws(DecodeError) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.byteCount / 2)
        var high: UInt8?
        for index in 0..<text.byteCount {
            let byte = text.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            switch (value(of: byte), high) {
            case (let digit?, nil): high = digit
            case (let digit?, let first?):
                output.append(first << 4 | digit)
                high = nil
            case (nil, nil) where [0x20, 0x09, 0x0a, 0x0d].contains(byte): continue
            case (nil, .some) where [0x20, 0x09, 0x0a, 0x0d].contains(byte): throw .halfByte(column: index)
            case (nil, _): throw .invalidCharacter(byte, column: index + 1)
            }
        }
        guard high == nil else { throw .halfByte(column: text.byteCount) }
        return output
    }

    /// The value of an ASCII hexadecimal digit.
    package static func value(of byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
