import WebSocketProtocol
import WebSocketTransport

extension Commands {
    struct Last: Command {
        static let name = "last"
        static let arguments = "[N] [> FILE]"
        static let summary = "show the last message whole, or write it to FILE"
        static let details = """
            With N it is the Nth last. FILE gets the message as it came, in place of what was in it. The last 100 messages that were shown are kept, \
            64 MiB of them at most, and no more than an eighth of what --max-memory allows.
            """
        static let example = "/last 2 > answer.json"

        let number: Int
        /// Nil shows it.
        let path: String?

        init(_ argument: Substring) throws(CommandFailure) {
            let argument = argument.trimmed
            let word = argument.prefix { $0 != ">" && !$0.isWhitespace }
            let rest = argument[word.endIndex...].trimmed
            guard let number = word.isEmpty ? 1 : Int(decimal: word, in: 1...KeptMessages.mostMessages) else {
                throw CommandFailure("\(word.quoted) is not a number of messages: give 1 to \(KeptMessages.mostMessages)")
            }
            self.number = number
            guard rest.first == ">" else {
                guard rest.isEmpty else { throw CommandFailure("\(rest.quoted) is not > and a file's path") }
                path = nil
                return
            }
            let path = rest.dropFirst().trimmed
            guard !path.isEmpty else { throw CommandFailure("no path was given after >") }
            guard path.first != ">" else { throw CommandFailure("nothing can be appended: one > writes the file anew") }
            self.path = String(path)
        }

        static func complete(_ argument: Substring) -> Candidates? {
            guard let mark = argument.firstIndex(of: ">") else { return nil }
            return .paths(argument[mark...].dropFirst().drop { $0 == " " })
        }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            let run = interpreter.run
            let kept = run.kept
            guard let kept, let message = kept.last(number) else {
                switch kept?.count {
                case nil, 0: throw CommandFailure("no message has been shown")
                case let count?: throw CommandFailure("only \(counted(count, "message")) \(count == 1 ? "is" : "are") kept")
                }
            }
            guard let bytes = message.bytes else {
                throw CommandFailure(
                    "that message has \(counted(message.byteCount, "byte")), and no more than \(kept.limit) are kept: --full shows messages whole"
                )
            }
            guard let path else { return run.showWhole(message, bytes) }
            do throws(FileError) {
                try writeFile(bytes, to: expandingTilde(path))
            } catch {
                throw CommandFailure(error.description)
            }
            interpreter.reply("\(FileSaver.Saved(path: path, byteCount: bytes.count))")
        }
    }
}
