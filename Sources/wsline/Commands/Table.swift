import WebSocketProtocol
import WebSocketTransport

/// A line that begins with a slash, read and checked: nothing is left to fail but the connection and files.
protocol Command: Sendable {
    /// Without the slash.
    static var name: String { get }
    /// The arguments as `/help` writes them; empty if there must be none.
    static var arguments: String { get }
    /// The arguments in the list that `/help` shows, where they are too many for it.
    static var briefArguments: String { get }
    static var summary: String { get }
    /// What `/help NAME` says beyond the summary: whole sentences.
    static var details: String { get }
    /// A line as one would type it; empty if the name alone is one.
    static var example: String { get }

    /// - Parameter argument: what follows the name and the one blank that ends it.
    /// - Throws: what is wrong with it.
    init(_ argument: Substring) throws(CommandFailure)

    /// What Tab may put at the end of an argument; nil if it has no candidates.
    static func complete(_ argument: Substring) -> Candidates?

    /// Carries it out. What it throws is reported; nothing was sent then.
    @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure)
}

extension Command {
    static var arguments: String { "" }
    static var example: String { "" }
    static var briefArguments: String { arguments }
    static var usage: String { usage(arguments) }
    static var briefUsage: String { usage(briefArguments) }
    private static func usage(_ arguments: String) -> String { "/\(name)" + (arguments.isEmpty ? "" : " \(arguments)") }
    static func complete(_ argument: Substring) -> Candidates? { nil }
}

/// All slash commands, in the order of `/help`.
enum Commands {
    static let all: [any Command.Type] = [
        Help.self, Ping.self, Pong.self, Close.self, SendText.self, SendHex.self, SendBase64.self, SendFile.self, Save.self,
        Pretty.self, Show.self, Hide.self, Last.self, SendFrame.self, SendRaw.self, CloseAnyway.self, Pause.self, Resume.self,
        ShowStatus.self, ShowHeaders.self,
        Change.self,
        Quit.self,
    ]

    static func named(_ name: some StringProtocol) -> (any Command.Type)? { all.first { $0.name == name } }
}

/// What a typed line is.
enum TypedLine {
    case message(String)
    case command(any Command)
    case wrong(CommandFailure)

    /// Reads a line. What does not begin with a slash is a message; `//` stands for a slash at a message's start.
    init(_ line: String) {
        guard line.hasPrefix("/") else {
            self = .message(line)
            return
        }
        let rest = line.dropFirst()
        if rest.hasPrefix("/") {
            self = .message(String(rest))
            return
        }
        let name = rest.prefix { !$0.isWhitespace }
        guard let command = Commands.named(name) else {
            self = .wrong(CommandFailure("there is no command /\(name.escaped): see /help; //\(name.escaped) sends /\(name.escaped)"))
            return
        }
        let argument = rest[name.endIndex...].dropFirst()
        do throws(CommandFailure) {
            guard !command.arguments.isEmpty || argument.trimmed.isEmpty else {
                throw CommandFailure("takes no argument, and \(argument.trimmed.quoted) was given")
            }
            self = .command(try command.init(argument))
        } catch {
            self = .wrong(CommandFailure("/\(command.name): \(error)\nusage: \(command.usage)"))
        }
    }
}

/// Why a line could not be followed; nothing was sent. What came from outside is escaped in it.
struct CommandFailure: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension Substring {
    /// Without the white space round it.
    var trimmed: Substring {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
