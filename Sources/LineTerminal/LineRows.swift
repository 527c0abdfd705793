import CLibEdit

/// Which rows prompt and line take on a screen of `columns` cells, and where each begins: found by widths alone, so that a line of a million characters costs
/// little, and only the rows in view have to be laid out.
struct LineRows {
    typealias Position = LineLayout.Position

    /// Where a row begins.
    struct Start {
        /// The character that is drawn first on it, counted from the prompt's first; it may have begun on the row before if it is shown as several.
        var offset: Int
        /// Where that character is drawn, or where the one before it ended if it doesn't fit there.
        var position: Position
    }

    let columns: Int
    private(set) var starts = [Start(offset: 0, position: Position())]
    /// The row of the cursor.
    private(set) var cursorRow = 0
    /// Where the next character would go, see `LineLayout.end`.
    private(set) var end = Position()

    /// The row of the last character, or of the cursor when that is lower.
    var last: Int { max(end.row, cursorRow) }

    init(prompt: Prompt, line: UnsafeBufferPointer<Int32>, cursor: Int, columns: Int) {
        self.columns = max(columns, 2)
        let prompt = prompt.characters
        for (offset, character) in prompt.enumerated() { place(character, at: offset) }
        var index = 0
        while index < line.count {
            if index == cursor { cursorRow = row(of: line[index]) }
            let run = Self.plainRun(in: line, from: index, to: index < cursor ? cursor : line.count)
            if run > index {
                placePlain(run - index, at: prompt.count + index)
                index = run
            } else {
                place(line[index], at: prompt.count + index)
                index += 1
            }
        }
        if cursor >= line.count { cursorRow = end.column >= self.columns ? end.row + 1 : end.row }
    }

    /// The end of the printable ASCII characters from `start` on, before `limit`.
    private static func plainRun(in line: UnsafeBufferPointer<Int32>, from start: Int, to limit: Int) -> Int {
        var end = start
        while end < limit, line[end] >= 0x20, line[end] < 0x7f { end += 1 }
        return end
    }

    private mutating func placePlain(_ count: Int, at offset: Int) {
        var placed = 0
        while placed < count {
            if end.column >= columns {
                starts.append(Start(offset: offset + placed, position: end))
                end = Position(row: end.row + 1, column: 0)
            }
            let fitting = min(count - placed, columns - end.column)
            end.column += fitting
            placed += fitting
        }
    }

    private mutating func place(_ character: Int32, at offset: Int) {
        let before = end
        Glyph.forEach(of: character) { glyph in
            let row = end.row
            _ = glyph.place(at: &end, columns: columns)
            guard end.row > row else { return }
            if case .newline = glyph {
                starts.append(Start(offset: offset + 1, position: end))
            } else {
                starts.append(Start(offset: offset, position: before))
            }
        }
    }

    /// The row on which `character` begins when it comes next.
    private func row(of character: Int32) -> Int {
        var row: Int?
        Glyph.forEach(of: character) { glyph in
            var end = end
            let position = glyph.place(at: &end, columns: columns).position
            if row == nil { row = position.row }
        }
        return row ?? end.row
    }
}

/// What a character is drawn as: itself, or what shows that it is there.
enum Glyph {
    case scalar(UInt32, width: Int)
    /// Spaces up to the next multiple of eight.
    case tab
    case newline
    /// Part of the cell before it, so that the cursor has somewhere to stand.
    case undrawn

    /// A character that is shown as several is as many glyphs, so that it may wrap, though the cursor only stands on the first.
    static func forEach(of character: Int32, _ body: (Glyph) -> Void) {
        switch character {
        case 0x20..<0x7f: body(.scalar(UInt32(bitPattern: character), width: 1))
        case 0x0a: body(.newline)
        case 0x09: body(.tab)
        case 0..<0x20, 0x7f: text([UInt8(ascii: "^"), UInt8(truncatingIfNeeded: character) ^ 0x40], body)
        case EditBuffer.nul: text(Array("^@".utf8), body)
        default:
            guard let cluster = EditBuffer.cluster(character) else { return wide(character, body) }
            for (index, scalar) in cluster.enumerated() {
                // Terminals don't agree whether a skin tone takes cells of its own: the emoji is drawn without.
                if index > 0 && (0x1f3fb...0x1f3ff).contains(scalar) { body(.undrawn) } else { wide(scalar, body) }
            }
        }
    }

    private static func wide(_ character: Int32, _ body: (Glyph) -> Void) {
        guard let scalar = UInt32(exactly: character).flatMap(Unicode.Scalar.init) else { return body(.scalar(0x3f, width: 1)) }
        let width = Int(wsline_wcwidth(character))
        let isUndrawn = character == 0x200d || (0xfe00...0xfe0f).contains(character)
        if EscapeFilter.isDangerous(scalar.value) || (width < 0 && !isUndrawn) {
            var escape: [UInt8] = []
            EscapeFilter.appendScalarEscape(scalar.value, to: &escape)
            text(escape, body)
        } else {
            body(isUndrawn ? .undrawn : .scalar(scalar.value, width: width))
        }
    }

    private static func text(_ ascii: [UInt8], _ body: (Glyph) -> Void) {
        for byte in ascii { body(.scalar(UInt32(byte), width: 1)) }
    }

    /// Where this is drawn when it comes next at `end`, and how many cells it takes; `end` is where the one after it comes.
    func place(at end: inout LineLayout.Position, columns: Int) -> (position: LineLayout.Position, width: Int) {
        let width: Int
        switch self {
        case .newline:
            defer { end = LineLayout.Position(row: end.row + 1, column: 0) }
            return (end, 0)
        case .undrawn: return (end, 0)
        case .tab:
            // Not past the edge: a tab stops there as it does on the screen.
            let column = end.column >= columns ? 0 : end.column
            width = min(8 - column % 8, columns - column)
        case .scalar(_, let own): width = own
        }
        let position = end.column + width > columns ? LineLayout.Position(row: end.row + 1, column: 0) : end
        end = LineLayout.Position(row: position.row, column: position.column + width)
        return (position, width)
    }
}
