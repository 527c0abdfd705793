/// Base64 with the standard alphabet and padding (RFC 4648, section 4).
public enum Base64 {
    /// Why a text isn't base64. Columns count bytes from 1.
    public enum DecodeError: Error, Hashable, Sendable, CustomStringConvertible {
        case invalidCharacter(UInt8, column: Int)
        /// The text isn't a multiple of four characters long.
        case incomplete(length: Int)
        /// A `=` that isn't at the end, or a third one.
        case misplacedPadding(column: Int)
        /// Bits of the last character that no byte takes are set (RFC 4648, section 3.5).
        case excessBits(column: Int)

        public var description: String {
            switch self {
            case .invalidCharacter(let byte, let column): "\(byte.quoted) at column \(column) is not a base64 character"
            case .incomplete(let length):
                "base64 comes in groups of 4 characters, and this has \(length): add the missing characters, or pad with \"=\""
            case .misplacedPadding(let column): "\"=\" at column \(column): base64 is padded only at its end, with one or two of them"
            case .excessBits(let column):
                "the character at column \(column) has bits set that belong to no byte: the text is cut or damaged"
            }
        }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    /// Appends the base64 of `bytes` to `output`.
    public static func encode(_ bytes: RawSpan, into output: inout [UInt8]) {
        output.reserveCapacity(output.count + (bytes.byteCount + 2) / 3 * 4)
        bytes.withUnsafeBytes { input in
            for start in stride(from: 0, to: input.count, by: 3) {
                let count = min(3, input.count - start)
                var group = UInt32(input[start]) << 16
                if count > 1 { group |= UInt32(input[start + 1]) << 8 }
                if count > 2 { group |= UInt32(input[start + 2]) }
                for position in 0..<4 {
                    let sextet = Int(group >> UInt32(18 - 6 * position)) & 63
                    output.append(position <= count ? alphabet[sextet] : padding)
                }
            }
        }
    }

    public static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        encode(bytes.span.bytes, into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// The bytes that `text` stands for. Padding is required, and nothing else may be in it, white space included.
    public static func decode(_ text: String) throws(DecodeError) -> [UInt8] { try decode(Array(text.utf8).span.bytes) }

    /// The bytes that `text`, in ASCII, stands for; see ``decode(_:)-(String)``.
    public static func decode(_ text: RawSpan) throws(DecodeError) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.byteCount / 4 * 3)
        var group: UInt32 = 0
        var paddings = 0
        for index in 0..<text.byteCount {
            let byte = text.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            if byte == padding {
                paddings += 1
                guard index % 4 >= 2, paddings <= 2, text.byteCount - index <= 2 else { throw .misplacedPadding(column: index + 1) }
                group <<= 6
            } else {
                guard let sextet = value(of: byte) else { throw .invalidCharacter(byte, column: index + 1) }
                guard paddings == 0 else { throw .misplacedPadding(column: index) }
                group = group << 6 | sextet
            }
            guard index % 4 == 3 else { continue }
            output.append(UInt8(truncatingIfNeeded: group >> 16))
            if paddings < 2 { output.append(UInt8(truncatingIfNeeded: group >> 8)) }
            if paddings < 1 { output.append(UInt8(truncatingIfNeeded: group)) }
            let excess: UInt32 = paddings == 2 ? 0xffff : paddings == 1 ? 0xff : 0
            guard group & excess == 0 else { throw .excessBits(column: index + 1 - paddings) }
            group = 0
        }
        guard text.byteCount % 4 == 0 else { throw .incomplete(length: text.byteCount) }
        return output
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
