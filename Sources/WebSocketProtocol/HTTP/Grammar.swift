// The few productions of RFC 9110 that heads, extension lists and subprotocol lists share.

extension Unicode.Scalar {
    /// `tchar` (RFC 9110, section 5.6.2).
    var isHTTPTokenCharacter: Bool { UInt8(exactly: value)?.isHTTPTokenCharacter ?? false }
}

extension UInt8 {
    static var cr: UInt8 { 0x0d }
    static var lf: UInt8 { 0x0a }
    static var space: UInt8 { 0x20 }
    static var colon: UInt8 { 0x3a }

    /// `tchar` (RFC 9110, section 5.6.2).
    var isHTTPTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        case UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"): true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^")...UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"): true
        default: false
        }
    }

    /// What a field value may hold: visible characters, blanks and obs-text (RFC 9110, section 5.5).
    var isHTTPFieldContent: Bool { self == 0x09 || (self >= 0x20 && self != 0x7f) }

    var isHTTPBlank: Bool { self == 0x20 || self == 0x09 }

    var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    var isASCIILetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }

    var asciiLowercased: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}

extension StringProtocol {
    /// `token` (RFC 9110, section 5.6.2).
    var isHTTPToken: Bool { !isEmpty && utf8.allSatisfy(\.isHTTPTokenCharacter) }

    func equalsIgnoringASCIICase(_ other: some StringProtocol) -> Bool {
        utf8.elementsEqual(other.utf8) { $0.asciiLowercased == $1.asciiLowercased }
    }

    /// The text in lower case as far as it is ASCII.
    var asciiLowercased: String { String(decoding: utf8.map(\.asciiLowercased), as: UTF8.self) }

    /// Without the spaces and tabs at both ends (`OWS`, RFC 9110, section 5.6.3).
    var trimmingBlanks: String {
        var bytes = Array(utf8).drop { $0.isHTTPBlank }
        while bytes.last?.isHTTPBlank == true { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The elements of a comma-separated list, without the blanks round them; empty ones dropped (RFC 9110, section 5.6.1). Cut at the byte,
    /// since a comma with a combining mark after it is another `Character`.
    var listElements: [String] {
        utf8.split(separator: UInt8(ascii: ",")).map { String(decoding: $0, as: UTF8.self).trimmingBlanks }.filter { !$0.isEmpty }
    }
}
