import Testing

@testable import LineTerminal

@Suite struct EditBufferClusterTests {
    @Test(
        "A cluster of several scalars is one character of the line, and comes back as it was, scalar by scalar",
        arguments: [
            "👨‍👩‍👧", "🇩🇪🇫🇷", "e\u{301}", "e\u{323}\u{301}", "e\u{301}\u{323}", "नि", "\u{1f3f4}\u{e0067}\u{e007f}", "a\0\u{301}", "\r\n\u{301}",
            "\u{30000}\u{100000}", "\u{10ffff}",
        ])
    func roundTrip(text: String) {
        let line = EditBuffer.encode(text).dropLast()
        #expect(line.count == text.replacing("\r\n", with: "1\n").count)
        #expect(EditBuffer.decode(line).unicodeScalars.elementsEqual(text.unicodeScalars))
    }

    @Test("A mark joins what is before it, other characters don't, and nothing joins a newline")
    func joins() {
        #expect(EditBuffer.join(0x65, 0x301) == EditBuffer.encode("e\u{301}").first)
        #expect(EditBuffer.join(0x65, 0x4e16) == nil)
        #expect(EditBuffer.join(0x0a, 0x301) == nil)
        #expect(EditBuffer.encode("🇩").first.flatMap { EditBuffer.join($0, 0x1f1ea) } == EditBuffer.encode("🇩🇪").first)
    }
}
