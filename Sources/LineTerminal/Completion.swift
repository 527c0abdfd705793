/// What Tab may put in the line.
public struct Completion: Sendable, Equatable {
    /// What may stand in place of `range`, as it is to be inserted, a trailing space or `/` included.
    public var candidates: [String]
    /// What is replaced, in Unicode scalars from the line's start.
    public var range: Range<Int>

    public init(candidates: [String], range: Range<Int>) {
        self.candidates = candidates
        self.range = range
    }

    /// The longest text that all candidates begin with.
    var commonPrefix: String {
        guard let first = candidates.first else { return "" }
        var common = first.unicodeScalars[...]
        for candidate in candidates.dropFirst() {
            let shared = zip(common, candidate.unicodeScalars).prefix { $0 == $1 }.count
            common = common.prefix(shared)
        }
        return String(common)
    }

    /// The candidates in columns that fit on rows of `width` cells, down first as `ls` has it, filtered.
    func listing(width: Int) -> String {
        let names = candidates.map { candidate in
            var name = EscapeFilter.filter(candidate)
            while name.last == " " { name.removeLast() }
            return (
                text: name,
                width: LineLayout(prompt: Prompt(""), line: EditBuffer.encode(name).dropLast(), cursor: 0, columns: .max / 2).end.column
            )
        }
        let columnWidth = (names.map(\.width).max() ?? 0) + 2
        let columnCount = max(1, width / columnWidth)
        let rowCount = (names.count + columnCount - 1) / columnCount
        var result = ""
        for row in 0..<rowCount {
            for index in stride(from: row, to: names.count, by: rowCount) {
                result += names[index].text
                if index + rowCount < names.count { result += String(repeating: " ", count: columnWidth - names[index].width) }
            }
            result += "\n"
        }
        return result
    }
}
