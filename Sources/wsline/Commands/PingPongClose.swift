import WebSocketProtocol
import WebSocketTransport

extension Commands {
    struct Ping: Command {
        static let name = "ping"
        static let arguments = "[-c N] [TEXT]"
        static let summary = "send a ping, and report how long its pong took"
        static let details = """
            TEXT is the ping's payload, 125 bytes at most; without it each ping has one of its own. -c N sends N pings, one a second, and then sums up: how \
            many were lost, and the least, median, 99th percentile and greatest round trip. Typing goes on meanwhile; another /ping -c takes its place. Of a \
            listener each ping goes to all clients.
            """
        static let example = "/ping -c 10"

        /// Nil for a mark of our own.
        let payload: [UInt8]?
        /// Nil for one ping that nothing waits for.
        let count: Int?

        init(_ argument: Substring) throws(CommandFailure) {
            var text = argument
            if argument == "-c" || argument.hasPrefix("-c ") {
                let rest = argument.dropFirst(2).drop { $0 == " " }
                let number = rest.prefix { $0 != " " }
                guard !number.isEmpty else { throw CommandFailure("-c has no value: give N after it") }
                guard let count = Int(decimal: number, in: 1...Int(Int32.max)) else {
                    throw CommandFailure("-c \(number.quoted) is not a valid count: give a whole number from 1")
                }
                self.count = count
                text = rest[number.endIndex...].dropFirst()
            } else {
                count = nil
            }
            payload = text.isEmpty ? nil : try controlPayload(text)
        }

        static func complete(_ argument: Substring) -> Candidates? { Candidates(words: ["-c "], typed: argument) }

        @EventLoop func run(in interpreter: Interpreter) throws(CommandFailure) {
            if let count { try interpreter.ping(payload, times: count) } else { try interpreter.ping(payload) }
        }
    }

    struct Pong: Command {
        static let name = "pong"
        static let arguments = "[TEXT]"
        static let summary = "send a pong that nobody asked for"
        static let details = "Pings are answered without it. TEXT is the pong's payload, 125 bytes at most."
        static let example = "/pong still here"

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
        static let details = """
            CODE is one that may be sent: 1000 to 1003, 1007 to 1014, or 3000 to 4999. REASON is up to 123 bytes. The other side has as long as \
            --close-timeout says to answer.
            """
        static let example = "/close 4000 maintenance"

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
