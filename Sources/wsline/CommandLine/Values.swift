import WebSocketProtocol

/// Reading an option's value. Each failure quotes it and says what can stand there.
extension Argument {
    /// What refuses the value: `--count "x" is not a valid count: give a whole number from 1`.
    func invalid(_ what: String, _ remedy: String) -> UsageFailure {
        UsageFailure("\(spelling) \(text.quoted) is not a valid \(what): \(remedy)")
    }

    /// - Parameters:
    ///   - positive: if 0 makes no sense.
    ///   - more: what else may stand there.
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
}
