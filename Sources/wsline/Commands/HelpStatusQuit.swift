import WebSocketProtocol
import WebSocketTransport

extension Commands {
    struct Help: Command {
        static let name = "help"
        static let arguments = "[COMMAND]"
        static let summary = "list the commands and keys, or explain one command"
        static let details = "COMMAND is a command's name, with its slash or without."
        static let example = "/help ping"

        /// Nil for the list.
        let command: (any Command.Type)?

        init(_ argument: Substring) throws(CommandFailure) {
            let word = argument.trimmed
            let name = word.hasPrefix("/") ? word.dropFirst() : word
            command = Commands.named(name)
            guard command != nil || word.isEmpty else { throw CommandFailure("there is no command /\(name.escaped)") }
        }

        static func complete(_ argument: Substring) -> Candidates? {
            let slash = argument.hasPrefix("/") ? "/" : ""
            return Candidates(words: Commands.all.map { slash + $0.name }, typed: argument)
        }

        @EventLoop func run(in interpreter: Interpreter) {
            guard let command else {
                return interpreter.reply(
                    columns(Commands.all.map { ($0.briefUsage, $0.summary) })
                        + "\nA message that begins with / is typed with two: //text sends /text.\n\n" + columns(Keys.all))
            }
            let example = command.example.isEmpty ? [] : ["example: \(command.example)"]
            let lines = wrapped(command.details, to: 76) + example
            let heading = wrapped("\(command.usage): \(command.summary)", to: 76)
            interpreter.reply((heading.prefix(1) + (heading.dropFirst() + lines).map { "  \($0)" }).joined(separator: "\n"))
        }
    }

    struct ShowStatus: Command {
        static let name = "status"
        static let summary = "show the connection's state, counts and round trip"
        static let details = """
            Of a listener the counts are all clients', those included that have left. The round trip is that of the last ping; where there were \
            several, their least, median, 99th percentile and greatest follow, and how many pings were never answered.
            """

        init(_ argument: Substring) {}

        @EventLoop func run(in interpreter: Interpreter) {
            let (run, roundTrips) = (interpreter.run, interpreter.run.roundTrips)
            var rows = run.status
            rows.append(("round trip", roundTrips.last.map(milliseconds) ?? "unknown: /ping measures it"))
            let lost = run.lostPings
            if roundTrips.count > 1 || lost > 0, let all = roundTrips.description(lost: lost) { rows.append(("round trips", all)) }
            interpreter.reply(columns(rows + run.thinning.rows))
        }
    }

    struct ShowHeaders: Command {
        static let name = "headers"
        static let arguments = "[CLIENT]"
        static let summary = "show the request and response that opened the connection"
        static let details = """
            What was sent follows >, what came follows <. Credentials are *** unless --show-credentials, or /set show-credentials on, shows them. \
            A listener shows those of all clients, or of the one whose number is given.
            """

        let client: Int?

        init(_ argument: Substring) throws(CommandFailure) {
            let argument = argument.trimmed
            client = Int(decimal: argument, in: 1...Int.max)
            guard client != nil || argument.isEmpty else { throw CommandFailure("\(argument.quoted) is not a client's number") }
        }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            let run = interpreter.run
            if client != nil, !run.configuration.isListener { throw CommandFailure("only a listener has clients with numbers") }
            let shown = run.handshakes.filter { client == nil || $0.client == client }
            guard !shown.isEmpty else {
                let nothing = run.configuration.isListener ? "no client is connected" : "no request has been sent"
                throw CommandFailure(client.map { "there is no client \($0)" } ?? nothing)
            }
            for heads in shown { show(heads, of: run) }
        }

        @EventLoop private func show(_ heads: OpeningHeads, of run: Run) {
            let diagnostics = run.console.diagnostics
            if let client = heads.client { diagnostics.notice("client \(client):") }
            let mask = CredentialMask(heads.request, heads.response, isLifted: run.configuration.output.showsCredentials)
            let request = mask.masked(heads.request)
            diagnostics.show(request.startLine, request.headers, as: heads.client == nil ? .sent : .incoming, from: .normal)
            guard let response = heads.response.map(mask.masked) else { return diagnostics.notice("no response has come") }
            diagnostics.show(response.statusLine, response.headers, as: heads.client == nil ? .incoming : .sent, from: .normal)
        }
    }

    struct Quit: Command {
        static let name = "quit"
        static let summary = "close the connection and quit"
        static let details = "It closes with 1000 and waits for the answer as long as --close-timeout says; a second time it quits at once."

        init(_ argument: Substring) {}

        @EventLoop func run(in interpreter: Interpreter) { interpreter.run.finish(nil) }
    }
}

/// What `/help` says of keys.
enum Keys {
    static let all = [
        ("Enter", "send the line"),
        ("Tab", "complete a command, its argument or a path"),
        ("Alt-Enter", "put a newline into the line"),
        ("Up, Down", "move by row, then through lines that begin as this one does"),
        ("Ctrl-P, Ctrl-N", "go through the lines entered before"),
        ("Ctrl-R, Ctrl-S", "search in them, backwards and forwards"),
        ("Ctrl-A, Ctrl-E", "go to the line's beginning, or end"),
        ("Ctrl-W", "delete the word before the cursor"),
        ("Ctrl-U, Ctrl-K", "delete the line, or what follows the cursor"),
        ("Ctrl-Y", "put back what was deleted last"),
        ("Ctrl-L", "clear the screen"),
        ("Ctrl-C", "clear the line; on an empty one close and quit, twice at once"),
        ("Ctrl-D", "on an empty line close and quit"),
        ("Ctrl-Z", "suspend; fg brings the line back"),
    ]
}

/// Rows of two columns, two blanks apart.
func columns(_ rows: [(String, String)]) -> String {
    let width = (rows.map(\.0.count).max() ?? 0) + 2
    return rows.map { $0 + String(repeating: " ", count: width - $0.count) + $1 }.joined(separator: "\n")
}
