/// How text stands in libedit's line buffer.
///
/// libedit takes NUL for the end of a string, so U+0000 is kept as a value beyond Unicode that no input can produce; every other character, a pasted newline
/// included, stands for itself.
enum EditBuffer {
    static let nul: Int32 = 0x11_0000

    /// `text` as a NUL-terminated wide string.
    static func encode(_ text: String) -> [Int32] {
        var result = text.unicodeScalars.map { $0.value == 0 ? nul : Int32($0.value) }
        result.append(0)
        return result
    }

    static func decode(_ characters: some Sequence<Int32>) -> String {
        var result = String.UnicodeScalarView()
        for character in characters {
            if character == nul {
                result.append("\0")
            } else {
                result.append(UInt32(exactly: character).flatMap(Unicode.Scalar.init) ?? "\u{fffd}")
            }
        }
        return String(result)
    }

    /// A pasted text with its line ends (CR as most terminals send them, CRLF, or LF) as newlines. A newline at its very end is kept.
    static func normalizePaste(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var afterCarriageReturn = false
        for byte in bytes {
            switch byte {
            case 0x0d: result.append(0x0a)
            case 0x0a where afterCarriageReturn: break
            default: result.append(byte)
            }
            afterCarriageReturn = byte == 0x0d
        }
        return String(decoding: result, as: UTF8.self)
    }
}
