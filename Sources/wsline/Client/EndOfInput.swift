import WebSocketProtocol
import WebSocketTransport

/// When a run stops after the end of its input: a value that is updated with what happens, and returns until when to wait.
///
/// By default it listens until a second has passed without a message, counted on an open connection that all of the input has left.
/// A message that is still arriving suspends that second, unless none of it comes for the time that a closing handshake may take.
/// `-w` and `--idle` stand in place of that, and are bounds: nothing suspends them.
struct StopClock {
    private enum Rule: Equatable {
        case silence
        /// Nanoseconds from the end of the input, and from the last message; with neither, the server's Close ends the run.
        case bounds(wait: Instant?, idle: Instant?)
    }

    private let rule: Rule
    /// How long a message may make no progress before the silence counts; nanoseconds.
    var closeTimeout: Instant
    private var inputEnd: Instant?
    /// Since when all of the input has left on the present connection.
    private var quietSince: Instant?
    private var messages = 0
    private var lastMessage: Instant = 0
    /// What has come of a message that isn't whole, and when that last grew.
    private var incomplete: (size: UInt64, at: Instant)?
    /// Whether nothing is read, because standard output is blocked: what has come isn't known, so it can't be missing.
    private var isPaused = false

    /// - Parameters:
    ///   - executes: whether the messages are those of `-x`: then the default is two seconds, as in wscat.
    ///   - closeTimeout: nanoseconds.
    init(_ stop: StopOptions, echoes: Bool, executes: Bool, closeTimeout: Instant) {
        self.closeTimeout = closeTimeout
        let idle = stop.idle.map(nanoseconds)
        switch stop.wait {
        case .seconds(let seconds): rule = .bounds(wait: nanoseconds(seconds), idle: idle)
        case nil where idle == nil && !stop.hasCondition && !echoes:
            rule = executes ? .bounds(wait: 2 * Self.second, idle: nil) : .silence
        case nil, .untilClosed: rule = .bounds(wait: nil, idle: idle)
        }
    }

    static let second: Instant = 1_000_000_000

    /// Whether it is silence, and nothing that was asked for, that ends the run.
    var isDefault: Bool { rule == .silence }

    var hasInputEnded: Bool { inputEnd != nil }

    /// Whether what arrives has a part in it from here on.
    var isRunning: Bool { hasInputEnded && rule != .bounds(wait: nil, idle: nil) }

    // MARK: What happens

    /// The first end counts, whatever connections follow.
    mutating func inputEnded(at now: Instant) { inputEnd = inputEnd ?? now }

    /// Nothing of the input waits to be sent on the present connection.
    mutating func inputLeft(at now: Instant) { quietSince = now }

    /// The connection is over; there may be another.
    mutating func disconnected() {
        quietSince = nil
        incomplete = nil
    }

    /// A look at what has come.
    ///
    /// - Parameters:
    ///   - messages: how many whole messages there have been.
    ///   - incomplete: how much has come of one that isn't whole; nil if none is under way.
    mutating func received(_ messages: Int, incomplete size: UInt64?, at now: Instant) {
        if messages != self.messages { lastMessage = now }
        if messages != self.messages || size != incomplete?.size { incomplete = size.map { ($0, now) } }
        self.messages = messages
    }

    /// Nothing is read until `resumed`.
    mutating func paused() { isPaused = true }

    mutating func resumed(at now: Instant) {
        isPaused = false
        lastMessage = now
    }

    // MARK: What follows

    /// When the run is to stop, as things stand; nil while nothing but an event can end it.
    var deadline: Instant? {
        switch rule {
        case .silence:
            guard let quietSince, !isPaused else { return nil }
            let silence = max(quietSince, lastMessage) &+ Self.second
            return incomplete.map { max(silence, $0.at &+ closeTimeout) } ?? silence
        case .bounds(let wait, let idle):
            guard let inputEnd else { return nil }
            let idleEnd = isPaused ? nil : idle.map { max(inputEnd, lastMessage) &+ $0 }
            return [wait.map { inputEnd &+ $0 }, idleEnd].compactMap(\.self).min()
        }
    }
}
