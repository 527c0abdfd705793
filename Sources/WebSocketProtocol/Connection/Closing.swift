extension Connection {
    /// Begins the closing handshake (RFC 6455, section 7.1.2). Messages go on arriving until the peer's Close does.
    ///
    /// Does nothing once closing has begun. While connecting, the connection is over at once.
    /// - Throws: a code that may not be sent, or a reason of more than 123 bytes.
    public mutating func close(_ code: CloseCode? = .normal, reason: String = "", at now: Instant) throws(UsageError) {
        self.now = now
        let frame = CloseFrame(code: code, reason: reason)
        let payload = try frame.encoded()
        switch phase {
        case .opening: phase = .ended
        case .open:
            if outgoing.hasClosed { unsentBeforeEnd = outbox.count } else { sendClose(frame, payload) }
            closedByUs = true
            phase = .closing
            restartCloseTimeout()
        case .closing, .closed, .failed, .ended: break
        }
    }

    /// Fails the connection on our own account (RFC 6455, section 7.1.7), for example with `.policy`.
    public mutating func fail(_ error: ProtocolError, at now: Instant) {
        self.now = now
        fail(error)
    }

    /// Reports that the stream has ended, cleanly or not: nothing more will be read.
    ///
    /// While connecting, `next()` then returns `.refused`.
    public mutating func receivedEnd() {
        streamEnded = true
        if phase != .opening { phase = .ended }
    }

    /// How the connection ended, in the terms of a page's CloseEvent: the peer's code and reason, 1005 if its Close had none,
    /// 1006 if no Close came (RFC 6455, sections 7.1.4 to 7.1.6).
    public var closure: Closure {
        let code: CloseCode = peerClose.map { $0.code ?? .noStatus } ?? .abnormal
        return Closure(
            code: code, reason: peerClose?.reason ?? "", wasClean: peerClose != nil && sentClose != nil && failure == nil,
            isByUs: closedByUs, sent: sentClose, failure: failure)
    }

    // MARK: Time

    /// When to call `tick` next.
    public var nextDeadline: Instant? {
        switch phase {
        case .open: outgoing.hasClosed ? nil : keepAlive.deadline(configuration)
        case .opening, .closing, .closed, .failed: timeLimit?.deadline
        case .ended: nil
        }
    }

    /// Allows the peer `duration` nanoseconds more for all that it owes us, because the caller read nothing for so long.
    public mutating func excusePeer(for duration: Instant) {
        timeLimit?.deadline &+= duration
        keepAlive.excusePeer(for: duration)
    }

    /// Does what is due at `now`: a ping, the failure of a connection whose pongs stay out, the end of one whose peer doesn't open or close.
    ///
    /// Call it once all that had come by then has been received. A call that comes late shows that the caller didn't run (its process was
    /// stopped, say): the peer gets its time anew.
    public mutating func tick(at now: Instant) -> Event {
        self.now = now
        if let deadline = nextDeadline, deadline &+ Self.punctuality < now {
            timeLimit?.restart(at: now)
            keepAlive.restartTimeout(at: now)
        }
        guard let deadline = nextDeadline, deadline <= now else { return .needsInput }
        switch phase {
        case .opening: return endOpening()
        case .open: return tickOpen()
        case .closing, .closed, .failed, .ended:
            receivedEnd()
            return .needsInput
        }
    }

    /// How late a timer fires on a busy machine, at most; nanoseconds.
    public static let punctuality: Instant = 250_000_000

    private mutating func tickOpen() -> Event {
        if keepAlive.isOverdue(configuration, at: now) {
            fail(.keepAliveTimeout(seconds: Double(configuration.pingTimeout) / 1e9))
            return .failed
        }
        let mark = keepAlive.nextMark()
        keepAlive.sentByItself(mark, at: now)
        mark.withUnsafeBytes { appendControl(.ping, $0) }
        return .needsInput
    }

    // MARK: Within

    mutating func fail(_ error: ProtocolError) {
        guard failure == nil else { return }
        failure = error
        if phase == .open {
            let frame = CloseFrame(code: error.closeCode, reason: error.closeReason)
            if !outgoing.hasClosed, let payload = try? frame.encoded() { sendClose(frame, payload) }
            closedByUs = true
        }
        phase = .failed
        restartCloseTimeout()
    }

    /// Takes the peer's Close frame and answers with its code (section 5.5.1).
    mutating func receiveClose(_ payload: UnsafeRawBufferPointer) throws(ProtocolError) {
        let frame: CloseFrame
        do throws(ProtocolError) {
            frame = try CloseFrame(payload)
            watch?.ended()
        } catch {
            guard !behaviour.isStrict else { throw error }
            frame = CloseFrame(tolerating: payload)
            watch?.ended(error)
        }
        peerClose = frame
        if phase == .open, !outgoing.hasClosed {
            // A code that may not be sent is answered with none.
            let answer = CloseFrame(code: frame.code.flatMap { $0.isAllowedOnWire ? $0 : nil })
            if let payload = try? answer.encoded() { sendClose(answer, payload) }
        }
        phase = .closed
        restartCloseTimeout()
    }

    private mutating func sendClose(_ frame: CloseFrame, _ payload: [UInt8]) {
        sentClose = frame
        keepAlive.postponedPong = nil
        payload.withUnsafeBytes { appendFrame(.close, $0) }
        unsentBeforeEnd = outbox.count
    }

    /// Allows the peer time from now on for what comes next: to take what is left of our output up to its end, to answer our Close, or to
    /// end the stream as we do.
    mutating func restartCloseTimeout() {
        let endsStream = phase != .closing && unsentBeforeEnd == 0
        let timeout = endsStream ? min(configuration.closeTimeout, Self.streamEndTimeout) : configuration.closeTimeout
        timeLimit = TimeLimit(timeout, from: now)
    }

    /// How long the peer has to end the stream once both sides have said all that they had to; nanoseconds.
    private static let streamEndTimeout: Instant = 1_000_000_000
}

/// How long the peer may take for something.
struct TimeLimit {
    let timeout: Instant
    var deadline: Instant

    init(_ timeout: Instant, from now: Instant) {
        self.timeout = timeout
        deadline = now &+ timeout
    }

    mutating func restart(at now: Instant) { deadline = now &+ timeout }
}

/// How a connection ended.
public struct Closure: Equatable, Sendable {
    public var code: CloseCode
    public var reason: String
    /// Whether both Close frames went through.
    public var wasClean: Bool
    /// Whether our Close frame went out before the peer's came.
    public var isByUs: Bool
    /// The Close frame that we sent.
    public var sent: CloseFrame?
    /// What the peer did wrong.
    public var failure: ProtocolError?
}

extension CloseFrame {
    /// Reads a Close frame's payload (RFC 6455, sections 5.5.1 and 7.4).
    init(_ payload: UnsafeRawBufferPointer) throws(ProtocolError) {
        switch payload.count {
        case 0: self.init(code: nil)
        case 1: throw .closePayloadOfOneByte
        default:
            let code = CloseCode(UInt16(payload[0]) << 8 | UInt16(payload[1]))
            guard code.isAllowedOnWire else { throw .closeCodeNotAllowed(code.rawValue) }
            let text = UnsafeRawBufferPointer(rebasing: payload[2...])
            guard UTF8Validator.firstError(in: text) == nil else { throw .closeReasonNotText }
            self.init(code: code, reason: String(decoding: text, as: UTF8.self))
        }
    }

    func encoded() throws(UsageError) -> [UInt8] {
        guard let code else {
            guard reason.isEmpty else { throw .closeReasonWithoutCode }
            return []
        }
        guard code.isAllowedOnWire else { throw .closeCodeNotAllowed(code) }
        guard reason.utf8.count <= FrameHeader.maximumControlPayload - 2 else { throw .closeReasonTooLong(bytes: reason.utf8.count) }
        return [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)] + Array(reason.utf8)
    }
}

extension ProtocolError {
    /// The description, cut to what a Close frame holds, between two characters.
    var closeReason: String {
        var reason = description
        guard reason.utf8.count > FrameHeader.maximumControlPayload - 2 else { return reason }
        while reason.utf8.count > FrameHeader.maximumControlPayload - 5 { reason.removeLast() }
        return reason + "…"
    }
}
