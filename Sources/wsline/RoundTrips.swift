/// The round trips of pings: how many, the last, the extremes, and how they are distributed.
///
/// Memory stays bounded however many there are: they are counted in buckets that are narrow where times are short, 64 to each power of two, so that
/// a percentile is off by less than 1%. The extremes and the last are exact.
struct RoundTrips {
    private(set) var count: UInt64 = 0
    /// In nanoseconds, as all of these; nil if there was none.
    private(set) var last: UInt64?
    private(set) var least = UInt64.max
    private(set) var greatest: UInt64 = 0
    /// By bucket, as far as the longest reaches; at most 3,776.
    private var counts: [UInt64] = []

    mutating func add(_ nanoseconds: UInt64) {
        let bucket = Self.bucket(of: nanoseconds)
        if bucket >= counts.count { counts += repeatElement(0, count: bucket + 1 - counts.count) }
        counts[bucket] &+= 1
        count &+= 1
        last = nanoseconds
        least = min(least, nanoseconds)
        greatest = max(greatest, nanoseconds)
    }

    /// The time that so many of a hundred don't exceed (nearest rank); nil if there was none.
    func percentile(_ percent: UInt64) -> UInt64? {
        guard count > 0 else { return nil }
        let rank = max((count &* percent &+ 99) / 100, 1)
        var passed: UInt64 = 0
        for (bucket, number) in counts.enumerated() {
            passed &+= number
            if passed >= rank { return min(max(Self.middle(of: bucket), least), greatest) }
        }
        return greatest
    }

    /// `min 0.2 ms, median 0.25 ms, p99 0.4 ms, max 0.5 ms`; nil if there was none.
    var summary: String? {
        guard let median = percentile(50), let high = percentile(99) else { return nil }
        return [("min", least), ("median", median), ("p99", high), ("max", greatest)].map { "\($0.0) \(milliseconds($0.1))" }
            .joined(separator: ", ")
    }

    /// ``summary``, how many there were, and how many pings had no answer; nil if nothing was measured.
    func description(lost: Int) -> String? {
        guard count > 0 || lost > 0 else { return nil }
        return "\(count)" + (summary.map { " (\($0))" } ?? "") + ", \(lost) lost"
    }

    // MARK: Buckets

    /// A time's seven highest bits, and how many bits are below them.
    private static func bucket(of nanoseconds: UInt64) -> Int {
        let shift = max(0, 57 - nanoseconds.leadingZeroBitCount)
        return shift * 64 + Int(nanoseconds >> UInt64(shift))
    }

    private static func middle(of bucket: Int) -> UInt64 {
        let shift = max(0, bucket / 64 - 1)
        return UInt64(bucket - shift * 64) << UInt64(shift) + (1 << UInt64(shift)) / 2
    }
}
