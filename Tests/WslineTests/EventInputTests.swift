import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("JSON input: its events and delays", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct EventInputTests {
    /// The events' input, a peer, and what was reported.
    @EventLoop
    private final class Fixture {
        let events = EventInput()
        var peer = RecordingPeer()
        var dues = 0
        var closes: [CloseFrame] = []
        private var lines = 0

        init(attached: Bool = true) {
            events.onDue = { [unowned self] in dues += 1 }
            events.onClose = { [unowned self] in closes.append($0) }
            if attached { events.attached(to: peer) }
        }

        /// Takes a line; returns whether the next may follow at once.
        func take(_ line: String) throws -> Bool {
            lines += 1
            return try Array(line.utf8).withUnsafeBytes { try events.take($0, .init(name: "line", number: lines)) }
        }

        func waitForDue(_ count: Int) async throws { try await waitUntil("delay \(count) is over") { dues == count } }

        /// The connection is lost.
        func lose() { peer.readyState = .closed }

        func attachAnother() {
            peer = RecordingPeer()
            events.attached(to: peer)
        }
    }

    private func message(_ text: String, after milliseconds: Int? = nil) -> String {
        #"{"event":"message","text":"\#(text)""# + (milliseconds.map { #","delay_ms":\#($0)"# } ?? "") + "}"
    }

    @Test("messages, pings and pongs are sent as they come, and the next line may follow at once")
    func events() throws {
        let fixture = Fixture()
        for line in [
            message("one"), #"{"event":"message","base64":"AQI="}"#, #"{"event":"message","type":"binary","text":"b"}"#,
            #"{"event":"ping","text":"are you there"}"#, #"{"event":"pong"}"#, message("two", after: 0),
        ] {
            #expect(try fixture.take(line))
        }
        #expect(fixture.peer.messages == [.text("one"), .binary([1, 2]), .binary(Array("b".utf8)), .text("two")])
        #expect(fixture.peer.pings == [Array("are you there".utf8)])
        #expect(fixture.peer.pongs == [[]])
        #expect(!fixture.events.isWaiting)
        #expect(fixture.dues == 0)
    }

    @Test("a line with a delay is carried out once it is over, no earlier, and the input waits for it")
    func delay() async throws {
        let fixture = Fixture()
        let began = monotonicNow()
        #expect(try !fixture.take(message("late", after: 60)))
        #expect(fixture.events.isWaiting)
        await settle()
        if monotonicNow() - began < 60_000_000 { #expect(fixture.peer.messages == []) }
        try await fixture.waitForDue(1)
        #expect(monotonicNow() - began >= 60_000_000)
        #expect(fixture.peer.texts == ["late"])
        #expect(!fixture.events.isWaiting)
        #expect(try fixture.take(message("next")))
        #expect(fixture.peer.texts == ["late", "next"])
        #expect(fixture.dues == 1)
    }

    @Test("what is due is done before the input is told to go on")
    func order() async throws {
        let fixture = Fixture()
        var sentWhenDue: [[String]] = []
        fixture.events.onDue = { [unowned fixture] in
            sentWhenDue.append(fixture.peer.texts)
            fixture.dues += 1
        }
        _ = try fixture.take(message("one", after: 1))
        try await fixture.waitForDue(1)
        _ = try fixture.take(message("two", after: 60))
        try await fixture.waitForDue(2)
        #expect(sentWhenDue == [["one"], ["one", "two"]])
    }

    @Test("delays follow one after the other; a late one shortens the next, so that the whole takes no less than their sum")
    func delays() async throws {
        let fixture = Fixture()
        let began = monotonicNow()
        for number in 1...5 {
            let dues = fixture.dues
            if try !fixture.take(message("\(number)", after: 20)) { try await fixture.waitForDue(dues + 1) }
        }
        #expect(fixture.peer.texts == ["1", "2", "3", "4", "5"])
        // The first began its delay at `began` or later, and each other when the one before was due.
        #expect(monotonicNow() - began >= 100_000_000)
    }

    @Test("an event that can't be sent is passed over, and its delay counts")
    func nothing() async throws {
        let fixture = Fixture()
        #expect(try fixture.take(#"{"event":"open"}"#))
        #expect(try fixture.take(#"{"event":"error"}"#))
        #expect(try fixture.take(#"{"event":"close","dir":"in","code":1000}"#))
        let began = monotonicNow()
        #expect(try !fixture.take(#"{"event":"open","delay_ms":60}"#))
        try await fixture.waitForDue(1)
        #expect(monotonicNow() - began >= 60_000_000)
        #expect(fixture.peer.messages == [])
        #expect(fixture.closes == [])
    }

    @Test("a close asks for the end, with its code and reason, in its turn")
    func close() async throws {
        let fixture = Fixture()
        _ = try fixture.take(message("before", after: 60))
        #expect(fixture.closes == [])
        try await fixture.waitForDue(1)
        #expect(try fixture.take(#"{"event":"close","code":4000,"reason":"so long"}"#))
        #expect(try fixture.take(#"{"event":"close"}"#))
        #expect(fixture.closes == [CloseFrame(code: CloseCode(4000), reason: "so long"), CloseFrame(code: nil)])
        // It's the run that closes.
        #expect(fixture.peer.closes == [])
    }

    // MARK: A lost connection

    @Test("what is due while there is no connection waits for the next one, and goes to it as soon as it is there")
    func lostMeanwhile() async throws {
        let fixture = Fixture()
        let first = fixture.peer
        #expect(try !fixture.take(message("late", after: 60)))
        fixture.lose()
        // A clock of the test's own, which is later.
        let clock = Fixture()
        _ = try clock.take(message("", after: 120))
        try await clock.waitForDue(1)
        await settle()
        #expect(fixture.dues == 0)
        #expect(fixture.events.isWaiting)
        fixture.attachAnother()
        #expect(fixture.peer.texts == ["late"])
        #expect(!fixture.events.isWaiting)
        #expect(first.messages == [])
        #expect(try fixture.take(message("next")))
        #expect(fixture.peer.texts == ["late", "next"])
    }

    @Test("a delay that isn't over when the next connection is there goes on, and ends on that one")
    func nextConnectionBeforeItsTime() async throws {
        let fixture = Fixture()
        let first = fixture.peer
        let began = monotonicNow()
        #expect(try !fixture.take(message("late", after: 100)))
        fixture.lose()
        fixture.attachAnother()
        if monotonicNow() - began < 100_000_000 { #expect(fixture.peer.messages == []) }
        try await fixture.waitForDue(1)
        #expect(monotonicNow() - began >= 100_000_000)
        #expect(fixture.peer.texts == ["late"])
        #expect(first.messages == [])
    }

    @Test("a connection that isn't there any more is nobody to send to", arguments: [true, false])
    func noConnection(hadOne: Bool) throws {
        let fixture = Fixture(attached: false)
        if hadOne { fixture.events.attached(to: RecordingPeer()) }
        #expect(try !fixture.take(message("early")))
        #expect(fixture.events.isWaiting)
        fixture.attachAnother()
        #expect(fixture.peer.texts == ["early"])
        #expect(!fixture.events.isWaiting)
    }

    // MARK: Mistakes

    @Test(
        "a wrong line is named by its number and sends nothing",
        arguments: [
            ("not JSON", "input line 1: not JSON"),
            (#"{"event":"message"}"#, #"input line 1: the message has neither "text" nor "base64""#),
            (#"{"text":"x"}"#, #"input line 1: the object has no "event""#),
            (#"{"event":"ping","base64":"*"}"#, #"input line 1: "base64": "#),
            (#"{"event":"message","text":"x","delay_ms":-1}"#, #"input line 1: "delay_ms" is -1: use 0 or more"#),
            (#"{"event":"close","code":1005,"reason":"x"}"#, #"input line 1: "reason" needs a "code""#),
        ])
    func wrong(line: String, error: String) throws {
        let fixture = Fixture()
        #expect {
            try fixture.take(line)
        } throws: {
            ($0 as? InputError)?.description.hasPrefix(error) == true && ($0 as? InputError)?.exitStatus == .badInput
        }
        #expect(fixture.peer.messages == [])
        #expect(!fixture.events.isWaiting)
        #expect(try fixture.take(message("right")))
        #expect(fixture.peer.texts == ["right"])
    }

    @Test("a line that isn't UTF-8 is wrong where it isn't")
    func notUTF8() throws {
        let fixture = Fixture()
        let line = Array(#"{"event":"message","text":""#.utf8) + [0xFF] + Array(#""}"#.utf8)
        #expect(throws: InputError.line(place: .init(name: "line", number: 9), "the line isn't valid UTF-8 at byte 28")) {
            try line.withUnsafeBytes { try fixture.events.take($0, .init(name: "line", number: 9)) }
        }
    }
}
