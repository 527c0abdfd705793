import TestSupport
import Testing
@testable import WebSocketProtocol

@testable import WebSocketTransport

@Suite("WebSocket: how it ends", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct WebSocketEndTests {
    @Test("a Close of either side has its code and reason at the other, and both know who closed", arguments: [true, false])
    func close(byClient: Bool) async throws {
        let pair = try await SocketPair()
        let (closer, closerRecord) = byClient ? (pair.client, pair.clientRecord) : (pair.server, pair.serverRecord)
        let otherRecord = byClient ? pair.serverRecord : pair.clientRecord
        try closer.send("last words")
        try closer.close(CloseCode(4001), reason: "so long")
        try closer.close(CloseCode(4002), reason: "again")
        try await waitUntil("both ends are closed") { closerRecord.closures.count > 0 && otherRecord.closures.count > 0 }
        await settle()
        #expect(otherRecord.messages == [.text("last words")])
        let sent = CloseFrame(code: CloseCode(4001), reason: "so long")
        let answer = CloseFrame(code: CloseCode(4001))
        #expect(
            closerRecord.closures == [Closure(code: CloseCode(4001), reason: "", wasClean: true, isByUs: true, sent: sent)])
        #expect(
            otherRecord.closures == [Closure(code: CloseCode(4001), reason: "so long", wasClean: true, isByUs: false, sent: answer)])
        #expect(closerRecord.errors == [])
        #expect(otherRecord.errors == [])
    }

    @Test("a Close with no code is 1005 at the other end; a code or reason that can't be sent is refused and closes nothing")
    func codes() async throws {
        let pair = try await SocketPair()
        #expect(throws: UsageError.closeCodeNotAllowed(.abnormal)) { try pair.client.close(.abnormal) }
        #expect(throws: UsageError.closeReasonTooLong(bytes: 124)) {
            try pair.client.close(.normal, reason: String(repeating: "x", count: 124))
        }
        #expect(pair.client.readyState == .open)
        try pair.client.close(nil)
        try await waitUntil("the server's end is closed") { pair.serverRecord.closures.count == 1 }
        #expect(pair.serverRecord.closures[0].code == .noStatus)
        #expect(pair.serverRecord.closures[0].wasClean)
    }

    @Test("what an aborted socket's peer has is a lost connection, with 1006 and no clean end")
    func abort() async throws {
        let pair = try await SocketPair()
        pair.server.abort()
        #expect(pair.server.readyState == .closed)
        pair.server.abort()
        try await waitUntil("the client is closed") { pair.clientRecord.closures.count > 0 }
        await settle()
        #expect(pair.serverRecord.closures.count == 1)
        #expect(pair.clientRecord.errors == [.lost(nil)])
        #expect(pair.clientRecord.closures == [Closure(code: .abnormal, reason: "", wasClean: false, isByUs: false)])
    }

    @Test("bytes that wait when the peer goes away are counted as unsent")
    func unsent() async throws {
        let pair = try await SocketPair()
        pair.server.pauseReading(because: .output)
        try pair.client.sendUntilCongested()
        #expect(pair.client.unsentAmount == 0)
        let waiting = pair.client.bufferedAmount
        pair.server.abort()
        try await waitUntil("the client is closed") { pair.clientRecord.closures.count == 1 }
        #expect(pair.client.unsentAmount > 0)
        #expect(pair.client.unsentAmount <= waiting)
        #expect(pair.clientRecord.drains == 0)
    }

    @Test("a socket that fails its peer reports why, and the peer is told in a Close")
    func fail() async throws {
        let pair = try await SocketPair()
        pair.server.fail(.policy("not here"))
        try await waitUntil("both ends are closed") { pair.clientRecord.closures.count == 1 && pair.serverRecord.closures.count == 1 }
        #expect(pair.serverRecord.errors == [.breach(.policy("not here"))])
        #expect(pair.serverRecord.closures[0].failure == .policy("not here"))
        #expect(!pair.serverRecord.closures[0].wasClean)
        #expect(pair.clientRecord.errors == [])
        #expect(pair.clientRecord.closures[0].code == .policyViolation)
        #expect(pair.clientRecord.closures[0].reason == "not here")
    }

    @Test("a message larger than the limit is a breach that both ends know of")
    func tooBig() async throws {
        var limits = Connection.Configuration()
        limits.maxMessageSize = 1000
        let pair = try await SocketPair(server: limits)
        try pair.client.send([UInt8](repeating: 0, count: 1000))
        try pair.client.send([UInt8](repeating: 0, count: 1001))
        try await waitUntil("both ends are closed") { pair.clientRecord.closures.count == 1 && pair.serverRecord.closures.count == 1 }
        #expect(pair.serverRecord.messages.map(\.bytes.count) == [1000])
        #expect(pair.serverRecord.errors == [.breach(.messageTooBig(limit: 1000))])
        #expect(pair.clientRecord.closures[0].code == .messageTooBig)
    }

    @Test("its handlers go with the end, and with them whatever they held: the socket itself too", arguments: [true, false])
    func handlersAreDropped(cleanly: Bool) async throws {
        weak var client: WebSocket?
        weak var server: WebSocket?
        try await {
            let pair = try await SocketPair()
            let (first, second) = (pair.client, pair.server)
            (client, server) = (first, second)
            for socket in [first, second] {
                socket.onPing = { _ in try? socket.send("these hold the socket") }
                socket.onBatchEnd = { _ = socket.readyState }
            }
            // Taken by the timer too.
            first.whenSent { _ = first.readyState }
            if cleanly { try first.close() } else { first.abort() }
            try await waitUntil("both ends are closed") { pair.clientRecord.closures.count == 1 && pair.serverRecord.closures.count == 1 }
            #expect(first.onMessages == nil)
            #expect(first.onClose == nil)
            #expect(second.onBatchEnd == nil)
        }()
        try await waitUntil("nobody holds the sockets") { client == nil && server == nil }
    }

    // MARK: Time

    @Test("a server drops a client that says nothing, once the time for its handshake is over")
    func handshakeTimeout() async throws {
        let server = try await SocketServer(timeout: 0.05)
        let silent = try await dial(.host("127.0.0.1", port: server.port)).get().stream
        try await waitUntil("the server's end is closed") { server.accepted.first?.record.closures.count == 1 }
        let record = server.accepted[0].record
        #expect(record.errors == [.openingTimedOut])
        #expect(record.openings == 0)
        #expect(record.closures.map(\.code) == [.abnormal])
        #expect(await silent.collect().endedCleanly)
        silent.close()
    }

    @Test("a client gives up a server that accepts it and never answers the handshake")
    func silentServer() async throws {
        let server = try await SocketServer()
        server.onRequest = { _, _ in }
        var options = DialOptions()
        options.connectTimeout = 0.1
        let handshake = try ClientHandshake(url: WebSocketURL(server.url), key: .random(), options: .init())
        let client = WebSocket(target: .host("127.0.0.1", port: server.port), handshake: handshake, dialing: options)
        let record = SocketRecord(of: client)
        client.connect()
        try await waitUntil("the client is closed") { record.closures.count == 1 }
        #expect(record.errors == [.openingTimedOut])
        #expect(record.openings == 0)
    }

    @Test("a peer whose pongs stay out longer than they may fails the connection with 1011")
    func keepAliveTimeout() async throws {
        var configuration = Connection.Configuration()
        configuration.pingInterval = 10_000_000
        configuration.pingTimeout = 50_000_000
        configuration.closeTimeout = 50_000_000
        let pair = try await SocketPair(client: configuration)
        pair.server.pauseReading(because: .output)
        try await waitUntil("the client is closed") { pair.clientRecord.closures.count == 1 }
        #expect(pair.clientRecord.errors == [.breach(.keepAliveTimeout(seconds: 0.05))])
        #expect(pair.clientRecord.closures[0].failure == .keepAliveTimeout(seconds: 0.05))
        #expect(pair.clientRecord.closures[0].sent?.code == .internalError)
        #expect(pair.clientRecord.closures[0].isByUs)
    }

    @Test("pings go out on their own, and a peer that answers them keeps its connection")
    func keepAlive() async throws {
        var configuration = Connection.Configuration()
        configuration.pingInterval = 5_000_000
        configuration.pingTimeout = 10_000_000_000
        let pair = try await SocketPair(client: configuration)
        try await waitUntil("some pongs have come") { pair.clientRecord.pongs.count >= 3 }
        #expect(pair.serverRecord.pings.count >= 3)
        #expect(pair.clientRecord.pongs.allSatisfy { $0.roundTrip != nil })
        #expect(pair.client.readyState == .open)
    }

    @Test("pongs that we don't read are not the peer's fault")
    func keepAliveWhilePaused() async throws {
        var configuration = Connection.Configuration()
        configuration.pingInterval = 20_000_000
        configuration.pingTimeout = 1_000_000_000
        let server = try await SocketServer()
        let client = try server.makeClient(configuration)
        let record = SocketRecord(of: client)
        client.onOpen = { [unowned client] in client.pauseReading(because: .output) }
        client.connect()
        // These take longer than a pong may.
        try await waitUntil("many pings have come") { server.accepted.first.map { $0.record.pings.count >= 75 } == true }
        #expect(record.pongs.count == 0)
        #expect(record.errors == [])
        client.resumeReading(because: .output)
        try await waitUntil("the pongs have come") { record.pongs.count >= 75 }
        #expect(record.errors == [])
        #expect(client.readyState == .open)
        client.abort()
    }

    @Test("a peer that doesn't answer a Close is waited for no longer than it may take")
    func closeTimeout() async throws {
        var configuration = Connection.Configuration()
        configuration.closeTimeout = 50_000_000
        let pair = try await SocketPair(client: configuration)
        pair.server.pauseReading(because: .output)
        try pair.client.close(.normal)
        try await waitUntil("the client is closed") { pair.clientRecord.closures.count == 1 }
        #expect(pair.clientRecord.closures[0].code == .abnormal)
        #expect(!pair.clientRecord.closures[0].wasClean)
        #expect(pair.clientRecord.closures[0].isByUs)
    }
}
