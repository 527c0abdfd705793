/// What a command line contains: options with their values, and operands.
struct Given {
    var options: [Argument] = []
    var operands: [String] = []

    /// The last of those given of an option, which is named by its ``Option/name``.
    func last(_ name: String) -> Argument? { options.last { $0.option.name == name } }

    var role: Roles {
        if last("--listen") != nil { return last("--echo") == nil ? .listen : .echo }
        return last("--demo") == nil ? .connect : .demo
    }
}

/// Takes a command line apart, as getopt_long does; but a value is found by what its option takes, which may be nothing, a value that may be
/// missing, or any argument at all.
struct Scanner {
    enum Outcome {
        case run(Given)
        case help(topic: String?)
        case version
    }

    private var rest: ArraySlice<String>
    private var given = Given()
    private var request: Outcome?

    /// Help and version win over what follows them, as with most programs.
    static func scan(_ arguments: [String]) throws(UsageFailure) -> Outcome {
        var scanner = Scanner(rest: arguments[...])
        while scanner.request == nil, let argument = scanner.rest.popFirst() { try scanner.take(argument) }
        return scanner.request ?? .run(scanner.given)
    }

    private init(rest: ArraySlice<String>) { self.rest = rest }

    private mutating func take(_ argument: String) throws(UsageFailure) {
        if argument == "--" {
            given.operands += rest
            rest = []
        } else if argument.hasPrefix("--") {
            try takeLong(argument)
        } else if argument.hasPrefix("-"), argument != "-" {
            try takeShort(argument)
        } else {
            given.operands.append(argument)
        }
    }

    private mutating func takeLong(_ argument: String) throws(UsageFailure) {
        let equals = argument.firstIndex(of: "=")
        let typed = String(argument[..<(equals ?? argument.endIndex)])
        let attached = equals.map { String(argument[argument.index(after: $0)...]) }
        let (option, spelling) = try Self.resolve(typed)
        if case .none = option.value, let attached {
            throw UsageFailure("\(spelling) takes no value, and has \(attached.quoted)")
        }
        try take(option, as: spelling, attached: attached)
    }

    /// The option that a long spelling, or the beginning of one, stands for.
    private static func resolve(_ typed: String) throws(UsageFailure) -> (Option, spelling: String) {
        if let option = Option.named(typed) { return (option, typed) }
        // What other programs have is not an abbreviation of ours: their users mean something else by it.
        guard typed.utf8.count > 3, Hints.foreign(typed) == nil else { throw Hints.unknownOption(typed) }
        let begun = Option.all.flatMap { option in option.spellings.filter { $0.hasPrefix(typed) }.map { (option, spelling: $0) } }
        guard let first = begun.first else { throw Hints.unknownOption(typed) }
        guard begun.allSatisfy({ $0.0.name == first.0.name }) else {
            throw UsageFailure("\(typed.quoted) is ambiguous: it begins \(listed(begun.map(\.spelling), "and"))")
        }
        return first
    }

    /// One letter or several, the last of which may have its value after it: `-nP`, `-w5`.
    private mutating func takeShort(_ argument: String) throws(UsageFailure) {
        if argument.dropFirst(2).isEmpty == false, Option.named("-" + argument) != nil { throw Hints.unknownOption(argument) }
        var letters = argument.dropFirst()
        while request == nil, let letter = letters.popFirst() {
            let spelling = "-\(letter)"
            guard let option = Option.named(spelling) else { throw Hints.unknownOption(spelling) }
            if case .none = option.value {
                try take(option, as: spelling, attached: nil)
            } else {
                return try take(option, as: spelling, attached: letters.isEmpty ? nil : String(letters))
            }
        }
    }

    private mutating func take(_ option: Option, as spelling: String, attached: String?) throws(UsageFailure) {
        let text: String
        switch option.value {
        case .none where option.name == "--help":
            request = .help(topic: nextValue { Help.isTopic($0) })
            return
        case .none where option.name == "--version":
            request = .version
            return
        case .none: text = ""
        case .required(let kind):
            guard let value = attached ?? rest.popFirst() else { throw UsageFailure("\(spelling) has no value: give \(kind) after it") }
            text = value
        case .optionalCount:
            if attached == "" { throw UsageFailure("\(spelling)= has no value after it: give a number, or leave out the =") }
            text = attached ?? nextValue(where: \.isDecimal) ?? ""
        case .optionalText: text = attached ?? nextValue { !$0.hasPrefix("-") && !$0.contains("://") } ?? ""
        }
        given.options.append(Argument(option: option, spelling: spelling, text: text))
    }

    private mutating func nextValue(where isValue: (String) -> Bool) -> String? {
        guard let next = rest.first, !next.isEmpty, isValue(next) else { return nil }
        return rest.popFirst()
    }
}

/// Words as a sentence lists them: `a, b and c`.
func listed(_ words: [String], _ conjunction: String) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return "\(words.dropLast().joined(separator: ", ")) \(conjunction) \(last)"
}
