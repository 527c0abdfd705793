/// A walk through history, entry by entry, as the arrows take it; it begins and ends at the line that was being typed, the draft.
struct HistoryWalk {
    /// A line, and where its cursor stands.
    struct Line: Equatable {
        var characters: [Int32]
        var cursor: Int

        init(characters: some Sequence<Int32>, cursor: Int) {
            self.characters = Array(characters)
            self.cursor = cursor
        }

        /// The characters that hold the scalars of `range`.
        func range(ofScalars range: Range<Int>) -> Range<Int> {
            var scalars = 0
            var (lower, upper) = (characters.count, characters.count)
            for (index, character) in characters.enumerated() {
                if scalars >= range.upperBound { upper = min(upper, index) }
                scalars += EditBuffer.cluster(character)?.count ?? 1
                if scalars > range.lowerBound { lower = min(lower, index) }
            }
            return lower..<max(lower, upper)
        }
    }

    private let draft: Line
    /// The entry that is shown, or the number of entries for the draft.
    private(set) var position: Int
    /// What each entry that is shown begins with.
    private var prefix: [UInt8] = []
    /// What the walk put on the screen last.
    private var shown: Line

    /// A walk that stands at the draft.
    init(draft: Line, entries: [String]) {
        (self.draft, shown, position) = (draft, draft, entries.count)
    }

    /// The walk that goes on from `line`: this one if the line is still the one that it showed, with the draft that it began with.
    func resumed(at line: Line, entries: [String]) -> HistoryWalk {
        line.characters == shown.characters ? self : HistoryWalk(draft: line, entries: entries)
    }

    /// The cursor was moved from row to row on the way.
    mutating func follow(cursor: Int, to new: Int) {
        if shown.cursor == cursor { shown.cursor = new }
    }

    /// The next entry, or at the end the draft, to be shown instead of `line`; nil where there is none.
    ///
    /// - Parameter byPrefix: only what begins as `line` does before its cursor; while only the walk moves that, as it did when the walk began.
    mutating func move(_ direction: HistorySearch.Direction, from line: Line, byPrefix: Bool, in entries: [String]) -> Line? {
        if !byPrefix {
            prefix = []
        } else if line.cursor != shown.cursor || position == entries.count {
            prefix = Array(EditBuffer.decode(line.characters[..<line.cursor]).utf8)
        }
        let step = direction == .older ? -1 : 1
        var next = position + step
        while entries.indices.contains(next) {
            if entries[next].hasBytePrefix(prefix) {
                let characters = Array(EditBuffer.encode(entries[next]).dropLast())
                if characters != line.characters { return show(Line(characters: characters, cursor: characters.count), at: next) }
            }
            next += step
        }
        guard direction == .newer, position < entries.count else { return nil }
        return show(draft, at: entries.count)
    }

    /// A search has found `line`: the walk goes on from there.
    mutating func jump(to line: Line, at position: Int) {
        prefix = []
        _ = show(line, at: position)
    }

    private mutating func show(_ line: Line, at position: Int) -> Line {
        (self.position, shown) = (position, line)
        return line
    }
}
