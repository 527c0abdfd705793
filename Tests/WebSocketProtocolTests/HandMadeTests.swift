import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Frames made by hand, and what follows them")
struct HandMadeTests {
    private func raw(_ opcode: UInt8, _ payload: [UInt8] = [], fin: Bool = true, len: UInt64? = nil) -> RawFrame {
        var frame = RawFrame()
        (frame.opcode, frame.payload, frame.isFinal, frame.claimedLength) = (opcode, payload, fin, len)
        return frame
    }

    @Test("a message after an unfinished fragment breaks 5.4, and goes out all the same, until the fragment is finished")
    func fragment() throws {
        var server = Peer(.server)
        #expect(server.connection.messageBreach == nil)
        try server.connection.send(raw(1, [0x61], fin: false))
        #expect(server.connection.messageBreach?.hasPrefix("RFC 6455, 5.4: ") == true)
        try server.send("b")
        #expect(server.takeWritten() == hex("01 01 61  81 01 62"))
        try server.connection.send(raw(9))
        #expect(server.connection.messageBreach != nil, "a ping finishes nothing")
        try server.connection.send(raw(0, [0x63]))
        #expect(server.connection.messageBreach == nil)
    }

    @Test("after a Close by hand none is sent by ourselves: not to close, not as an answer, not to fail", arguments: [false, true])
    func close(asBytes: Bool) throws {
        func closedByHand() throws -> Peer {
            var peer = Peer(.server) { $0.pingInterval = 1_000_000_000 }
            if asBytes { try peer.connection.sendRaw(hex("88 02 03 ed")) } else { try peer.connection.send(raw(8, hex("03 ed"))) }
            #expect(peer.takeWritten() == hex("88 02 03 ed"))
            #expect(peer.connection.messageBreach?.hasPrefix("RFC 6455, 5.5.1: ") == true)
            #expect(peer.connection.nextDeadline == nil, "no ping follows it")
            return peer
        }
        var closing = try closedByHand()
        try closing.send("all the same")
        #expect(closing.takeWritten().count == 14)
        try closing.close(.normal)
        #expect(closing.takeWritten() == [])
        #expect(closing.connection.nextDeadline != nil, "its answer is awaited for a while")
        var answered = try closedByHand()
        #expect(answered.receive(frame(8, hex("03 ea"), masked: true)) == [.closing(CloseFrame(code: .protocolError))])
        #expect(answered.takeWritten() == [])
        let closure = answered.connection.closure
        #expect(closure.isByUs && closure.wasClean && closure.code == .protocolError && closure.sent == CloseFrame(code: .noStatus))
        var failed = try closedByHand()
        #expect(failed.receive(frame(3, masked: true)) == [.failed(.reservedOpcode(3))])
        #expect(failed.takeWritten() == [])
    }

    @Test("what isn't made of whole frames leaves it unknown where the next begins")
    func outOfStep() throws {
        func isInStep(_ body: (inout Connection) throws -> Void) rethrows -> Bool {
            var peer = Peer(.client)
            try body(&peer.connection)
            return peer.connection.isInStep
        }
        #expect(try isInStep { try $0.sendRaw(hex("81 85 37 fa 21 3d 7f 9f 4d 51 58 89 00")) })
        #expect(try isInStep { try $0.send(raw(1, [1, 2], len: 2)) })
        #expect(try !isInStep { try $0.sendRaw(hex("81 85 37 fa 21 3d 7f 9f 4d 51")) })
        #expect(try !isInStep { try $0.sendRaw(hex("81")) })
        #expect(try !isInStep { try $0.send(raw(1, [1, 2], len: 1)) })
        #expect(try !isInStep { try $0.send(raw(1, len: .max)) })
    }

    @Test("a key for a frame by hand is a client's fresh one, and none of a server")
    func keys() {
        var client = Peer(.client)
        var server = Peer(.server)
        #expect(client.connection.nextMaskKey() == Peer.mask)
        #expect(server.connection.nextMaskKey() == nil)
    }

    @Test("nothing traps, whatever was sent by hand and whatever comes then", arguments: 0..<100)
    func random(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        for role in [Role.client, .server] {
            var peer = Peer(role, compression: Bool.random(using: &generator) ? CompressionSettings() : nil)
            for _ in 0..<20 {
                var frame = raw(UInt8.random(in: 0...255, using: &generator), generator.bytes(Int.random(in: 0...300, using: &generator)))
                frame.isFinal = Bool.random(using: &generator)
                frame.reserved = UInt8.random(in: 0...255, using: &generator)
                frame.claimedLength = Bool.random(using: &generator) ? UInt64.random(in: 0...UInt64.max, using: &generator) : nil
                try? peer.connection.send(frame)
                try? peer.connection.sendRaw(generator.bytes(5))
                try? peer.send("text")
                try? peer.fragment(.text, "x", isFinal: Bool.random(using: &generator))
                try? peer.ping([1])
            }
            _ = peer.receive(text("a", masked: role == .server) + frame(8, hex("03 e8"), masked: role == .server))
            try? peer.close(.normal)
            _ = peer.tick(at: .max / 2)
            peer.connection.receivedEnd()
            #expect(throws: UsageError.notOpen(.closed)) { try peer.connection.send(raw(1)) }
        }
    }

    // MARK: Fragments

    @Test("with a fragment size each message goes out in frames of that many bytes at most", arguments: [1, 2, 3, 5, 6, 100])
    func fragmentSize(size: Int) throws {
        let message = "Hello"
        var server = Peer(.server)
        server.connection.behaviour.fragmentSize = size
        try server.send(message)
        var expected: [UInt8] = []
        let bytes = Array(message.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            let end = min(start + size, bytes.count)
            expected += frame(start == 0 ? 1 : 0, Array(bytes[start..<end]), fin: end == bytes.count)
        }
        #expect(server.takeWritten() == expected)
        // Many at once, empty ones, and control frames.
        try bytes.withUnsafeBytes { bytes in
            let empty = UnsafeRawBufferPointer(start: nil, count: 0)
            let messages = [BorrowedMessage(kind: .text, bytes: bytes), BorrowedMessage(kind: .binary, bytes: empty)]
            try messages.withUnsafeBufferPointer { try server.connection.send($0) }
        }
        try server.ping(bytes)
        #expect(server.takeWritten() == expected + frame(2) + frame(9, bytes))
    }

    @Test("a message that is sent in parts is cut further, and its parts stay one message")
    func streamed() throws {
        var server = Peer(.server)
        server.connection.behaviour.fragmentSize = 2
        try server.fragment(.text, "abc", isFinal: false)
        try server.fragment(.text, "de", isFinal: true)
        #expect(server.takeWritten() == text("ab", fin: false) + frame(0, [0x63], fin: false) + frame(0, [0x64, 0x65]))
    }

    @Test("a compressed message is cut after compression: RSV1 on its first frame alone (RFC 7692, section 6.1)")
    func compressed() throws {
        let message = String(repeating: "wsline ", count: 300)
        var sender = Peer(.server, compression: CompressionSettings())
        var receiver = Peer(.client, compression: CompressionSettings())
        sender.connection.behaviour.fragmentSize = 4
        try sender.send(message)
        let bytes = sender.takeWritten()
        #expect(bytes[0] == 0x41 && bytes[1] == 4 && bytes[6] == 0)
        #expect(receiver.receive(bytes) == [.text(message)])
    }

    @Test("a ping is not answered where that is asked for, and is again later")
    func noPong() {
        var client = Peer(.client)
        client.connection.behaviour.answersPings = false
        #expect(client.receive(frame(9, [1])) == [.ping([1])])
        #expect(client.takeWritten() == [])
        client.connection.behaviour.answersPings = true
        #expect(client.receive(frame(9, [1])) == [.ping([1])])
        #expect(client.takeWritten().first == 0x8A)
    }
}
