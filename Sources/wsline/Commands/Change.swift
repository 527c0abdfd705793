import WebSocketProtocol
import WebSocketTransport

extension Commands {
    /// `/set`: shows and changes those options that may change while the program runs.
    struct Change: Command {
        static let name = "set"
        static let arguments = "[OPTION [VALUE]]"
        static let summary = "list what may change while it runs, or change it"
        static let details = """
            OPTION is one of the command line's, without its dashes, and VALUE what may follow it there; what needs no value there is on or off. \
            Without VALUE the present one is shown. A change holds at once, and for connections to come.
            """
        static let example = "/set binary-as hex"

        let setting: Setting?
        let value: String?

        init(_ argument: Substring) throws(CommandFailure) {
            let argument = argument.trimmed
            let name = argument.prefix { !$0.isWhitespace }
            setting = Setting.named(name)
            guard setting != nil || name.isEmpty else { throw Self.unknown(name) }
            let value = argument[name.endIndex...].trimmed
            self.value = value.isEmpty ? nil : String(value)
        }

        private static func unknown(_ name: Substring) -> CommandFailure {
            let bare = name.drop { $0 == "-" }
            if Setting.named(bare) != nil { return CommandFailure("\(name.quoted) has its dashes: write \(bare)") }
            if Option.named("--\(bare)") != nil {
                return CommandFailure("\(bare) can't change while the program runs: /set lists what can")
            }
            return CommandFailure("\(name.quoted) is not an option: /set lists those that can change")
        }

        static func complete(_ argument: Substring) -> Candidates? {
            guard let blank = argument.firstIndex(of: " ") else {
                return Candidates(words: Setting.all.map { "\($0.name) " }, typed: argument)
            }
            let value = argument[blank...].drop { $0 == " " }
            return Setting.named(argument[..<blank]).map { Candidates(words: $0.live.words, typed: value) }
        }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            let run = interpreter.run
            guard let setting else { return interpreter.reply(columns(Setting.all.map { ($0.name, $0.value(in: run.configuration)) })) }
            if let value {
                do throws(UsageFailure) {
                    try run.change { (configuration) throws(UsageFailure) in try setting.set(value, in: &configuration) }
                } catch {
                    throw CommandFailure("/set: \(error.message)")
                }
            }
            interpreter.reply(columns([(setting.name, setting.value(in: run.configuration))]))
        }
    }
}
