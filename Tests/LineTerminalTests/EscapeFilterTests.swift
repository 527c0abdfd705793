import Testing

@testable import LineTerminal

/// Each attack, and what is shown instead.
@Suite struct EscapeFilterTests {
    private func filter(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { EscapeFilter.append($0, to: &output) }
        return String(decoding: output, as: UTF8.self)
    }

    @Test("Setting the window's title is shown, not done")
    func titleSetting() {
        #expect(EscapeFilter.filter("\u{1b}]0;pwned\u{7}") == #"\x1b]0;pwned\x07"#)
    }

    @Test("Writing the clipboard (OSC 52) is shown, not done")
    func clipboard() {
        #expect(EscapeFilter.filter("\u{1b}]52;c;cm0gLXJmIH4=\u{1b}\\") == #"\x1b]52;c;cm0gLXJmIH4=\x1b\"#)
    }

    @Test("Moving the cursor over what stands above is shown, not done")
    func cursorMovement() {
        #expect(EscapeFilter.filter("\u{1b}[2A\u{1b}[2Kok") == #"\x1b[2A\x1b[2Kok"#)
    }

    @Test("Asking the terminal to type for the user (DCS, answerback, status reports) is shown, not done")
    func answerback() {
        #expect(EscapeFilter.filter("\u{5}\u{1b}[6n\u{1b}P$q\"p\u{1b}\\") == #"\x05\x1b[6n\x1bP$q"p\x1b\"#)
    }

    @Test("8-bit CSI, OSC and DCS, as code points and as raw bytes")
    func eightBitControls() {
        #expect(EscapeFilter.filter("\u{9b}31m\u{9d}0;x\u{9c}\u{90}") == #"\u{9b}31m\u{9d}0;x\u{9c}\u{90}"#)
        #expect(filter([0x9b, 0x33, 0x31, 0x6d]) == #"\x9b31m"#)
    }

    @Test("Trojan source: text that reads in another order than it was sent")
    func bidirectionalControls() {
        #expect(EscapeFilter.filter("admin\u{202e}\u{2066}// no\u{2069}") == #"admin\u{202e}\u{2066}// no\u{2069}"#)
        for scalar: UInt32 in [0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x2067, 0x2068] {
            #expect(EscapeFilter.isDangerous(scalar))
        }
    }

    @Test("Overwriting the start of the row with a carriage return")
    func carriageReturn() {
        #expect(EscapeFilter.filter("danger\rsafe  \r\n") == "danger\\x0dsafe  \\x0d\n")
    }

    @Test("Erasing what was shown with backspaces and deletes")
    func backspace() {
        #expect(EscapeFilter.filter("bad\u{8}\u{8}\u{8}good\u{7f}") == #"bad\x08\x08\x08good\x7f"#)
    }

    @Test("Switching the character set with shift out, and NUL")
    func shiftOut() {
        #expect(EscapeFilter.filter("\u{e}lqqk\u{f}\u{0}") == #"\x0elqqk\x0f\x00"#)
    }

    @Test("Lines that look like another's, by way of line and paragraph separators")
    func separators() {
        #expect(EscapeFilter.filter("a\u{2028}> b\u{2029}") == #"a\u{2028}> b\u{2029}"#)
    }

    @Test("Text that is there and not seen: tags, zero-width spaces, byte order marks, soft hyphens")
    func invisibleText() {
        #expect(EscapeFilter.filter("a\u{e0041}\u{200b}\u{feff}\u{ad}b") == #"a\u{e0041}\u{200b}\u{feff}\u{ad}b"#)
    }

    @Test(
        "Bytes that are not UTF-8 are shown one by one, and what follows them is text again",
        arguments: [
            ([0xff, 0xfe, 0x61], #"\xff\xfea"#), ([0xc0, 0x9b, 0x61], #"\xc0\x9ba"#), ([0xe2, 0x80], #"\xe2\x80"#),
            ([0xed, 0xa0, 0x80], #"\xed\xa0\x80"#),
            ([0xf4, 0x90, 0x80, 0x80], #"\xf4\x90\x80\x80"#), ([0xe2, 0x1b, 0x5b], #"\xe2\x1b["#),
            ([0xf8, 0x88, 0x80, 0x80, 0x80], #"\xf8\x88\x80\x80\x80"#),
        ] as [([UInt8], String)])
    func invalidUTF8(bytes: [UInt8], shown: String) {
        #expect(filter(bytes) == shown)
    }

    @Test(
        "Harmless text passes as it is, in every script",
        arguments: ["", "plain", "tab\tand\nnewline", "äöü 世界 مرحبا שלום 👩‍💻 é ❤️", #"\x1b is text"#])
    func passesText(text: String) {
        #expect(EscapeFilter.filter(text) == text)
    }

    @Test("Whatever comes, the output is valid UTF-8 without a control character")
    func anyBytes() {
        var random = SeededGenerator(seed: 6455)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            var output: [UInt8] = []
            bytes.withUnsafeBytes { EscapeFilter.append($0, to: &output) }
            let text = String(validating: output, as: UTF8.self)
            #expect(text?.unicodeScalars.contains { EscapeFilter.isDangerous($0.value) } == false, "\(bytes)")
        }
    }

    @Test("Borrowed bytes are appended behind what is there")
    func appends() {
        var output: [UInt8] = Array("< ".utf8)
        let message: [UInt8] = [0x61, 0x1b]
        EscapeFilter.append(message.span.bytes, to: &output)
        #expect(String(decoding: output, as: UTF8.self) == #"< a\x1b"#)
    }
}

/// Random numbers that are the same in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        // SplitMix64.
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
