import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Sending frames (RFC 6455, sections 5 and 6.1)")
struct SendingTests {
    @Test("5.1 and 5.3: each frame of a client is masked with four bytes of its own from the random source")
    func freshMasks() throws {
        // Random bytes that never repeat: 0, 1, 2, … as 32-bit words.
        let counter = Counter()
        var client = Peer(Connection(role: .client, opening: .none, configuration: .init(), random: counter.fill))
        client.connection.open(compression: nil)
        try client.send("a")
        try client.ping([])
        try client.connection.pong([])
        #expect(client.takeWritten() == hex("81 81 00000000 61  89 80 01000000  8a 80 02000000"))
        // More than are drawn at once.
        for word in UInt32(3)..<3000 {
            try client.ping([])
            #expect(client.takeWritten() == [0x89, 0x80] + withUnsafeBytes(of: word.littleEndian) { Array($0) })
        }
        try client.close(.normal)
        #expect(client.takeWritten() == hex("88 82 b80b0000 bbe3"))
    }

    @Test("5.1: a server's frames aren't masked")
    func unmasked() throws {
        var server = Peer(.server)
        try server.send("Hello")
        try server.ping(Array("?".utf8))
        try server.close(.goingAway, "bye")
        #expect(server.takeWritten() == hex("81 05 48656c6c6f  89 01 3f  88 05 03e9 627965"))
    }

    @Test(
        "5.2: a length is written in its shortest form",
        arguments: [
            (0, "82 00"), (1, "82 01"), (125, "82 7d"), (126, "82 7e 007e"), (65535, "82 7e ffff"), (65536, "82 7f 0000000000010000"),
        ])
    func shortestLength(_ count: Int, _ header: String) throws {
        var server = Peer(.server)
        try [UInt8](repeating: 5, count: count).withUnsafeBytes { try server.connection.send(.binary, $0) }
        let expected = hex(header)
        let written = server.takeWritten()
        #expect(Array(written.prefix(expected.count)) == expected)
        #expect(written.count == expected.count + count)
    }

    @Test("5.4: fragments carry the opcode first and FIN last; control frames may come between them, another message may not")
    func fragments() throws {
        var server = Peer(.server)
        try server.fragment(.text, "He", isFinal: false)
        try server.ping([])
        #expect(throws: UsageError.messageUnfinished) { try server.send("other") }
        #expect(throws: UsageError.messageUnfinished) { try server.fragment(.binary, "x", isFinal: true) }
        try server.fragment(.text, "", isFinal: false)
        try server.fragment(.text, "llo", isFinal: true)
        #expect(server.takeWritten() == hex("01 02 4865  89 00  00 00  80 03 6c6c6f"))
        try server.send("other")
        #expect(server.takeWritten() == hex("81 05 6f74686572"))
    }

    @Test("6.1: nothing can be sent before the connection is open, nor once it has failed")
    func notOpen() throws {
        var client = try OpeningTests.client()
        _ = client.takeWritten()
        #expect(throws: UsageError.notOpen(.connecting)) { try client.send("early") }
        #expect(throws: UsageError.notOpen(.connecting)) { try client.ping([]) }
        #expect(client.takeWritten() == [])
        var failed = Peer(.client)
        _ = failed.receive(frame(3))
        _ = failed.takeWritten()
        #expect(throws: UsageError.notOpen(.closing)) { try failed.send("late") }
        #expect(failed.takeWritten() == [])
    }

    @Test("5.5.1: one Close is sent, however often closing is asked for, and no fragment behind it")
    func oneClose() throws {
        var server = Peer(.server)
        try server.fragment(.text, "half", isFinal: false)
        _ = server.takeWritten()
        try server.close(.goingAway)
        try server.close(.normal)
        #expect(server.takeWritten() == hex("88 02 03e9"))
        #expect(throws: UsageError.notOpen(.closing)) { try server.fragment(.text, "rest", isFinal: true) }
        #expect(server.receive(frame(8, hex("03 e9"), masked: true)) == [.closing(CloseFrame(code: .goingAway))])
        #expect(server.takeWritten() == [])
    }

    @Test(
        "7.4.1: each failure has the code that the RFC gives it",
        arguments: [
            (ProtocolError.reservedOpcode(3), 1002), (.unmaskedFromClient, 1002), (.closePayloadOfOneByte, 1002),
            (.closeCodeNotAllowed(999), 1002), (.invalidText(offset: 0), 1007), (.truncatedText, 1007), (.closeReasonNotText, 1007),
            (.invalidCompressedData("x"), 1007), (.policy("x"), 1008), (.messageTooBig(limit: 1), 1009),
            (.keepAliveTimeout(seconds: 1), 1011),
        ] as [(ProtocolError, UInt16)])
    func failureCodes(_ error: ProtocolError, _ code: UInt16) {
        var server = Peer(.server)
        server.connection.fail(error, at: 0)
        let written = server.takeWritten()
        #expect(Array(written.prefix(1) + written.dropFirst(2).prefix(2)) == [0x88, UInt8(code >> 8), UInt8(code & 0xFF)])
    }

    @Test("RFC 7692, 6 and 6.1: RSV1 marks the first fragment of a compressed message alone; control frames are never compressed")
    func compressedFragments() throws {
        var settings = CompressionSettings()
        settings.threshold = 0
        var server = Peer(.server, compression: settings)
        try server.fragment(.text, "aaaaaaaaaaaaaaaa", isFinal: false)
        #expect(server.takeWritten().first == 0x41)
        try server.ping([UInt8](repeating: 0x61, count: 100))
        #expect(server.takeWritten() == frame(9, [UInt8](repeating: 0x61, count: 100)))
        try server.fragment(.text, "aaaaaaaaaaaaaaaa", isFinal: false)
        #expect(server.takeWritten().first == 0x00)
        try server.fragment(.text, "", isFinal: true)
        #expect(server.takeWritten().first == 0x80)
        try server.close(.normal)
        #expect(server.takeWritten() == hex("88 02 03e8"))
    }

    @Test("RFC 7692, 7.2.1: the empty block's four bytes are stripped from each message; an empty one is a single zero byte (7.2.3.6)")
    func strippedTail() throws {
        var settings = CompressionSettings()
        settings.threshold = 0
        var server = Peer(.server, compression: settings)
        try server.send("Hello")
        #expect(server.takeWritten() == hex("c1 07 f248cdc9c90700"))
        try server.send("Hello")
        #expect(server.takeWritten() == hex("c1 05 f200110000"))
        for _ in 0..<2 {
            try server.send("")
            let wire = server.takeWritten()
            #expect(wire.suffix(4) != [0, 0, 0xFF, 0xFF] && wire.first == 0xC1 && wire.last == 0)
        }
    }

    @Test("RFC 7692, 7.1.1: without context takeover each message is compressed from an empty window", arguments: [Role.client, .server])
    func noContextTakeover(_ role: Role) throws {
        for resets in [true, false] {
            var settings = CompressionSettings()
            settings.threshold = 0
            settings.sendResets = resets
            var peer = Peer(role, compression: settings)
            try peer.send("Hello, hello, hello")
            let first = peer.takeWritten()
            try peer.send("Hello, hello, hello")
            let second = peer.takeWritten()
            #expect(resets ? first == second : second.count < first.count)
        }
    }

    @Test("5.5.2: pings go out at their interval between the fragments of a message too")
    func pingsWhileSending() throws {
        var server = Peer(.server) { ($0.pingInterval, $0.pingTimeout) = (100, 0) }
        try server.fragment(.binary, "part", isFinal: false)
        _ = server.takeWritten()
        #expect(server.tick(at: 100) == .needsInput)
        #expect(server.takeWritten().first == 0x89)
        #expect(server.connection.nextDeadline == 200)
    }
}

/// A random source whose words count up.
private final class Counter {
    private var word: UInt32 = 0

    func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        for offset in stride(from: 0, to: bytes.count, by: 4) {
            bytes.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt32.self)
            word += 1
        }
    }
}

extension Peer {
    mutating func fragment(_ kind: MessageKind, _ text: String, isFinal: Bool) throws {
        try Array(text.utf8).withUnsafeBytes { try connection.sendFragment(kind, $0, isFinal: isFinal) }
    }
}
