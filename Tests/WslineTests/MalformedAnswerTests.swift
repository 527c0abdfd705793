import Testing

@testable import wsline

@Suite("What isn't HTTP is shown with a caret")
struct MalformedAnswerTests {
    private func lines(_ text: String, _ wrong: Int, _ masked: [Range<Int>] = []) -> [MalformedAnswer.Line] {
        MalformedAnswer.lines(Array(text.utf8), wrong: wrong, masked: masked)
    }

    @Test("every byte is visible, and the caret's column counts what stands for those before it")
    func escapes() {
        #expect(lines("a\t\\\u{1b}b\r\nc\n", 4) == [.text(#"a\t\\\x1bb\r\n"#), .caret(9), .text(#"c\n"#)])
        #expect(lines("é\n", 1) == [.text(#"\xc3\xa9\n"#), .caret(4)])
        #expect(lines("\n\n", 1) == [.text("\\n"), .text("\\n"), .caret(0)])
    }

    @Test("where the bytes end too early, the caret is behind the last of them")
    func truncated() {
        #expect(lines("abc", 3) == [.text("abc"), .caret(3)])
        #expect(lines("abc\n", 4) == [.text("abc\\n"), .text(""), .caret(0)])
    }

    @Test("a long line is folded, never within an escape, and the caret stays under its byte")
    func folded() {
        let text = String(repeating: "x", count: 75) + "\u{1}y"
        #expect(lines(text, 75) == [.text(String(repeating: "x", count: 75)), .text("\\x01y"), .caret(0)])
        #expect(lines(text, 76) == [.text(String(repeating: "x", count: 75)), .text("\\x01y"), .caret(4)])
    }

    @Test("a secret is *** before the caret, and under it")
    func masked() {
        #expect(lines("a secret\u{1}", 8, [2..<8]) == [.text("a ***\\x01"), .caret(5)])
        #expect(lines("a secret b", 4, [2..<8]) == [.text("a *** b"), .caret(2)])
        #expect(lines("a\nb c", 4, [0..<3]) == [.text("*** c"), .caret(4)])
    }
}
