/// The pings of one connection that wait for their pongs, and when the next one is due.
struct KeepAlive {
    private var outstanding: [(mark: [UInt8], sentAt: Instant)] = []
    private var counter: UInt32 = 0
    /// When the oldest automatic ping without an answer was sent.
    private var waitingSince: Instant?
    private var lastSent: Instant = 0
    /// The answer to the latest ping, kept until waiting output has left.
    var postponedPong: [UInt8]?

    var outstandingCount: Int { outstanding.count }

    /// Starts the clock: the connection is open.
    mutating func start(at now: Instant) { lastSent = now }

    /// Starts the clock anew: how often pings are sent has changed.
    mutating func restart(at now: Instant, pings: Bool) {
        start(at: now)
        waitingSince = pings ? waitingSince.map { _ in now } : nil
    }

    /// A payload that no ping has that waits for its pong, so that each pong is known.
    mutating func nextMark() -> [UInt8] {
        while true {
            counter &+= 1
            let mark = Array("wsline \(counter)".utf8)
            if !outstanding.contains(where: { $0.mark == mark }) { return mark }
        }
    }

    mutating func sent(_ mark: [UInt8], at now: Instant) {
        if outstanding.count == Self.mostOutstanding { outstanding.removeFirst() }
        outstanding.append((mark, now))
    }

    mutating func sentByItself(_ mark: [UInt8], at now: Instant) {
        sent(mark, at: now)
        lastSent = now
        if waitingSince == nil { waitingSince = now }
    }

    /// Takes a pong's payload; returns the round trip if it answers a ping of ours. Earlier pings count as answered too
    /// (RFC 6455, section 5.5.3). Of pings with the same payload, which only a caller can ask for, the first is the one that it answers.
    mutating func answered(_ payload: UnsafeRawBufferPointer, at now: Instant) -> Instant? {
        guard let index = outstanding.firstIndex(where: { $0.mark.elementsEqual(payload) }) else { return nil }
        let roundTrip = now &- outstanding[index].sentAt
        outstanding.removeFirst(index + 1)
        waitingSince = nil
        return roundTrip
    }

    /// Waits longer for the pongs that stay out.
    mutating func excusePeer(for duration: Instant) { waitingSince = waitingSince.map { $0 &+ duration } }

    /// Lets the wait for the pongs that stay out begin anew.
    mutating func restartTimeout(at now: Instant) {
        if waitingSince != nil { waitingSince = now }
    }

    func deadline(_ configuration: Connection.Configuration) -> Instant? {
        guard configuration.pingInterval > 0 else { return nil }
        let next = lastSent &+ configuration.pingInterval
        guard let waitingSince, configuration.pingTimeout > 0 else { return next }
        return min(next, waitingSince &+ configuration.pingTimeout)
    }

    func isOverdue(_ configuration: Connection.Configuration, at now: Instant) -> Bool {
        guard let waitingSince, configuration.pingTimeout > 0 else { return false }
        return waitingSince &+ configuration.pingTimeout <= now
    }

    private static let mostOutstanding = 32
}
