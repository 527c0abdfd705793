/// Happy Eyeballs version 2 (RFC 8305): which address to try when, so that one dead family or address costs a quarter of a second and no more.
///
/// Sans I/O: an input returns the actions that the caller performs, in order. `now` is the time since the race began.
public struct HappyEyeballs: Sendable {
    /// One attempt's number, in the order they were started.
    public typealias Attempt = Int

    public enum Action: Sendable, Equatable {
        case start(Attempt, SocketAddress)
        /// Call ``timerFired(now:)`` at that time; a timer armed before is void.
        case armTimer(at: Duration)
        case disarmTimer
        case cancel(Attempt)
        /// That attempt won; the race is over.
        case succeed(Attempt, SocketAddress)
        /// Everything failed; the race is over.
        case fail(Failure)
    }

    public enum Failure: Sendable, Equatable {
        /// No family gave an address.
        case unresolved([ResolveFailure])
        /// No address could be reached: each with its reason, in the order they failed.
        case unreachable([FailedAttempt])
    }

    public struct FailedAttempt: Sendable, Equatable {
        public let address: SocketAddress
        public let error: TransportError
    }

    /// How long IPv4's answer waits for IPv6's (RFC 8305 §3).
    public static let resolutionDelay = Duration.milliseconds(50)
    /// How long an attempt runs alone (RFC 8305 §5).
    public static let attemptDelay = Duration.milliseconds(250)

    private enum State: Sendable {
        /// Nothing to try yet.
        case resolving
        /// IPv4 has come, IPv6 has still a moment.
        case waitingForIPv6
        /// Attempts run; when there is an address left, a timer starts the next.
        case connecting
        case finished
    }

    private var state = State.resolving
    private var unanswered: Set<AddressFamily>
    private var unresolved: [ResolveFailure] = []
    /// The addresses that wait, each family in the resolver's order (RFC 6724).
    private var waiting4: [SocketAddress] = []
    private var waiting6: [SocketAddress] = []
    private var seen: Set<SocketAddress> = []
    /// The family that the last attempt did not use; IPv6 is first (RFC 8305 §4).
    private var nextFamily = AddressFamily.ipv6
    private var running: [(attempt: Attempt, address: SocketAddress)] = []
    private var attempts = 0
    private var failed: [FailedAttempt] = []

    public init(_ families: AddressFamilies = .any) {
        switch families {
        case .any: unanswered = [.ipv4, .ipv6]
        case .ipv4: unanswered = [.ipv4]
        case .ipv6: unanswered = [.ipv6]
        }
    }

    /// The addresses need no resolver: a literal, an override, a UNIX socket.
    public mutating func known(_ addresses: [SocketAddress], now: Duration) -> [Action] {
        unanswered = [.ipv4]
        return resolved(.ipv4, .success(addresses), now: now)
    }

    /// The resolver answered for one family; an answer with no address is a failure too.
    public mutating func resolved(
        _ family: AddressFamily, _ result: Result<[SocketAddress], ResolveFailure>, now: Duration
    ) -> [Action] {
        guard unanswered.remove(family) != nil else { return [] }
        switch result {
        case .success(let addresses):
            for address in addresses where seen.insert(address).inserted {
                if case .ipv6 = address { waiting6.append(address) } else { waiting4.append(address) }
            }
        case .failure(let failure):
            unresolved.append(failure)
        }
        switch state {
        case .finished:
            return []
        case .resolving where !hasWaiting:
            return unanswered.isEmpty ? finish(.fail(.unresolved(unresolved))) : []
        case .resolving where waiting6.isEmpty && unanswered.contains(.ipv6):
            state = .waitingForIPv6
            return [.armTimer(at: now + Self.resolutionDelay)]
        case .resolving, .waitingForIPv6:
            return startNext(now)
        case .connecting:
            return answeredLate(now)
        }
    }

    public mutating func failed(_ attempt: Attempt, _ error: TransportError, now: Duration) -> [Action] {
        guard let index = running.firstIndex(where: { $0.attempt == attempt }) else { return [] }
        failed.append(FailedAttempt(address: running.remove(at: index).address, error: error))
        if hasWaiting { return startNext(now) }
        guard running.isEmpty, unanswered.isEmpty else { return [] }
        return finish(.fail(.unreachable(failed)))
    }

    public mutating func succeeded(_ attempt: Attempt) -> [Action] {
        guard let index = running.firstIndex(where: { $0.attempt == attempt }) else { return [] }
        let winner = running.remove(at: index)
        return finish(.succeed(winner.attempt, winner.address))
    }

    public mutating func timerFired(now: Duration) -> [Action] {
        switch state {
        case .waitingForIPv6: startNext(now)
        case .connecting where hasWaiting: startNext(now)
        case .resolving, .connecting, .finished: []
        }
    }

    /// The other family's answer came when attempts were already running, or had all failed.
    private mutating func answeredLate(_ now: Duration) -> [Action] {
        if running.isEmpty {
            return hasWaiting ? startNext(now) : finish(.fail(.unreachable(failed)))
        }
        // An attempt that runs alone has had no timer: there was nothing to start. One that has keeps its pace, as a new timer would delay it.
        return hasWaiting ? [.armTimer(at: max(now, lastStart + Self.attemptDelay))] : []
    }

    private var lastStart = Duration.zero

    private var hasWaiting: Bool { !waiting4.isEmpty || !waiting6.isEmpty }

    private mutating func startNext(_ now: Duration) -> [Action] {
        state = .connecting
        guard let address = takeNext() else { return [] }
        attempts += 1
        lastStart = now
        running.append((attempts, address))
        return [.start(attempts, address), hasWaiting ? .armTimer(at: now + Self.attemptDelay) : .disarmTimer]
    }

    private mutating func takeNext() -> SocketAddress? {
        let takesIPv6 = nextFamily == .ipv6 ? !waiting6.isEmpty : waiting4.isEmpty
        nextFamily = takesIPv6 ? .ipv4 : .ipv6
        if takesIPv6 {
            return waiting6.isEmpty ? nil : waiting6.removeFirst()
        }
        return waiting4.isEmpty ? nil : waiting4.removeFirst()
    }

    private mutating func finish(_ action: Action) -> [Action] {
        state = .finished
        defer { running = [] }
        return [.disarmTimer] + running.map { .cancel($0.attempt) } + [action]
    }
}
