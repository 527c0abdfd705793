import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite struct HandshakeServerTests {
    static let good = [
        "Host: h", "Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]

    private func request(_ lines: [String] = good, method: String = "GET", version: HTTPVersion = .http1_1) throws -> HTTPRequestHead {
        HTTPRequestHead(
            method: method, target: "/", version: version,
            headers: HTTPHeaders(try lines.filter { !$0.isEmpty }.map { try HTTPHeaders.Field(parsing: $0) }))
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func refusal(_ request: HTTPRequestHead) -> ServerHandshakeError? {
        #expect(throws: ServerHandshakeError.self) { try ServerHandshake(request) }
    }

    @Test("the response of RFC 6455, section 1.3, opens the connection")
    func accepted() throws {
        let expected =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        let handshake = try ServerHandshake(try request(Self.good + ["Sec-WebSocket-Protocol: chat, superchat"]))
        #expect(text(handshake.accept()) == expected + "\r\n")
        let chosen = handshake.accept(
            subprotocol: "chat", extensions: [.init("foo", [.init("a", "1")])], headers: [try .init(parsing: "X: y")])
        #expect(text(chosen) == expected + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: foo; a=1\r\nX: y\r\n\r\n")
    }

    @Test("the server's order decides among the subprotocols that the client offered (RFC 6455, section 4.2.2)")
    func subprotocols() throws {
        let handshake = try ServerHandshake(try request(Self.good + ["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c"]))
        #expect(handshake.offeredSubprotocols == ["a", "b", "c"])
        #expect(handshake.selectSubprotocol(from: ["x", "c", "a"]) == "c")
        #expect(handshake.selectSubprotocol(from: ["A"]) == nil)
        #expect(handshake.selectSubprotocol(from: []) == nil)
    }

    @Test("version 8 is spoken too, and has its origin in Sec-WebSocket-Origin")
    func draft8() throws {
        let lines = Self.good.dropLast() + ["Sec-WebSocket-Version: 8", "Sec-WebSocket-Origin: http://o", "Origin: http://x"]
        let handshake = try ServerHandshake(try request(Array(lines)))
        #expect(handshake.version == .draft8 && handshake.origin == "http://o")
        #expect(try ServerHandshake(try request(Self.good + ["Origin: http://x"])).origin == "http://x")
    }

    @Test(
        "a request that breaks RFC 6455, section 4.2.1, is refused with its status",
        arguments: [
            (0, "", ServerHandshakeError.host, 400), (0, "Host: a", nil, 0),
            (1, "", .upgrade, 426), (1, "Upgrade: h2c", .upgrade, 426), (1, "Upgrade: h2c, WebSocket", nil, 0),
            (2, "", .connection, 400), (2, "Connection: close", .connection, 400),
            (3, "", .key([]), 400), (3, "Sec-WebSocket-Key:", .key([""]), 400),
            (3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", .key(["dGhlIHNhbXBsZSBub25jZQ"]), 400),
            (3, "Sec-WebSocket-Key: AAAA", .key(["AAAA"]), 400),
            (4, "", .version([]), 426), (4, "Sec-WebSocket-Version: 7", .version(["7"]), 426),
            (4, "Sec-WebSocket-Version: 013", .version(["013"]), 426),
            (4, "Sec-WebSocket-Version: 13, 8", .version(["13, 8"]), 426),
        ] as [(Int, String, ServerHandshakeError?, Int)])
    func refused(index: Int, line: String, error: ServerHandshakeError?, status: Int) throws {
        var lines = Self.good
        lines[index] = line
        guard let error else {
            _ = try ServerHandshake(try request(lines))
            return
        }
        let seen = try refusal(request(lines))
        #expect(seen == error)
        let response = text(error.response)
        #expect(response.hasPrefix("HTTP/1.1 \(status) "))
    }

    @Test(
        "a field that may stand once is refused twice, and so is a body",
        arguments: [
            ("Host: h", ServerHandshakeError.host), ("Sec-WebSocket-Version: 13", .version(["13", "13"])),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", .key(["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="])),
            ("Content-Length: 1", .body), ("Content-Length: x", .body), ("Transfer-Encoding: chunked", .body),
            ("Sec-WebSocket-Protocol: a b", .subprotocols(["a b"])), ("Sec-WebSocket-Protocol: a, a", .subprotocols(["a, a"])),
            ("Sec-WebSocket-Protocol:", .subprotocols([""])),
            ("Sec-WebSocket-Extensions: ;", .extensions(.init(reason: .expectedExtensionName, value: ";", column: 1))),
        ])
    func refusedAddition(line: String, error: ServerHandshakeError) throws {
        #expect(try refusal(request(Self.good + [line])) == error)
    }

    @Test("a Content-Length of 0 is no body")
    func emptyBody() throws {
        _ = try ServerHandshake(try request(Self.good + ["Content-Length: 0"]))
    }

    @Test("a method other than GET and an old HTTP are refused (RFC 6455, section 4.2.1, item 1)")
    func startLine() throws {
        #expect(try refusal(request(method: "POST")) == .method("POST"))
        #expect(try refusal(request(method: "get")) == .method("get"))
        #expect(try refusal(request(version: HTTPVersion(major: 1, minor: 0))) == .httpVersion(HTTPVersion(major: 1, minor: 0)))
        _ = try ServerHandshake(try request(version: HTTPVersion(major: 1, minor: 2)))
    }

    @Test("a refusal is a whole response with a text body and the connection's end")
    func refusalResponse() throws {
        #expect(
            text(ServerHandshakeError.version(["7"]).response)
                == "HTTP/1.1 426 Upgrade Required\r\nConnection: close, Upgrade\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 47\r\n"
                + "Upgrade: websocket\r\nSec-WebSocket-Version: 13, 8\r\n\r\nSec-WebSocket-Version is \"7\", expected 13 or 8\n")
        #expect(text(ServerHandshakeError.method("PUT").response).contains("HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n"))
        #expect(text(ServerHandshakeError.method("PUT").response).contains("\r\nAllow: GET\r\n"))
        #expect(text(ServerHandshakeError.body.response).hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(
            text(ServerHandshake.reject(status: 403, reason: "Forbidden", headers: [try .init(parsing: "X: y")], body: "é"))
                == "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\nX: y\r\n\r\né"
        )
    }

    @Test("what a client of ours asks, a server of ours accepts, and the client takes its answer")
    func bothSides() throws {
        var generator = SeededGenerator(seed: 5)
        for version in HandshakeVersion.allCases {
            let options = ClientHandshake.Options(
                subprotocols: ["a", "b"], version: version, extensionOffers: [PermessageDeflateParameters.defaultOffer.headerExtension])
            let key = try #require(HandshakeKey((0..<16).map { _ in .random(in: 0...255, using: &generator) }))
            let client = try ClientHandshake(url: WebSocketURL("ws://h/x"), key: key, options: options)
            var requests = HTTPHeadParser<HTTPRequestHead>()
            guard case .complete(let request, _) = try requests.consume(client.request.bytes.span.bytes) else {
                Issue.record("the request is incomplete")
                return
            }
            let server = try ServerHandshake(request)
            let deflate = try #require(PermessageDeflateParameters().answer(toOffers: server.offeredExtensions))
            let answer = server.accept(subprotocol: server.selectSubprotocol(from: ["b"]), extensions: [deflate.headerExtension])
            var responses = HTTPHeadParser<HTTPResponseHead>()
            guard case .complete(let response, let consumed) = try responses.consume(answer.span.bytes) else {
                Issue.record("the response is incomplete")
                return
            }
            let result = try client.check(response)
            #expect(consumed == answer.count && result.subprotocol == "b")
            #expect(try PermessageDeflateParameters.defaultOffer.agreement(withAnswer: result.extensions) == deflate)
        }
    }
}
