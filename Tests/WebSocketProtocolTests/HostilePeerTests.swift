import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Peers that attack")
struct HostilePeerTests {
    private func server(_ configure: (inout Connection.Configuration) -> Void = { _ in }) -> Peer {
        var configuration = Connection.Configuration()
        configure(&configuration)
        return Peer(Connection(server: configuration, random: Peer.knownRandom))
    }

    /// A handshake of its own, for a server under attack.
    private func request() throws -> [UInt8] {
        var client = try OpeningTests.client()
        return client.takeWritten()
    }

    @Test("RFC 7692, 7.2.2: a compressed message that is cut off isn't delivered with its tail taken for data")
    func cutOffDeflate() {
        let messages = [
            // A stored block of nine bytes, of which three are there.
            "00 09 00 f6 ff 48 65 6c", "",
            // A final block without the byte that begins the empty block behind it (section 7.2.3.4).
            "f3 48 cd c9 c9 07 00",
            // What should have been stripped from the end is still there (section 7.2.1).
            "f2 48 cd c9 c9 07 00 00 00 ff ff",
        ]
        for message in messages {
            for isStreamed in [false, true] {
                var client = Peer(.client, compression: CompressionSettings())
                client.connection.streamsBinary = isStreamed
                let seen = client.receive(frame(2, hex(message), rsv: 0b100))
                #expect(seen.last == .failed(.invalidCompressedData("the message ends within a block")), "\(message)")
                #expect(client.connection.failure?.closeCode == .invalidPayload)
            }
        }
    }

    @Test("a flood of empty fragments costs no memory and brings no event")
    func emptyFragments() {
        var client = Peer(.client)
        let flood = [UInt8](repeating: 0, count: 200_000)
        #expect(client.receive(frame(2, fin: false) + flood) == [])
        #expect(client.connection.input.capacity <= 2 * client.connection.configuration.inputBufferSize)
        #expect(client.connection.assembler.held.capacity == 0)
        #expect(client.receive(frame(0, [1])) == [.message(.binary, [1])])
    }

    @Test("a flood of empty deflate blocks ends with its frame, and costs no memory")
    func emptyBlocks() {
        var client = Peer(.client, compression: CompressionSettings())
        let stored = (0..<50_000).flatMap { _ in hex("00 00 00 ff ff") }
        #expect(client.receive(frame(2, stored + [0], rsv: 0b100)) == [.message(.binary, [])])
        // Final blocks, each of which makes zlib start over.
        let final = (0..<50_000).flatMap { _ in hex("03 00") }
        #expect(client.receive(frame(2, final + [0], rsv: 0b100), cuts: [1001]) == [.message(.binary, [])])
        #expect(client.connection.assembler.held.capacity <= 2 * Connection.inflatePiece)
    }

    @Test("a length of 2^63 - 1 takes no memory before its bytes come, in one frame or after others")
    func hugeLength() {
        for isStreamed in [false, true] {
            var client = Peer(.client) { ($0.maxMessageSize, $0.maxStreamedMessageSize) = (.max, .max) }
            client.connection.streamsBinary = isStreamed
            let huge = LengthForm.announced(UInt64(Int64.max))
            let seen = client.receive(frame(2, [1], fin: false) + frame(0, length: huge) + [2, 3])
            #expect(seen == (isStreamed ? [.began(.binary), .part([1]), .part([2, 3])] : []))
            let room = client.connection.inputBuffer()
            #expect(room.count <= client.connection.configuration.inputBufferSize)
            #expect(client.connection.assembler.held.capacity <= 2 * client.connection.configuration.inputBufferSize)
        }
    }

    @Test("lengths that add up past 2^64 fail with 1009, and don't trap")
    func overflowingSum() {
        var client = Peer(.client) { $0.maxStreamedMessageSize = 1000 }
        client.connection.streamsBinary = true
        let seen = client.receive(frame(2, [1], fin: false) + frame(0, length: .announced(UInt64(Int64.max))))
        #expect(seen == [.began(.binary), .part([1]), .failed(.messageTooBig(limit: 1000))])
    }

    @Test("a flood of pongs nobody asked for changes nothing (section 5.5.3)")
    func pongFlood() {
        var client = Peer(.client)
        let seen = client.receive((0..<10_000).flatMap { _ in frame(10, [1, 2, 3]) })
        #expect(seen.count == 10_000)
        #expect(client.connection.lastRoundTrip == nil)
        #expect(client.takeWritten() == [])
    }

    @Test("1.4 and 5.5.1: nothing behind a Close is read, within a fragmented message too, and its memory is given back")
    func dataBehindClose() {
        for isCompressed in [false, true] {
            var client = Peer(.client, compression: isCompressed ? CompressionSettings() : nil)
            let start = frame(1, isCompressed ? hex("f2 48 cd") : Array("Hel".utf8), fin: false, rsv: isCompressed ? 0b100 : 0)
            let end = frame(0, isCompressed ? hex("c9 c9 07 00") : Array("lo".utf8))
            let close = frame(8, hex("03 e8"))
            #expect(client.receive(start + close + end + close + frame(9) + frame(3)) == [.closing(CloseFrame(code: .normal))])
            #expect(client.connection.assembler.held.capacity == 0)
            #expect(client.connection.failure == nil)
            var server = Peer(.server)
            #expect(server.receive(client.takeWritten()) == [.closing(CloseFrame(code: .normal))], "one Close is the answer, and no pong")
        }
    }

    @Test("7.1.7: a breach behind our own Close fails the connection, and no second Close is sent")
    func breachBehindOurClose() throws {
        var client = Peer(.client)
        try client.close(.goingAway)
        _ = client.takeWritten()
        #expect(client.receive(frame(3)) == [.failed(.reservedOpcode(3))])
        #expect(client.takeWritten() == [])
        #expect(client.connection.sentClose?.code == .goingAway)
        #expect(client.connection.disposition == .halfClose)
    }

    @Test("reading again before events are taken loses and mixes up nothing, on the direct way into a message too")
    func readAhead() {
        var client = Peer(.client) { $0.inputBufferSize = 64 }
        var random = SeededGenerator(seed: 21)
        let payload = random.bytes(5000)
        _ = client.receive(frame(2, payload).prefix(80).map { $0 })
        var rest = (frame(2, payload) + text("next")).dropFirst(80)
        while !rest.isEmpty {
            let room = client.connection.inputBuffer()
            let count = min(room.count, rest.count, 50)
            room.copyBytes(from: rest.prefix(count))
            client.connection.received(count, at: 0)
            rest = rest.dropFirst(count)
        }
        #expect(client.connection.next() == .messages)
        #expect(client.connection.messages.map { Array($0.bytes) } == [payload])
        #expect(client.receive([]) == [.text("next")])
    }

    @Test("the bytes of an event are gone with the next call, so that none points to memory given back")
    func payloadEnds() {
        var client = Peer(.client) { $0.inputBufferSize = 64 }
        _ = client.receive(frame(2, [UInt8](repeating: 1, count: 5000)) + frame(8), cuts: [5008])
        #expect(client.connection.payloadBytes.isEmpty)
        _ = client.connection.next()
        #expect(client.connection.payloadBytes.isEmpty)
        #expect(client.connection.assembler.held.capacity == 0)
        var reading = Peer(.client)
        let room = reading.connection.inputBuffer()
        room.copyBytes(from: text("hi"))
        reading.connection.received(4, at: 0)
        #expect(reading.connection.next() == .messages)
        #expect(reading.connection.messages.count == 1)
        _ = reading.connection.inputBuffer()
        #expect(reading.connection.messages.isEmpty)
    }

    @Test("4.1: a client that floods a server that hasn't answered yet is refused, and its request can't be accepted any more")
    func floodBeforeAnswer() throws {
        var server = server { $0.inputBufferSize = 4096 }
        #expect(server.receive(try request()) == [.requested])
        let seen = server.receive([UInt8](repeating: 0x81, count: 1 << 20), cuts: [1000])
        #expect(seen == [.refused])
        #expect(server.connection.refusal?.reason == .request(.dataBeforeAnswer))
        #expect(server.connection.input.capacity <= 16384)
        #expect(String(decoding: server.takeWritten(), as: UTF8.self).hasPrefix("HTTP/1.1 400 "))
        #expect(server.connection.accept() == false)
        server.connection.reject(status: 403, reason: "Forbidden", body: "")
        #expect(server.takeWritten() == [])
        #expect(server.connection.disposition == .halfClose)
    }

    @Test("a client that is gone before its request is whole, or is answered, leaves no server's connection behind")
    func goneClient() throws {
        var early = server()
        #expect(early.receive(Array("GET / HT".utf8)) == [])
        early.connection.receivedEnd()
        #expect(early.connection.next() == .refused)
        #expect(early.connection.disposition == .finished)

        var answered = server()
        #expect(answered.receive(try request() + text("hi", masked: true)) == [.requested])
        answered.connection.receivedEnd()
        #expect(answered.connection.next() == .needsInput)
        #expect(answered.connection.accept() == true)
        #expect(answered.connection.next() == .messages, "what it sent before it ended its side still counts")
        #expect(answered.connection.next() == .needsInput)
        #expect(answered.connection.disposition == .finished)

        var dropped = server()
        #expect(dropped.receive(try request()) == [.requested])
        try dropped.connection.close(at: 0)
        #expect(dropped.connection.accept() == false)
        #expect(dropped.connection.readyState == .closed)
    }

    @Test("a head may trickle in byte by byte up to its limit, and no further")
    func trickledHead() throws {
        var client = try OpeningTests.client()
        let long = "X: " + String(repeating: "a", count: 30_000) + "\r\n"
        #expect(client.receive(OpeningTests.response(long + long), cuts: [1]) == [.opened])
        var over = try OpeningTests.client()
        #expect(over.receive(OpeningTests.response(long + long + long), cuts: [1]) == [.refused])
        #expect(over.connection.refusal?.reason == .head(HTTPHeadError(reason: .headTooLarge(limit: 65_536), offset: 65_536, byte: 0x61)))
    }
}
