import WebSocketProtocol
import WebSocketTransport

extension Commands {
    struct Ping: Command {
        static let name = "ping"
        static let arguments = "[TEXT]"
        static let summary = "send a ping, and report how long its pong took"

        /// Nil for a mark of our own.
        let payload: [UInt8]?

        init(_ argument: Substring) throws(CommandFailure) { payload = argument.isEmpty ? nil : try controlPayload(argument) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) { try interpreter.ping(payload) }
    }

    struct Pong: Command {
        static let name = "pong"
        static let arguments = "[TEXT]"
        static let summary = "send a pong that nobody asked for"

        let payload: [UInt8]

        init(_ argument: Substring) throws(CommandFailure) { payload = try controlPayload(argument) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            try interpreter.withPeer { (peer) throws(UsageError) in try peer.pong(payload) }
        }
    }

    struct Close: Command {
        static let name = "close"
        static let arguments = "[CODE [REASON]]"
        static let summary = "close the connection, with 1000 unless CODE is given"

        let code: CloseCode
        let reason: String

        init(_ argument: Substring) throws(CommandFailure) {
            let argument = argument.trimmed
            guard !argument.isEmpty else {
                (code, reason) = (.normal, "")
                return
            }
            let number = argument.prefix { !$0.isWhitespace }
            guard number.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains), let code = UInt16(number).map({ CloseCode($0) })
            else { throw CommandFailure("\(number.quoted) is not a close code") }
            guard code.isAllowedOnWire else { throw CommandFailure("\(UsageError.closeCodeNotAllowed(code))") }
            reason = String(argument[number.endIndex...].trimmed)
            guard reason.utf8.count <= longestPayload - 2 else {
                throw CommandFailure("\(UsageError.closeReasonTooLong(bytes: reason.utf8.count))")
            }
            self.code = code
        }

        private static let codes = (1000...1014).filter { CloseCode($0).isAllowedOnWire }.map { "\($0) " }

        static func complete(_ argument: Substring) -> Candidates? { Candidates(words: codes, typed: argument) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            try interpreter.withPeer { (peer) throws(UsageError) in try peer.close(code, reason: reason) }
            // The answer is to be read.
            _ = interpreter.run.unpause()
        }
    }
}

private func controlPayload(_ text: Substring) throws(CommandFailure) -> [UInt8] {
    guard text.utf8.count <= longestPayload else {
        throw CommandFailure("\(UsageError.controlPayloadTooLong(bytes: text.utf8.count))")
    }
    return Array(text.utf8)
}

/// Of a control frame (RFC 6455, section 5.5).
private let longestPayload = 125
