import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Closing (RFC 6455, sections 5.5.1 and 7)")
struct ClosingTests {
    @Test("5.5.1: the peer's Close is answered with its own code", arguments: [1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999])
    func answered(_ code: UInt16) {
        var client = Peer(.client)
        let close = CloseFrame(code: CloseCode(code), reason: "so läng")
        let payload = [UInt8(code >> 8), UInt8(code & 0xFF)] + Array("so läng".utf8)
        #expect(client.receive(frame(8, payload)) == [.closing(close)])
        #expect(client.connection.readyState == .closing)
        var server = Peer(.server)
        #expect(server.receive(client.takeWritten()) == [.closing(CloseFrame(code: CloseCode(code)))])
        client.connection.receivedEnd()
        #expect(
            client.connection.closure
                == Closure(
                    code: CloseCode(code), reason: "so läng", wasClean: true, isByUs: false, sent: CloseFrame(code: CloseCode(code))))
    }

    @Test("7.1.5: an empty Close is answered with an empty one, and its code is 1005")
    func empty() {
        var client = Peer(.client)
        #expect(client.receive(frame(8)) == [.closing(CloseFrame(code: nil))])
        #expect(client.takeWritten() == hex("88 80 01 02 03 04"))
        #expect(client.connection.closure.code == .noStatus)
    }

    @Test("7.1.1: after both Closes the server ends the stream at once, and the client ends its side and waits for the server's")
    func whoEnds() throws {
        var client = Peer(.client)
        var server = Peer(.server)
        try client.connection.close(.normal, reason: "done", at: 0)
        #expect(client.connection.disposition == .running)
        #expect(server.receive(client.takeWritten()) == [.closing(CloseFrame(code: .normal, reason: "done"))])
        #expect(server.connection.disposition == .finished)
        #expect(client.receive(server.takeWritten()) == [.closing(CloseFrame(code: .normal))])
        #expect(client.connection.disposition == .halfClose)
        client.connection.receivedEnd()
        #expect(client.connection.readyState == .closed)
        #expect(client.connection.closure.isByUs)
        #expect(client.connection.closure.wasClean)
    }

    @Test("5.5.1: messages still arrive behind our Close, until the peer's; none can be sent any more")
    func messagesBehindClose() throws {
        var client = Peer(.client)
        try client.connection.close(at: 0)
        _ = client.takeWritten()
        #expect(client.receive(text("late") + frame(9)) == [.text("late"), .ping([])])
        var server = Peer(.server)
        #expect(server.receive(client.takeWritten()) == [.pong([])], "5.5.2: pings are answered until the peer's Close has come")
        #expect(throws: UsageError.notOpen(.closing)) { try client.send("x") }
        #expect(client.receive(frame(8, hex("03 e8")) + text("too late")) == [.closing(CloseFrame(code: .normal))])
    }

    @Test(
        "7.4: codes that may not be sent are refused, and nothing is sent",
        arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535])
    func forbidden(_ code: UInt16) {
        var client = Peer(.client)
        #expect(throws: UsageError.closeCodeNotAllowed(CloseCode(code))) { try client.close(CloseCode(code)) }
        #expect(client.takeWritten() == [])
        #expect(client.connection.readyState == .open)
    }

    @Test("5.5: a reason of 123 bytes is the longest")
    func reasonLength() throws {
        var client = Peer(.client)
        #expect(throws: UsageError.closeReasonTooLong(bytes: 124)) { try client.close(.normal, String(repeating: "é", count: 62)) }
        try client.close(.normal, String(repeating: "a", count: 123))
        var server = Peer(.server)
        #expect(server.receive(client.takeWritten()) == [.closing(CloseFrame(code: .normal, reason: String(repeating: "a", count: 123)))])
    }

    @Test("a peer that never answers Close is left at the deadline, uncleanly")
    func neverAnswers() throws {
        var client = Peer(.client) { $0.closeTimeout = 100 }
        client.now = 50
        try client.connection.close(at: 50)
        _ = client.takeWritten()
        #expect(client.connection.nextDeadline == 150)
        _ = client.tick(at: 149)
        #expect(client.connection.disposition == .running)
        _ = client.tick(at: 150)
        #expect(client.connection.disposition == .finished)
        #expect(client.connection.closure.code == .abnormal)
        #expect(!client.connection.closure.wasClean)
    }

    @Test("what we write after our Close gives the peer no more time to answer it")
    func pongsAfterClose() throws {
        var client = Peer(.client) { $0.closeTimeout = 100 }
        client.now = 50
        try client.connection.close(at: 50)
        _ = client.takeWritten()
        for now: Instant in [90, 120, 149] {
            client.now = now
            #expect(client.receive(frame(9)) == [.ping([])])
            #expect(!client.takeWritten().isEmpty)
        }
        #expect(client.connection.nextDeadline == 150)
        _ = client.tick(at: 150)
        #expect(client.connection.disposition == .finished)
    }

    @Test("the time to answer our Close begins when the Close has left, and runs out where nothing leaves any more")
    func slowReader() throws {
        var client = Peer(.client) { $0.closeTimeout = 100 }
        try client.send(String(repeating: "a", count: 994))
        try client.connection.close(at: 0)
        #expect(client.connection.outputCount == 1002 + 8)
        client.connection.sent(1000, at: 70)
        #expect(client.connection.nextDeadline == 170)
        client.connection.sent(9, at: 160)
        #expect(client.connection.nextDeadline == 260)
        client.now = 250
        _ = client.receive([])
        #expect(client.connection.nextDeadline == 350, "the Close's last byte leaves")
        #expect(client.receive(frame(9)) == [.ping([])])
        #expect(client.connection.nextDeadline == 350)
    }

    @Test("a server that answers Close and never ends the stream is left after a second, or sooner if the timeout says so, cleanly")
    func neverEnds() throws {
        for (timeout, wait): (Instant, Instant) in [(100, 100), (5_000_000_000, 1_000_000_000)] {
            var client = Peer(.client) { $0.closeTimeout = timeout }
            try client.connection.close(at: 0)
            client.now = 60
            _ = client.receive(frame(8, hex("03 e8")))
            #expect(client.connection.nextDeadline == 60 + wait)
            _ = client.tick(at: 60 + wait)
            #expect(client.connection.disposition == .finished)
            #expect(client.connection.closure.wasClean)
        }
    }

    @Test("an answer to the peer's Close that waits behind messages has the timeout to leave, and the stream's end a second from then")
    func slowAnswer() throws {
        var client = Peer(.client)
        try client.send(String(repeating: "a", count: 994))
        let close = frame(8, hex("03 e8"))
        let room = client.connection.inputBuffer()
        room.copyBytes(from: close)
        client.connection.received(close.count, at: 50)
        #expect(client.connection.next() == .closing)
        #expect(client.connection.nextDeadline == 5_000_000_050)
        client.connection.sent(1002, at: 70)
        #expect(client.connection.nextDeadline == 5_000_000_070)
        client.connection.sent(8, at: 80)
        #expect(client.connection.nextDeadline == 1_000_000_080)
    }

    @Test("7.1.5: a stream that ends without a Close has code 1006")
    func abnormal() {
        var client = Peer(.client)
        client.connection.receivedEnd()
        #expect(client.connection.closure == Closure(code: .abnormal, reason: "", wasClean: false, isByUs: false))
    }

    @Test("7.1.7: after failing the connection nothing is read, and a stream that stays is left at the deadline")
    func failed() {
        var client = Peer(.client) { $0.closeTimeout = 100 }
        #expect(client.receive(frame(3)) == [.failed(.reservedOpcode(3))])
        #expect(client.receive(text("a") + frame(8, hex("03 e8"))) == [])
        #expect(client.connection.peerClose == nil)
        _ = client.tick(at: 100)
        #expect(client.connection.disposition == .finished)
        #expect(client.connection.closure.failure == .reservedOpcode(3))
    }

    @Test("every failure's reason fits a Close frame")
    func reasonsFit() {
        let long = ProtocolError.invalidCompressedData(String(repeating: "ä", count: 200))
        #expect(long.closeReason.utf8.count <= 123)
        #expect(long.closeReason.hasSuffix("ä…"))
    }
}

@Suite("Pings and pongs (RFC 6455, sections 5.5.2 and 5.5.3)")
struct KeepAliveTests {
    @Test("a pong gives the round trip of its ping, and answers all earlier ones")
    func roundTrip() throws {
        var client = Peer(.client)
        try client.connection.ping(Array("a".utf8), at: 100)
        try client.connection.ping(Array("b".utf8), at: 200)
        client.now = 350
        #expect(client.receive(frame(10, Array("b".utf8))) == [.pong(Array("b".utf8))])
        #expect(client.connection.lastRoundTrip == 150)
        _ = client.receive(frame(10, Array("a".utf8)))
        #expect(client.connection.lastRoundTrip == nil, "an unasked pong has no round trip")
    }

    @Test("pings go out at their interval, and a pong that stays out fails the connection at the timeout")
    func timeout() {
        var client = Peer(.client) { ($0.pingInterval, $0.pingTimeout) = (100, 250) }
        #expect(client.connection.nextDeadline == 100)
        _ = client.tick(at: 100)
        var server = Peer(.server)
        #expect(server.receive(client.takeWritten()).count == 1)
        _ = client.receive(server.takeWritten())
        for now: Instant in [200, 300, 400] { #expect(client.tick(at: now) == .needsInput) }
        #expect(client.connection.nextDeadline == 450)
        #expect(client.tick(at: 450) == .failed)
        #expect(client.connection.failure == .keepAliveTimeout(seconds: 250 / 1e9))
    }

    @Test("no two pings that wait for their pongs have the same payload, whoever sends them, unless the caller insists")
    func payloads() throws {
        var client = Peer(.client) { $0.pingInterval = 100 }
        try client.connection.ping(Array("wsline 1".utf8), at: 10)
        try client.connection.ping(client.connection.nextPingPayload(), at: 20)
        _ = client.tick(at: 100)
        try client.connection.ping(client.connection.nextPingPayload(), at: 150)
        var server = Peer(.server)
        let pings = server.receive(client.takeWritten())
        #expect(pings.count == 4)
        for (index, ping) in pings.enumerated() { #expect(!pings[..<index].contains(ping)) }
        client.now = 200
        _ = client.receive(frame(10, Array("wsline 1".utf8)))
        #expect(client.connection.lastRoundTrip == 190)
    }

    @Test("of two pings with the same payload a pong answers the first, and the next one the second")
    func samePayload() throws {
        var client = Peer(.client)
        try client.ping([1])
        try client.connection.ping([1], at: 100)
        for roundTrip: Instant in [150, 50] {
            client.now = 150
            _ = client.receive(frame(10, [1]))
            #expect(client.connection.lastRoundTrip == roundTrip)
        }
    }

    @Test("a tick that comes late gives the peer its time anew: whoever calls it didn't run, so nothing could be read")
    func lateTick() throws {
        let second: Instant = 1_000_000_000
        var client = Peer(.client) { ($0.pingInterval, $0.pingTimeout, $0.closeTimeout) = (second, second, second) }
        _ = client.tick(at: second)
        #expect(client.takeWritten().first == 0x89)
        client.now = 5 * second
        #expect(client.receive(text("a")) == [.text("a")])
        #expect(client.tick(at: 5 * second) == .needsInput, "no pong came, but the timer is three seconds late")
        #expect(client.takeWritten().first == 0x89, "the next ping is due all the same")
        #expect(client.connection.nextDeadline == 6 * second)
        try client.connection.close(at: 5 * second)
        _ = client.tick(at: 9 * second)
        #expect(client.connection.readyState == .closing)
        #expect(client.connection.nextDeadline == 10 * second)
        _ = client.tick(at: 10 * second)
        #expect(client.connection.readyState == .closed)

        var punctual = Peer(.client) { ($0.pingInterval, $0.pingTimeout) = (second, second) }
        _ = punctual.tick(at: second)
        #expect(punctual.tick(at: 2 * second + second / 10) == .failed, "a tenth of a second is a busy machine's")
    }

    @Test("pings and pongs are counted in both directions, and those of ours that were answered by their own pong")
    func counts() throws {
        var client = Peer(.client) { $0.pingInterval = 100 }
        for payload: UInt8 in 1...3 { try client.ping([payload]) }
        _ = client.tick(at: 100)
        try client.connection.pong([])
        #expect(client.connection.awaitedPings == 4)
        _ = client.receive(frame(9) + frame(10, [2]) + frame(10, [9]))
        let statistics = client.connection.statistics
        #expect([statistics.pingsSent, statistics.pongsSent, statistics.pingsReceived, statistics.pongsReceived] == [4, 2, 1, 2])
        #expect(statistics.pingsAnswered == 1)
        #expect(client.connection.awaitedPings == 2, "the first needs no answer any more")
    }

    @Test("limits that change while it runs hold from then on: the next ping is due an interval later")
    func changedLimits() throws {
        var client = Peer(.client)
        var limits = Connection.Configuration()
        (limits.pingInterval, limits.pingTimeout, limits.closeTimeout, limits.maxMessageSize) = (100, 250, 70, 3)
        client.connection.adopt(limits, at: 1000)
        #expect(client.connection.nextDeadline == 1100)
        _ = client.tick(at: 1100)
        #expect(client.takeWritten().first == 0x89)
        limits.pingTimeout = 50
        client.connection.adopt(limits, at: 1150)
        #expect(client.connection.nextDeadline == 1200, "the wait for the pong begins anew")
        limits.pingInterval = 0
        client.connection.adopt(limits, at: 1160)
        #expect(client.connection.nextDeadline == nil, "without pings nothing is waited for")
        #expect(client.receive(text("abc")) == [.text("abc")])
        try client.connection.close(at: 1170)
        client.now = 1180
        client.flush()
        #expect(client.connection.nextDeadline == 1250, "from when the Close has left")
        var other = Peer(.client)
        other.connection.adopt(limits, at: 0)
        #expect(other.receive(text("abcd")) == [.failed(.messageTooBig(limit: 3))])
    }

    @Test("a ping of more than 125 bytes is refused and not sent")
    func tooLong() {
        var client = Peer(.client)
        #expect(throws: UsageError.controlPayloadTooLong(bytes: 126)) { try client.ping(.init(repeating: 0, count: 126)) }
        #expect(client.takeWritten() == [])
    }
}

extension Peer {
    // `#expect(throws:)` takes an escaping closure, which can't hold a non-copyable connection's `inout`; these give it a place to stand.
    mutating func send(_ text: String) throws { try Array(text.utf8).withUnsafeBytes { try connection.send(.text, $0) } }
    mutating func close(_ code: CloseCode, _ reason: String = "") throws { try connection.close(code, reason: reason, at: 0) }
    mutating func ping(_ payload: [UInt8]) throws { try connection.ping(payload, at: 0) }
}
