import CPosix

@testable import WebSocketProtocol

/// Ends the run as a finding. An optimised `precondition` would trap without its message.
func fail(_ message: String) -> Never {
    var text = "FINDING: \(message)\n"
    text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    abort()
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fail(message()) }
}

func requireEqual<T: Equatable>(_ left: T, _ right: T, _ what: @autoclosure () -> String) {
    if left != right { fail("\(what()): \(left) is not \(right)") }
}

/// What a person reads holds nothing that drives a terminal, and is no flood.
func requireClean(_ text: String, _ what: String, limit: Int = 10_000) {
    let isClean = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    require(isClean && text.utf8.count < limit, "\(what) drives the terminal, or floods it: \(text.debugDescription)")
}

/// Where an input is cut into reads: the same for the same bytes, so that a finding can be run again.
struct Cuts {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    init(of bytes: UnsafeRawBufferPointer) {
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// `bytes` in pieces, the last of them not longer than what is left.
    static func pieces(of bytes: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        var cuts = Cuts(of: bytes)
        var pieces: [UnsafeRawBufferPointer] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(max(1, cuts.size()))
            pieces.append(UnsafeRawBufferPointer(rebasing: piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }

    /// Mostly short, so that headers are cut too.
    mutating func size() -> Int {
        let random = next()
        return random & 3 == 0 ? Int(random >> 8 & 0x1FF) : Int(random >> 8 & 7)
    }
}

/// What a connection told, in terms that don't depend on cuts and streaming.
enum Note: Equatable {
    case opened, refused, requested
    case message(MessageKind, [UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case closing(CloseFrame)
    case failed(ProtocolError)
}

/// Feeds a connection, takes its events, and holds them against what is promised of them.
struct Watched: ~Copyable {
    var connection: Connection
    private(set) var notes: [Note] = []
    private(set) var written: [UInt8] = []
    private var streamed: (kind: MessageKind, bytes: [UInt8])?
    private let limit: Int

    init(_ connection: consuming Connection, limit: Int) {
        self.connection = connection
        self.limit = limit
    }

    /// A connection behind its handshake.
    init(_ role: Role, compression: CompressionSettings? = nil, limit: Int, streams: Bool) {
        var configuration = Connection.Configuration()
        configuration.maxMessageSize = UInt64(limit)
        configuration.maxStreamedMessageSize = UInt64(limit)
        // Small, so that messages take the direct way into their own memory too.
        configuration.inputBufferSize = 256
        self.init(Connection(role: role, opening: .none, configuration: configuration, random: Self.knownRandom), limit: limit)
        connection.open(compression: compression)
        connection.streamsText = streams
        connection.streamsBinary = streams
    }

    static func knownRandom(_ bytes: UnsafeMutableRawBufferPointer) {
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 37 &+ 11) }
    }

    /// Feeds all of `bytes`, in the largest pieces that fit or in `cuts`.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, cuts: Cuts?) {
        var cuts = cuts
        var rest = bytes[...]
        while !rest.isEmpty {
            let room = connection.inputBuffer()
            require(!room.isEmpty, "there is no room to read into")
            let count = min(room.count, rest.count, cuts?.size() ?? .max)
            room.copyBytes(from: rest.prefix(count))
            rest = rest.dropFirst(count)
            connection.received(count, at: 0)
            drain()
            checkMemory()
        }
    }

    mutating func drain() {
        while true {
            let event = connection.next()
            let payload = Array(connection.payloadBytes)
            take(event, payload)
            flush()
            if event == .needsInput { return }
        }
    }

    private mutating func take(_ event: Connection.Event, _ payload: [UInt8]) {
        if case .closing = notes.last, event != .needsInput { fail("\(event) comes behind a Close") }
        if case .failed = notes.last, event != .needsInput { fail("\(event) comes behind a failure") }
        switch event {
        case .needsInput: break
        case .opened: notes.append(.opened)
        case .refused: notes.append(.refused)
        case .openingTimedOut: fail("a time-out with no limit set")
        case .requested: notes.append(.requested)
        case .messages: for message in connection.messages { takeMessage(message.kind, Array(message.bytes)) }
        case .messageBegan(let kind):
            require(streamed == nil, "a message begins within another")
            streamed = (kind, [])
        case .messagePart(let kind):
            require(streamed?.kind == kind && !payload.isEmpty, "a part of nothing, or an empty one")
            streamed?.bytes += payload
            require((streamed?.bytes.count ?? 0) <= limit, "a streamed message is past the limit of \(limit)")
        case .messageEnded(let kind):
            guard let message = streamed, message.kind == kind else { fail("a message ends that did not begin") }
            streamed = nil
            takeMessage(kind, message.bytes)
        case .ping: notes.append(.ping(payload))
        case .pong: notes.append(.pong(payload))
        case .closing:
            guard let close = connection.peerClose else { fail("a Close without its frame") }
            notes.append(.closing(close))
        case .failed:
            guard let failure = connection.failure else { fail("a failure without its error") }
            require(!failure.description.isEmpty && failure.closeReason.utf8.count <= 123, "a failure without a fit reason")
            notes.append(.failed(failure))
        }
    }

    private mutating func takeMessage(_ kind: MessageKind, _ bytes: [UInt8]) {
        require(bytes.count <= limit, "a message of \(bytes.count) bytes is past the limit of \(limit)")
        if kind == .text { require(String(validating: bytes, as: UTF8.self) != nil, "a text message isn't UTF-8") }
        notes.append(.message(kind, bytes))
    }

    private mutating func flush() {
        while connection.outputCount > 0 {
            connection.withOutput { written += $0 }
            connection.sent(connection.outputCount, at: 0)
        }
    }

    private func checkMemory() {
        let most = 4 * (limit + connection.configuration.inputBufferSize + Connection.inflatePiece)
        let held = connection.assembler.held.capacity + connection.inflated.capacity + connection.input.capacity
        require(held <= most, "\(held) bytes are held for messages of at most \(limit)")
    }

    /// What was written has to be frames that the other side takes: the pings' answers in their order, at most one Close, nothing behind it.
    mutating func checkOutput() {
        var other = Watched(connection.role == .client ? .server : .client, limit: limit, streams: false)
        written.withUnsafeBytes { other.receive($0, cuts: nil) }
        let pings = notes.compactMap { if case .ping(let bytes) = $0 { bytes } else { nil } }
        var pongs: [[UInt8]] = []
        for note in other.notes {
            switch note {
            case .pong(let bytes): pongs.append(bytes)
            case .closing(let close): requireEqual(close, connection.sentClose, "the Close on the wire")
            default: fail("we wrote what the other side takes for \(note)")
            }
        }
        requireEqual(pongs, pings, "the answers to pings")
        if connection.peerClose != nil || connection.failure != nil { require(connection.sentClose != nil, "no Close was sent") }
    }
}
