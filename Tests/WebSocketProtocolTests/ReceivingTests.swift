import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Receiving frames (RFC 6455, section 5)")
struct ReceivingTests {
    @Test("the RFC's examples read as they should (section 5.7)")
    func examples() {
        var client = Peer(.client)
        #expect(client.receive(hex("81 05 48 65 6c 6c 6f")) == [.text("Hello")])
        #expect(client.receive(hex("01 03 48 65 6c 80 02 6c 6f")) == [.text("Hello")])
        #expect(client.receive(hex("8a 05 48 65 6c 6c 6f")) == [.pong(Array("Hello".utf8))])
        var server = Peer(.server)
        #expect(server.receive(hex("81 85 37 fa 21 3d 7f 9f 4d 51 58")) == [.text("Hello")])
        #expect(server.receive(hex("89 85 37 fa 21 3d 7f 9f 4d 51 58")) == [.ping(Array("Hello".utf8))])
        #expect(server.takeWritten() == hex("8a 05 48 65 6c 6c 6f"))
    }

    @Test(
        "messages of every boundary length arrive whole, in both roles",
        arguments: [0, 1, 124, 125, 126, 127, 65535, 65536, 65537, 300_000])
    func lengths(_ count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        let payload = random.bytes(count)
        var client = Peer(.client)
        #expect(client.receive(frame(2, payload)) == [.message(.binary, payload)])
        var server = Peer(.server)
        #expect(server.receive(frame(2, payload, masked: true)) == [.message(.binary, payload)])
    }

    static let breaches: [(String, [UInt8], ProtocolError)] = [
        ("5.2: RSV1 without an extension", frame(1, rsv: 0b100), .reservedBits(0b100)),
        ("5.2: RSV2", frame(1, rsv: 0b010), .reservedBits(0b010)),
        ("5.2: RSV3 on a ping", frame(9, rsv: 0b001), .reservedBits(0b001)),
        ("5.2: opcode 3", frame(3), .reservedOpcode(3)),
        ("5.2: opcode 7", frame(7), .reservedOpcode(7)),
        ("5.2: opcode 0xB", frame(0xB), .reservedOpcode(0xB)),
        ("5.2: opcode 0xF", frame(0xF), .reservedOpcode(0xF)),
        ("5.2: a 16-bit length of 125", frame(2, .init(repeating: 0, count: 125), length: .medium), .lengthNotMinimal(125)),
        ("5.2: a 64-bit length of 65535", frame(2, .init(repeating: 0, count: 65535), length: .long), .lengthNotMinimal(65535)),
        ("5.2: a 64-bit length of 0", frame(2, length: .long), .lengthNotMinimal(0)),
        ("5.2: a length of 2^63", frame(2, length: .announced(1 << 63)), .lengthTooLarge(1 << 63)),
        ("5.1: a masked frame from the server", frame(1, masked: true), .maskedFromServer),
        ("5.5: a fragmented ping", frame(9, fin: false), .controlFragmented(.ping)),
        ("5.5: a fragmented Close", frame(8, fin: false), .controlFragmented(.close)),
        ("5.5: a ping of 126 bytes", frame(9, .init(repeating: 0, count: 126)), .controlTooLong(.ping)),
        ("5.5: a pong of 2^62 bytes", frame(10, length: .announced(1 << 62)), .controlTooLong(.pong)),
        ("5.4: a continuation of nothing", frame(0), .continuationOfNothing),
        ("5.4: a text within a fragmented message", text("a", fin: false) + text("b"), .messageInterrupted(by: .text)),
        ("5.4: a binary within a fragmented message", text("a", fin: false) + frame(2), .messageInterrupted(by: .binary)),
        ("5.6: text that isn't UTF-8", frame(1, [0x61, 0xFF]), .invalidText(offset: 1)),
        ("5.6: text that ends within a character", frame(1, [0xE2, 0x82]), .truncatedText),
        ("5.6: the same across fragments", frame(1, [0xE2], fin: false) + frame(0, [0x28]), .invalidText(offset: 1)),
        ("5.6: and at the last fragment's end", frame(1, [0xE2], fin: false) + frame(0, [0x82]), .truncatedText),
        ("5.5.1: a Close of one byte", frame(8, [3]), .closePayloadOfOneByte),
        ("7.4.1: close code 1004", frame(8, hex("03 ec")), .closeCodeNotAllowed(1004)),
        ("7.4.1: close code 1005", frame(8, hex("03 ed")), .closeCodeNotAllowed(1005)),
        ("7.4.1: close code 1006", frame(8, hex("03 ee")), .closeCodeNotAllowed(1006)),
        ("7.4.1: close code 1015", frame(8, hex("03 f7")), .closeCodeNotAllowed(1015)),
        ("7.4.2: close code 999", frame(8, hex("03 e7")), .closeCodeNotAllowed(999)),
        ("7.4.2: close code 2999", frame(8, hex("0b b7")), .closeCodeNotAllowed(2999)),
        ("7.4.2: close code 5000", frame(8, hex("13 88")), .closeCodeNotAllowed(5000)),
        ("5.5.1: a close reason that isn't UTF-8", frame(8, hex("03 e8 ff")), .closeReasonNotText),
    ]

    @Test("a breach fails the connection with its code, in every cut", arguments: breaches)
    func breach(_ clause: String, _ bytes: [UInt8], _ error: ProtocolError) throws {
        for cuts in [[Int.max], [1], [2, 1], [3]] {
            var client = Peer(.client)
            // What comes behind the breach isn't looked at (section 7.1.7).
            let seen = client.receive(bytes + text("after"), cuts: cuts)
            #expect(seen.last == .failed(error), "\(clause), cuts \(cuts)")
            #expect(client.connection.disposition == .halfClose)
            var server = Peer(.server)
            let closes = server.receive(client.takeWritten())
            guard case .closing(let close) = try #require(closes.last) else {
                Issue.record("no Close was written")
                continue
            }
            #expect(close.code == error.closeCode)
        }
    }

    @Test("5.1: an unmasked frame from the client fails with 1002")
    func unmasked() {
        var server = Peer(.server)
        #expect(server.receive(text("a")) == [.failed(.unmaskedFromClient)])
        #expect(Array(server.takeWritten().prefix(4).suffix(2)) == hex("03 ea"))
    }

    @Test(
        "a wrong header fails at its first wrong byte, with nothing behind it",
        arguments: [
            (hex("b1"), ProtocolError.reservedBits(0b011)), (hex("83"), .reservedOpcode(3)), (hex("80"), .continuationOfNothing),
            (hex("09"), .controlFragmented(.ping)), (hex("81 80"), .maskedFromServer),
        ])
    func firstByte(_ bytes: [UInt8], _ error: ProtocolError) {
        var client = Peer(.client)
        #expect(client.receive(bytes) == [.failed(error)])
    }

    @Test("8.1: invalid text fails at its first bad byte, long before its frame ends")
    func failsFast() {
        var client = Peer(.client)
        let start = [0x81, 127] + [UInt8](repeating: 0, count: 5) + [1, 0, 0]
        #expect(client.receive(start + Array("good".utf8)) == [])
        #expect(client.receive([0xFF]) == [.failed(.invalidText(offset: 4))])
    }

    @Test("5.4: control frames come in between the fragments of a message")
    func interleaved() {
        var client = Peer(.client)
        let bytes =
            text("a", fin: false) + frame(9, [1]) + frame(0, Array("b".utf8), fin: false) + frame(10, [2]) + frame(0, Array("c".utf8))
        #expect(client.receive(bytes) == [.ping([1]), .pong([2]), .text("abc")])
    }

    @Test(
        "each byte of a message that isn't whole changes what has come of it; control frames are no part of it", arguments: [false, true])
    func incomplete(isStreamed: Bool) {
        var client = Peer(.client)
        client.connection.streamsBinary = isStreamed
        #expect(client.connection.incompleteMessage == nil)
        let payload = [UInt8](repeating: 7, count: 300)
        for bytes in [frame(2, payload), frame(2, payload, fin: false) + frame(0, payload)] {
            var last: UInt64?
            for byte in bytes.dropLast() {
                _ = client.receive([byte])
                let size = client.connection.incompleteMessage
                #expect(size != nil && size != last)
                last = size
            }
            _ = client.receive([7])
            #expect(client.connection.incompleteMessage == nil)
        }
        _ = client.receive(hex("89 02 01"))
        #expect(client.connection.incompleteMessage == nil, "half a ping")
        _ = client.receive(hex("02") + frame(2, payload, fin: false))
        let size = client.connection.incompleteMessage
        #expect(size != nil)
        _ = client.receive(frame(9, [1]) + hex("8a 05 01"))
        #expect(client.connection.incompleteMessage == size)
    }

    @Test("a message above the limit fails with 1009 before its payload is there", arguments: [1001, 1 << 40, UInt64(1) << 63 - 1])
    func limit(_ length: UInt64) {
        var client = Peer(.client) { $0.maxMessageSize = 1000 }
        let header = length < 65536 ? [0x82, 126, UInt8(length >> 8), UInt8(length & 0xFF)] : frame(2, length: .announced(length))
        #expect(client.receive(header) == [.failed(.messageTooBig(limit: 1000))])
        #expect(client.connection.failure?.closeCode == .messageTooBig)
    }

    @Test("the limit counts all fragments, and a message of just the limit passes")
    func limitOfFragments() {
        var client = Peer(.client) { $0.maxMessageSize = 10 }
        let five = [UInt8](repeating: 7, count: 5)
        #expect(client.receive(frame(2, five, fin: false) + frame(0, five)) == [.message(.binary, five + five)])
        #expect(client.receive(frame(2, five, fin: false) + frame(0, five + [1])) == [.failed(.messageTooBig(limit: 10))])
    }

    @Test("connections of one budget share its memory: the one that would take more fails with 1013, and those that end give theirs back")
    func sharedMemory() {
        let memory = MemoryBudget(limit: 3 << 20)
        let half = frame(2, [UInt8](repeating: 7, count: 1_500_000), fin: false)
        var first = Peer(.client) { $0.memory = memory }
        #expect(first.receive(half) == [])
        do {
            var second = Peer(.client) { $0.memory = memory }
            #expect(second.receive(half) == [.failed(.outOfMemory(limit: 3 << 20))])
            #expect(second.connection.sentClose?.code == .tryAgainLater)
        }
        #expect(first.receive(frame(0, [1])).count == 1, "the others go on")
        _ = first.receive(half)
        first.connection.receivedEnd()
        first = Peer(.client) { $0.memory = memory }
        #expect(first.receive(half) == [])
    }

    @Test("what waits to be sent counts too: a message that there's no memory for isn't sent, and fails the connection with 1013")
    func sharedMemoryForOutput() throws {
        var client = Peer(.client) { $0.memory = MemoryBudget(limit: 3 << 20) }
        let bytes = [UInt8](repeating: 7, count: 2_000_000)
        try bytes.withUnsafeBytes { try client.connection.send(.binary, $0) }
        let waiting = client.connection.outputCount
        try bytes.withUnsafeBytes { try client.connection.send(.binary, $0) }
        #expect(client.connection.failure == .outOfMemory(limit: 3 << 20))
        #expect(client.connection.sentClose?.code == .tryAgainLater)
        #expect(client.connection.outputCount < waiting + 200)
    }

    @Test("the same bytes give the same events whole, byte by byte and in random cuts")
    func cuts() {
        var random = SeededGenerator(seed: 4)
        for round in 0..<60 {
            let role: Role = round % 2 == 0 ? .client : .server
            var stream: [UInt8] = []
            for _ in 0..<12 { stream += randomMessage(masked: role == .server, &random) }
            stream += frame(8, hex("03 e8 62 79 65"), masked: role == .server)
            let whole = received(role, stream, [.max])
            #expect(whole.last == .closing(CloseFrame(code: .normal, reason: "bye")))
            #expect(received(role, stream, [1]) == whole)
            for _ in 0..<4 {
                let cuts = (0..<50).map { _ in Int.random(in: 0...400, using: &random) } + [100]
                #expect(received(role, stream, cuts) == whole)
            }
        }
    }

    private func received(_ role: Role, _ bytes: [UInt8], _ cuts: [Int]) -> [Seen] {
        // A small buffer, so that long messages take the direct way into their own memory too.
        var peer = Peer(role) { $0.inputBufferSize = 256 }
        return peer.receive(bytes, cuts: cuts)
    }

    private func randomMessage(masked: Bool, _ random: inout SeededGenerator) -> [UInt8] {
        let size = [0, 1, 5, 125, 126, 300, 1000, 3000].randomElement(using: &random) ?? 0
        switch Int.random(in: 0...4, using: &random) {
        case 0: return frame(9, random.bytes(size % 126), masked: masked)
        case 1: return frame(2, random.bytes(size), masked: masked)
        case 2: return text(String(repeating: "ä€😀x", count: size / 10), masked: masked)
        default:
            let payload = Array(String(repeating: "ä€😀x", count: size / 10).utf8)
            let first = Int.random(in: 0...payload.count, using: &random)
            let second = Int.random(in: first...payload.count, using: &random)
            return frame(1, Array(payload[..<first]), fin: false, masked: masked) + frame(10, [1], masked: masked)
                + frame(0, Array(payload[first..<second]), fin: false, masked: masked) + frame(0, Array(payload[second...]), masked: masked)
        }
    }

    @Test("a streamed message is handed on part by part, whatever its size")
    func streamed() {
        var client = Peer(.client) {
            $0.maxMessageSize = 10
            $0.inputBufferSize = 64
        }
        client.connection.streamsBinary = true
        var random = SeededGenerator(seed: 5)
        let payload = random.bytes(1000)
        let seen = client.receive(frame(2, Array(payload[..<400]), fin: false) + frame(9, [9]) + frame(0, Array(payload[400...])))
        #expect(seen.first == .began(.binary))
        #expect(seen.last == .ended(.binary))
        #expect(seen.contains(.ping([9])))
        let parts = seen.compactMap { if case .part(let bytes) = $0 { bytes } else { nil } }
        #expect(parts.flatMap { $0 } == payload)
        #expect(client.receive(text("12345678901")) == [.failed(.messageTooBig(limit: 10))])
    }

    @Test("5.5.2: each ping is answered with its own bytes, masked by the client")
    func ping() {
        var client = Peer(.client)
        _ = client.receive(frame(9, Array("are you there".utf8)))
        var server = Peer(.server)
        #expect(server.receive(client.takeWritten()) == [.pong(Array("are you there".utf8))])
    }

    @Test("5.5.3: a flood of pings that is never read costs no memory: the last one is answered")
    func pingFlood() throws {
        var client = Peer(.client)
        try [UInt8](repeating: 0, count: 2 << 20).withUnsafeBytes { try client.connection.send(.binary, $0) }
        let before = client.connection.outputCount
        for index in 0..<100 {
            let bytes = frame(9, [UInt8(index)])
            let room = client.connection.inputBuffer()
            room.copyBytes(from: bytes)
            client.connection.received(bytes.count, at: 0)
            #expect(client.connection.next() == .ping)
        }
        #expect(client.connection.outputCount == before)
        var server = Peer(.server)
        let answers = server.receive(client.takeWritten())
        #expect(answers.last == .pong([99]))
        #expect(answers.count == 2)
    }
}
