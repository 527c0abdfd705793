/// One option, with everything that is known about it.
///
/// Scanning, `--help`, "did you mean", the refusal of options that contradict each other or would have no effect, and the configuration are all made
/// of these.
struct Option: Sendable {
    /// Whether a value follows.
    enum Value: Sendable, Equatable, ExpressibleByStringLiteral {
        case none
        /// Always: the next argument whatever it looks like, so that `-x -5` and `-w -1` work. The text names it in help and messages.
        case required(String)
        /// A count: the next argument if it is all digits, so that `--reconnect URL` works.
        case optionalCount
        /// The next argument unless it looks like an option or a URL, so that `--passphrase URL` works.
        case optionalText

        init(stringLiteral name: String) { self = .required(name) }
    }

    /// What an option does to the configuration.
    typealias Effect = @Sendable (inout Configuration, Argument) throws -> Void

    /// Short ones first, as help shows them.
    let spellings: [String]
    let value: Value
    /// One sentence for `--help`, without its full stop.
    let summary: String
    /// What `--help TOPIC` adds.
    let details: String
    /// Where it has an effect.
    let roles: Roles
    let rules: [Rule]
    /// What curl, websocat and wscat call it.
    let elsewhere: [String]
    /// How it changes while the program runs (`/set`); nil if it can't.
    let live: Live?
    let apply: Effect

    static func flag(
        _ spellings: String..., does summary: String, details: String = "", in roles: Roles = .all, rules: [Rule] = [],
        elsewhere: [String] = [], live: Live? = nil, _ apply: @escaping @Sendable (inout Configuration) throws -> Void = { _ in }
    ) -> Option {
        Option(
            spellings: spellings, value: .none, summary: summary, details: details, roles: roles, rules: rules, elsewhere: elsewhere,
            live: live
        ) { configuration, _ in try apply(&configuration) }
    }

    static func value(
        _ value: Value, _ spellings: String..., does summary: String, details: String = "", in roles: Roles = .all, rules: [Rule] = [],
        elsewhere: [String] = [], live: Live? = nil, _ apply: @escaping Effect = { _, _ in }
    ) -> Option {
        Option(
            spellings: spellings, value: value, summary: summary, details: details, roles: roles, rules: rules,
            elsewhere: elsewhere, live: live, apply: apply)
    }

    /// The spelling by which rules name it: the first long one if it has one.
    var name: String { spellings.first { $0.hasPrefix("--") } ?? spellings[0] }

    /// A spelling with the value's name after it: `--count N`.
    func usage(_ spelling: String) -> String {
        switch value {
        case .none: spelling
        case .required(let name): "\(spelling) \(name)"
        case .optionalCount: "\(spelling) [N]"
        case .optionalText: "\(spelling) [TEXT]"
        }
    }
}

/// What kind of run a command line asks for.
struct Roles: OptionSet, Sendable {
    let rawValue: Int

    static let connect = Roles(rawValue: 1)
    /// A client of the echo server inside this process.
    static let demo = Roles(rawValue: 2)
    static let listen = Roles(rawValue: 4)
    /// `-l --echo`, which neither reads input nor shows messages.
    static let echo = Roles(rawValue: 8)

    static let client: Roles = [.connect, .demo]
    static let server: Roles = [.listen, .echo]
    /// Where messages are typed or piped in and shown.
    static let messages: Roles = [.connect, .demo, .listen]
    static let all: Roles = [.client, .server]
}

/// What holds between an option and another, which is given by its ``Option/name``.
enum Rule: Sendable {
    /// Only one of the two can be meant. It holds for the option's value `when` alone, and not if the other has the value `unless`.
    case contradicts(String, when: String? = nil, unless: String? = nil)
    /// It, or one of the others, would have no effect, for a reason that the message states; except if the other has the value `unless`.
    case excludes([String], unless: String? = nil, because: String)
    /// It has no effect without the other, in these roles.
    case needs(String, in: Roles = .all, because: String)

    /// Whether this rule of `owner` may leave `option` without effect.
    func concerns(_ option: Option, from owner: Option) -> Bool {
        switch self {
        case .contradicts: false
        case .excludes(let names, _, _): owner.name == option.name || names.contains(option.name)
        case .needs: owner.name == option.name
        }
    }
}

/// Options that belong together: a heading of `--help`, and a topic of `--help TOPIC`.
struct OptionGroup: Sendable {
    let title: String
    let topic: String
    let options: [Option]

    static let all = [calling, conversation, pipes, payloads, connection, tls, seeing, misbehaving]
}

extension Option {
    static let all = OptionGroup.all.flatMap(\.options)

    private static let bySpelling: [String: Option] = {
        var result: [String: Option] = [:]
        for option in all { for spelling in option.spellings { result[spelling] = option } }
        return result
    }()

    /// The option that is spelled just so.
    static func named(_ spelling: String) -> Option? { bySpelling[spelling] }
}

/// An option as it was given.
struct Argument: Sendable {
    let option: Option
    /// Whole, if an abbreviation was given.
    let spelling: String
    /// Empty for an option without a value.
    let text: String
}
