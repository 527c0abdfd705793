import TestSupport
import Testing
import WebSocketProtocol

@testable import WebSocketTransport

/// Both ends of a connection over a loopback listener.
@Suite("WebSocket: its life, messages and pings", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct WebSocketTests {
    // MARK: States

    @Test("readyState goes from connecting through open and closing to closed, at both ends")
    func readyState() async throws {
        let server = try await SocketServer()
        let client = try server.makeClient()
        let record = SocketRecord(of: client)
        server.onRequest = { socket, _ in
            #expect(socket.readyState == .connecting)
            socket.accept()
            #expect(socket.readyState == .open)
        }
        #expect(client.readyState == .connecting)
        client.connect()
        #expect(client.readyState == .connecting)
        try await waitUntil("the server has a connection") { server.accepted.count == 1 }
        let accepted = server.accepted[0]
        try await waitUntil("both are open") { record.openings == 1 && accepted.record.openings == 1 }
        #expect(client.readyState == .open)
        #expect(accepted.socket.readyState == .open)
        try client.close()
        #expect(client.readyState == .closing)
        try await waitUntil("both are closed") { record.closures.count == 1 && accepted.record.closures.count == 1 }
        #expect(client.readyState == .closed)
        #expect(accepted.socket.readyState == .closed)
    }

    @Test("nothing can be sent before a connection is open, while it closes, and once it is closed")
    func notOpen() async throws {
        let server = try await SocketServer()
        let client = try server.makeClient()
        let record = SocketRecord(of: client)
        func expectRefused(in state: ReadyState, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(throws: UsageError.notOpen(state), sourceLocation: sourceLocation) { try client.send("x") }
            #expect(throws: UsageError.notOpen(state), sourceLocation: sourceLocation) { try client.ping([]) }
            #expect(throws: UsageError.notOpen(state), sourceLocation: sourceLocation) { try client.pong() }
        }
        expectRefused(in: .connecting)
        client.connect()
        expectRefused(in: .connecting)
        try await waitUntil("the client is open") { record.openings == 1 }
        try client.send("only this")
        try client.close()
        expectRefused(in: .closing)
        try await waitUntil("the client is closed") { record.closures.count == 1 }
        expectRefused(in: .closed)
        #expect(server.accepted[0].record.messages == [.text("only this")])
    }

    @Test("a client that closes while connecting is closed at once, with no error")
    func closeWhileConnecting() async throws {
        let server = try await SocketServer()
        let client = try server.makeClient()
        let record = SocketRecord(of: client)
        client.connect()
        try client.close()
        #expect(client.readyState == .closed)
        await settle()
        #expect(record.openings == 0)
        #expect(record.errors == [])
        #expect(record.closures.map(\.code) == [.abnormal])
    }

    @Test("a port where nobody listens is an error of the transport, then the end")
    func refusedPort() async throws {
        let server = try await SocketServer()
        let client = try server.makeClient()
        server.close()
        let record = SocketRecord(of: client)
        client.connect()
        try await waitUntil("the client is closed") { record.closures.count == 1 }
        guard case .transport(let error) = try #require(record.errors.first) else { throw TestFailure("\(record.errors)") }
        #expect(error.kind == .refused)
        #expect(record.errors.count == 1)
        #expect(record.openings == 0)
        #expect(!record.closures[0].wasClean)
    }

    @Test("a handshake that the server rejects is an error with its status, headers and body, and the connection never opens")
    func reject() async throws {
        let server = try await SocketServer()
        let why = try HTTPHeaders.Field(name: "X-Why", value: "no entry")
        server.onRequest = { socket, request in
            #expect(request.request.target == "/")
            socket.reject(status: 403, reason: "Forbidden", headers: [why], body: "not today")
        }
        let client = try server.makeClient()
        let record = SocketRecord(of: client)
        client.connect()
        try await waitUntil("the client is closed") { record.closures.count == 1 }
        guard case .refused(let refusal) = try #require(record.errors.first) else { throw TestFailure("\(record.errors)") }
        #expect(record.errors.count == 1)
        #expect(refusal.response?.status == 403)
        #expect(refusal.response?.headers["X-Why"] == "no entry")
        #expect(refusal.body == Array("not today".utf8))
        #expect(record.openings == 0)
        #expect(client.readyState == .closed)
        #expect(!record.closures[0].wasClean)
        try await waitUntil("the server's end is over") { server.accepted[0].record.closures.count == 1 }
        #expect(server.accepted[0].record.openings == 0)
        #expect(server.accepted[0].record.errors == [])
    }

    @Test("what was agreed on is known at both ends")
    func agreement() async throws {
        let pair = try await SocketPair(subprotocols: ["chat", "superchat"], deflate: PermessageDeflateSettings())
        for socket in [pair.client, pair.server] {
            #expect(socket.subprotocol == "chat")
            #expect(socket.extensions.map(\.name) == ["permessage-deflate"])
        }
        let text = String(repeating: "again and ", count: 1000)
        try pair.client.send(text)
        try await waitUntil("it has come") { pair.serverRecord.messages.count == 1 }
        #expect(pair.serverRecord.messages == [.text(text)])
        #expect(pair.server.statistics.wireBytesReceived < 1000)
        #expect(pair.server.statistics.bytesReceived == 10_000)
    }

    // MARK: Messages

    @Test("messages go both ways in their order, as text and as binary, from none to a mebibyte of bytes")
    func messages() async throws {
        let pair = try await SocketPair()
        let large = await noise(1 << 20)
        let sent: [RecordedMessage] = [
            .text("hello"), .text(""), .binary([]), .binary([0, 255]), .text(String(repeating: "é", count: 1 << 19)), .binary(large),
            .text("end"),
        ]
        for socket in [pair.client, pair.server] {
            for message in sent { try message.bytes.withUnsafeBytes { try socket.send(message.kind, $0) } }
        }
        try await waitUntil("all have come") {
            pair.serverRecord.messages.count == sent.count && pair.clientRecord.messages.count == sent.count
        }
        #expect(pair.serverRecord.messages == sent)
        #expect(pair.clientRecord.messages == sent)
        let bytes = UInt64(sent.reduce(0) { $0 + $1.bytes.count })
        for socket in [pair.client, pair.server] {
            let statistics = socket.statistics
            #expect(statistics.messagesSent == UInt64(sent.count))
            #expect(statistics.messagesReceived == UInt64(sent.count))
            #expect(statistics.bytesSent == bytes)
            #expect(statistics.bytesReceived == bytes)
        }
        #expect(pair.client.statistics.wireBytesSent == pair.server.statistics.wireBytesReceived)
    }

    @Test("onMessage has the messages one by one where nobody asks for batches")
    func oneByOne() async throws {
        let pair = try await SocketPair()
        var received: [RecordedMessage] = []
        pair.server.onMessages = nil
        pair.server.onMessage = { kind, payload in received.append(payload.withUnsafeBytes { RecordedMessage(kind, $0) }) }
        pair.client.beginBatch()
        for number in 1...3 { try pair.client.send("\(number)") }
        pair.client.endBatch()
        try await waitUntil("all have come") { received.count == 3 }
        #expect(received == [.text("1"), .text("2"), .text("3")])
    }

    @Test("a batch is held back until its end, and a batch within it too, then leaves in one piece")
    func batch() async throws {
        let pair = try await SocketPair()
        pair.client.beginBatch()
        for number in 0..<100 { try pair.client.send("message \(number)") }
        pair.client.beginBatch()
        try pair.client.send("of the inner batch")
        pair.client.endBatch()
        let held = pair.client.bufferedAmount
        // Masked frames of fewer than 126 bytes have headers of six.
        let payloads = (0..<100).reduce(0) { $0 + "message \($1)".utf8.count } + "of the inner batch".utf8.count
        #expect(held == payloads + 101 * 6)
        await settle()
        #expect(pair.client.bufferedAmount == held)
        #expect(pair.serverRecord.messages == [])
        pair.client.endBatch()
        #expect(pair.client.bufferedAmount == 0)
        try await waitUntil("all have come") { pair.serverRecord.messages.count == 101 }
        #expect(pair.serverRecord.batches == [101])
        #expect(pair.client.statistics.messagesSent == 101)
    }

    @Test("incompleteMessage changes as more of a message comes, and is nil once it is whole")
    func incompleteMessage() async throws {
        let pair = try await SocketPair()
        #expect(pair.server.incompleteMessage == nil)
        try pair.client.sendFragment("one", isFinal: false)
        try await waitUntil("its beginning has come") { pair.server.incompleteMessage != nil }
        let first = pair.server.incompleteMessage
        try pair.client.sendFragment("two", isFinal: false)
        try await waitUntil("more has come") { pair.server.incompleteMessage != first }
        #expect(pair.server.incompleteMessage != nil)
        #expect(pair.serverRecord.messages == [])
        try pair.client.sendFragment("three", isFinal: true)
        try await waitUntil("it is whole") { pair.serverRecord.messages.count == 1 }
        #expect(pair.serverRecord.messages == [.binary(Array("onetwothree".utf8))])
        #expect(pair.server.incompleteMessage == nil)
    }

    @Test("streamed binary messages are handed on in parts as they come, texts whole all the same")
    func stream() async throws {
        let pair = try await SocketPair()
        pair.server.stream(.binary, true)
        try pair.client.sendFragment("one", isFinal: false)
        try await waitUntil("its beginning has come") { pair.serverRecord.parts == ["began", "bytes one"] }
        try pair.client.sendFragment("two", isFinal: true)
        try pair.client.send("a text")
        try await waitUntil("the text has come") { pair.serverRecord.messages.count == 1 }
        #expect(pair.serverRecord.parts == ["began", "bytes one", "bytes two", "ended"])
        #expect(pair.serverRecord.messages == [.text("a text")])
    }

    @Test("streaming that begins or ends within a message counts from the next one on")
    func streamFromTheNextOn() async throws {
        let pair = try await SocketPair()
        try pair.client.sendFragment("wh", isFinal: false)
        try await waitUntil("its beginning has come") { pair.server.incompleteMessage != nil }
        pair.server.stream(.binary, true)
        try pair.client.sendFragment("ole", isFinal: true)
        try pair.client.sendFragment("parts", isFinal: false)
        try await waitUntil("a part has come") { pair.serverRecord.parts.count == 2 }
        pair.server.stream(.binary, false)
        try pair.client.sendFragment(" of it", isFinal: true)
        try pair.client.send([1])
        try await waitUntil("the last has come") { pair.serverRecord.messages.count == 2 }
        #expect(pair.serverRecord.messages == [.binary(Array("whole".utf8)), .binary([1])])
        #expect(pair.serverRecord.parts == ["began", "bytes parts", "bytes  of it", "ended"])
    }

    // MARK: Pings

    @Test("a ping is reported and answered with its payload, and the pong tells how long it took")
    func ping() async throws {
        let pair = try await SocketPair()
        try pair.client.ping([1, 2, 3])
        try pair.server.ping([])
        try await waitUntil("both pongs have come") { pair.clientRecord.pongs.count == 1 && pair.serverRecord.pongs.count == 1 }
        #expect(pair.serverRecord.pings == [[1, 2, 3]])
        #expect(pair.clientRecord.pings == [[]])
        let pong = pair.clientRecord.pongs[0]
        #expect(pong.payload == [1, 2, 3])
        #expect(try #require(pong.roundTrip) > 0)
        #expect(pair.serverRecord.pongs[0].payload == [])
    }

    @Test("a pong that answers no ping is reported with no round trip")
    func unsolicitedPong() async throws {
        let pair = try await SocketPair()
        try pair.client.pong([9])
        try await waitUntil("it has come") { pair.serverRecord.pongs.count == 1 }
        #expect(pair.serverRecord.pongs[0].payload == [9])
        #expect(pair.serverRecord.pongs[0].roundTrip == nil)
    }

    @Test("pings with payloads of our own can be told apart; one of more than 125 bytes is refused")
    func pingPayloads() async throws {
        let pair = try await SocketPair()
        let payloads = (0..<3).map { _ in pair.client.nextPingPayload() }
        #expect(Set(payloads).count == 3)
        try pair.client.ping([UInt8](repeating: 0, count: 125))
        #expect(throws: UsageError.controlPayloadTooLong(bytes: 126)) { try pair.client.ping([UInt8](repeating: 0, count: 126)) }
        try await waitUntil("the pong has come") { pair.clientRecord.pongs.count == 1 }
        #expect(pair.serverRecord.pings.map(\.count) == [125])
    }
}
