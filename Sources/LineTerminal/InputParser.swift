/// Cuts what the terminal sends into characters and pastes.
///
/// Terminals wrap a paste in `ESC [ 200 ~` and `ESC [ 201 ~` once asked to (DECSET 2004), which libedit doesn't know: what is inside would run as editing
/// commands, and its first newline would send half of it. A start that is cut by the end of a read is held back until `push` brings the rest or `pop`
/// is called with `complete`, since a lone ESC is also a key.
struct InputParser {
    enum Event: Equatable {
        /// A code point, U+FFFD for bytes that are not UTF-8.
        case character(UInt32)
        /// A whole paste, as the bytes came.
        case paste([UInt8])
    }

    private static let pasteStart = Array("\u{1b}[200~".utf8)
    private static let pasteEnd = Array("\u{1b}[201~".utf8)

    private var bytes: [UInt8] = []
    private var next = 0
    /// Within a paste, where its end is still to be looked for.
    private var unsearched: Int?

    /// Whether bytes wait for more to come, if not for long: a paste takes the time that it takes.
    var holdsBytes: Bool { unsearched == nil && next < bytes.count }

    /// The byte that comes next, if it is there.
    var nextByte: UInt8? { next < bytes.count ? bytes[next] : nil }

    mutating func push(_ new: some Collection<UInt8>) {
        if next == bytes.count {
            bytes = []
            (next, unsearched) = (0, unsearched.map { _ in 0 })
        }
        bytes.append(contentsOf: new)
    }

    /// The next event, or nil when more bytes are needed. With `complete`, a character or paste start that is cut short is taken for what it is.
    mutating func pop(complete: Bool = false) -> Event? {
        guard next < bytes.count else { return nil }
        if let unsearched { return takePaste(searchingFrom: unsearched) }
        let left = bytes[next...]
        guard left.first == 0x1b else {
            let (scalar, length, isCut) = left.withUnsafeBytes { Unicode.UTF8.decodeFirst($0) }
            guard complete || !isCut else { return nil }
            next += length
            return .character(scalar ?? 0xfffd)
        }
        let common = zip(left, Self.pasteStart).prefix { $0 == $1 }.count
        if common == Self.pasteStart.count {
            next += common
            unsearched = next
            return pop(complete: complete)
        }
        if common == left.count && !complete { return nil }
        next += 1
        return .character(0x1b)
    }

    /// Takes the paste if its end is there.
    private mutating func takePaste(searchingFrom start: Int) -> Event? {
        var start = start
        while let escape = bytes[start...].firstIndex(of: 0x1b) {
            let left = bytes[escape...]
            if left.starts(with: Self.pasteEnd) {
                defer { (next, unsearched) = (escape + Self.pasteEnd.count, nil) }
                return .paste(Array(bytes[next..<escape]))
            }
            // The end may be cut by the read.
            if left.count < Self.pasteEnd.count {
                unsearched = escape
                return nil
            }
            start = escape + 1
        }
        unsearched = bytes.count
        return nil
    }
}
