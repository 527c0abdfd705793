import WebSocketProtocol

/// Counts the messages received, up to the one that `--count` or `--until` waits for.
struct StopCondition {
    /// What a message means for the run.
    enum Outcome: Equatable {
        case goesOn
        /// It is the one that was awaited.
        case met
        /// Whether it is can't be decided: why, for people.
        case undecided(String)
    }

    private let stop: StopOptions
    private(set) var received = 0
    /// Those of them that `--show` or `--hide` kept from being shown: what is awaited isn't among them.
    private var leftOut = 0
    /// Whether the message that ends the run has come: no other is examined.
    private(set) var isMet = false

    init(_ stop: StopOptions) { self.stop = stop }

    /// Whether something is awaited that has not come.
    private var isOpen: Bool { stop.hasCondition && !isMet }

    /// The error to report if the connection ends before it.
    var unmet: String? { isOpen ? "the connection was closed before what was awaited came" : nil }

    /// Counts a message, and examines it if it may be the one.
    mutating func update(_ kind: MessageKind, _ payload: RawSpan) -> Outcome {
        received &+= 1
        guard isOpen else { return .goesOn }
        let outcome = outcome(kind, payload)
        isMet = outcome != .goesOn
        return outcome
    }

    private func outcome(_ kind: MessageKind, _ payload: RawSpan) -> Outcome {
        if let count = stop.count, received - leftOut >= count { return .met }
        guard let until = stop.until, kind == .text else { return .goesOn }
        return switch until.search(payload) {
        case .found: .met
        case .notFound: .goesOn
        case .limit: .undecided(until.exhausted("--until", on: payload.byteCount))
        }
    }

    /// Counts a message that isn't shown.
    mutating func leaveOut() {
        received &+= 1
        leftOut &+= 1
    }

    /// Counts messages that nobody waits for.
    mutating func update(_ count: Int) { received &+= count }
}
