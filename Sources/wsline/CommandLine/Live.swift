import WebSocketProtocol

/// How an option changes while the program runs (`/set`): its ``Option/apply`` sets it, and what is here shows and unsets it.
struct Live: Sendable {
    /// The present value as one would give it; nil if it is unset.
    let value: @Sendable (Configuration) -> String?
    /// What stands for no value, and how that is set; nil if there is always one.
    let unset: (word: String, apply: @Sendable (inout Configuration) -> Void)?
    /// What Tab offers.
    let words: [String]
    /// What `/set` calls it, if not as the option.
    var name: String?
    /// What an option without a value sets.
    var given = "on"

    static func flag(
        _ isOn: @escaping @Sendable (Configuration) -> Bool, off: @escaping @Sendable (inout Configuration) -> Void
    ) -> Live {
        Live(value: { isOn($0) ? "on" : nil }, unset: ("off", off), words: ["on", "off"])
    }

    /// A flag that turns off what `/set` has under a name of its own: `--no-pong` is `/set pong off`.
    static func inverse(
        _ name: String, _ isGiven: @escaping @Sendable (Configuration) -> Bool, on: @escaping @Sendable (inout Configuration) -> Void
    ) -> Live {
        Live(value: { isGiven($0) ? "off" : nil }, unset: ("on", on), words: ["on", "off"], name: name, given: "off")
    }

    /// One of some words.
    static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _: Choice.Type, _ value: @escaping @Sendable (Configuration) -> String?,
        unset: (word: String, apply: @Sendable (inout Configuration) -> Void)? = nil
    ) -> Live {
        Live(value: value, unset: unset, words: Choice.allCases.map(\.rawValue) + (unset.map { [$0.word] } ?? []))
    }

    static func value(
        _ value: @escaping @Sendable (Configuration) -> String?,
        unset: (word: String, apply: @Sendable (inout Configuration) -> Void)? = nil
    ) -> Live {
        Live(value: value, unset: unset, words: unset.map { [$0.word] } ?? [])
    }

    /// A limit in nanoseconds, 0 for none.
    static func time(
        _ value: @escaping @Sendable (Connection.Configuration) -> Instant,
        off: @escaping @Sendable (inout Connection.Configuration) -> Void
    ) -> Live {
        Live(
            value: { configuration in
                let time = value(configuration.connection.limits)
                return time == 0 ? nil : seconds(time)
            }, unset: ("off", { off(&$0.connection.limits) }), words: ["off"])
    }

    // MARK: Values as they are given

    /// Nanoseconds as seconds: `5`, `0.25`.
    static func seconds(_ nanoseconds: Instant) -> String {
        let text = "\(Double(nanoseconds) / 1e9)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// `64M` for what is a whole number of them.
    static func size(_ bytes: UInt64) -> String {
        for (letter, shift) in [("G", 30), ("M", 20), ("K", 10)] where bytes != 0 && bytes.trailingZeroBitCount >= shift {
            return "\(bytes >> shift)\(letter)"
        }
        return "\(bytes)"
    }
}

/// One option that may change while the program runs, under the name that `/set` has for it.
struct Setting: Sendable {
    let option: Option
    let live: Live

    /// In the order of `--help`.
    static let all = Option.all.compactMap { option in option.live.map { Setting(option: option, live: $0) } }

    static func named(_ name: some StringProtocol) -> Setting? { all.first { $0.name == name } }

    /// The option's, without dashes, unless it has another here.
    var name: String { live.name ?? String(option.name.drop { $0 == "-" }) }

    /// As it would be given.
    func value(in configuration: Configuration) -> String { live.value(configuration) ?? live.unset?.word ?? "" }

    /// Changes it, as the option on the command line would have set it.
    ///
    /// - Throws: what is wrong with the value, or why it would have no effect; the configuration is then as it was.
    func set(_ text: String, in configuration: inout Configuration) throws(UsageFailure) {
        var changed = configuration
        changed.given.options.removeAll { $0.option.name == option.name }
        live.unset?.apply(&changed)
        if text != live.unset?.word {
            guard option.value != .none || text == live.given else { throw UsageFailure("\(name) \(text.quoted) must be on or off") }
            let argument = Argument(option: option, spelling: name, text: option.value == .none ? "" : text)
            changed.given.options.append(argument)
            try Rules(changed.given).check(change: argument)
            do throws(UsageFailure) {
                try argument.apply(to: &changed)
            } catch {
                let other = live.unset.map { ", or \($0.word)" } ?? ""
                throw UsageFailure(error.message + other)
            }
        }
        configuration = changed
    }
}
