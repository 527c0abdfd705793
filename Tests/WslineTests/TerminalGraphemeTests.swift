import TestSupport
import Testing

@Suite("The cursor goes by grapheme clusters", .serialized)
struct TerminalGraphemeTests {
    /// A family, a flag, a letter and its accents, a thumb with a skin tone, a keycap, a syllable, jamo, and what has one scalar.
    static let clusters = [
        "👨‍👩‍👧", "🇩🇪", "e\u{301}\u{323}", "👍🏽", "1\u{fe0f}\u{20e3}", "न\u{93f}", "\u{1112}\u{1161}\u{11ab}", "世", "é",
    ]

    @Test("Left and Right pass a whole one; Backspace, Ctrl-H, Delete and Ctrl-D take all of it", arguments: clusters)
    func emacs(cluster: String) throws {
        let session = try LineSession()
        let line = "a\(cluster)b"
        let edits: [(keys: String, line: String)] = [
            ("\u{1b}[D\u{1b}[DX", "aX\(cluster)b"), ("\u{2}\u{2}X", "aX\(cluster)b"), ("\u{1}\u{1b}[C\u{1b}[CX", "a\(cluster)Xb"),
            ("\u{1}\u{6}\u{6}X", "a\(cluster)Xb"), ("\u{2}\u{7f}", "ab"), ("\u{1b}[D\u{8}", "ab"), ("\u{2}\u{2}\u{4}", "ab"),
            ("\u{2}\u{2}\u{1b}[3~", "ab"), ("\u{7f}\u{7f}", "a"), ("\u{2}\u{14}", "ab\(cluster)"),
            ("\u{2}\u{b}\u{1}\u{19}", "ba\(cluster)"),
        ]
        for edit in edits {
            session.type(line + edit.keys)
            try session.send(expecting: edit.line)
        }
    }

    @Test("So do vi's h, l, x, X, r and p", arguments: clusters)
    func vi(cluster: String) throws {
        let session = try LineSession(settings: "bind -v\n")
        let line = "a\(cluster)b"
        let edits: [(keys: String, line: String)] = [
            ("hx", "ab"), ("0lx", "ab"), ("hhx", "\(cluster)b"), ("X", "ab"), ("hrx", "axb"), ("0lxp", "ab\(cluster)"),
            ("02lx", "a\(cluster)"),
        ]
        for edit in edits {
            session.type(line + "\u{1b}" + edit.keys)
            try session.send(expecting: edit.line)
        }
    }

    @Test("The cursor stands after the cells that a cluster takes on the screen, typed, pasted or recalled", arguments: clusters)
    func columns(cluster: String) throws {
        let shown = cluster.unicodeScalars.filter { $0 != "\u{200d}" && $0 != "\u{fe0f}" && !("\u{1f3fb}"..."\u{1f3ff}").contains($0) }
        let width = shown.reduce(0) { $0 + ScreenEmulator.width($1) }
        let session = try LineSession(history: [cluster + cluster])
        session.type("a" + cluster)
        try session.terminal.wait { $0.cursorColumn == 3 + width }
        session.terminal.paste(cluster)
        try session.terminal.wait { $0.cursorColumn == 3 + 2 * width }
        session.type("\u{1b}[D")
        try session.terminal.wait { $0.cursorColumn == 3 + width }
        session.type("\u{3}\u{10}")
        try session.terminal.wait { $0.cursorColumn == 2 + 2 * width }
        session.type("\u{7f}")
        try session.terminal.wait { $0.cursorColumn == 2 + width }
        try session.send(expecting: cluster)
    }

    @Test("A cluster that comes scalar by scalar, and in bytes that are cut, is one")
    func inPieces() throws {
        let session = try LineSession()
        for byte in "a👨‍👩‍👧".utf8 { session.terminal.type([byte]) }
        session.type("b\u{1b}[D\u{7f}")
        try session.send(expecting: "ab")
    }
}
