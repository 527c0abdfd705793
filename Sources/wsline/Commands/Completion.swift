import LineTerminal

/// What may stand in place of the last word that was typed.
struct Candidates {
    /// As they are to be inserted, a trailing space or `/` included.
    let words: [String]
    let typed: Substring

    /// What Tab puts into a line.
    ///
    /// - Parameter cursor: in Unicode scalars; what follows it is left alone.
    static func complete(_ line: String, _ cursor: Int) -> Completion? {
        let typed = String(String.UnicodeScalarView(line.unicodeScalars.prefix(cursor)))
        guard typed.hasPrefix("/"), !typed.hasPrefix("//"), !typed.contains(where: \.isNewline) else { return nil }
        guard let blank = typed.firstIndex(of: " ") else {
            let names = Commands.all.map { "/\($0.name)" + ($0.arguments.isEmpty ? "" : " ") }
            return Candidates(words: names, typed: typed[...]).completion(at: cursor)
        }
        let command = Commands.named(typed[..<blank].dropFirst())
        return command?.complete(typed[typed.index(after: blank)...].drop { $0 == " " })?.completion(at: cursor)
    }

    private func completion(at cursor: Int) -> Completion? {
        let matching = words.filter { $0.hasPrefix(typed) }
        guard !matching.isEmpty else { return nil }
        return Completion(candidates: matching, range: cursor - typed.unicodeScalars.count..<cursor)
    }
}
