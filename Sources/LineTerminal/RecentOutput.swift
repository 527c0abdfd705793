/// The end of what was printed above the line, from the start of a line on: enough to fill a window again.
struct RecentOutput {
    private static let limit = 64 << 10
    private var bytes: [UInt8] = []
    /// Whether the screen may show what others printed before.
    private var followsOthers: Bool

    init(followsOthers: Bool) { self.followsOthers = followsOthers }

    /// - Parameter text: whole lines.
    mutating func append(_ text: [UInt8]) {
        bytes += text
        // Seldom, so that a short text costs no more than its own bytes.
        guard bytes.count > 2 * Self.limit else { return }
        followsOthers = false
        let end = bytes.suffix(Self.limit)
        bytes = Array(end[((end.firstIndex(of: 0x0a) ?? end.endIndex - 1) + 1)...])
    }

    /// At most `count` lines from the end, and whether the screen may show what others printed before them.
    func lastLines(_ count: Int) -> (bytes: ArraySlice<UInt8>, followOthers: Bool) {
        var start = bytes.count
        for _ in 0..<count {
            guard start > 0 else { break }
            start = bytes[..<(start - 1)].lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
        }
        return (bytes[start...], start == 0 && followsOthers)
    }
}
