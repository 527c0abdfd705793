import WebSocketProtocol

/// Counts the messages received, up to the one that `--count` or `--until` waits for.
struct Goal {
    private let stop: StopOptions
    private(set) var received = 0
    private(set) var isReached = false

    init(_ stop: StopOptions) { self.stop = stop }

    /// Whether something is awaited that has not come.
    private var isOpen: Bool { stop.hasGoal && !isReached }

    /// What to say where the connection ends before it.
    var missed: String? { isOpen ? "the connection was closed before what was awaited came" : nil }

    /// Takes note of a message; true for the one that was awaited.
    mutating func takes(_ kind: MessageKind, _ payload: RawSpan) -> Bool {
        received &+= 1
        guard isOpen else { return false }
        if let count = stop.count, received >= count {
            isReached = true
        } else if let until = stop.until, kind == .text {
            let text = payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            isReached = (try? until.firstMatch(in: text)) != nil
        }
        return isReached
    }

    /// Takes note of messages that nobody waits for.
    mutating func takes(_ count: Int) { received &+= count }
}
