extension Double {
    /// The longest time that an option takes, in seconds: thirty-one years.
    static let longestSeconds = 1e9
    /// The shortest time for options that nothing less makes sense for.
    static let shortestSeconds = 0.001

    /// Reads seconds as a user types them: decimal digits with at most one point among them, up to ``longestSeconds``.
    init?(seconds text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.contains(where: { !$0.isEmpty }), parts.allSatisfy({ $0.isEmpty || $0.isDecimal }),
            let value = Double("0" + text + (text.hasSuffix(".") ? "0" : "")), value <= Self.longestSeconds
        else { return nil }
        self = value
    }
}

extension Int {
    /// The largest size that an option takes, in bytes: one tebibyte.
    static let largestSize = 1 << 40

    /// Reads a size as a user types it: a number of bytes, or of kibibytes, mebibytes or gibibytes with K, M or G after it; 1 to ``largestSize``.
    init?(size text: String) {
        let shifts: [Character: Int] = ["K": 10, "k": 10, "M": 20, "m": 20, "G": 30, "g": 30]
        let shift = text.last.flatMap { shifts[$0] }
        guard let number = Int(decimal: shift == nil ? text[...] : text.dropLast(), in: 1...(Self.largestSize >> (shift ?? 0))) else {
            return nil
        }
        self = number << (shift ?? 0)
    }

    /// Reads decimal digits alone, without a sign.
    init?(decimal text: some StringProtocol, in range: ClosedRange<Int>) {
        guard text.isDecimal, let number = Int(text), range.contains(number) else { return nil }
        self = number
    }
}

extension StringProtocol {
    /// Whether there is something, and all of it is ASCII digits.
    var isDecimal: Bool { !isEmpty && utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }
}
