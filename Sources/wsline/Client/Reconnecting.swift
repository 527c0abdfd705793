import WebSocketProtocol
import WebSocketTransport

/// Delays between attempts to reconnect: they double from a quarter of a second to thirty, each cut by up to half at random so that many
/// clients of one server don't come back at once.
struct Backoff {
    private(set) var attempt = 0

    mutating func next() -> Double {
        defer { attempt += 1 }
        let full = min(0.25 * Double(1 << min(attempt, 10)), 30)
        return full * Double.random(in: 0.5...1)
    }
}

/// What may have been lost with a connection: a message that has left this machine may still not have arrived.
@EventLoop
struct LossCount {
    private var wireBytesReceived: UInt64 = 0
    /// How many messages had been sent when the server last sent something.
    private var messagesSentThen: UInt64 = 0

    /// To be called whenever something may have come from the server.
    mutating func update(_ statistics: Statistics) {
        guard statistics.wireBytesReceived != wireBytesReceived else { return }
        wireBytesReceived = statistics.wireBytesReceived
        messagesSentThen = statistics.messagesSent
    }

    /// What may be lost with a connection that is over, in words; nil if nothing is.
    func description(_ socket: WebSocket, _ closure: Closure) -> String? {
        guard !closure.wasClean else { return nil }
        let since = socket.statistics.messagesSent &- messagesSentThen
        var parts: [String] = []
        if since > 0 { parts.append("\(counted(since, "message")) sent since anything last came from the server") }
        if socket.unsentAmount > 0 { parts.append("\(counted(socket.unsentAmount, "byte")) that never left") }
        return parts.isEmpty ? nil : "may be lost: " + parts.joined(separator: ", ")
    }
}

extension WebSocketError {
    /// Whether the same attempt may well succeed later.
    var mayPass: Bool {
        switch self {
        case .transport(let error):
            switch error.kind {
            case .certificate, .file, .authentication: false
            case .protocolFailure: error.stage == .proxy
            default: true
            }
        case .refused(let refusal) where refusal.isFromTLSServer: false
        case .refused(let refusal): refusal.response.map { $0.status == 429 || $0.status >= 500 } ?? true
        case .breach(.keepAliveTimeout), .openingTimedOut, .lost, .closingTimedOut: true
        case .breach: false
        }
    }
}
