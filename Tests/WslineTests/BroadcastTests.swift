import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketTransport
@testable import wsline

/// Over connections on the loopback address, of which the listener's ends are the broadcast's.
@Suite("Broadcast: one place to send to for all clients", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct BroadcastTests {
    /// A broadcast and its clients, by number.
    @EventLoop
    private final class Fixture {
        let broadcast: Broadcast
        private(set) var rooms = 0
        private(set) var stalled: [Int] = []
        private var pairs: [Int: (pair: SocketPair, client: ServedClient)] = [:]

        /// Clients 1 to `count`.
        init(_ count: Int = 0, patience: Double = 60) async throws {
            broadcast = Broadcast(patience: patience)
            broadcast.onRoom = { [unowned self] in rooms += 1 }
            broadcast.onStall = { [unowned self] in stalled.append($0.number) }
            for _ in 0..<count { try await add() }
        }

        /// Another client.
        @discardableResult
        func add() async throws -> Int {
            let pair = try await SocketPair()
            let number = pairs.count + 1
            let client = ServedClient(pair.server, nil, number: number)
            pair.server.onDrain = { [unowned broadcast, unowned client] in broadcast.drained(client) }
            pairs[number] = (pair, client)
            broadcast.add(client)
            return number
        }

        func remove(_ number: Int) { if let client = pairs[number]?.client { broadcast.remove(client) } }

        func socket(_ number: Int) throws -> WebSocket { try #require(pairs[number]?.pair.client) }
        func record(_ number: Int) throws -> SocketRecord { try #require(pairs[number]?.pair.clientRecord) }
        func served(_ number: Int) throws -> WebSocket { try #require(pairs[number]?.pair.server) }

        func texts(_ number: Int) throws -> [String] {
            try record(number).messages.map { String(decoding: $0.bytes.prefix(100), as: UTF8.self) }
        }

        func send(_ text: String) throws { try broadcast.send(.text, Array(text.utf8)) }

        func sendFragment(_ text: String, isFinal: Bool) throws {
            let bytes = Array(text.utf8)
            try bytes.withUnsafeBytes { try broadcast.sendFragment(.text, $0, isFinal: isFinal) }
        }

        /// Waits until a client has so many messages.
        func wait(for count: Int, at number: Int) async throws {
            let record = try record(number)
            try await waitUntil("client \(number) has \(count) messages") { record.messages.count >= count }
        }

        /// Stops client `number` from reading, and sends until it makes the others wait, which read meanwhile.
        @discardableResult
        func congest(_ number: Int) async throws -> Int {
            let bytes = [UInt8](repeating: 0x61, count: 64 << 10)
            return try await congest(number) { try broadcast.send(.binary, bytes) }
        }

        /// Keeps client `number` from reading until it's reported.
        func stall(_ number: Int) async throws {
            let bytes = [UInt8](repeating: 0x61, count: 64 << 10)
            try await stall(number) { try broadcast.send(.binary, bytes) }
        }

        func stall(_ number: Int, by send: () throws -> Void) async throws {
            let deadline = monotonicNow() + nanoseconds(40 * Sanitizer.slowness)
            while !stalled.contains(number) {
                guard monotonicNow() < deadline else { throw TestFailure("client \(number) is never reported") }
                // The system may have taken all that waited.
                try await congest(number, by: send)
                await settle()
            }
        }

        @discardableResult
        func congest(_ number: Int, by send: () throws -> Void) async throws -> Int {
            try socket(number).pauseReading(because: .output)
            let client = try served(number)
            var count = 0
            while client.bufferedAmount < WebSocket.stalledAmount {
                guard count < 4096 else { throw TestFailure("256 MiB found room") }
                try send()
                try await waitUntil("the others have it") {
                    broadcast.clients.allSatisfy { $0.socket.bufferedAmount == 0 || $0.socket === client }
                }
                count += 1
            }
            return count
        }
    }

    // MARK: Messages

    @Test("each client has each message once, in their order, in batches and by themselves")
    func order() async throws {
        let fixture = try await Fixture(3)
        var sent: [String] = []
        for round in 0..<20 {
            fixture.broadcast.beginBatch()
            for number in 0..<10 {
                sent.append("\(round): \(number)")
                try fixture.send(sent[sent.count - 1])
            }
            fixture.broadcast.endBatch()
            sent.append("between")
            try fixture.send("between")
        }
        for number in 1...3 {
            try await fixture.wait(for: sent.count, at: number)
            #expect(try fixture.texts(number) == sent)
        }
    }

    @Test("a batch leaves at its end, and a client that joins or leaves meanwhile does it no harm")
    func batch() async throws {
        let fixture = try await Fixture(2)
        fixture.broadcast.beginBatch()
        try fixture.send("held")
        await settle()
        #expect(try fixture.texts(1) == [])
        let third = try await fixture.add()
        fixture.remove(2)
        try fixture.send("more")
        fixture.broadcast.endBatch()
        try await fixture.wait(for: 2, at: 1)
        try await fixture.wait(for: 1, at: third)
        try await fixture.wait(for: 1, at: 2)
        await settle()
        #expect(try fixture.texts(1) == ["held", "more"])
        #expect(try fixture.texts(2) == ["held"])
        #expect(try fixture.texts(third) == ["more"])
        // None is held back any more.
        try fixture.send("afterwards")
        try await fixture.wait(for: 3, at: 1)
        try await fixture.wait(for: 2, at: third)
    }

    @Test("who leaves, or is closing, is no longer sent to; the others are")
    func leaving() async throws {
        let fixture = try await Fixture(3)
        try fixture.send("to all")
        fixture.remove(1)
        try fixture.served(2).close()
        try fixture.send("to one")
        try await fixture.wait(for: 2, at: 3)
        await settle()
        #expect(try fixture.texts(1) == ["to all"])
        #expect(try fixture.texts(2) == ["to all"])
        #expect(try fixture.texts(3) == ["to all", "to one"])
        #expect(fixture.broadcast.clients.map(\.number).sorted() == [2, 3])
    }

    @Test("it is open while a client is, and sending to nobody is no error")
    func readyState() async throws {
        let fixture = try await Fixture()
        #expect(fixture.broadcast.isEmpty)
        #expect(fixture.broadcast.readyState == .closed)
        #expect(!fixture.broadcast.takesMessages)
        try fixture.send("to nobody")
        #expect(try fixture.broadcast.ping(nil) == [])
        try await fixture.add()
        try await fixture.add()
        #expect(fixture.broadcast.readyState == .open)
        #expect(fixture.broadcast.takesMessages)
        fixture.remove(1)
        #expect(fixture.broadcast.readyState == .open)
        try fixture.served(2).close()
        #expect(fixture.broadcast.readyState == .closed)
        #expect(!fixture.broadcast.isEmpty)
    }

    @Test("pings go to each client, and are told apart by its number; pongs and Closes go to all")
    func control() async throws {
        let fixture = try await Fixture(2)
        let own = try fixture.broadcast.ping(nil)
        let given = try fixture.broadcast.ping([7])
        #expect(own.map(\.client).sorted { ($0 ?? 0) < ($1 ?? 0) } == [1, 2])
        #expect(
            given.sorted { ($0.client ?? 0) < ($1.client ?? 0) } == [SentPing(client: 1, payload: [7]), SentPing(client: 2, payload: [7])])
        try fixture.broadcast.pong([8])
        try fixture.broadcast.close(.goingAway, reason: "enough")
        for number in 1...2 {
            let record = try fixture.record(number)
            try await waitUntil("client \(number) is closed") { record.closures.count == 1 }
            let payload = try #require(own.first { $0.client == number }?.payload)
            #expect(record.pings == [payload, [7]])
            #expect(record.pongs.map(\.payload) == [[8]])
            #expect(record.closures[0].code == .goingAway)
            #expect(record.closures[0].reason == "enough")
        }
    }

    // MARK: Fragments

    @Test("a client that joins amid a message in fragments gets nothing of it, and all of the next")
    func joinsAmidFragments() async throws {
        let fixture = try await Fixture(1)
        try fixture.sendFragment("one ", isFinal: false)
        let late = try await fixture.add()
        try fixture.sendFragment("two ", isFinal: false)
        try fixture.sendFragment("three", isFinal: true)
        try fixture.sendFragment("next ", isFinal: false)
        try fixture.sendFragment("one", isFinal: true)
        try fixture.send("whole")
        try await fixture.wait(for: 3, at: 1)
        try await fixture.wait(for: 2, at: late)
        await settle()
        #expect(try fixture.texts(1) == ["one two three", "next one", "whole"])
        #expect(try fixture.texts(late) == ["next one", "whole"])
        #expect(try fixture.record(late).errors == [])
    }

    @Test("a client that leaves amid a message in fragments takes nothing from the others")
    func leavesAmidFragments() async throws {
        let fixture = try await Fixture(2)
        try fixture.sendFragment("one ", isFinal: false)
        try fixture.socket(1).abort()
        let served = try fixture.served(1)
        try await waitUntil("client 1 is gone") { served.readyState == .closed }
        try fixture.sendFragment("two", isFinal: true)
        try await fixture.wait(for: 1, at: 2)
        #expect(try fixture.texts(2) == ["one two"])
    }

    @Test("a message in fragments that nobody is left to get ends with them: the next one is for who came since")
    func abandonedFragments() async throws {
        let fixture = try await Fixture(1)
        try fixture.sendFragment("never whole", isFinal: false)
        fixture.remove(1)
        let next = try await fixture.add()
        try fixture.sendFragment("whole ", isFinal: false)
        try fixture.sendFragment("again", isFinal: true)
        try await fixture.wait(for: 1, at: next)
        #expect(try fixture.texts(next) == ["whole again"])
    }

    // MARK: Backpressure

    @Test("one client that lags makes it congested until that one has room; the others have all of it by then")
    func congestion() async throws {
        let fixture = try await Fixture(2)
        let count = try await fixture.congest(2)
        let rooms = fixture.rooms
        try await fixture.wait(for: count, at: 1)
        await settle()
        #expect(fixture.broadcast.isCongested)
        #expect(!fixture.broadcast.takesMessages)
        #expect(fixture.rooms == rooms)
        #expect(try fixture.texts(2) == [])
        try fixture.socket(2).resumeReading(because: .output)
        try await waitUntil("there is room") { fixture.rooms > rooms }
        #expect(!fixture.broadcast.isCongested)
        try await fixture.wait(for: count, at: 2)
        #expect(try fixture.record(2).messages == fixture.record(1).messages)
    }

    @Test("room is made when the client leaves that lagged, not when another does")
    func laggardLeaves() async throws {
        let fixture = try await Fixture(2)
        try await fixture.congest(2)
        fixture.remove(1)
        #expect(fixture.broadcast.isCongested)
        let rooms = fixture.rooms
        fixture.remove(2)
        #expect(!fixture.broadcast.isCongested)
        #expect(fixture.rooms == rooms + 1)
    }

    @Test("a client that takes too little for too long is reported once")
    func stall() async throws {
        let fixture = try await Fixture(2, patience: 0.05)
        try await fixture.stall(2)
        try fixture.send("more")
        await settle()
        #expect(fixture.stalled == [2])
    }

    @Test("a client that stalls in a batch is reported too")
    func stallInBatch() async throws {
        let fixture = try await Fixture(1, patience: 0.05)
        try fixture.socket(1).pauseReading(because: .output)
        fixture.broadcast.beginBatch()
        // More than the system holds for both ends.
        for _ in 0..<256 { try fixture.send(String(repeating: "x", count: 256 << 10)) }
        fixture.broadcast.endBatch()
        #expect(fixture.broadcast.isCongested)
        try await waitUntil("the client is reported") { !fixture.stalled.isEmpty }
        #expect(fixture.stalled == [1])
    }

    @Test("a client that stalls amid a message in fragments is reported too")
    func stallAmidFragments() async throws {
        let fixture = try await Fixture(2, patience: 0.05)
        let text = String(repeating: "x", count: 64 << 10)
        try await fixture.stall(2) { try fixture.sendFragment(text, isFinal: false) }
        #expect(fixture.stalled == [2])
    }

    @Test("a client that has room again in time, or leaves, is not reported")
    func drainsInTime() async throws {
        let fixture = try await Fixture(3, patience: 1)
        let began = monotonicNow()
        try await fixture.congest(1)
        try fixture.socket(1).resumeReading(because: .output)
        try await waitUntil("there is room") { !fixture.broadcast.isCongested }
        try await fixture.congest(2)
        fixture.remove(2)
        let wasInTime = monotonicNow() - began < 1_000_000_000
        // Later than either would have been.
        try await fixture.stall(3)
        await settle()
        if wasInTime { #expect(fixture.stalled == [3]) }
    }
}
