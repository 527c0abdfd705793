import CLibEdit
import CPosix

/// An incremental search through history: what Ctrl-R and Ctrl-S start.
///
/// A value that knows neither keys nor screen. Each character of the query keeps what was found with it, so that deleting it goes back there; and since what
/// holds a longer query holds the shorter one too, a query that grows never looks twice at an entry.
struct HistorySearch {
    enum Direction { case older, newer }

    /// An entry, and the byte where the query begins in it.
    struct Match: Equatable {
        var entry: Int
        var offset: Int
    }

    private struct Step {
        var query: String
        var match: Match?
        var hasFailed = false
    }

    private(set) var direction: Direction
    /// The entry where it starts, or the number of entries for the line that is being typed.
    private let start: Int
    private var steps = [Step(query: "")]

    init(_ direction: Direction, from start: Int) {
        self.direction = direction
        self.start = start
    }

    private var step: Step {
        get { steps[steps.count - 1] }
        set { steps[steps.count - 1] = newValue }
    }

    var query: String { step.query }
    /// The latest match, also where a longer query or a step further found none.
    var match: Match? { step.match }
    var hasFailed: Bool { step.hasFailed }

    /// What stands before the match, as readline has it.
    var prompt: String {
        let name = direction == .older ? "reverse-i-search" : "i-search"
        return "(\(hasFailed ? "failed " : "")\(name))'\(query)': "
    }

    /// The query grows: the match stays if it holds it, else it is the next one that does.
    mutating func append(_ scalar: Unicode.Scalar, in entries: [String]) {
        var next = step
        next.query.unicodeScalars.append(scalar)
        steps.append(next)
        guard !hasFailed else { return }
        find(from: match?.entry ?? start, in: entries)
    }

    /// The query loses its last character. False if it has none.
    mutating func removeLast() -> Bool {
        let count = query.count
        guard count > 0 else { return false }
        while query.count >= count { steps.removeLast() }
        return true
    }

    /// Goes on to the next match in `direction`, which may be another than before.
    mutating func advance(_ direction: Direction, in entries: [String]) {
        if direction != self.direction { step.hasFailed = false }
        self.direction = direction
        guard !query.isEmpty, !hasFailed else { return }
        let next = direction == .older ? -1 : 1
        find(from: match.map { $0.entry + next } ?? start, in: entries, otherThan: match.map { entries[$0.entry] })
    }

    private mutating func find(from first: Int, in entries: [String], otherThan shown: String? = nil) {
        let needle = Array(query.utf8)
        var entry = direction == .older ? min(first, entries.count - 1) : first
        while entries.indices.contains(entry) {
            if let offset = entries[entry].byteOffset(of: needle), shown.map({ !$0.utf8.elementsEqual(entries[entry].utf8) }) ?? true {
                step.match = Match(entry: entry, offset: offset)
                step.hasFailed = false
                return
            }
            entry += direction == .older ? -1 : 1
        }
        step.hasFailed = true
    }
}

extension String {
    /// Where the bytes of `needle` first stand, byte by byte: neither case nor normal forms are folded.
    func byteOffset(of needle: [UInt8]) -> Int? {
        var text = self
        return text.withUTF8 { bytes in
            guard let start = bytes.baseAddress, let found = wsline_memmem(start, bytes.count, needle, needle.count) else { return nil }
            return UnsafeRawPointer(found) - UnsafeRawPointer(start)
        }
    }

    /// Whether the text begins with these bytes.
    func hasBytePrefix(_ prefix: [UInt8]) -> Bool {
        var text = self
        return text.withUTF8 { bytes in
            guard let start = bytes.baseAddress, !prefix.isEmpty else { return prefix.isEmpty }
            return bytes.count >= prefix.count && memcmp(start, prefix, prefix.count) == 0
        }
    }
}
