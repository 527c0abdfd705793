import WebSocketProtocol

/// How much of a message a conversation shows, in bytes of the message: what is larger is cut, and `/last` shows it whole.
enum Cuts {
    static let text = 16 << 10
    static let dump = 1 << 10

    static func limit(_ form: OutputOptions.BinaryForm) -> Int {
        switch form {
        case .dump: dump
        // As many characters as of a text.
        case .hex: text / 2
        case .base64: text / 4 * 3
        case .raw: text
        case .size: .max
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The beginning of a text, of at most `limit` bytes, that ends between two grapheme clusters: between two code points where that
    /// would leave out too much, and anywhere in what isn't UTF-8.
    func prefix(ofText limit: Int) -> UnsafeRawBufferPointer {
        guard limit < count else { return self }
        let end = codePoint(at: limit)
        return UnsafeRawBufferPointer(rebasing: self[..<(cluster(at: end) ?? end)])
    }

    /// Where the code point begins that the byte belongs to.
    func codePoint(at index: Int) -> Int {
        var start = index
        while start > 0, index - start < 3, self[start] & 0xC0 == 0x80 { start -= 1 }
        return self[start] & 0xC0 == 0x80 ? index : start
    }

    /// Where the cluster begins that a code point belongs to; nil if it is far longer than people write them.
    private func cluster(at index: Int) -> Int? {
        let following = codePoint(at: Swift.min(index + 64, count - 1))
        guard following > index, let text = String(validating: self[..<following], as: UTF8.self) else { return nil }
        let inside = text.utf8.index(text.startIndex, offsetBy: index)
        let start = text.index(before: text.index(after: inside))
        let offset = text.utf8.distance(from: text.startIndex, to: start)
        return index - offset <= 256 ? offset : nil
    }
}
