import WebSocketProtocol

/// A line that begins with a slash, read and checked: nothing is left to fail but the connection and files.
enum SlashCommand: Equatable {
    case help
    /// nil for a ping with a mark of our own.
    case ping(String?)
    case pong(String)
    case close(CloseCode, reason: String)
    case text(String)
    /// Bytes that were given in hex or base64.
    case binary([UInt8])
    case file(path: String, kind: MessageKind)
    /// nil shows binary messages again.
    case save(path: String?)
    case status
    case quit

    /// What a line is.
    enum Line: Equatable {
        case message(String)
        case command(SlashCommand)
        case wrong(SlashFailure)
    }

    /// A command's name, its arguments as `/help` writes them, and what it does.
    enum Name: String, CaseIterable {
        case help, ping, pong, close, text, hex, base64, file, save, status, quit

        var arguments: String {
            switch self {
            case .help, .status, .quit: ""
            case .ping, .pong: "[TEXT]"
            case .close: "[CODE [REASON]]"
            case .text: "TEXT"
            case .hex: "DIGITS"
            case .base64: "TEXT"
            case .file: "[-t] PATH"
            case .save: "PATH|off"
            }
        }

        var summary: String {
            switch self {
            case .help: "show this list"
            case .ping: "send a ping, and tell how long its pong took"
            case .pong: "send a pong that nobody asked for"
            case .close: "close the connection, with 1000 unless CODE is given"
            case .text: "send TEXT as a text message"
            case .hex: "send bytes given in hexadecimal as a binary message"
            case .base64: "send bytes given in Base64 as a binary message"
            case .file: "send a file's bytes as a binary message, with -t as text"
            case .save: "save binary messages to PATH, or show them"
            case .status: "show the connection's state, counts and round trip"
            case .quit: "close the connection and quit"
            }
        }

        var usage: String { "/\(rawValue)" + (arguments.isEmpty ? "" : " \(arguments)") }
    }

    /// Reads a line. What does not begin with a slash is a message; `//` stands for a slash at a message's start.
    static func parse(_ line: String) -> Line {
        guard line.hasPrefix("/") else { return .message(line) }
        let rest = line.dropFirst()
        if rest.hasPrefix("/") { return .message(String(rest)) }
        let word = rest.prefix { !$0.isWhitespace }
        guard let name = Name(rawValue: String(word)) else {
            return .wrong(SlashFailure("there is no command /\(word.escaped): see /help; //\(word.escaped) sends /\(word.escaped)"))
        }
        do throws(SlashFailure) {
            return .command(try command(name, rest[word.endIndex...].dropFirst()))
        } catch {
            return .wrong(SlashFailure("/\(name): \(error)\nusage: \(name.usage)"))
        }
    }

    /// - Parameter argument: what stands after the name and the one blank that ends it.
    private static func command(_ name: Name, _ argument: Substring) throws(SlashFailure) -> SlashCommand {
        let trimmed = argument.trimmed
        switch name {
        case .help: return try bare(.help, trimmed)
        case .status: return try bare(.status, trimmed)
        case .quit: return try bare(.quit, trimmed)
        case .ping: return .ping(try controlPayload(argument))
        case .pong: return .pong(try controlPayload(argument) ?? "")
        case .close: return try close(trimmed)
        case .text: return .text(String(argument))
        case .hex: return .binary(try decoded(trimmed) { try Hex.decode($0) })
        case .base64: return .binary(try decoded(trimmed) { try Base64.decode($0) })
        case .file: return try file(trimmed)
        case .save:
            guard !trimmed.isEmpty else { throw SlashFailure("no path was given") }
            return .save(path: trimmed == "off" ? nil : String(trimmed))
        }
    }

    private static func bare(_ command: SlashCommand, _ argument: Substring) throws(SlashFailure) -> SlashCommand {
        guard argument.isEmpty else { throw SlashFailure("takes no argument, and \(argument.quoted) was given") }
        return command
    }

    private static func controlPayload(_ text: Substring) throws(SlashFailure) -> String? {
        guard text.utf8.count <= longestControlPayload else {
            throw SlashFailure("\(UsageError.controlPayloadTooLong(bytes: text.utf8.count))")
        }
        return text.isEmpty ? nil : String(text)
    }

    private static func close(_ text: Substring) throws(SlashFailure) -> SlashCommand {
        guard !text.isEmpty else { return .close(.normal, reason: "") }
        let number = text.prefix { !$0.isWhitespace }
        let reason = text[number.endIndex...].trimmed
        guard number.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains), let code = UInt16(number).map({ CloseCode($0) })
        else {
            throw SlashFailure("\(number.quoted) is not a close code")
        }
        guard code.isAllowedOnWire else { throw SlashFailure("\(UsageError.closeCodeNotAllowed(code))") }
        guard reason.utf8.count <= longestControlPayload - 2 else {
            throw SlashFailure("\(UsageError.closeReasonTooLong(bytes: reason.utf8.count))")
        }
        return .close(code, reason: String(reason))
    }

    private static func decoded(_ text: Substring, _ decode: (String) throws -> [UInt8]) throws(SlashFailure) -> [UInt8] {
        guard !text.isEmpty else { throw SlashFailure("no bytes were given") }
        do {
            return try decode(String(text))
        } catch {
            throw SlashFailure("\(error)")
        }
    }

    private static func file(_ text: Substring) throws(SlashFailure) -> SlashCommand {
        let option = text.prefix { !$0.isWhitespace }
        let isText = option == "-t"
        guard isText || !option.hasPrefix("-") else {
            throw SlashFailure("\(option.quoted) is not an option (a file of that name is ./\(option.escaped))")
        }
        let path = isText ? text[option.endIndex...].trimmed : text
        guard !path.isEmpty else { throw SlashFailure("no path was given") }
        return .file(path: String(path), kind: isText ? .text : .binary)
    }

    /// RFC 6455, section 5.5.
    private static let longestControlPayload = 125
}

/// Why a line could not be followed; nothing was sent. What came from outside is escaped in it.
struct SlashFailure: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension Substring {
    /// Without the white space round it.
    fileprivate var trimmed: Substring {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
