import Testing

@testable import LineTerminal

@Suite struct InputParserTests {
    private func parse(_ bytes: [UInt8], inPiecesOf size: Int = .max, complete: Bool = false) -> [InputParser.Event] {
        var parser = InputParser()
        var events: [InputParser.Event] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            parser.push(rest.prefix(size))
            rest = rest.dropFirst(size)
            while let event = parser.pop(complete: complete && rest.isEmpty) { events.append(event) }
        }
        return events
    }

    private func characters(_ text: String) -> [InputParser.Event] {
        text.unicodeScalars.map { .character($0.value) }
    }

    @Test("Characters of one to four bytes come whole, however the bytes are cut", arguments: 1...9)
    func decodes(size: Int) {
        #expect(parse(Array("aé世😀\u{0}z".utf8), inPiecesOf: size) == characters("aé世😀\u{0}z"))
    }

    @Test(
        "Bytes that are not UTF-8 become U+FFFD and take nothing valid with them",
        arguments: [
            ([0xff, 0x61], [0xfffd, 0x61]), ([0x80, 0x61], [0xfffd, 0x61]), ([0xc3, 0x61], [0xfffd, 0x61]),
            ([0xe4, 0xb8, 0x61], [0xfffd, 0x61]),
            ([0xc0, 0xaf], [0xfffd, 0xfffd]), ([0xed, 0xa0, 0x80], [0xfffd]), ([0xf4, 0x90, 0x80, 0x80], [0xfffd]),
            ([0xf5, 0x61], [0xfffd, 0x61]),
        ] as [([UInt8], [UInt32])])
    func replacesInvalid(bytes: [UInt8], expected: [UInt32]) {
        #expect(parse(bytes) == expected.map { .character($0) })
    }

    @Test("A paste is one event, however the bytes are cut", arguments: 1...14)
    func pastes(size: Int) {
        let bytes = Array("a\u{1b}[200~x\ry\u{1b}[20\u{1b}\u{1b}[201~b".utf8)
        #expect(parse(bytes, inPiecesOf: size) == characters("a") + [.paste(Array("x\ry\u{1b}[20\u{1b}".utf8))] + characters("b"))
    }

    @Test(
        "What begins like a paste and isn't comes through as keys",
        arguments: ["\u{1b}[A", "\u{1b}[20~", "\u{1b}\u{1b}[200", "\u{1b}[2001~", "\u{1b}[201~"])
    func passesKeys(keys: String) {
        #expect(parse(Array(keys.utf8) + [0x61], inPiecesOf: 1) == characters(keys + "a"))
    }

    @Test("A lone ESC waits for more, and comes once there is no more")
    func holdsEscape() {
        var parser = InputParser()
        parser.push([0x1b])
        #expect(parser.pop() == nil)
        #expect(parser.holdsBytes)
        #expect(parser.pop(complete: true) == .character(0x1b))
        #expect(!parser.holdsBytes)
    }

    @Test("A character that is cut short by the end of the input is U+FFFD")
    func completesCutCharacter() {
        #expect(parse([0xe4, 0xb8], complete: true) == [.character(0xfffd)])
    }

    @Test("An empty paste is an event too")
    func emptyPaste() {
        #expect(parse(Array("\u{1b}[200~\u{1b}[201~".utf8)) == [.paste([])])
    }
}

@Suite struct EditBufferTests {
    @Test(
        "Text with NUL, newlines and characters beyond the BMP comes back as it was",
        arguments: ["", "a\u{0}b", "a\nb\n", "世😀\u{10ffff}", "⏎\u{2424}\u{e000}"])
    func roundTrips(text: String) {
        #expect(EditBuffer.decode(EditBuffer.encode(text).dropLast()) == text)
    }

    @Test(
        "Line ends of a paste become newlines",
        arguments: [("a\rb", "a\nb"), ("a\r\nb", "a\nb"), ("a\nb", "a\nb"), ("a\r\r\nb\n\n", "a\n\nb\n\n")])
    func normalizes(pasted: String, expected: String) {
        #expect(EditBuffer.normalizePaste(Array(pasted.utf8)) == expected)
    }
}
