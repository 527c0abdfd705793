import Testing

@testable import WebSocketTransport

@Suite struct HappyEyeballsTests {
    private let four1 = SocketAddress.ipv4(0x0102_0304, port: 80)
    private let four2 = SocketAddress.ipv4(0x0102_0305, port: 80)
    private let six1 = SocketAddress.ipv6(1, port: 80)
    private let six2 = SocketAddress.ipv6(2, port: 80)
    private let refused = TransportError(.connect, .refused, "connection refused")
    private let unknown = ResolveFailure(description: "no such name")

    @Test("an IPv6 answer starts at once, and IPv4 joins in after the attempt delay (RFC 8305 §3)")
    func sixFirst() {
        var race = HappyEyeballs()
        #expect(race.resolved(.ipv6, .success([six1]), now: .milliseconds(10)) == [.start(six1), .disarmTimer])
        #expect(race.resolved(.ipv4, .success([four1]), now: .milliseconds(20)) == [.armTimer(at: .milliseconds(260))])
        #expect(race.timerFired(now: .milliseconds(260)) == [.start(four1), .disarmTimer])
        #expect(race.succeeded(four1) == [.disarmTimer, .cancel(six1)])
    }

    @Test("an IPv4 answer waits 50 ms for IPv6, then starts (RFC 8305 §3)")
    func resolutionDelay() {
        var race = HappyEyeballs()
        #expect(race.resolved(.ipv4, .success([four1]), now: .milliseconds(10)) == [.armTimer(at: .milliseconds(60))])
        #expect(race.timerFired(now: .milliseconds(60)) == [.start(four1), .disarmTimer])
        #expect(race.resolved(.ipv6, .success([six1]), now: .milliseconds(400)) == [.armTimer(at: .milliseconds(400))])
        #expect(race.timerFired(now: .milliseconds(400)) == [.start(six1), .disarmTimer])
    }

    @Test("IPv6 within the delay goes first")
    func sixWithinDelay() {
        var race = HappyEyeballs()
        #expect(race.resolved(.ipv4, .success([four1]), now: .zero) == [.armTimer(at: .milliseconds(50))])
        #expect(
            race.resolved(.ipv6, .success([six1]), now: .milliseconds(30)) == [.start(six1), .armTimer(at: .milliseconds(280))])
    }

    @Test("IPv6 that fails to resolve ends the wait", arguments: [true, false])
    func sixFails(byError: Bool) {
        var race = HappyEyeballs()
        #expect(race.resolved(.ipv4, .success([four1]), now: .zero) == [.armTimer(at: .milliseconds(50))])
        let answer: Result<[SocketAddress], ResolveFailure> = byError ? .failure(unknown) : .success([])
        #expect(race.resolved(.ipv6, answer, now: .milliseconds(5)) == [.start(four1), .disarmTimer])
    }

    @Test("the families take turns, IPv6 first, and a failure starts the next at once (RFC 8305 §4, §5)")
    func interleaving() {
        var race = HappyEyeballs()
        _ = race.resolved(.ipv4, .success([four1, four2]), now: .zero)
        #expect(race.resolved(.ipv6, .success([six1, six2]), now: .zero) == [.start(six1), .armTimer(at: .milliseconds(250))])
        #expect(race.failed(six1, refused, now: .milliseconds(1)) == [.start(four1), .armTimer(at: .milliseconds(251))])
        #expect(race.timerFired(now: .milliseconds(251)) == [.start(six2), .armTimer(at: .milliseconds(501))])
        #expect(race.timerFired(now: .milliseconds(501)) == [.start(four2), .disarmTimer])
        #expect(race.succeeded(six2) == [.disarmTimer, .cancel(four1), .cancel(four2)])
    }

    @Test("when every address failed, the race fails with each one's reason")
    func allFail() {
        var race = HappyEyeballs()
        _ = race.resolved(.ipv6, .success([six1]), now: .zero)
        _ = race.resolved(.ipv4, .success([four1]), now: .zero)
        #expect(race.failed(six1, refused, now: .zero) == [.start(four1), .disarmTimer])
        let both = [HappyEyeballs.FailedAttempt(address: six1, error: refused), .init(address: four1, error: refused)]
        #expect(race.failed(four1, refused, now: .zero) == [.disarmTimer, .fail(.unreachable(both))])
        #expect(race.timerFired(now: .zero) == [])
    }

    @Test("a race whose attempts all failed still waits for the other family")
    func lateFamily() {
        var race = HappyEyeballs()
        _ = race.resolved(.ipv6, .success([six1]), now: .zero)
        #expect(race.failed(six1, refused, now: .zero) == [])
        #expect(race.resolved(.ipv4, .success([four1]), now: .seconds(1)) == [.start(four1), .disarmTimer])
    }

    @Test("a race whose attempts all failed ends when the other family has nothing")
    func lateNothing() {
        var race = HappyEyeballs()
        _ = race.resolved(.ipv6, .success([six1]), now: .zero)
        _ = race.failed(six1, refused, now: .zero)
        #expect(
            race.resolved(.ipv4, .failure(unknown), now: .zero)
                == [.disarmTimer, .fail(.unreachable([.init(address: six1, error: refused)]))])
    }

    @Test("a name that neither family knows fails with both reasons")
    func unresolved() {
        var race = HappyEyeballs()
        #expect(race.resolved(.ipv4, .failure(unknown), now: .zero) == [])
        #expect(race.resolved(.ipv6, .failure(unknown), now: .zero) == [.disarmTimer, .fail(.unresolved([unknown, unknown]))])
    }

    @Test("restricted to one family, it waits for no other")
    func oneFamily() {
        var race = HappyEyeballs(.ipv4)
        #expect(race.resolved(.ipv4, .success([four1]), now: .zero) == [.start(four1), .disarmTimer])
    }

    @Test("known addresses need no answer")
    func known() {
        var race = HappyEyeballs()
        #expect(race.known([four1, six1], now: .zero) == [.start(six1), .armTimer(at: .milliseconds(250))])
    }

    @Test("an address that comes twice is tried once")
    func duplicates() {
        var race = HappyEyeballs(.ipv4)
        #expect(race.resolved(.ipv4, .success([four1, four1]), now: .zero) == [.start(four1), .disarmTimer])
    }

    @Test("what comes after the end is nothing: attempts, answers and timers alike")
    func afterTheEnd() {
        var race = HappyEyeballs()
        _ = race.resolved(.ipv6, .success([six1, six2]), now: .zero)
        _ = race.succeeded(six1)
        #expect(race.resolved(.ipv4, .success([four1]), now: .zero) == [])
        #expect(race.timerFired(now: .zero) == [])
        #expect(race.failed(six1, refused, now: .zero) == [])
        #expect(race.succeeded(six1) == [])
    }
}
