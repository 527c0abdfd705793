import TestSupport

@testable import WebSocketProtocol

/// An event of a connection with what it borrowed, so that it can be compared.
enum Seen: Equatable {
    case message(MessageKind, [UInt8])
    case began(MessageKind)
    case part([UInt8])
    case ended(MessageKind)
    case ping([UInt8])
    case pong([UInt8])
    case closing(CloseFrame)
    case failed(ProtocolError)
    case opened
    case refused
    case openingTimedOut
    case requested

    static func text(_ text: String) -> Seen { .message(.text, Array(text.utf8)) }
}

/// A connection under test, with its time in the test's hands and its masks known.
struct Peer: ~Copyable {
    var connection: Connection
    var now: Instant = 0
    /// All that the connection wrote.
    private(set) var written: [UInt8] = []

    static let mask: UInt32 = 0x0403_0201

    /// A connection behind its handshake.
    init(
        _ role: Role, compression: CompressionSettings? = nil, configure: (inout Connection.Configuration) -> Void = { _ in }
    ) {
        var configuration = Connection.Configuration()
        configure(&configuration)
        connection = Connection(role: role, opening: .none, configuration: configuration, random: Self.knownRandom)
        connection.open(compression: compression)
    }

    init(_ connection: consuming Connection) { self.connection = connection }

    static func knownRandom(_ bytes: UnsafeMutableRawBufferPointer) {
        for index in bytes.indices { bytes[index] = UInt8(index % 4 + 1) }
    }

    /// Feeds `bytes` in pieces of the given sizes (the last one repeats); gives all events.
    mutating func receive(_ bytes: [UInt8], cuts: [Int] = [.max]) -> [Seen] {
        var seen: [Seen] = []
        var position = 0
        var cut = 0
        repeat {
            let room = connection.inputBuffer()
            let count = min(cuts[min(cut, cuts.count - 1)], bytes.count - position, room.count)
            room.copyBytes(from: bytes[position..<(position + count)])
            connection.received(count, at: now)
            position += count
            cut += 1
            drain(into: &seen)
        } while position < bytes.count
        flush()
        return seen
    }

    mutating func tick(at now: Instant) -> Connection.Event {
        self.now = now
        defer { flush() }
        return connection.tick(at: now)
    }

    /// Takes what the connection wants to write.
    mutating func flush() {
        while connection.outputCount > 0 {
            let bytes = connection.withOutput { Array($0) }
            written += bytes
            connection.sent(bytes.count, at: now)
        }
    }

    /// What was written since the last call.
    mutating func takeWritten() -> [UInt8] {
        flush()
        defer { written = [] }
        return written
    }

    private mutating func drain(into seen: inout [Seen]) {
        while true {
            let event = connection.next()
            let payload = Array(connection.payloadBytes)
            switch event {
            case .needsInput: return
            case .opened: seen.append(.opened)
            case .refused: seen.append(.refused)
            case .openingTimedOut: seen.append(.openingTimedOut)
            case .requested: seen.append(.requested)
            case .messages: for message in connection.messages { seen.append(.message(message.kind, Array(message.bytes))) }
            case .messageBegan(let kind): seen.append(.began(kind))
            case .messagePart: seen.append(.part(payload))
            case .messageEnded(let kind): seen.append(.ended(kind))
            case .ping: seen.append(.ping(payload))
            case .pong: seen.append(.pong(payload))
            case .closing: seen.append(.closing(connection.peerClose ?? CloseFrame(code: nil)))
            case .failed:
                if let failure = connection.failure { seen.append(.failed(failure)) }
            }
        }
    }
}

/// A frame as its sender writes it, valid or not.
func frame(
    _ opcode: UInt8, _ payload: [UInt8] = [], fin: Bool = true, rsv: UInt8 = 0, masked: Bool = false, length: LengthForm = .shortest
) -> [UInt8] {
    var bytes = [(fin ? 0x80 : 0) | rsv << 4 | opcode]
    let bit: UInt8 = masked ? 0x80 : 0
    let count = UInt64(payload.count)
    let form = length == .shortest ? (count < 126 ? .short : count < 65536 ? .medium : .long) : length
    switch form {
    case .shortest, .short: bytes.append(bit | UInt8(count))
    case .medium: bytes += [bit | 126, UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
    case .long: bytes += [bit | 127] + (0..<8).map { UInt8(count >> (56 - 8 * UInt64($0)) & 0xFF) }
    case .announced(let length): bytes += [bit | 127] + (0..<8).map { UInt8(length >> (56 - 8 * UInt64($0)) & 0xFF) }
    }
    guard masked else { return bytes + payload }
    let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
}

enum LengthForm: Equatable {
    case shortest, short, medium, long
    case announced(UInt64)
}

func text(_ text: String, fin: Bool = true, masked: Bool = false) -> [UInt8] { frame(1, Array(text.utf8), fin: fin, masked: masked) }
