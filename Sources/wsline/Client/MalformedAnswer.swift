import WebSocketProtocol

/// What came in place of an HTTP response, escaped, with a caret under the first wrong byte, or where one is missing.
enum MalformedAnswer {
    enum Line: Equatable {
        /// A line of the answer, or as much of it as fits; its end is visible, as `\r\n`.
        case text(String)
        /// A caret under that column of the text before it, from 0.
        case caret(Int)
    }

    /// With `< ` before it, a line fits a terminal of 80 columns.
    private static let width = 76

    /// Shows it, unless the answer is HTTP, or nothing came.
    static func show(_ refusal: Refusal, on diagnostics: Diagnostics) {
        guard case .head(let error) = refusal.reason, !refusal.body.isEmpty else { return }
        let leftOut = refusal.bodyOffset
        if leftOut > 0 { diagnostics.detail("… (\(leftOut) bytes before these are left out)", from: .normal) }
        for line in lines(refusal.body, wrong: error.offset - leftOut, masked: refusal.maskedRanges) {
            switch line {
            case .text(let text): diagnostics.detail(text, as: .incoming, from: .normal)
            case .caret(let column): diagnostics.notice(String(repeating: " ", count: 2 + column) + "^")
            }
        }
        if refusal.bodyIsCut { diagnostics.detail("… (only \(Refusal.shownBodySize) bytes are shown)", from: .normal) }
    }

    /// - Parameters:
    ///   - wrong: the index of the byte to point at; the count, if the bytes ended too early.
    ///   - masked: what is shown as `***`, in order.
    static func lines(_ bytes: [UInt8], wrong: Int, masked: [Range<Int>]) -> [Line] {
        var lines: [Line] = []
        var (text, caret) = ("", Int?.none)
        func endLine() {
            lines.append(.text(text))
            if let caret { lines.append(.caret(caret)) }
            (text, caret) = ("", nil)
        }
        var (index, masked) = (0, masked[...])
        while index < bytes.count {
            let secret = masked.first?.lowerBound == index ? masked.popFirst() : nil
            let (shown, next) = secret.map { ("***", $0.upperBound) } ?? (escaped(bytes[index]), index + 1)
            if text.utf8.count + shown.utf8.count > width { endLine() }
            if (index..<next).contains(wrong) { caret = text.utf8.count }
            text += shown
            if next == index + 1, bytes[index] == UInt8(ascii: "\n") { endLine() }
            index = next
        }
        if wrong >= bytes.count { caret = text.utf8.count }
        if !text.isEmpty || caret != nil { endLine() }
        return lines
    }

    /// Byte by byte, so that the caret's column is right for any bytes.
    private static func escaped(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "\n"): "\\n"
        case UInt8(ascii: "\r"): "\\r"
        case UInt8(ascii: "\t"): "\\t"
        case UInt8(ascii: "\\"): "\\\\"
        case 0x20...0x7e: String(UnicodeScalar(byte))
        default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}
