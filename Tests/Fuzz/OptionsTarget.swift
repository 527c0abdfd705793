import WebSocketProtocol
@testable import wsline

/// The input is a command line, its arguments ended by NUL: each of them is an operand, an option or an option's value, in their order, or there is
/// an error. Nothing is done about them, since values name files.
func fuzzOptions(_ bytes: UnsafeRawBufferPointer) {
    let arguments = bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    do throws(UsageFailure) {
        switch try Scanner.scan(arguments) {
        case .run(let given):
            var account = Account(arguments: arguments[...], given: given)
            account.check()
            try Rules(given).check()
        case .help(let topic):
            if let topic { require(try !Help.about(topic).isEmpty, "no help on \(topic.quoted)") }
        case .version: break
        }
    } catch {
        requireClean(error.message, "an error", limit: 4000)
    }
}

/// Follows a command line along what the scanner took it for.
private struct Account {
    var arguments: ArraySlice<String>
    var options: ArraySlice<Argument>
    var operands: ArraySlice<String>

    init(arguments: ArraySlice<String>, given: Given) {
        self.arguments = arguments
        (options, operands) = (given.options[...], given.operands[...])
    }

    mutating func check() {
        while let argument = arguments.popFirst() {
            if argument == "--" {
                requireEqual(Array(operands), Array(arguments), "what follows --")
                (arguments, operands) = ([], [])
            } else if argument.hasPrefix("--") {
                let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let option = nextOption(argument)
                require(option.spelling.hasPrefix(parts[0]), "\(argument) is taken for \(option.spelling)")
                checkValue(option, attached: parts.count > 1 ? String(parts[1]) : nil)
            } else if argument.hasPrefix("-"), argument != "-" {
                checkLetters(argument)
            } else {
                requireEqual(operands.popFirst(), argument, "an operand")
            }
        }
        require(options.isEmpty && operands.isEmpty, "more was taken than was there: \(options.map(\.spelling)), \(operands)")
    }

    private mutating func checkLetters(_ argument: String) {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            let option = nextOption(argument)
            requireEqual(option.spelling, "-\(letter)", "a letter of \(argument)")
            if option.option.value == .none { continue }
            return checkValue(option, attached: letters.isEmpty ? nil : String(letters))
        }
    }

    private mutating func checkValue(_ option: Argument, attached: String?) {
        if let attached { return requireEqual(option.text, attached, "the value of \(option.spelling)") }
        switch option.option.value {
        case .none: requireEqual(option.text, "", "the value of \(option.spelling)")
        case .required: requireEqual(arguments.popFirst(), option.text, "the value of \(option.spelling)")
        case .optionalCount, .optionalText:
            if !option.text.isEmpty { requireEqual(arguments.popFirst(), option.text, "the value of \(option.spelling)") }
        }
    }

    private mutating func nextOption(_ argument: String) -> Argument {
        guard let option = options.popFirst() else { fail("\(argument) is lost") }
        return option
    }
}
