/// Cuts what the terminal sends into characters and pastes.
///
/// Terminals wrap a paste in `ESC [ 200 ~` and `ESC [ 201 ~` once asked to (DECSET 2004), which libedit doesn't know: what is inside would run as editing
/// commands, and its first newline would send half of it. A start that is cut by the end of a read is held back until `push` brings the rest or `flush`
/// says that no more comes, since a lone ESC is also a key.
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
    private var paste: [UInt8]?
    private var endMatched = 0

    /// Whether bytes wait for more to come.
    var holdsBytes: Bool { next < bytes.count }

    mutating func push(_ new: some Collection<UInt8>) {
        if next == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            next = 0
        }
        bytes.append(contentsOf: new)
    }

    /// The next event, or nil when more bytes are needed. With `complete`, a character or paste start that is cut short is taken for what it is.
    mutating func pop(complete: Bool = false) -> Event? {
        while next < bytes.count {
            if paste != nil {
                if let text = takePaste() { return .paste(text) }
                continue
            }
            let left = bytes[next...]
            if left.first == 0x1b {
                let common = zip(left, Self.pasteStart).prefix { $0 == $1 }.count
                if common == Self.pasteStart.count {
                    next += common
                    paste = []
                    continue
                }
                if common == left.count && !complete { return nil }
                next += 1
                return .character(0x1b)
            }
            guard let (scalar, length) = Self.decode(left, complete: complete) else { return nil }
            next += length
            return .character(scalar)
        }
        return nil
    }

    /// Takes paste bytes up to the end marker; the paste when it was there.
    private mutating func takePaste() -> [UInt8]? {
        while next < bytes.count {
            let byte = bytes[next]
            next += 1
            if byte == Self.pasteEnd[endMatched] {
                endMatched += 1
                if endMatched == Self.pasteEnd.count {
                    defer {
                        paste = nil
                        endMatched = 0
                    }
                    return paste
                }
                continue
            }
            if endMatched > 0 {
                // ESC occurs at the marker's start alone, so what matched so far can't hide another start.
                paste?.append(contentsOf: Self.pasteEnd[..<endMatched])
                endMatched = byte == 0x1b ? 1 : 0
                if endMatched == 1 { continue }
            }
            paste?.append(byte)
        }
        return nil
    }

    /// The first character of `bytes` and its length; nil when it is cut short and not `complete`.
    static func decode(_ bytes: ArraySlice<UInt8>, complete: Bool) -> (scalar: UInt32, length: Int)? {
        guard let lead = bytes.first else { return nil }
        let length: Int
        var scalar: UInt32
        switch lead {
        case 0..<0x80: return (UInt32(lead), 1)
        case 0xc2...0xdf: (length, scalar) = (2, UInt32(lead & 0x1f))
        case 0xe0...0xef: (length, scalar) = (3, UInt32(lead & 0x0f))
        case 0xf0...0xf4: (length, scalar) = (4, UInt32(lead & 0x07))
        default: return (0xfffd, 1)
        }
        var taken = 1
        for byte in bytes.dropFirst().prefix(length - 1) {
            guard byte & 0xc0 == 0x80 else { return (0xfffd, taken) }
            scalar = scalar << 6 | UInt32(byte & 0x3f)
            taken += 1
        }
        guard taken == length else { return complete ? (0xfffd, taken) : nil }
        let least: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000
        guard scalar >= least, Unicode.Scalar(scalar) != nil else { return (0xfffd, length) }
        return (scalar, length)
    }
}
