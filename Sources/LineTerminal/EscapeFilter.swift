/// What a server sends can't drive the terminal: every byte that a terminal could obey is written as a visible escape.
///
/// Shown as escapes: C0 except tab and newline, DEL, C1 (as decoded code points), bytes that are not valid UTF-8 (an 8-bit terminal takes a raw `0x9b` for
/// CSI), bidirectional controls (text that reads in another order than it was sent, "trojan source"), line and paragraph separators, and the invisible
/// format characters that can hide text. A raw byte is written `\x1b`, a code point above U+007F `\u{202e}`. All else passes as it is; U+200D
/// (zero-width joiner) passes too, since emoji and several scripts need it.
///
/// A filter holds no state: pass it whole messages, since a character cut in two is not valid UTF-8.
public enum EscapeFilter {
    /// Appends `bytes` to `output`, made harmless.
    public static func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        output.reserveCapacity(output.count + bytes.count)
        var clean = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte >= 0x20 && byte < 0x7f || byte == 0x0a || byte == 0x09 {
                index += 1
                continue
            }
            let (scalar, length, _) = Unicode.UTF8.decodeFirst(UnsafeRawBufferPointer(rebasing: bytes[index...]))
            if let scalar, !isDangerous(scalar) {
                index += length
                continue
            }
            output.append(contentsOf: bytes[clean..<index])
            if let scalar, scalar >= 0x80 {
                appendScalarEscape(scalar, to: &output)
                index += length
            } else {
                output.append(contentsOf: "\\x".utf8)
                output += [byte >> 4, byte & 15].map { $0 < 10 ? UInt8(ascii: "0") + $0 : UInt8(ascii: "a") + $0 - 10 }
                index += 1
            }
            clean = index
        }
        output.append(contentsOf: bytes[clean...])
    }

    /// Appends borrowed `bytes` to `output`, made harmless.
    public static func append(_ bytes: RawSpan, to output: inout [UInt8]) { bytes.withUnsafeBytes { append($0, to: &output) } }

    /// `text`, made harmless.
    public static func filter(_ text: String) -> String {
        var output: [UInt8] = []
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0), to: &output) }
        return String(decoding: output, as: UTF8.self)
    }

    /// Whether a code point is shown as an escape rather than as itself.
    static func isDangerous(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x09, 0x0a: false
        case 0..<0x20, 0x7f..<0xa0: true
        case ..<0x61c: scalar == 0xad  // soft hyphen: there, but not seen
        case 0x61c: true  // Arabic letter mark
        case 0x180e: true  // Mongolian vowel separator
        case 0x200b, 0x200e, 0x200f: true  // zero-width space, left-to-right and right-to-left mark
        case 0x2028...0x202e: true  // line and paragraph separator, embeddings and overrides
        case 0x2060...0x206f: true  // word joiner, invisible operators, isolates, deprecated format controls
        case 0xfeff, 0xfff9...0xfffb: true  // byte order mark, interlinear annotation
        case 0xe0000...0xe007f: true  // tags
        default: false
        }
    }

    static func appendScalarEscape(_ scalar: UInt32, to output: inout [UInt8]) {
        output += "\\u{\(String(scalar, radix: 16))}".utf8
    }
}

extension Unicode.UTF8 {
    /// The scalar that `bytes`, which aren't empty, begin with, and its length. No scalar if they begin with something else (RFC 3629 §4), of the
    /// length that one replacement character stands for; `isCut` if more bytes could make it one.
    @inline(__always)
    static func decodeFirst(_ bytes: UnsafeRawBufferPointer) -> (scalar: UInt32?, length: Int, isCut: Bool) {
        let lead = bytes[0]
        let length: Int
        var scalar: UInt32
        switch lead {
        case 0..<0x80: return (UInt32(lead), 1, false)
        case 0xc2...0xdf: (length, scalar) = (2, UInt32(lead & 0x1f))
        case 0xe0...0xef: (length, scalar) = (3, UInt32(lead & 0x0f))
        case 0xf0...0xf4: (length, scalar) = (4, UInt32(lead & 0x07))
        default: return (nil, 1, false)
        }
        for taken in 1..<length {
            guard taken < bytes.count else { return (nil, taken, true) }
            guard bytes[taken] & 0xc0 == 0x80 else { return (nil, taken, false) }
            scalar = scalar << 6 | UInt32(bytes[taken] & 0x3f)
        }
        let least: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000
        return (scalar >= least && Unicode.Scalar(scalar) != nil ? scalar : nil, length, false)
    }
}
