import Testing

@testable import LineTerminal

@Suite struct HistorySearchTests {
    private func search(
        _ query: String, _ direction: HistorySearch.Direction = .older, from start: Int, in entries: [String]
    ) -> HistorySearch {
        var search = HistorySearch(direction, from: start)
        for scalar in query.unicodeScalars { search.append(scalar, in: entries) }
        return search
    }

    @Test("It starts at an entry, which counts, or at the end, and a match is where the query begins, in bytes")
    func starts() {
        let entries = ["é one", "two", "é three"]
        #expect(search("e", from: 3, in: entries).match == .init(entry: 2, offset: 6))
        #expect(search("one", from: 2, in: entries).match == .init(entry: 0, offset: 3))
        #expect(search("o", from: 1, in: entries).match == .init(entry: 1, offset: 2))
        #expect(search("é", .newer, from: 1, in: entries).match == .init(entry: 2, offset: 0))
        #expect(search("é", .newer, from: 3, in: entries).match == nil)
        #expect(search("x", from: 0, in: []).hasFailed)
    }

    @Test("What failed stays failed as the query grows, and what was found before it stays shown")
    func fails() {
        let entries = ["abc", "abd"]
        var search = search("abcx", from: 2, in: entries)
        #expect(search.hasFailed)
        #expect(search.match == .init(entry: 0, offset: 0))
        #expect(search.prompt == "(failed reverse-i-search)'abcx': ")
        let removed = search.removeLast()
        #expect(removed)
        #expect(!search.hasFailed)
        #expect(search.prompt == "(reverse-i-search)'abc': ")
    }

    @Test("Backspace takes a whole grapheme cluster off the query")
    func shortens() {
        var search = search("a👨‍👩‍👧", from: 1, in: ["a👨‍👩‍👧"])
        #expect(search.match == .init(entry: 0, offset: 0))
        let removed = search.removeLast()
        #expect(removed)
        #expect(search.query == "a")
        let again = search.removeLast()
        let nothing = search.removeLast()
        #expect(again && !nothing)
        #expect(search.match == nil)
    }

    @Test("The next match is another line, in either direction")
    func advances() {
        let entries = ["a", "ab", "x", "a", "a"]
        var search = search("a", from: 5, in: entries)
        search.advance(.older, in: entries)
        #expect(search.match?.entry == 1)
        search.advance(.newer, in: entries)
        #expect(search.match?.entry == 3)
        search.advance(.newer, in: entries)
        #expect(search.hasFailed && search.match?.entry == 3)
        search.advance(.older, in: entries)
        #expect(!search.hasFailed && search.match?.entry == 1)
    }
}

@Suite struct HistoryWalkTests {
    private typealias Line = HistoryWalk.Line

    private func line(_ text: String, cursor: Int? = nil) -> Line {
        let characters = EditBuffer.encode(text).dropLast()
        return Line(characters: characters, cursor: cursor ?? characters.count)
    }

    @Test("A prefix is that of the draft while the walk alone moves the cursor, and is taken anew when somebody else did")
    func prefix() {
        let entries = ["ax", "b", "abx", "ab"]
        var walk = HistoryWalk(draft: line("a"), entries: entries)
        #expect(walk.move(.older, from: line("a"), byPrefix: true, in: entries) == line("ab"))
        #expect(walk.move(.older, from: line("ab"), byPrefix: true, in: entries) == line("abx"))
        walk = walk.resumed(at: line("abx", cursor: 0), entries: entries)
        #expect(walk.move(.older, from: line("abx", cursor: 0), byPrefix: true, in: entries) == line("b"))
        #expect(walk.move(.newer, from: line("b"), byPrefix: false, in: entries) == line("abx"))
    }

    @Test("A line that was changed is a draft of its own")
    func changed() {
        let entries = ["one", "two"]
        var walk = HistoryWalk(draft: line(""), entries: entries)
        _ = walk.move(.older, from: line(""), byPrefix: false, in: entries)
        walk = walk.resumed(at: line("two!"), entries: entries)
        #expect(walk.move(.older, from: line("two!"), byPrefix: false, in: entries) == line("two"))
        #expect(walk.move(.newer, from: line("two"), byPrefix: false, in: entries) == line("two!"))
        #expect(walk.move(.newer, from: line("two!"), byPrefix: false, in: entries) == nil)
    }
}
