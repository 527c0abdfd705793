import WebSocketProtocol
import WebSocketTransport

/// `/ping -c N`: sends a ping a second, as ping(8) does, even if the one before was not answered, and sums up at the end.
///
/// It is over once all are sent and answered, when the last ones had their time, and with the connection.
@EventLoop
final class PingSeries {
    private unowned let interpreter: Interpreter
    private let payload: [UInt8]?
    /// Turns that are left; in each a ping goes to everybody who is connected.
    private var turnsLeft: Int
    private var sent = 0
    private var awaited: [SentPing] = []
    private var roundTrips = RoundTrips()
    private var isOver = false
    private lazy var timer = Timer { [unowned self] in due() }

    init(_ count: Int, _ payload: [UInt8]?, in interpreter: Interpreter) {
        turnsLeft = count
        self.payload = payload
        self.interpreter = interpreter
    }

    /// Sends the first; returns whether anybody was there.
    func begin() throws(CommandFailure) -> Bool {
        try sendNext()
        return sent > 0
    }

    private func sendNext() throws(CommandFailure) {
        let pings = try interpreter.ping(payload)
        guard !pings.isEmpty else { return }
        sent += pings.count
        awaited.await(pings)
        turnsLeft -= 1
        let (interval, patience) = interpreter.seriesTiming
        timer.arm(at: monotonicNow() &+ nanoseconds(turnsLeft > 0 ? interval : patience))
    }

    private func due() {
        guard turnsLeft > 0 else { return end() }
        do throws(CommandFailure) {
            try sendNext()
            if !timer.isArmed { end() }
        } catch {
            interpreter.reply("\(error)")
            end()
        }
    }

    func receivedPong(to ping: SentPing, _ roundTrip: UInt64) {
        guard awaited.answer(ping) else { return }
        roundTrips.add(roundTrip)
        if turnsLeft == 0, awaited.isEmpty { end() }
    }

    /// Sums up, and sends no more.
    func end() {
        guard !isOver else { return }
        isOver = true
        timer.disarm()
        let lost = sent - Int(roundTrips.count)
        interpreter.reply("\(counted(sent, "ping")), \(lost) lost" + (roundTrips.summary.map { ": \($0)" } ?? ""))
        interpreter.seriesEnded()
    }
}

extension [SentPing] {
    /// Adds pings that were sent. Somebody who never answers must not make it grow without end.
    mutating func await(_ sent: [SentPing]) {
        self += sent
        removeFirst(Swift.max(0, count - 1024))
    }

    /// Takes out a ping whose pong came, and those to the same client before it: a pong answers the latest ping that it knows of, and earlier ones need
    /// none any more (RFC 6455, section 5.5.3).
    ///
    /// - Returns: whether it was awaited.
    mutating func answer(_ ping: SentPing) -> Bool {
        guard let index = firstIndex(of: ping) else { return false }
        for earlier in indices[...index].reversed() where self[earlier].client == ping.client { remove(at: earlier) }
        return true
    }
}
