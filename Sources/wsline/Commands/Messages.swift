import WebSocketProtocol
import WebSocketTransport

extension Commands {
    struct SendText: Command {
        static let name = "text"
        static let arguments = "TEXT"
        static let summary = "send TEXT as a text message"
        static let details = "TEXT goes out as it stands, whatever --send-as says; without it the message is empty."
        static let example = "/text /this is not a command"

        let text: String

        init(_ argument: Substring) { text = String(argument) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) { try interpreter.send(.text, Array(text.utf8)) }
    }

    struct SendHex: Command {
        static let name = "hex"
        static let arguments = "DIGITS"
        static let summary = "send bytes given in hexadecimal as a binary message"
        static let details = "Two digits make a byte; blanks may stand between bytes."
        static let example = "/hex 00 01 fe ff"

        let bytes: [UInt8]

        init(_ argument: Substring) throws(CommandFailure) { bytes = try decodedBytes(argument) { try Hex.decode($0) } }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) { try interpreter.send(.binary, bytes) }
    }

    struct SendBase64: Command {
        static let name = "base64"
        static let arguments = "TEXT"
        static let summary = "send bytes given in Base64 as a binary message"
        static let details = "TEXT is RFC 4648's Base64."
        static let example = "/base64 AAH+/w=="

        let bytes: [UInt8]

        init(_ argument: Substring) throws(CommandFailure) { bytes = try decodedBytes(argument) { try Base64.decode($0) } }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) { try interpreter.send(.binary, bytes) }
    }

    struct SendFile: Command {
        static let name = "file"
        static let arguments = "[-t] PATH"
        static let summary = "send a file's bytes as a binary message, with -t as text"
        static let details = """
            A large file is sent in fragments as it is read; until it is through, no other message can be sent, while pings and /close can. With -t the \
            file must be UTF-8. A leading ~/ is the home directory.
            """
        static let example = "/file -t ~/request.json"

        let path: String
        let kind: MessageKind

        init(_ argument: Substring) throws(CommandFailure) {
            let argument = argument.trimmed
            let option = argument.prefix { !$0.isWhitespace }
            kind = option == "-t" ? .text : .binary
            guard kind == .text || !option.hasPrefix("-") else {
                throw CommandFailure("\(option.quoted) is not an option (a file of that name is ./\(option.escaped))")
            }
            path = String(kind == .text ? argument[option.endIndex...].trimmed : argument)
            guard !path.isEmpty else { throw CommandFailure("no path was given") }
        }

        static func complete(_ argument: Substring) -> Candidates? {
            .paths(argument.hasPrefix("-t ") ? argument.dropFirst(3).drop { $0 == " " } : argument)
        }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) { try interpreter.send(file: path, as: kind) }
    }

    struct Save: Command {
        static let name = "save"
        static let arguments = "PATH|off"
        static let summary = "save binary messages to PATH, or show them"
        static let details = """
            A directory, or a path that ends in /, gets a file for each message; to any other path they are appended. /save off shows them again. It is \
            what --save does.
            """
        static let example = "/save pictures/"

        /// Nil shows binary messages again.
        let path: String?

        init(_ argument: Substring) throws(CommandFailure) {
            let argument = argument.trimmed
            guard !argument.isEmpty else { throw CommandFailure("no path was given") }
            path = argument == "off" ? nil : String(argument)
        }

        static func complete(_ argument: Substring) -> Candidates? { .paths(argument, others: ["off"]) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            do throws(FileError) {
                try interpreter.run.save(to: path.map(expandingTilde))
            } catch {
                throw CommandFailure(error.description)
            }
            interpreter.reply(path.map { "binary messages are saved to \($0)" } ?? "binary messages are shown")
        }
    }

    struct Pretty: Command {
        static let name = "pretty"
        static let arguments = "on|off"
        static let summary = "indent messages that are JSON, or show them as they come"
        static let details = "As --pretty does. White space alone is changed: numbers, names, their order and escapes stay as they came."
        static let example = "/pretty on"

        let isOn: Bool

        init(_ argument: Substring) throws(CommandFailure) {
            switch argument.trimmed {
            case "on": isOn = true
            case "off": isOn = false
            case "": throw CommandFailure("neither on nor off was given")
            case let other: throw CommandFailure("\(other.quoted) must be one of on or off")
            }
        }

        static func complete(_ argument: Substring) -> Candidates? { Candidates(words: ["on", "off"], typed: argument) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            guard interpreter.run.presenter.isTerminal else {
                throw CommandFailure("JSON is indented at a terminal only, and standard output isn't one")
            }
            interpreter.run.change { $0.output.isPretty = isOn }
            interpreter.reply(isOn ? "JSON is indented" : "JSON is shown as it comes")
        }
    }
}

/// Bytes that stand in a command, at least one.
func decodedBytes(_ text: Substring, _ decode: (String) throws -> [UInt8]) throws(CommandFailure) -> [UInt8] {
    let text = text.trimmed
    guard !text.isEmpty else { throw CommandFailure("no bytes were given") }
    do {
        return try decode(String(text))
    } catch {
        throw CommandFailure("\(error)")
    }
}
