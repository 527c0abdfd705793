import WebSocketProtocol
import WebSocketTransport

extension Commands {
    struct Show: Command {
        static let name = "show"
        static let arguments = "[REGEX]"
        static let summary = "show only messages in which REGEX is found, or all"
        static let details = """
            Alone it shows all again, and says how many were left out. As --show does: binary messages are matched as they are shown.
            """
        static let example = "/show \"level\":\"(warn|error)\""

        let pattern: Pattern?

        init(_ argument: Substring) throws(CommandFailure) { pattern = try givenPattern(argument) }

        @EventLoop func run(in interpreter: Interpreter) { interpreter.thin { $0.show = pattern } }
    }

    struct Hide: Command {
        static let name = "hide"
        static let arguments = "[REGEX]"
        static let summary = "leave out messages in which REGEX is found, or none"
        static let details = """
            Alone it leaves out none any more, and says how many it left out. As --hide does: binary messages are matched as they are shown.
            """
        static let example = "/hide ^(2|3)$"

        let pattern: Pattern?

        init(_ argument: Substring) throws(CommandFailure) { pattern = try givenPattern(argument) }

        @EventLoop func run(in interpreter: Interpreter) { interpreter.thin { $0.hide = pattern } }
    }
}

/// The pattern that is a command's argument, with its blanks; nil if there is none.
private func givenPattern(_ argument: Substring) throws(CommandFailure) -> Pattern? {
    guard !argument.trimmed.isEmpty else { return nil }
    do throws(Pattern.SyntaxError) {
        return try Pattern(String(argument))
    } catch {
        throw CommandFailure("\(argument.quoted) is not a valid regular expression: \(error.description)")
    }
}

extension Interpreter {
    fileprivate func thin(_ change: (inout OutputOptions) -> Void) {
        run.change { change(&$0.output) }
        reply(run.thinning.description)
    }
}
