import WebSocketProtocol

/// How an option is spelled, and whether a value follows it.
struct OptionSyntax {
    enum Value {
        case none
        /// Always: the next argument whatever it looks like, so that `-x -5` and `-w -1` work. The text names it in messages.
        case required(String)
        /// A count: the next argument if it is all digits, so that `--reconnect URL` works.
        case optionalCount
        /// The next argument unless it looks like an option or a URL, so that `--passphrase URL` works.
        case optionalText
    }

    /// The first is the one that ``RawOptions`` knows.
    let spellings: [String]
    let value: Value

    private static func flag(_ spellings: String...) -> OptionSyntax { OptionSyntax(spellings: spellings, value: .none) }

    private static func value(_ name: String, _ spellings: String...) -> OptionSyntax {
        OptionSyntax(spellings: spellings, value: .required(name))
    }

    static let help = OptionSyntax(spellings: ["--help", "-h"], value: .none)
    static let version = OptionSyntax(spellings: ["--version", "-V"], value: .none)

    static let all: [OptionSyntax] = [
        help, version,
        value("URL", "--connect", "-c"), value("[HOST:]PORT", "--listen", "-l"), flag("--demo"),

        value("line, nul, whole or SIZE", "--split"), flag("-0"), value("TEXT", "--execute", "-x"), value("SECS", "--wait", "-w"),
        value("SECS", "--idle"), flag("--one-message", "-1"), value("N", "--count"), value("REGEX", "--until"),
        value("SECS", "--timeout"), flag("--json"), flag("--json-input"), value("CODE", "--expect-close"), flag("--slash"), flag("--echo"),

        value("text, binary, hex or base64", "--send-as"), flag("--text", "-t"), flag("--binary", "-b"),
        value("dump, hex, base64, raw or size", "--binary-as"), value("PATH", "--save"),

        value("NAME", "--subprotocol", "-s"), value("'Name: value'", "--header", "-H"), value("USER:PASS or @FILE", "--auth"),
        value("TOKEN or @FILE", "--bearer"), value("ORIGIN", "--origin", "-o"), value("HOST", "--host"), value("TEXT", "--user-agent"),
        value("8 or 13", "--protocol", "-p"),
        flag("--location", "-L"), value("N", "--max-redirects"), value("PARAMS", "--deflate"), flag("--no-deflate"),

        flag("-4"), flag("-6"), value("HOST:PORT:ADDR", "--resolve"), value("PATH", "--unix-socket"), value("PROXY", "--proxy"),
        flag("--no-proxy"), value("SECS", "--connect-timeout"), value("SECS", "--close-timeout"), value("SIZE", "--max-message"),
        value("SECS", "--ping-interval"), value("SECS", "--ping-timeout"),
        OptionSyntax(spellings: ["--reconnect"], value: .optionalCount),

        flag("--no-check", "-n", "--insecure", "-k"), value("FILE", "--ca"), value("FILE", "--cert"), value("FILE", "--key"),
        OptionSyntax(spellings: ["--passphrase"], value: .optionalText),
        value("NAME", "--servername"), value("1.2 or 1.3", "--tls-min"),

        value("FILE", "--history"), flag("--no-history"), flag("--no-color"), flag("--allow-escapes"),
        flag("--show-ping-pong", "-P"), flag("--timestamps", "-T"), flag("--verbose", "-v"), flag("--quiet", "-q"),
    ]

    private static let bySpelling: [String: OptionSyntax] = {
        var result: [String: OptionSyntax] = [:]
        for option in all { for spelling in option.spellings { result[spelling] = option } }
        return result
    }()

    static func named(_ spelling: String) -> OptionSyntax? { bySpelling[spelling] }
}

/// Brings a command line into one form: `--name=value`, `--name`, and behind `--` what is no option.
///
/// ArgumentParser takes each argument apart before it knows which are values, and so refuses values such as `-?` and `--`; it has no option
/// with a value that may be missing; and its errors have several lines. Here a value is found by what its option takes, as getopt does,
/// and nothing is left to go wrong behind it.
struct OptionScanner {
    enum Outcome: Equatable {
        case arguments([String])
        case help
        case version
    }

    private var rest: ArraySlice<String>
    private var options: [String] = []
    private var operands: [String] = []
    private var request: Outcome?

    /// Help and version win over what follows them, as with most programs.
    static func scan(_ arguments: [String]) throws(UsageFailure) -> Outcome {
        var scanner = OptionScanner(rest: arguments[...])
        while scanner.request == nil, let argument = scanner.rest.popFirst() { try scanner.take(argument) }
        return scanner.request ?? .arguments(scanner.options + ["--"] + scanner.operands)
    }

    private init(rest: ArraySlice<String>) { self.rest = rest }

    private mutating func take(_ argument: String) throws(UsageFailure) {
        if argument == "--" {
            operands += rest
            rest = []
        } else if argument.hasPrefix("--") {
            try takeLong(argument)
        } else if argument.hasPrefix("-"), argument != "-" {
            try takeShort(argument)
        } else {
            operands.append(argument)
        }
    }

    private mutating func takeLong(_ argument: String) throws(UsageFailure) {
        let equals = argument.firstIndex(of: "=")
        let spelling = String(argument[..<(equals ?? argument.endIndex)])
        let attached = equals.map { String(argument[argument.index(after: $0)...]) }
        guard let option = OptionSyntax.named(spelling) else { throw .unknownOption(spelling) }
        if case .none = option.value, let attached {
            throw UsageFailure("\(spelling) takes no value, and has \(attached.quoted)")
        }
        try take(option, as: spelling, attached: attached)
    }

    /// One letter or several, the last of which may have its value behind it: `-nP`, `-w5`.
    private mutating func takeShort(_ argument: String) throws(UsageFailure) {
        if argument.dropFirst(2).isEmpty == false, OptionSyntax.named("-" + argument) != nil { throw .unknownOption(argument) }
        var letters = argument.dropFirst()
        while request == nil, let letter = letters.popFirst() {
            let spelling = "-\(letter)"
            guard let option = OptionSyntax.named(spelling) else { throw .unknownOption(spelling) }
            if case .none = option.value {
                try take(option, as: spelling, attached: nil)
            } else {
                return try take(option, as: spelling, attached: letters.isEmpty ? nil : String(letters))
            }
        }
    }

    private mutating func take(_ option: OptionSyntax, as spelling: String, attached: String?) throws(UsageFailure) {
        let name = option.spellings[0]
        switch option.value {
        case .none where name == OptionSyntax.help.spellings[0]: request = .help
        case .none where name == OptionSyntax.version.spellings[0]: request = .version
        case .none: options.append(name)
        case .required(let kind):
            guard let value = attached ?? rest.popFirst() else {
                throw UsageFailure("\(spelling) has no value: give \(kind) after it")
            }
            emit(name, value)
        case .optionalCount:
            if attached == "" { throw UsageFailure("\(spelling)= has no value behind it: give a number, or leave out the =") }
            emit(name, attached ?? nextValue(where: \.isDecimal) ?? "")
        case .optionalText:
            emit(name, attached ?? nextValue(where: { !$0.hasPrefix("-") && !$0.contains("://") }) ?? "")
        }
    }

    /// ArgumentParser takes `--name=` for an option without a value, and only an argument of its own for an empty one.
    private mutating func emit(_ name: String, _ value: String) {
        options += value.isEmpty ? [name, ""] : ["\(name)=\(value)"]
    }

    private mutating func nextValue(where isValue: (String) -> Bool) -> String? {
        guard let next = rest.first, !next.isEmpty, isValue(next) else { return nil }
        return rest.popFirst()
    }
}
