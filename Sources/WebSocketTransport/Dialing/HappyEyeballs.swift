/// Happy Eyeballs version 2 (RFC 8305): which address to try when, so that one dead family or address costs a quarter of a second and no more.
///
/// Sans I/O: an input returns the actions that the caller performs, in order. `now` is the time since the race began. Each address is tried once.
struct HappyEyeballs: Sendable {
    enum Action: Sendable, Equatable {
        case start(SocketAddress)
        /// Call ``timerFired(now:)`` at that time; a timer armed before is void.
        case armTimer(at: Duration)
        case disarmTimer
        case cancel(SocketAddress)
        /// Everything failed; the race is over.
        case fail(Failure)
    }

    enum Failure: Sendable, Equatable {
        /// No family has an address.
        case unresolved([ResolveFailure])
        /// No address could be reached: each with its reason, in the order they failed.
        case unreachable([FailedAttempt])
    }

    struct FailedAttempt: Sendable, Equatable {
        let address: SocketAddress
        let error: TransportError
    }

    /// How long IPv4's answer waits for IPv6's (RFC 8305 §3).
    static let resolutionDelay = Duration.milliseconds(50)
    /// How long an attempt runs alone (RFC 8305 §5).
    static let attemptDelay = Duration.milliseconds(250)

    private enum State: Sendable {
        /// Nothing to try yet.
        case resolving
        /// IPv4 has come, IPv6 still has a moment.
        case waitingForIPv6
        /// Attempts run; while an address is left, a timer starts the next.
        case connecting
        case finished
    }

    private var state = State.resolving
    private var unanswered: AddressFamilies
    private var unresolved: [ResolveFailure] = []
    /// Each family's addresses in the resolver's order (RFC 6724).
    private var waiting: [SocketAddress] = []
    private var found: Set<SocketAddress> = []
    /// The families take turns; IPv6 is first (RFC 8305 §4).
    private var prefersIPv6 = true
    private var running: [SocketAddress] = []
    private var lastStart = Duration.zero
    private var failed: [FailedAttempt] = []

    init(_ families: AddressFamilies = .any) { unanswered = families }

    /// The addresses need no resolver: a literal, an override, a UNIX socket.
    mutating func known(_ addresses: [SocketAddress], now: Duration) -> [Action] {
        unanswered = .ipv4
        return resolved(.ipv4, .success(addresses), now: now)
    }

    /// The resolver answered for one family; an answer with no address is a failure too.
    mutating func resolved(_ family: AddressFamilies, _ result: Result<[SocketAddress], ResolveFailure>, now: Duration) -> [Action] {
        guard unanswered.remove(family) != nil, state != .finished else { return [] }
        switch result {
        case .success(let addresses): waiting += addresses.filter { found.insert($0).inserted }
        case .failure(let failure): unresolved.append(failure)
        }
        switch state {
        case .resolving where waiting.isEmpty: return unanswered.isEmpty ? finish(.fail(.unresolved(unresolved))) : []
        case .resolving where unanswered.contains(.ipv6):
            state = .waitingForIPv6
            return [.armTimer(at: now + Self.resolutionDelay)]
        // What ran has failed, and this family was the last hope.
        case .connecting where running.isEmpty && waiting.isEmpty: return finish(.fail(.unreachable(failed)))
        // An attempt that runs alone has no timer: there was nothing to start. One that has keeps its pace, as a new timer would delay it.
        case .connecting where !running.isEmpty: return waiting.isEmpty ? [] : [.armTimer(at: max(now, lastStart + Self.attemptDelay))]
        default: return startNext(now)
        }
    }

    mutating func failed(_ address: SocketAddress, _ error: TransportError, now: Duration) -> [Action] {
        guard let index = running.firstIndex(of: address) else { return [] }
        failed.append(FailedAttempt(address: running.remove(at: index), error: error))
        if !waiting.isEmpty { return startNext(now) }
        return running.isEmpty && unanswered.isEmpty ? finish(.fail(.unreachable(failed))) : []
    }

    /// The race is over.
    mutating func succeeded(_ address: SocketAddress) -> [Action] {
        guard let index = running.firstIndex(of: address) else { return [] }
        running.remove(at: index)
        return finish()
    }

    mutating func timerFired(now: Duration) -> [Action] { waiting.isEmpty ? [] : startNext(now) }

    private mutating func startNext(_ now: Duration) -> [Action] {
        state = .connecting
        let address = waiting.remove(at: waiting.firstIndex { $0.isIPv6 == prefersIPv6 } ?? 0)
        prefersIPv6 = !address.isIPv6
        lastStart = now
        running.append(address)
        return [.start(address), waiting.isEmpty ? .disarmTimer : .armTimer(at: now + Self.attemptDelay)]
    }

    private mutating func finish(_ action: Action...) -> [Action] {
        state = .finished
        defer { (running, waiting) = ([], []) }
        return [.disarmTimer] + running.map { .cancel($0) } + action
    }
}
