import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketTransport

@Suite("WebSocket: backpressure", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct WebSocketFlowTests {
    @Test("reading that was paused for two reasons goes on once both are lifted; the peer has to wait meanwhile")
    func pauseReasons() async throws {
        let pair = try await SocketPair()
        pair.server.pauseReading(because: .output)
        pair.server.pauseReading(because: [.echo, .output])
        let count = try pair.client.sendUntilCongested()
        await settle()
        #expect(pair.client.isCongested)
        #expect(pair.serverRecord.messages == [])
        pair.server.resumeReading(because: .output)
        await settle()
        #expect(pair.client.isCongested)
        #expect(pair.serverRecord.messages == [])
        // It isn't paused for this.
        pair.server.resumeReading(because: .saving)
        await settle()
        #expect(pair.serverRecord.messages == [])
        pair.server.resumeReading(because: .echo)
        try await waitUntil("all have come") { pair.serverRecord.messages.count == count }
        #expect(pair.serverRecord.messages.allSatisfy { $0.bytes.count == 64 << 10 })
        #expect(pair.client.bufferedAmount == 0)
    }

    @Test("onDrain comes once after isCongested, and never if it wasn't")
    func drain() async throws {
        let pair = try await SocketPair()
        try pair.client.send([UInt8](repeating: 0, count: 1000))
        try await waitUntil("it has come") { pair.serverRecord.messages.count == 1 }
        #expect(pair.clientRecord.drains == 0)
        for round in 1...2 {
            pair.server.pauseReading(because: .output)
            try pair.client.sendUntilCongested()
            await settle()
            #expect(pair.clientRecord.drains == round - 1)
            pair.server.resumeReading(because: .output)
            try await waitUntil("there is room") { pair.clientRecord.drains == round }
            #expect(!pair.client.isCongested)
            try await waitUntil("nothing waits") { pair.client.bufferedAmount == 0 }
        }
        await settle()
        #expect(pair.clientRecord.drains == 2)
    }

    @Test("a handler that pauses gets nothing more than the batch it is in")
    func pauseWithinHandler() async throws {
        let pair = try await SocketPair()
        var received: [RecordedMessage] = []
        pair.server.onMessages = { [unowned server = pair.server] batch in
            received += batch.map { RecordedMessage($0.kind, $0.bytes) }
            server.pauseReading(because: .output)
        }
        try pair.client.send("first")
        try await waitUntil("the first has come") { received.count == 1 }
        try pair.client.send("second")
        try pair.client.close()
        await settle()
        #expect(received == [.text("first")])
        #expect(pair.serverRecord.closures == [])
        pair.server.resumeReading(because: .output)
        try await waitUntil("the second has come") { received.count == 2 }
        // The Close comes after the batch, and so after the pause.
        await settle()
        #expect(pair.serverRecord.closures == [])
        pair.server.resumeReading(because: .output)
        try await waitUntil("the server's end is closed") { pair.serverRecord.closures.count == 1 }
        #expect(pair.serverRecord.closures[0].wasClean)
    }

    @Test("what a paused socket holds is handed on after the pause, though nothing more comes")
    func heldMessages() async throws {
        let pair = try await SocketPair()
        pair.server.stream(.binary, true)
        var isFirst = true
        var parts = 0
        pair.server.onPart = { [unowned server = pair.server] _ in
            parts += 1
            if isFirst { server.pauseReading(because: .saving) }
            isFirst = false
        }
        // One segment holds both.
        pair.client.beginBatch()
        try pair.client.send([1, 2, 3])
        try pair.client.send("afterwards")
        pair.client.endBatch()
        try await waitUntil("its beginning has come") { parts > 0 }
        await settle()
        #expect(parts == 1)
        #expect(pair.serverRecord.messages == [])
        pair.server.resumeReading(because: .saving)
        try await waitUntil("the rest has come") { pair.serverRecord.messages == [.text("afterwards")] }
        #expect(parts == 3)
    }

    @Test("whenSent waits until nothing is left to be sent; a later call takes the place of one that waits")
    func whenSent() async throws {
        let pair = try await SocketPair()
        var calls: [String] = []
        pair.client.whenSent { calls.append("at once") }
        #expect(calls == ["at once"])
        pair.server.pauseReading(because: .output)
        try pair.client.sendUntilCongested()
        pair.client.whenSent { calls.append("replaced") }
        pair.client.whenSent { [unowned client = pair.client] in calls.append("sent, and \(client.bufferedAmount) wait") }
        await settle()
        #expect(calls == ["at once"])
        pair.server.resumeReading(because: .output)
        try await waitUntil("all is sent") { calls.count == 2 }
        #expect(calls == ["at once", "sent, and 0 wait"])
        try pair.client.send("once more")
        await settle()
        #expect(calls.count == 2)
    }

    @Test("whenSent is never called on a connection that ends before")
    func whenSentInVain() async throws {
        let pair = try await SocketPair()
        var isCalled = false
        pair.server.pauseReading(because: .output)
        try pair.client.sendUntilCongested()
        pair.client.whenSent { isCalled = true }
        pair.client.abort()
        pair.server.resumeReading(because: .output)
        try await waitUntil("the server's end is closed") { pair.serverRecord.closures.count == 1 }
        #expect(!isCalled)
    }

    @Test("a Close goes after what waits, and a peer that reads it all has it")
    func closeWaitsForRoom() async throws {
        var configuration = Connection.Configuration()
        configuration.closeTimeout = 60_000_000_000
        let pair = try await SocketPair(client: configuration)
        pair.server.pauseReading(because: .output)
        let count = try pair.client.sendUntilCongested()
        try pair.client.close(.goingAway)
        await settle()
        #expect(pair.client.readyState == .closing)
        pair.server.resumeReading(because: .output)
        try await waitUntil("both ends are closed") { pair.clientRecord.closures.count == 1 && pair.serverRecord.closures.count == 1 }
        #expect(pair.serverRecord.messages.count == count)
        #expect(pair.serverRecord.closures[0].code == .goingAway)
        #expect(pair.clientRecord.closures[0].wasClean)
        #expect(pair.client.unsentAmount == 0)
    }

    @Test("a socket that was paused before it opened reads nothing of what comes with the handshake")
    func pausedBeforeOpening() async throws {
        let server = try await SocketServer()
        server.onRequest = { socket, _ in
            socket.accept()
            try? socket.send("welcome")
        }
        let client = try server.makeClient()
        let record = SocketRecord(of: client)
        client.onOpen = { [unowned client] in client.pauseReading(because: .output) }
        client.connect()
        try await waitUntil("the client is open") { client.readyState == .open }
        await settle()
        #expect(record.messages == [])
        client.resumeReading(because: .output)
        try await waitUntil("the message has come") { record.messages == [.text("welcome")] }
        client.abort()
    }
}
