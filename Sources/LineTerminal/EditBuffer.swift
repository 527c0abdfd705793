import Synchronization

/// How text stands in libedit's line buffer: a value for each grapheme cluster, so that every key of libedit's moves over, deletes and kills whole ones.
///
/// A cluster of one scalar is that scalar. One of several (a flag, an emoji joined of others, a letter with its marks) is a value that stands for it, as U+0000
/// is, which libedit would take for the end of a string.
enum EditBuffer {
    static let nul: Int32 = 0x11_0000

    /// Clusters of several scalars, and the values that stand for them, for as long as the process runs: what a person typed, pasted or kept as history.
    private struct Clusters {
        /// By scalars, since equal strings may have others.
        var values: [[Int32]: Int32] = [:]
        var scalars: [Int32: [Int32]] = [:]
        var words = words.lowerBound
        var others = others.lowerBound

        /// libedit asks the C library what is part of a word, so a value has to be of its cluster's kind. What is typed of these seldom used characters
        /// (CJK extension G, and private use) is a cluster of its own here.
        static let words: Range<Int32> = 0x3_0000..<0x3_134b
        static let others: Range<Int32> = 0x10_0000..<0x10_fffe

        static func isReserved(_ value: Int32) -> Bool { words.contains(value) || others.contains(value) || value > nul }

        mutating func value(of cluster: [Int32]) -> Int32 {
            if let value = values[cluster] { return value }
            let properties = cluster.first.flatMap { Unicode.Scalar(UInt32(bitPattern: $0)) }?.properties
            let isWord = properties.map { $0.isAlphabetic || $0.numericType != nil } ?? false
            let value: Int32
            if isWord && words < Self.words.upperBound {
                value = words
                words += 1
            } else {
                value = others
                others = others + 1 == Self.others.upperBound ? nul + 1 : others + 1
            }
            values[cluster] = value
            scalars[value] = cluster
            return value
        }
    }

    private static let clusters = Mutex(Clusters())

    /// `text` as a NUL-terminated wide string.
    static func encode(_ text: String) -> [Int32] {
        var result: [Int32] = []
        result.reserveCapacity(text.utf8.count + 1)
        var isPlain = true
        for scalar in text.unicodeScalars {
            // Nothing below joins what is before it, except LF after CR, which stay two.
            isPlain = isPlain && scalar.value < 0x300
            result.append(scalar.value == 0 ? nul : Int32(bitPattern: scalar.value))
        }
        if !isPlain {
            result.removeAll(keepingCapacity: true)
            clusters.withLock { clusters in
                for character in text { append(character, to: &result, &clusters) }
            }
        }
        result.append(0)
        return result
    }

    private static func append(_ character: Character, to result: inout [Int32], _ clusters: inout Clusters) {
        let start = result.count
        for scalar in character.unicodeScalars { result.append(scalar.value == 0 ? nul : Int32(bitPattern: scalar.value)) }
        guard result.count - start > 1 ? character != "\r\n" : Clusters.isReserved(result[start]) && result[start] != nul else { return }
        let value = clusters.value(of: Array(result[start...]))
        result.removeSubrange(start...)
        result.append(value)
    }

    static func decode(_ characters: some Sequence<Int32>) -> String {
        var result = String.UnicodeScalarView()
        func append(_ scalar: Int32) {
            result.append(scalar == nul ? "\0" : UInt32(exactly: scalar).flatMap(Unicode.Scalar.init) ?? "\u{fffd}")
        }
        for character in characters {
            if let cluster = cluster(character) { cluster.forEach(append) } else { append(character) }
        }
        return String(result)
    }

    /// The scalars that a value stands for, if it isn't a scalar itself.
    static func cluster(_ value: Int32) -> [Int32]? {
        guard Clusters.isReserved(value) else { return nil }
        return clusters.withLock { $0.scalars[value] }
    }

    /// What stands for `first` and `second` when they are one cluster, as a letter and its accent that comes after it are.
    static func join(_ first: Int32, _ second: UInt32) -> Int32? {
        guard second >= 0x300, first != 0x0a, let second = Unicode.Scalar(second) else { return nil }
        var text = decode(CollectionOfOne(first))
        text.unicodeScalars.append(second)
        guard text.count == 1 else { return nil }
        return encode(text).first
    }

    /// A pasted text with its line ends (CR as most terminals send them, CRLF, or LF) as newlines. A newline at its very end is kept.
    static func normalizePaste(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var afterCarriageReturn = false
        for byte in bytes {
            switch byte {
            case 0x0d: result.append(0x0a)
            case 0x0a where afterCarriageReturn: break
            default: result.append(byte)
            }
            afterCarriageReturn = byte == 0x0d
        }
        return String(decoding: result, as: UTF8.self)
    }
}
