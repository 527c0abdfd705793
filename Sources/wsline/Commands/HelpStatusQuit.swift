import WebSocketTransport

extension Commands {
    struct Help: Command {
        static let name = "help"
        static let summary = "show this list"

        init(_ argument: Substring) {}

        @EventLoop func run(in interpreter: Interpreter) {
            let lines = columns(Commands.all.map { ($0.briefUsage, $0.summary) })
            interpreter.reply(lines + "\nA message that begins with / is typed with two: //text sends /text.")
        }
    }

    struct ShowStatus: Command {
        static let name = "status"
        static let summary = "show the connection's state, counts and round trip"

        init(_ argument: Substring) {}

        @EventLoop func run(in interpreter: Interpreter) {
            var rows = interpreter.run.status
            rows.append(("round trip", interpreter.lastRoundTrip.map(milliseconds) ?? "unknown: /ping measures it"))
            interpreter.reply(columns(rows))
        }
    }

    struct Quit: Command {
        static let name = "quit"
        static let summary = "close the connection and quit"

        init(_ argument: Substring) {}

        @EventLoop func run(in interpreter: Interpreter) { interpreter.run.finish(nil) }
    }
}

/// Rows of two columns, two blanks apart.
private func columns(_ rows: [(String, String)]) -> String {
    let width = (rows.map(\.0.count).max() ?? 0) + 2
    return rows.map { $0 + String(repeating: " ", count: width - $0.count) + $1 }.joined(separator: "\n")
}
