import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Watching frames, and sending hand-made ones")
struct FrameObserverTests {
    /// An observed frame, its bytes copied.
    private struct Line: Equatable, CustomStringConvertible {
        var text: String

        init(_ frame: ObservedFrame) {
            var parts = [frame.direction == .sent ? ">" : "<", "op=\(frame.opcode)", frame.isFinal ? "FIN" : "---"]
            if frame.reserved != 0 { parts.append("rsv=\(frame.reserved)") }
            if let place = frame.place { parts.append("place=\(place)") }
            if let key = frame.maskKey { parts.append("mask=\(String(key, radix: 16))") }
            parts.append("\(frame.length)" + (frame.inflatedLength.map { ">\($0)" } ?? ""))
            if !frame.payload.isEmpty { parts.append(String(decoding: frame.payload, as: UTF8.self)) }
            if let breach = frame.breach { parts.append("breach \(breach) bytes \(Array(frame.bytes))") }
            text = parts.joined(separator: " ")
        }

        var description: String { text }
    }

    private final class Log {
        var lines: [String] = []
    }

    private func watched(_ role: Role, compression: CompressionSettings? = nil, _ body: (inout Peer) throws -> Void) rethrows -> [String] {
        let log = Log()
        var peer = Peer(role, compression: compression)
        peer.connection.observeFrames { log.lines.append(Line($0).text) }
        try body(&peer)
        return log.lines
    }

    @Test("each frame is shown once, whole, in order, whatever pieces it came in", arguments: [[Int.max], [1], [3, 1, 7]])
    func received(cuts: [Int]) {
        let lines = watched(.client) { peer in
            let stream =
                text("Hello") + text("Hel", fin: false) + frame(9, [0x61]) + frame(0, Array("lo".utf8)) + frame(2) + frame(8, hex("03 e8"))
            let seen = peer.receive(stream, cuts: cuts)
            #expect(seen.count == 5)
        }
        #expect(
            lines == [
                "< op=1 FIN place=1 5 Hello", "< op=1 --- place=1 3 Hel", "< op=9 FIN 1 a", "> op=10 FIN mask=4030201 1 a",
                "< op=0 FIN place=2 2 lo", "< op=2 FIN place=1 0", "< op=8 FIN 2 \u{3}\u{FFFD}", "> op=8 FIN mask=4030201 2 \u{3}\u{FFFD}",
            ])
    }

    @Test("a masked frame is shown with its key and its payload unmasked")
    func masked() {
        let lines = watched(.server) { _ = $0.receive(text("Hello", masked: true)) }
        #expect(lines == ["< op=1 FIN place=1 mask=3d21fa37 5 Hello"])
    }

    @Test("a long payload is shown by its first bytes")
    func long() {
        let payload = [UInt8](repeating: 0x61, count: 300_000)
        let lines = watched(.client) { _ = $0.receive(frame(1, payload)) }
        #expect(lines == ["< op=1 FIN place=1 300000 " + String(repeating: "a", count: Connection.observedBytes)])
    }

    @Test("compressed frames have both sizes, and are shown inflated (RFC 7692, section 7.2.3.1)")
    func compressed() throws {
        let settings = CompressionSettings()
        let lines = try watched(.client, compression: settings) { peer in
            _ = peer.receive(hex("c1 07 f2 48 cd c9 c9 07 00"))
            let long = String(repeating: "wsline ", count: 200)
            try Array(long.utf8).withUnsafeBytes { try peer.connection.send(.text, $0) }
            peer.flush()
        }
        try #require(lines.count == 2)
        #expect(lines[0] == "< op=1 FIN rsv=4 place=1 7>5 Hello")
        #expect(lines[1].hasPrefix("> op=1 FIN rsv=4 place=1 mask=4030201 ") && lines[1].contains(">1400 wsline wsline "))
    }

    @Test("what is sent many at a time, or in fragments, is shown frame by frame")
    func sent() throws {
        let lines = try watched(.server) { peer in
            try [UInt8]("ab".utf8).withUnsafeBytes { bytes in
                let messages = [BorrowedMessage(kind: .text, bytes: bytes), BorrowedMessage(kind: .binary, bytes: bytes)]
                try messages.withUnsafeBufferPointer { try peer.connection.send($0) }
                try peer.connection.sendFragment(.text, bytes, isFinal: false)
                try peer.connection.sendFragment(.text, bytes, isFinal: true)
            }
        }
        #expect(
            lines == [
                "> op=1 FIN place=1 2 ab", "> op=2 FIN place=1 2 ab", "> op=1 --- place=1 2 ab", "> op=0 FIN place=2 2 ab",
            ])
    }

    @Test("every breach is shown with its header, before the Close that answers it", arguments: ReceivingTests.breaches.indices)
    func breaches(_ index: Int) {
        let (_, bytes, error) = ReceivingTests.breaches[index]
        let lines = watched(.client) { _ = $0.receive(bytes) }
        let broken = lines.filter { $0.contains("breach") }
        let shown = Array(bytes.suffix(from: bytes.count - lastFrameSize(bytes)).prefix(Connection.observedBytes))
        #expect(broken.count == 1 && broken[0].contains("breach \(error) bytes \(shown)"), "\(lines)")
        #expect(lines.last?.hasPrefix("> op=8") == true, "\(lines)")
    }

    /// Of the breaches, some begin with a fragment that is right.
    private func lastFrameSize(_ bytes: [UInt8]) -> Int {
        bytes[0] & 0x80 == 0 && bytes[0] & 0x8 == 0 && bytes.count > 2 + Int(bytes[1]) ? bytes.count - 2 - Int(bytes[1]) : bytes.count
    }

    @Test("the bytes of a masked frame that breaks a rule are those of the wire, and no others")
    func brokenBytes() {
        let bytes = frame(1, [0x61, 0xFF], masked: true)
        #expect(watched(.server) { _ = $0.receive(bytes + frame(2, masked: true)) }.first?.hasSuffix("bytes \(bytes)") == true)
        let reserved = frame(3, [1, 2], masked: true)
        #expect(watched(.server) { _ = $0.receive(reserved + frame(2, masked: true)) }.first?.hasSuffix("bytes \(reserved)") == true)
        let unmasked = frame(1, [7])
        #expect(watched(.server) { _ = $0.receive(unmasked + frame(2)) }.first?.hasSuffix("bytes \(unmasked)") == true)
    }

    @Test("of a compressed frame that can't be inflated the bytes are those that came (RFC 7692, section 7.2.2)")
    func brokenDeflate() {
        let bytes = hex("c1 04 ff ff ff ff")
        let lines = watched(.client, compression: CompressionSettings()) { _ = $0.receive(bytes) }
        #expect(lines.first?.contains("RFC 7692, 7.2.2: ") == true && lines.first?.hasSuffix("bytes \(bytes)") == true, "\(lines)")
    }

    @Test("each breach names the clause that it breaks", arguments: ReceivingTests.breaches.indices)
    func clauses(_ index: Int) {
        let (title, _, error) = ReceivingTests.breaches[index]
        // Text is section 5.6's matter by its type, and 8.1's by what is done about it.
        let clause = String(title.prefix { $0 != ":" }).replacing(/^5\.6/, with: "8.1")
        #expect("\(error)".hasPrefix("RFC 6455, \(clause): "), "\(error)")
    }

    @Test("watching changes nothing in what is received or sent")
    func transparent() {
        let stream = text("Hello") + frame(9) + frame(2, [UInt8](repeating: 7, count: 70_000)) + frame(8, hex("03 e8"))
        var plain = Peer(.client)
        let expected = plain.receive(stream)
        let answer = plain.takeWritten()
        _ = watched(.client) { peer in
            #expect(peer.receive(stream) == expected)
            #expect(peer.takeWritten() == answer)
        }
    }

    // MARK: Raw frames

    @Test("a raw frame has each field as it was given (section 5.2)")
    func raw() {
        var frame = RawFrame()
        frame.payload = Array("Hello".utf8)
        #expect(frame.bytes == hex("81 05 48 65 6c 6c 6f"))
        frame.maskKey = 0x3D21_FA37
        #expect(frame.bytes == hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"))
        frame.isFinal = false
        frame.reserved = 0b111
        frame.opcode = 0xB
        frame.maskKey = nil
        frame.claimedLength = 200
        #expect(frame.bytes == hex("7b 7e 00 c8 48 65 6c 6c 6f"))
        frame.claimedLength = 5
        frame.lengthForm = .sixteenBits
        #expect(frame.bytes == hex("7b 7e 00 05 48 65 6c 6c 6f"))
        frame.lengthForm = .sixtyFourBits
        frame.claimedLength = .max
        #expect(frame.bytes == hex("7b 7f ff ff ff ff ff ff ff ff 48 65 6c 6c 6f"))
    }

    @Test("a raw frame goes out whatever was sent before, and is shown")
    func sentRaw() throws {
        let lines = try watched(.client) { peer in
            var frame = RawFrame()
            frame.opcode = 3
            try peer.connection.send(frame)
            try peer.connection.close(at: 0)
            try peer.connection.send(frame)
            try peer.connection.sendRaw([1, 2, 3])
            #expect(peer.takeWritten().count == 2 + 8 + 2 + 3)
        }
        #expect(lines == ["> op=3 FIN place=1 0", "> op=8 FIN mask=4030201 2 \u{3}\u{FFFD}", "> op=3 FIN place=1 0"])
    }

    @Test("nothing goes out raw before the handshake is through, or after the stream's end")
    func rawNotOpen() {
        var peer = Peer(.client)
        peer.connection.receivedEnd()
        #expect(throws: UsageError.notOpen(.closed)) { try peer.connection.send(RawFrame()) }
        #expect(throws: UsageError.notOpen(.closed)) { try peer.connection.sendRaw([0]) }
    }
}
