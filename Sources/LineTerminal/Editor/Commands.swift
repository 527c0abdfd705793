import CLibEdit

/// The commands of our own, which keys are bound to by name, see `LibEdit.setUpKeys`.
extension LineEditor {
    static var commands: [LibEdit.Command] {
        typealias Function = @convention(c) (OpaquePointer?, Int32) -> UInt8
        let commands: [(String, String, Function)] = [
            ("wsline-complete", "Complete the word", { handle, _ in run(handle) { $0.completeWord() } }),
            ("wsline-paste", "Insert what was pasted", { handle, _ in run(handle) { $0.insertPaste() } }),
            ("wsline-newline", "Insert a newline", { handle, _ in run(handle) { $0.engine.insert("\n") } }),
            ("wsline-delete-next-char", "Delete the character under the cursor", { handle, _ in run(handle) { $0.deleteNext() } }),
            ("wsline-clear-screen", "Clear the screen", { handle, _ in run(handle) { $0.clearScreen() } }),
            ("wsline-up", "Go a row up, or back by prefix", { handle, _ in run(handle) { $0.moveVertically(.older) } }),
            ("wsline-down", "Go a row down, or on by prefix", { handle, _ in run(handle) { $0.moveVertically(.newer) } }),
            ("wsline-prev-history", "Go back in history", { handle, _ in run(handle) { $0.recall(.older, byPrefix: false) } }),
            ("wsline-next-history", "Go on in history", { handle, _ in run(handle) { $0.recall(.newer, byPrefix: false) } }),
            ("wsline-search-prev-history", "Go back by prefix", { handle, _ in run(handle) { $0.recall(.older, byPrefix: true) } }),
            ("wsline-search-next-history", "Go on by prefix", { handle, _ in run(handle) { $0.recall(.newer, byPrefix: true) } }),
            ("wsline-oldest-history", "Go to the oldest line", { handle, _ in run(handle) { $0.recallOldest() } }),
            ("wsline-search-older", "Search back in history", { handle, key in run(handle) { $0.startSearch(.older, key: key) } }),
            ("wsline-search-newer", "Search on in history", { handle, key in run(handle) { $0.startSearch(.newer, key: key) } }),
            ("wsline-search-again-older", "Go back to the last search", { handle, _ in run(handle) { $0.searchAgain(.older) } }),
            ("wsline-search-again-newer", "Go on to the last search", { handle, _ in run(handle) { $0.searchAgain(.newer) } }),
        ]
        return commands.map { LibEdit.Command(name: $0, help: $1, function: $2) }
    }

    private func insertPaste() -> Bool {
        defer { pasted = "" }
        let room = Self.longestPaste - engine.withLine { line, _ in line.count }
        return !pasted.isEmpty && pasted.unicodeScalars.count <= room && engine.insert(pasted)
    }

    private func deleteNext() -> Bool {
        let (count, cursor) = engine.withLine { ($0.count, $1) }
        guard cursor < count else { return false }
        engine.replace(cursor..<cursor + 1, with: "")
        return true
    }

    private func clearScreen() -> Bool {
        guard usesEscapes else { return true }
        write(display.erase() + Array("\u{1b}[H\u{1b}[2J".utf8))
        printer.forgetRecent(followsOthers: false)
        return true
    }

    // MARK: History

    /// A row up or down within the line, at its edges through history.
    private func moveVertically(_ direction: HistorySearch.Direction) -> Bool {
        let (cursor, step) = engine.withLine { line, cursor in
            let column = vertical.flatMap { $0.cursor == cursor ? $0.column : nil }
            return (
                cursor,
                LineLayout.step(direction, column: column, prompt: prompt, line: line, cursor: cursor, columns: display.lineColumns)
            )
        }
        guard let step else { return recall(direction, byPrefix: true) }
        walk?.follow(cursor: cursor, to: step.offset)
        vertical = (step.offset, step.column)
        engine.moveCursor(to: step.offset)
        return true
    }

    /// The walk that goes on from the line as it is.
    var currentWalk: HistoryWalk {
        let line = engine.line
        return walk?.resumed(at: line, entries: history.entries) ?? HistoryWalk(draft: line, entries: history.entries)
    }

    private func recall(_ direction: HistorySearch.Direction, byPrefix: Bool) -> Bool {
        var walk = currentWalk
        let next = walk.move(direction, from: engine.line, byPrefix: byPrefix, in: history.entries)
        self.walk = walk
        guard let next else { return false }
        engine.line = next
        return true
    }

    private func recallOldest() -> Bool {
        guard let oldest = history.entries.first else { return false }
        let characters = Array(EditBuffer.encode(oldest).dropLast())
        show(HistoryWalk.Line(characters: characters, cursor: characters.count), at: 0)
        return true
    }

    func show(_ line: HistoryWalk.Line, at position: Int) {
        var walk = currentWalk
        walk.jump(to: line, at: position)
        self.walk = walk
        engine.line = line
    }

    // MARK: Completion

    private func completeWord() -> Bool {
        let line = engine.line
        let text = EditBuffer.decode(line.characters)
        let cursor = EditBuffer.decode(line.characters[..<line.cursor]).unicodeScalars.count
        guard let completion = complete?(text, cursor), !completion.candidates.isEmpty else { return false }
        let common = completion.commonPrefix
        if completion.candidates.count == 1 || common.unicodeScalars.count > completion.range.count {
            engine.replace(line.range(ofScalars: completion.range), with: common)
            guard completion.candidates.count > 1 else { return true }
            ambiguous = engine.line
            return false
        }
        if ambiguous == line {
            printAbove(Array(completion.listing(width: display.columns).utf8))
            return true
        }
        ambiguous = line
        return false
    }
}

/// - Parameter command: returns whether it could do anything; if not, the bell rings.
private func run(_ handle: OpaquePointer?, _ command: (LineEditor) -> Bool) -> UInt8 {
    UInt8(LineEditor.of(handle).map(command) == true ? CC_NORM : CC_ERROR)
}
