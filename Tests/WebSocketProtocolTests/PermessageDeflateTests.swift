import CZlib
import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Compressed messages (RFC 7692, sections 6 and 7)")
struct PermessageDeflateTests {
    @Test("7.2.3: the RFC's examples inflate")
    func examples() {
        var client = Peer(.client, compression: CompressionSettings())
        let hello = Seen.text("Hello")
        #expect(client.receive(hex("c1 07 f2 48 cd c9 c9 07 00")) == [hello])
        #expect(client.receive(hex("c1 05 f2 00 11 00 00")) == [hello], "the second message reaches back into the first")
        #expect(client.receive(hex("41 03 f2 48 cd 80 04 c9 c9 07 00")) == [hello], "a compressed message in two fragments")
        #expect(client.receive(hex("c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00")) == [hello], "a stored block")
        #expect(client.receive(hex("c1 08 f3 48 cd c9 c9 07 00 00")) == [hello], "a final block")
        #expect(client.receive(hex("c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00")) == [hello], "two blocks")
        #expect(client.receive(hex("c1 01 00")) == [.text("")], "an empty message")
    }

    static let settings: [CompressionSettings] = {
        var all: [CompressionSettings] = []
        for bits in [8, 9, 12, 15] {
            for resets in [false, true] {
                var settings = CompressionSettings()
                settings.sendWindowBits = bits
                settings.sendResets = resets
                settings.receiveResets = resets
                settings.threshold = 0
                all.append(settings)
            }
        }
        return all
    }()

    @Test("messages survive the way there, with every window and context", arguments: settings)
    func roundTrip(_ settings: CompressionSettings) throws {
        var client = Peer(.client, compression: settings)
        var server = Peer(.server, compression: settings) { $0.inputBufferSize = 1000 }
        var random = SeededGenerator(seed: 6)
        for count in [0, 1, 5, 200, 3000, 0, 100_000] {
            let json = (0..<count / 10).map { _ in #"{"n":\#(Int.random(in: 0...9, using: &random))},"# }.joined()
            try client.send(json)
            try random.bytes(count).withUnsafeBytes { bytes in try client.connection.send(.binary, bytes) }
            let wire = client.takeWritten()
            let seen = server.receive(wire, cuts: [1, 2, 3, 500])
            #expect(seen.count == 2)
            #expect(seen.first == .text(json))
        }
    }

    @Test("a window of 256 bytes is never reached beyond")
    func smallestWindow() throws {
        var settings = CompressionSettings()
        settings.sendWindowBits = 8
        var server = Peer(.server, compression: settings)
        var inflater = try SmallInflater()
        // Repeats at every distance up to 600: a sender that used more than the window would make zlib's inflate fail. Byte by byte, for
        // zlib lets a distance reach back as far as what it has inflated in the same call.
        var random = SeededGenerator(seed: 7)
        for distance in stride(from: 200, through: 600, by: 7) {
            let part = String(random.bytes(distance).map { Character(UnicodeScalar(97 + $0 % 26)) })
            try server.send(part + part)
            // Less than 64 KiB: the length takes no more than two bytes after the first two.
            let frame = server.takeWritten()
            let payload = frame.dropFirst(frame[1] == 126 ? 4 : 2)
            #expect(inflater.inflate(payload + [0, 0, 0xff, 0xff]) == Array((part + part).utf8))
        }
    }

    @Test("a bomb costs no more than the limit, and fails with 1009")
    func bomb() throws {
        var sender = Peer(.server, compression: CompressionSettings())
        try [UInt8](repeating: 0, count: 50 << 20).withUnsafeBytes { try sender.connection.send(.binary, $0) }
        let bomb = sender.takeWritten()
        #expect(bomb.count < 100_000)
        var client = Peer(.client, compression: CompressionSettings()) { $0.maxMessageSize = 1 << 20 }
        #expect(client.receive(bomb) == [.failed(.messageTooBig(limit: 1 << 20))])
        #expect(client.connection.assembler.held.capacity == 0)
    }

    @Test("a message of just the limit inflates, one byte more doesn't")
    func limit() throws {
        for (count, passes) in [(100_000, true), (100_001, false)] {
            var sender = Peer(.server, compression: CompressionSettings())
            try [UInt8](repeating: 7, count: count).withUnsafeBytes { try sender.connection.send(.binary, $0) }
            var client = Peer(.client, compression: CompressionSettings()) { $0.maxMessageSize = 100_000 }
            let seen = client.receive(sender.takeWritten())
            #expect(
                passes ? seen == [.message(.binary, .init(repeating: 7, count: count))] : seen == [.failed(.messageTooBig(limit: 100_000))])
        }
    }

    @Test("a streamed message is inflated piece by piece")
    func streamed() throws {
        var sender = Peer(.server, compression: CompressionSettings())
        var random = SeededGenerator(seed: 8)
        let payload = random.bytes(1000) + [UInt8](repeating: 1, count: 1 << 20) + random.bytes(1000)
        try payload.withUnsafeBytes { try sender.connection.send(.binary, $0) }
        var client = Peer(.client, compression: CompressionSettings()) { $0.maxMessageSize = 10 }
        client.connection.streamsBinary = true
        let seen = client.receive(sender.takeWritten(), cuts: [100])
        #expect(seen.first == .began(.binary))
        #expect(seen.last == .ended(.binary))
        #expect(seen.flatMap { seen -> [UInt8] in if case .part(let bytes) = seen { bytes } else { [] } } == payload)
    }

    @Test("8.1 of RFC 6455 holds for inflated text: it fails at its first bad byte, before the message ends")
    func invalidText() throws {
        var sender = Peer(.server, compression: CompressionSettings())
        try sender.connection.sendFragment(.text, UnsafeRawBufferPointer(start: nil, count: 0), isFinal: false)
        try [UInt8]([0x61, 0xFF]).withUnsafeBytes { try sender.connection.sendFragment(.text, $0, isFinal: false) }
        var client = Peer(.client, compression: CompressionSettings())
        #expect(client.receive(sender.takeWritten()) == [.failed(.invalidText(offset: 1))])
    }

    @Test("corrupt data fails the connection with 1007", arguments: ["ff ff ff", "06 00", "f2 48 cd c9 ff ff ff"])
    func corrupt(_ data: String) {
        var client = Peer(.client, compression: CompressionSettings())
        _ = client.receive(frame(1, hex(data), rsv: 0b100))
        #expect(client.connection.failure?.closeCode == .invalidPayload)
    }

    @Test("6.1: RSV1 on a continuation or a control frame fails the connection")
    func reserved() {
        var client = Peer(.client, compression: CompressionSettings())
        #expect(client.receive(hex("41 03 f2 48 cd c0 04 c9 c9 07 00")) == [.failed(.compressedContinuation)])
        var other = Peer(.client, compression: CompressionSettings())
        #expect(other.receive(frame(9, rsv: 0b100)) == [.failed(.reservedBits(0b100))])
    }

    @Test("7.2.1: messages below the threshold go as they are, and such messages are taken in between")
    func threshold() throws {
        var client = Peer(.client, compression: CompressionSettings())
        try client.send("short")
        #expect(client.takeWritten()[0] == 0x81)
        try client.send(String(repeating: "long ", count: 100))
        let wire = client.takeWritten()
        #expect(wire[0] == 0xC1)
        var server = Peer(.server, compression: CompressionSettings())
        #expect(server.receive(text("a", masked: true) + wire) == [.text("a"), .text(String(repeating: "long ", count: 100))])
    }

    @Test("a message sent in fragments is one compressed message", arguments: settings)
    func fragments(_ settings: CompressionSettings) throws {
        var client = Peer(.client, compression: settings)
        var server = Peer(.server, compression: settings)
        for _ in 0..<3 {
            for (index, part) in ["one ", "", "two two two ", ""].enumerated() {
                try Array(part.utf8).withUnsafeBytes { try client.connection.sendFragment(.text, $0, isFinal: index == 3) }
            }
            #expect(server.receive(client.takeWritten()) == [.text("one two two two ")])
        }
    }
}

/// Inflates with a window of 256 bytes, byte by byte.
private struct SmallInflater: ~Copyable {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init() throws {
        stream.initialize(to: z_stream())
        try #require(wsline_inflateInit2(stream, -8) == Z_OK)
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    mutating func inflate(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1024)
        for var byte in bytes {
            withUnsafeMutablePointer(to: &byte) { input in
                room.withUnsafeMutableBufferPointer { buffer in
                    (stream.pointee.next_in, stream.pointee.avail_in) = (input, 1)
                    (stream.pointee.next_out, stream.pointee.avail_out) = (buffer.baseAddress, UInt32(buffer.count))
                    #expect([Z_OK, Z_BUF_ERROR].contains(CZlib.inflate(stream, Z_SYNC_FLUSH)))
                    output += buffer.dropLast(Int(stream.pointee.avail_out))
                }
            }
        }
        return output
    }
}
