import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("The opening handshake within a connection (RFC 6455, section 4)")
struct OpeningTests {
    /// The key of RFC 6455, section 1.3, so that the expected Accept is the RFC's.
    static let key = HandshakeKey(fieldValue: "dGhlIHNhbXBsZSBub25jZQ==")
    static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    static func client(
        subprotocols: [String] = [], deflate: PermessageDeflateSettings? = nil
    ) throws -> Peer {
        let key = try #require(key)
        let offers = deflate.map { [$0.parameters.headerExtension] } ?? []
        let handshake = try ClientHandshake(
            url: WebSocketURL("ws://example.com/chat"), key: key,
            options: ClientHandshake.Options(subprotocols: subprotocols, extensionOffers: offers))
        return Peer(Connection(client: handshake, deflate: deflate, random: Peer.knownRandom))
    }

    static func response(_ extra: String = "", accept: String = accept) -> [UInt8] {
        Array(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\(extra)\r\n"
                .utf8)
    }

    @Test("a right response opens the connection, and frames in the same read are messages")
    func opens() throws {
        for cuts in [[Int.max], [1], [7, 30, 2]] {
            var client = try Self.client(subprotocols: ["chat"])
            #expect(client.connection.readyState == .connecting)
            let seen = client.receive(Self.response("Sec-WebSocket-Protocol: chat\r\n") + text("hi"), cuts: cuts)
            #expect(seen == [.opened, .text("hi")])
            #expect(client.connection.acceptedSubprotocol == "chat")
            #expect(client.connection.readyState == .open)
        }
    }

    @Test("both sides of ours open to each other, with compression where both want it")
    func bothSides() throws {
        for (offered, accepted) in [(true, true), (true, false), (false, true)] {
            let settings = PermessageDeflateSettings()
            var client = try Self.client(deflate: offered ? settings : nil)
            var server = Peer(Connection(server: .init(), random: Peer.knownRandom))
            #expect(server.receive(client.takeWritten(), cuts: [11]) == [.requested])
            server.connection.accept(deflate: accepted ? settings : nil)
            #expect(client.receive(server.takeWritten()) == [.opened])
            #expect((client.connection.compression != nil) == (offered && accepted))
            let message = String(repeating: "again and ", count: 100)
            try client.send(message)
            let wire = client.takeWritten()
            #expect((wire.count < 100) == (offered && accepted))
            #expect(server.receive(wire) == [.text(message)])
        }
    }

    @Test("4.1: a wrong Accept is refused with what was expected")
    func wrongAccept() throws {
        var client = try Self.client()
        #expect(client.receive(Self.response(accept: "nonsense")) == [.refused])
        #expect(client.connection.refusal?.description == #"Sec-WebSocket-Accept is "nonsense", expected s3pPLMBiTxaQ9kYGzzhZRbK+xOo="#)
        #expect(client.connection.disposition == .finished)
    }

    @Test("a refusal's body is gathered up to its announced length")
    func body() throws {
        var client = try Self.client()
        let head = "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n"
        #expect(client.receive(Array((head + "no").utf8)) == [])
        #expect(client.receive(Array(" entry!!more".utf8)) == [.refused])
        #expect(client.connection.refusal?.body == Array("no entry!".utf8))
        #expect(client.connection.refusal?.response?.status == 403)
    }

    @Test("of a longer body 4 KiB are kept")
    func longBody() throws {
        var client = try Self.client()
        let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
        #expect(client.receive(head + [UInt8](repeating: 97, count: 100_000)) == [.refused])
        #expect(client.connection.refusal?.body.count == 4096)
        #expect(client.connection.refusal?.bodyIsCut == true)
    }

    @Test("a body that doesn't end is waited for one second, or until the stream's end")
    func slowBody() throws {
        let head = Array("HTTP/1.1 500 Oops\r\n\r\nwhy".utf8)
        var slow = try Self.client()
        slow.now = 5
        #expect(slow.receive(head) == [])
        #expect(slow.connection.nextDeadline == 1_000_000_005)
        #expect(slow.tick(at: 1_000_000_005) == .refused)
        #expect(slow.connection.refusal?.body == Array("why".utf8))
        var ended = try Self.client()
        #expect(ended.receive(head) == [])
        ended.connection.receivedEnd()
        #expect(ended.connection.next() == .refused)
    }

    @Test("a stream that ends within the head is refused, and so is one that isn't HTTP")
    func noHead() throws {
        var cut = try Self.client()
        #expect(cut.receive(Array("HTTP/1.1 101 Swi".utf8)) == [])
        cut.connection.receivedEnd()
        #expect(cut.connection.next() == .refused)
        var other = try Self.client()
        other.now = 5
        #expect(other.receive(Array("SSH-2.0-".utf8)) == [], "more of it may come")
        #expect(other.receive(Array("OpenSSH_9.2\r\n".utf8)) == [])
        #expect(other.connection.nextDeadline == 250_000_005)
        #expect(other.tick(at: 250_000_005) == .refused)
        #expect(other.connection.refusal?.body == Array("SSH-2.0-OpenSSH_9.2\r\n".utf8))
    }

    @Test("of what isn't HTTP 4 KiB are kept, the wrong byte among them, however it is cut")
    func malformed() throws {
        let head = Array(
            ("HTTP/1.1 200 OK\r\n" + String(repeating: "X: \(String(repeating: "x", count: 97))\r\n", count: 60) + "\u{1}").utf8)
        for (answer, offset) in [([UInt8](repeating: 0x80, count: 9000), 0), (head + [UInt8](repeating: 0x81, count: 9000), 4089)] {
            for cuts in [[Int.max], [1], [700, 3]] {
                var client = try Self.client()
                #expect(client.receive(answer, cuts: cuts) == [.refused])
                let found = client.connection.refusal
                let refusal = try #require(found)
                #expect(refusal.bodyOffset == offset && refusal.bodyIsCut)
                #expect(refusal.body == Array(answer[offset...].prefix(4096)))
            }
        }
    }

    @Test("a chunked body is gathered without its chunks, in every cut, and what breaks the coding as it came")
    func chunkedBody() throws {
        let head = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        for (coded, body, isComplete) in [
            ("5\r\nhello\r\n0\r\n\r\nmore", "hello", true), ("A;x=\"1\"\r\n0123456789\r\n000 \r\nT: x\r\nU: y\r\n\r\n", "0123456789", true),
            ("5\r\nhel", "hel", false), ("0\r\n\r\n", "", true), ("x5\r\n", "x5\r\n", false), ("5\nhello", "\nhello", false),
            ("2\r\nabX\r\n", "abX\r\n", false), ("fffffffffffffff\r\nab", "ab", false), ("fffffffffffffffff\r\nab", "ff\r\nab", false),
            (";\r\n", ";\r\n", false),
        ] {
            for cuts in [[Int.max], [1], [70, 1]] {
                var client = try Self.client()
                #expect(
                    client.receive(Array((head + coded).utf8), cuts: cuts) == (isComplete ? [.refused] : []), "\(coded.debugDescription)")
                client.connection.receivedEnd()
                if !isComplete { #expect(client.connection.next() == .refused) }
                #expect(client.connection.refusal?.body == Array(body.utf8), "\(coded.debugDescription)")
            }
        }
    }

    @Test("a TLS server is told by its alert, and by what it says of plain HTTP; behind TLS by neither")
    func tlsServer() throws {
        let answers: [[UInt8]] = [
            [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28],
            Array("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n".utf8),
        ]
        let key = try #require(Self.key)
        for (scheme, isNamed) in [("ws", true), ("wss", false)] {
            for answer in answers {
                let handshake = try ClientHandshake(url: WebSocketURL("\(scheme)://example.com/"), key: key)
                var client = Peer(Connection(client: handshake, random: Peer.knownRandom))
                _ = client.receive(answer)
                client.connection.receivedEnd()
                _ = client.connection.next()
                let found = client.connection.refusal
                let refusal = try #require(found)
                #expect(refusal.isFromTLSServer == isNamed)
                #expect((refusal.description == "the server speaks TLS on this port") == isNamed)
                #expect((refusal.hint == "try wss://") == isNamed)
            }
        }
    }

    @Test("interim responses are passed over, but not without end")
    func interim() throws {
        var client = try Self.client()
        let hint = Array("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".utf8)
        #expect(client.receive(hint + hint + Self.response()) == [.opened])
        var endless = try Self.client()
        #expect(endless.receive((0..<20).flatMap { _ in hint }) == [])
        #expect(endless.receive(hint) == [.refused])
        #expect(endless.connection.refusal?.reason == .handshake(.tooManyInterim(limit: 20, last: 103)))
    }

    @Test(
        "RFC 7692, 5.1: an answer that was not offered, or breaks its rules, refuses the connection",
        arguments: [
            "permessage-deflate; server_max_window_bits=7", "permessage-deflate; nonsense", "permessage-deflate, permessage-deflate",
            "x-other",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        ])
    func wrongExtension(_ answer: String) throws {
        var client = try Self.client(deflate: PermessageDeflateSettings())
        #expect(client.receive(Self.response("Sec-WebSocket-Extensions: \(answer)\r\n")) == [.refused])
    }

    @Test("RFC 7692, 7.1.2.1: a server that reaches beyond the window it agreed to is understood, in every cut")
    func beyondTheWindow() throws {
        let bits = try #require(PermessageDeflateParameters.WindowBits(8))
        var settings = PermessageDeflateSettings()
        settings.parameters = PermessageDeflateParameters(serverMaxWindowBits: bits)
        var random = SeededGenerator(seed: 11)
        let half = random.bytes(5000)
        var server = Peer(.server, compression: CompressionSettings())
        try (half + half).withUnsafeBytes { try server.connection.send(.binary, $0) }
        let wire = server.takeWritten()
        for cuts in [[Int.max], [1], [100, 1, 7]] {
            var client = try Self.client(deflate: settings)
            let response = Self.response("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n")
            #expect(client.receive(response + wire, cuts: cuts) == [.opened, .message(.binary, half + half)])
        }
    }

    @Test("an opening handshake that isn't through at its limit ends the connection; with a refusal under way, what came of it is told")
    func timeLimit() throws {
        var client = try Self.client()
        client.connection.limitOpening(until: 150, at: 50)
        #expect(client.receive(Array("HTTP/1.1 101 S".utf8)) == [])
        #expect(client.tick(at: 149) == .needsInput)
        #expect(client.tick(at: 150) == .openingTimedOut)
        #expect(client.connection.readyState == .closed)

        var refused = try Self.client()
        refused.connection.limitOpening(until: 150, at: 0)
        refused.now = 100
        #expect(refused.receive(Array("HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\nkeep".utf8)) == [])
        #expect(refused.connection.nextDeadline == 1_000_000_100)
        #expect(refused.tick(at: 1_000_000_100) == .refused)
        #expect(refused.connection.refusal?.body == Array("keep".utf8))

        var opened = try Self.client()
        opened.connection.limitOpening(until: 150, at: 50)
        #expect(opened.receive(Self.response()) == [.opened])
        #expect(opened.connection.nextDeadline == nil)
    }

    @Test("4.2.1: a server refuses what is no handshake, and ends the stream")
    func serverRefuses() throws {
        var server = Peer(Connection(server: .init(), random: Peer.knownRandom))
        #expect(server.receive(Array("POST / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)) == [.refused])
        #expect(server.connection.disposition == .halfClose)
        #expect(String(decoding: server.takeWritten(), as: UTF8.self).hasPrefix("HTTP/1.1 405 "))
    }

    @Test("a server that is asked for nothing it likes rejects with a status")
    func serverRejects() throws {
        var client = try Self.client()
        var server = Peer(Connection(server: .init(), random: Peer.knownRandom))
        #expect(server.receive(client.takeWritten()) == [.requested])
        server.connection.reject(status: 403, reason: "Forbidden", body: "not you\n")
        #expect(client.receive(server.takeWritten()) == [.refused])
        #expect(client.connection.refusal?.body == Array("not you\n".utf8))
    }
}
