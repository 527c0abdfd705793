import Testing
import WebSocketProtocol
import WebSocketTransport

/// A message as it was received or sent.
public struct RecordedMessage: Equatable, Sendable, CustomStringConvertible {
    public var kind: MessageKind
    public var bytes: [UInt8]

    public init(_ kind: MessageKind, _ bytes: [UInt8]) { (self.kind, self.bytes) = (kind, bytes) }
    public init(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer) { self.init(kind, Array(bytes)) }

    public static func text(_ text: String) -> Self { Self(.text, Array(text.utf8)) }
    public static func binary(_ bytes: [UInt8]) -> Self { Self(.binary, bytes) }

    public var description: String {
        let start = bytes.prefix(40)
        let shown = kind == .text ? "\"\(String(decoding: start, as: UTF8.self))\"" : "\(Array(start))"
        return "\(kind) \(shown)" + (bytes.count > 40 ? " of \(bytes.count) bytes" : "")
    }
}

/// Everything that a socket reports, in order.
@EventLoop
public final class SocketRecord {
    public private(set) var openings = 0
    public private(set) var messages: [RecordedMessage] = []
    /// How many messages each look at the input found.
    public private(set) var batches: [Int] = []
    /// Parts of streamed messages, their beginnings and ends as `began`, `bytes` and `ended`.
    public private(set) var parts: [String] = []
    public private(set) var pings: [[UInt8]] = []
    public private(set) var pongs: [(payload: [UInt8], roundTrip: UInt64?)] = []
    public private(set) var errors: [WebSocketError] = []
    public private(set) var closures: [Closure] = []
    public private(set) var drains = 0

    /// Takes the places of the socket's handlers, except those of a server's request.
    public init(of socket: WebSocket) {
        socket.onOpen = { [self] in openings += 1 }
        socket.onMessages = { [self] batch in
            batches.append(batch.count)
            messages += batch.map { RecordedMessage($0.kind, $0.bytes) }
        }
        socket.onPart = { [self] part in
            switch part {
            case .began: parts.append("began")
            case .bytes(_, let bytes): parts.append("bytes \(String(decoding: bytes, as: UTF8.self))")
            case .ended: parts.append("ended")
            }
        }
        socket.onPing = { [self] payload in pings.append(payload.withUnsafeBytes { Array($0) }) }
        socket.onPong = { [self] payload, roundTrip in pongs.append((payload.withUnsafeBytes { Array($0) }, roundTrip)) }
        socket.onError = { [self] in errors.append($0) }
        socket.onClose = { [self] in closures.append($0) }
        socket.onDrain = { [self] in drains += 1 }
    }
}

/// Two ends of one WebSocket connection over the loopback address.
@EventLoop
public final class SocketPair {
    public let client: WebSocket
    public let server: WebSocket
    public let clientRecord: SocketRecord
    public let serverRecord: SocketRecord

    /// Opens the connection.
    ///
    /// - Parameter deflate: offered by the client, and accepted by the server.
    public init(
        client clientConfiguration: Connection.Configuration = .init(), server serverConfiguration: Connection.Configuration = .init(),
        subprotocols: [String] = [], deflate: PermessageDeflateSettings? = nil
    ) async throws {
        let server = try await SocketServer(serverConfiguration)
        server.onRequest = { socket, request in
            socket.accept(subprotocol: request.selectSubprotocol(from: subprotocols), deflate: deflate)
        }
        let client = try server.makeClient(clientConfiguration, subprotocols: subprotocols, deflate: deflate)
        self.client = client
        let clientRecord = SocketRecord(of: client)
        self.clientRecord = clientRecord
        client.connect()
        try await waitUntil("the client is open") { clientRecord.openings == 1 }
        let accepted = try #require(server.accepted.first)
        (self.server, serverRecord) = (accepted.socket, accepted.record)
        server.close()
    }

    isolated deinit {
        client.abort()
        server.abort()
    }
}

/// A listener on a port of the loopback address that makes a server's end of each connection.
@EventLoop
public final class SocketServer {
    public private(set) var accepted: [(socket: WebSocket, record: SocketRecord)] = []
    /// Answers a request.
    public var onRequest: (WebSocket, ServerHandshake) -> Void = { socket, _ in socket.accept() }
    public let port: UInt16
    private var listener: Listener?

    /// - Parameter timeout: seconds that the opening handshake may take.
    public init(_ configuration: Connection.Configuration = .init(), timeout: Double = 10) async throws {
        var accept: (ByteStream) -> Void = { _ in }
        let listener = try Listener(on: .host("127.0.0.1", port: 0)) { event in
            if case .accepted(let stream, _) = event { accept(stream) }
        }
        port = listener.addresses.first?.port ?? 0
        self.listener = listener
        accept = { [weak self] stream in self?.adopt(stream, configuration, timeout) }
    }

    private func adopt(_ stream: ByteStream, _ configuration: Connection.Configuration, _ timeout: Double) {
        let socket = WebSocket(accepted: stream, configuration: configuration)
        accepted.append((socket, SocketRecord(of: socket)))
        socket.onRequest = { [unowned self, unowned socket] in onRequest(socket, $0) }
        socket.start(timeout: timeout)
    }

    public var url: String { "ws://127.0.0.1:\(port)/" }

    /// A client of it that isn't connected yet.
    public func makeClient(
        _ configuration: Connection.Configuration = .init(), subprotocols: [String] = [], deflate: PermessageDeflateSettings? = nil
    ) throws -> WebSocket {
        var options = ClientHandshake.Options()
        options.subprotocols = subprotocols
        if let deflate { options.extensionOffers = [deflate.parameters.headerExtension] }
        let handshake = try ClientHandshake(url: WebSocketURL(url), key: .random(), options: options)
        return WebSocket(target: .host("127.0.0.1", port: port), handshake: handshake, deflate: deflate, configuration: configuration)
    }

    /// Listens no longer; connections go on.
    public func close() {
        listener?.close()
        listener = nil
    }

    isolated deinit { close() }
}

extension WebSocket {
    public func send(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try send(.binary, $0) } }

    /// Sends a part of a message.
    public func sendFragment(_ text: String, isFinal: Bool, _ kind: MessageKind = .binary) throws {
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBytes { bytes in try perform { try $0.sendFragment(kind, bytes, isFinal: isFinal) } }
    }

    /// Sends messages of 64 KiB, which the high-water mark is far above, until more wait here than the system could
    /// take by itself, since the peer reads nothing.
    ///
    /// - Returns: how many.
    @discardableResult
    public func sendUntilCongested() throws -> Int {
        let bytes = [UInt8](repeating: 0x61, count: 64 << 10)
        var count = 0
        while bufferedAmount < Self.stalledAmount {
            guard count < 4096 else { throw TestFailure("256 MiB found room, though nobody reads them") }
            try send(bytes)
            count += 1
        }
        return count
    }

    /// What waits here of a connection whose peer reads nothing, however much the system still takes; bytes.
    public nonisolated static var stalledAmount: Int { 8 << 20 }
}

extension HandshakeKey {
    public static func random() -> HandshakeKey {
        guard let key = HandshakeKey((0..<16).map { _ in UInt8.random(in: 0...255) }) else { preconditionFailure("a key has 16 bytes") }
        return key
    }
}
