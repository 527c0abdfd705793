import CPosix

/// The incremental search at the prompt: its keys, and what it shows. libedit keeps the line meanwhile, so that cancelling has nothing to restore.
extension LineEditor {
    func startSearch(_ direction: HistorySearch.Direction, key: Int32) -> Bool {
        search = Searching(direction, from: currentWalk.position, key: UInt32(bitPattern: key))
        return true
    }

    func searchAgain(_ direction: HistorySearch.Direction) -> Bool {
        var again = Searching(direction, from: currentWalk.position + (direction == .older ? -1 : 1), key: 0)
        again.append(lastQuery, in: history.entries)
        guard !again.hasFailed, let found = again.found else { return false }
        show(found.line, at: found.entry)
        return true
    }

    /// Ends the search, if one goes on: what was found becomes the line.
    func acceptSearch() {
        guard let search else { return }
        self.search = nil
        if !search.query.isEmpty { lastQuery = search.query }
        if let found = search.found { show(found.line, at: found.entry) }
    }

    /// Whether the search takes a key. One that it doesn't take ends it, and does what it always does to the line that was found.
    func takeSearchKey(_ key: UInt32) -> Bool {
        guard var search else { return false }
        let control = key < 0x80 ? UInt8(truncatingIfNeeded: key) : 0
        switch key {
        case 0: break
        case 0x07, UInt32(TerminalModes.controlCharacter(VINTR)): return cancelSearch()
        case 0x1b where parser.nextByte == nil: return cancelSearch()
        case 0x0d where !search.entersLine, 0x0a where !search.entersLine:
            acceptSearch()
            return true
        case 0x12: search.advance(.older, in: history.entries, lastQuery: lastQuery)
        case 0x13: search.advance(.newer, in: history.entries, lastQuery: lastQuery)
        case search.key where key < 0x20: search.advance(search.direction, in: history.entries, lastQuery: lastQuery)
        case 0x08, 0x7f, UInt32(TerminalModes.controlCharacter(VERASE)): search.removeLast(in: history.entries)
        case 0x20..<0x7f, 0xa0...: search.append(String(Unicode.Scalar(key) ?? "\u{fffd}"), in: history.entries)
        default:
            if control != 0, takeSignalKey(control) { return true }
            acceptSearch()
            return false
        }
        if search.rings { needsBell = true }
        self.search = search
        return true
    }

    private func cancelSearch() -> Bool {
        search = nil
        return true
    }
}

/// A search at the prompt: what it found, as it is shown, and the key that began it.
struct Searching {
    private var state: HistorySearch
    /// The entry that was found last, with the cursor where the query begins.
    private(set) var found: (line: HistoryWalk.Line, entry: Int)?
    /// The key that began it, which goes on to the next match.
    let key: UInt32
    /// Whether the last key had nothing to find.
    private(set) var rings = false

    init(_ direction: HistorySearch.Direction, from start: Int, key: UInt32) {
        state = HistorySearch(direction, from: start)
        self.key = key
    }

    var query: String { state.query }
    var direction: HistorySearch.Direction { state.direction }
    var hasFailed: Bool { state.hasFailed }

    /// Whether Enter also enters the line: not after vi's `/` and `?`, where it ends the pattern.
    var entersLine: Bool { key != 0x2f && key != 0x3f }

    func prompt(_ prompt: Prompt) -> Prompt {
        var prompt = prompt
        prompt.text = state.prompt
        return prompt
    }

    mutating func append(_ text: String, in entries: [String]) {
        update(entries) { state in
            for scalar in text.unicodeScalars { state.append(scalar, in: entries) }
        }
    }

    /// Goes on to the next match; a search that has no query yet takes the last one's.
    mutating func advance(_ direction: HistorySearch.Direction, in entries: [String], lastQuery: String) {
        update(entries) { state in
            let isEmpty = state.query.isEmpty
            state.advance(direction, in: entries)
            if isEmpty { for scalar in lastQuery.unicodeScalars { state.append(scalar, in: entries) } }
        }
    }

    mutating func removeLast(in entries: [String]) {
        var isEmpty = false
        update(entries) { state in isEmpty = !state.removeLast() }
        rings = isEmpty
    }

    private mutating func update(_ entries: [String], _ change: (inout HistorySearch) -> Void) {
        let match = state.match
        change(&state)
        rings = state.hasFailed
        guard state.match != match else { return }
        found = state.match.map { match in
            let entry = entries[match.entry]
            let before = String(decoding: entry.utf8.prefix(match.offset), as: UTF8.self)
            return (
                HistoryWalk.Line(characters: EditBuffer.encode(entry).dropLast(), cursor: EditBuffer.encode(before).count - 1), match.entry
            )
        }
    }
}
