import CPosix
import WebSocketProtocol

/// Reading an option's value. Each failure quotes it, unless it may be a secret, and says what is allowed.
extension Argument {
    /// What refuses the value: `--count "x" is not a valid count: give a whole number from 1`.
    func invalid(_ what: String, _ remedy: String) -> UsageFailure {
        UsageFailure("\(spelling) \(text.quoted) is not a valid \(what): \(remedy)")
    }

    /// - Parameters:
    ///   - positive: if 0 makes no sense.
    ///   - more: what else is allowed.
    func seconds(positive: Bool = false, more: String = "") throws(UsageFailure) -> Double {
        guard let seconds = Double(seconds: text) else { throw invalid("number of seconds", "give one such as 5 or 0.25\(more)") }
        guard !positive || seconds >= .shortestSeconds else {
            throw UsageFailure("\(spelling) \(text.quoted) is too short: give at least \(Double.shortestSeconds) seconds")
        }
        return seconds
    }

    /// Seconds that were read as such are far from overflowing it.
    func nanoseconds(positive: Bool = false) throws(UsageFailure) -> Instant {
        Instant((try seconds(positive: positive) * 1e9).rounded())
    }

    func count() throws(UsageFailure) -> Int {
        guard let count = Int(decimal: text, in: 1...Int(Int32.max)) else { throw invalid("count", "give a whole number from 1") }
        return count
    }

    func size() throws(UsageFailure) -> Int {
        guard let size = Int(size: text) else { throw invalid("size", "give bytes, or a number with K, M or G") }
        return size
    }

    func pattern() throws(UsageFailure) -> Pattern {
        do throws(Pattern.SyntaxError) {
            return try Pattern(text)
        } catch {
            throw invalid("regular expression", error.description)
        }
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>() throws(UsageFailure) -> Choice {
        guard let choice = Choice(rawValue: text) else {
            throw UsageFailure("\(spelling) \(text.quoted) must be one of \(listed(Choice.allCases.map(\.rawValue), "or"))")
        }
        return choice
    }

    /// A path that names something; an empty one is most likely an unset variable of a script.
    func path() throws(UsageFailure) -> String {
        guard !text.isEmpty else { throw UsageFailure("\(spelling) has an empty path: name a file") }
        return text
    }

    // MARK: Secrets

    /// The text of a secret, or with `@FILE` what the file holds, without the line end at its end. No error has any of it.
    func secret() throws(UsageFailure) -> Secret {
        guard text.hasPrefix("@") else { return Secret(text) }
        let path = String(text.dropFirst())
        guard !path.isEmpty else { throw UsageFailure("\(spelling) @ names no file: give @FILE") }
        var bytes = try contents(of: path)[...]
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast(bytes.dropLast().last == UInt8(ascii: "\r") ? 2 : 1) }
        guard let secret = String(validating: bytes, as: UTF8.self) else {
            throw UsageFailure("\(spelling): the file \(path.quoted) isn't valid UTF-8")
        }
        return Secret(secret)
    }

    private func contents(of path: String) throws(UsageFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.largestFile + 1)
        let file = fopen(path, "r")
        defer { if let file { fclose(file) } }
        let count = file.map { fread(&bytes, 1, bytes.count, $0) } ?? 0
        guard let file, ferror(file) == 0 else {
            throw UsageFailure("\(spelling): can't read the file \(path.quoted): \(errorText(errno))")
        }
        guard count <= Self.largestFile else {
            throw UsageFailure("\(spelling): the file \(path.quoted) is too large for a secret: 64 KiB are the most")
        }
        return Array(bytes[..<count])
    }

    private static let largestFile = 64 << 10
}

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
        let shift = text.last.flatMap { shifts[$0] } ?? 0
        guard let number = Int(decimal: shift == 0 ? text[...] : text.dropLast(), in: 1...(Self.largestSize >> shift)) else { return nil }
        self = number << shift
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
