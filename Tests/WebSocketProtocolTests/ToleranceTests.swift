import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Reading on after a breach, where that is asked for")
struct ToleranceTests {
    private func lenient(_ role: Role = .client, compression: CompressionSettings? = nil) -> Peer {
        var peer = Peer(role, compression: compression) { $0.maxMessageSize = 100_000 }
        peer.connection.behaviour.isStrict = false
        return peer
    }

    private final class Log {
        var breaches: [ProtocolError] = []
    }

    @Test("each breach is shown once, and what follows it arrives, in every cut", arguments: ReceivingTests.breaches)
    func readsOn(_ clause: String, _ bytes: [UInt8], _ error: ProtocolError) {
        for cuts in [[Int.max], [1], [2, 1], [3]] {
            var peer = lenient()
            let log = Log()
            peer.connection.observeFrames { if let breach = $0.breach { log.breaches.append(breach) } }
            let seen = peer.receive(bytes + text("after"), cuts: cuts)
            #expect(log.breaches == [error], "\(clause), cuts \(cuts)")
            switch error {
            case .lengthTooLarge: #expect(seen == [.failed(error)])
            case .closePayloadOfOneByte, .closeCodeNotAllowed, .closeReasonNotText, .controlFragmented(.close):
                guard case .closing = seen.last else {
                    Issue.record("\(clause): \(seen)")
                    continue
                }
            // So long a frame never ends.
            case .controlTooLong(.pong): #expect(seen == [])
            default: #expect(seen.last == .text("after"), "\(clause), cuts \(cuts): \(seen)")
            }
        }
    }

    @Test("a server reads on after frames that aren't masked, a client after those that are")
    func masking() {
        var server = lenient(.server)
        #expect(
            server.receive(text("plain") + text("masked", masked: true) + frame(9, [1])) == [.text("plain"), .text("masked"), .ping([1])])
        #expect(server.takeWritten() == hex("8a 01 01"))
        var client = lenient()
        #expect(client.receive(text("masked", masked: true) + text("plain")) == [.text("masked"), .text("plain")])
    }

    @Test("an interrupted message is handed on as far as it came; a continuation of nothing is binary")
    func fragments() {
        var client = lenient()
        let bytes = text("a", fin: false) + text("b") + frame(0, [1], fin: false) + frame(0, [2]) + text("c")
        #expect(client.receive(bytes) == [.text("a"), .text("b"), .message(.binary, [1, 2]), .text("c")])
        var streaming = lenient()
        streaming.connection.streamsText = true
        #expect(
            streaming.receive(text("a", fin: false) + text("b")) == [
                .began(.text), .part([0x61]), .ended(.text), .began(.text), .part([0x62]), .ended(.text),
            ])
    }

    @Test("control frames that are fragmented are answered, those that are too long passed over, except a Close")
    func control() {
        var client = lenient()
        #expect(client.receive(frame(9, [7], fin: false)) == [.ping([7])])
        #expect(client.takeWritten() == [0x8A, 0x81, 1, 2, 3, 4, 7 ^ 1])
        #expect(client.receive(frame(9, [UInt8](repeating: 0, count: 300)) + text("x")) == [.text("x")])
        #expect(client.takeWritten() == [])
        let reason = String(repeating: "r", count: 200)
        let seen = client.receive(frame(8, hex("03 e8") + Array(reason.utf8)))
        #expect(seen == [.closing(CloseFrame(code: .normal, reason: String(reason.prefix(123))))])
    }

    @Test("a Close with a code that may not be sent is taken, and answered with none")
    func closeCode() {
        var client = lenient()
        #expect(client.receive(frame(8, hex("03 ed ff"))) == [.closing(CloseFrame(code: .noStatus, reason: "\u{FFFD}"))])
        #expect(client.takeWritten() == [0x88, 0x80, 1, 2, 3, 4])
    }

    @Test("text that isn't UTF-8 is handed on as it came, whole or in fragments, masked or not")
    func badText() {
        let wrong: [UInt8] = [0x61, 0xFF, 0x62, 0xC3]
        for cuts in [[Int.max], [1]] {
            var client = lenient()
            #expect(client.receive(frame(1, wrong) + text("x"), cuts: cuts) == [.message(.text, wrong), .text("x")])
            #expect(client.receive(frame(1, wrong, fin: false) + frame(0, wrong), cuts: cuts) == [.message(.text, wrong + wrong)])
            var server = lenient(.server)
            #expect(server.receive(frame(1, wrong, masked: true), cuts: cuts) == [.message(.text, wrong)])
        }
    }

    @Test("a message that can't be inflated is passed over, and the next compressed one begins with nothing to refer to")
    func inflating() {
        let hello = hex("c1 07 f2 48 cd c9 c9 07 00")
        for streams in [false, true] {
            var client = lenient(compression: CompressionSettings())
            client.connection.streamsText = streams
            let seen = client.receive(hello + hex("c1 04 ff ff ff ff") + hello)
            if streams {
                #expect(seen.last == .ended(.text) && seen.filter { $0 == .part(Array("Hello".utf8)) }.count == 2, "\(seen)")
            } else {
                #expect(seen == [.text("Hello"), .text("Hello")])
            }
        }
    }

    @Test("RSV1 counts on a message's first frame alone where compression was agreed on")
    func reserved() {
        var client = lenient(compression: CompressionSettings())
        #expect(client.receive(frame(9, [1], rsv: 4) + hex("f1 07 f2 48 cd c9 c9 07 00")) == [.ping([1]), .text("Hello")])
    }

    @Test("a message larger than the limit still fails the connection")
    func limit() {
        var client = lenient()
        #expect(client.receive(frame(2, [UInt8](repeating: 0, count: 100_001))) == [.failed(.messageTooBig(limit: 100_000))])
    }

    @Test("whatever comes, and however it is cut, nothing traps and the same is seen", arguments: 0..<200)
    func random(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var bytes: [UInt8] = []
        while bytes.count < 400 {
            bytes += frame(
                UInt8.random(in: 0...15, using: &generator), generator.bytes(Int.random(in: 0...20, using: &generator)),
                fin: Bool.random(using: &generator), rsv: UInt8.random(in: 0...7, using: &generator), masked: Bool.random(using: &generator)
            )
        }
        for role in [Role.client, .server] {
            for compression in [nil, CompressionSettings()] {
                var whole = lenient(role, compression: compression)
                var cut = lenient(role, compression: compression)
                #expect(whole.receive(bytes) == cut.receive(bytes, cuts: [1, 3, 2]))
            }
        }
    }
}
