import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite struct HandshakeClientTests {
    /// The key and its accept value of RFC 6455, section 1.3.
    static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    private func key() throws -> HandshakeKey { try #require(HandshakeKey(Array("the sample nonce".utf8))) }

    private func handshake(_ url: String = "ws://example.com/chat", _ options: ClientHandshake.Options = .init()) throws -> ClientHandshake
    {
        try ClientHandshake(url: WebSocketURL(url), key: key(), options: options)
    }

    private func response(_ status: Int = 101, _ reason: String = "", _ lines: [String]) throws -> HTTPResponseHead {
        HTTPResponseHead(status: status, reason: reason, headers: HTTPHeaders(try lines.map { try HTTPHeaders.Field(parsing: $0) }))
    }

    static let good = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: \(accept)"]

    private func verdict(
        _ lines: [String], status: Int = 101, reason: String = "", options: ClientHandshake.Options = .init()
    ) throws -> HandshakeError? {
        let response = try response(status, reason, lines)
        let handshake = try handshake("ws://example.com/chat", options)
        do throws(HandshakeError) {
            _ = try handshake.check(response)
            return nil
        } catch {
            return error
        }
    }

    @Test("the accept value of RFC 6455, section 1.3, is computed")
    func acceptValue() throws {
        #expect(try key().fieldValue == "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(try key().acceptValue == Self.accept)
        #expect(HandshakeKey([UInt8](repeating: 0, count: 15)) == nil)
        #expect(HandshakeKey([UInt8](repeating: 0, count: 17)) == nil)
    }

    @Test("the plainest request holds just what RFC 6455, section 4.1, demands, and a User-Agent")
    func plainRequest() throws {
        let expected = """
            GET /chat HTTP/1.1\r
            Host: example.com\r
            User-Agent: wsline\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            \r

            """
        #expect(String(decoding: try handshake().request.bytes, as: UTF8.self) == expected)
    }

    @Test("every option has its header")
    func fullRequest() throws {
        let options = ClientHandshake.Options(
            subprotocols: ["chat", "superchat"], headers: [try .init(parsing: "X: 1"), try .init(parsing: "x: 2")], origin: "http://o",
            host: "other:1",
            userAgent: "ua", version: .draft8, extensionOffers: [PermessageDeflateParameters.defaultOffer.headerExtension])
        let headers = try handshake("ws://u:p@example.com", options).request.headers
        #expect(headers["Host"] == "other:1" && headers["User-Agent"] == "ua" && headers["Sec-WebSocket-Version"] == "8")
        #expect(headers["Sec-WebSocket-Origin"] == "http://o" && headers["Origin"] == nil)
        #expect(headers["Sec-WebSocket-Protocol"] == "chat, superchat")
        #expect(headers["Sec-WebSocket-Extensions"] == "permessage-deflate; client_max_window_bits")
        #expect(headers["Authorization"] == "Basic dTpw")
        #expect(headers.values(of: "X") == ["1", "2"])
    }

    @Test(
        "a given Host, User-Agent, Origin or Authorization takes the place of ours",
        arguments: ["Host", "User-Agent", "Origin", "authorization"])
    func overrides(name: String) throws {
        let options = ClientHandshake.Options(headers: [try .init(name: name, value: "mine")], origin: "http://o")
        #expect(try handshake("ws://u:p@example.com", options).request.headers.values(of: name) == ["mine"])
    }

    @Test("an option's authorization goes before the URL's, and printing shows neither")
    func authorization() throws {
        let token = try #require(Authorization(bearer: Secret("t0ken")))
        let handshake = try handshake(
            "ws://u:p@example.com", .init(headers: [try .init(parsing: "Cookie: t0ken")], authorization: token))
        #expect(handshake.request.headers.values(of: "Authorization") == ["Bearer t0ken"])
        let printed = String(decoding: handshake.shownRequest.bytes, as: UTF8.self)
        #expect(printed.contains("Authorization: ***\r\n") && printed.contains("Cookie: ***\r\n") && !printed.contains("t0ken"))
        var dumped = ""
        dump(handshake, to: &dumped)
        #expect(!dumped.contains("t0ken"))
    }

    @Test(
        "a header that the handshake sets, or that announces a body, can't be given",
        arguments: [
            "Upgrade", "connection", "SEC-WEBSOCKET-KEY", "Sec-WebSocket-Version", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding",
        ])
    func reserved(name: String) throws {
        let options = ClientHandshake.Options(headers: [try .init(name: name, value: "1")])
        #expect(throws: ClientHandshake.OptionsError.reservedHeader(name)) { try handshake("ws://h", options) }
    }

    @Test("wrong options make no request")
    func wrongOptions() throws {
        func error(_ options: ClientHandshake.Options) -> ClientHandshake.OptionsError? {
            #expect(throws: ClientHandshake.OptionsError.self) { try handshake("ws://h", options) }
        }
        #expect(error(.init(subprotocols: ["a b"])) == .invalidSubprotocol("a b"))
        #expect(error(.init(subprotocols: [""])) == .invalidSubprotocol(""))
        #expect(error(.init(subprotocols: ["a,b"])) == .invalidSubprotocol("a,b"))
        #expect(error(.init(subprotocols: ["a", "b", "a"])) == .repeatedSubprotocol("a"))
        #expect(error(.init(headers: [try .init(parsing: "Host: a"), try .init(parsing: "host: b")])) == .repeatedHeader("Host"))
        #expect(error(.init(origin: "a\r\nX: y")) == .invalidHeader(.invalidValue(name: "Origin", byte: 0x0d)))
        #expect(error(.init(host: "a\nX: y")) == .invalidHeader(.invalidValue(name: "Host", byte: 0x0a)))
        #expect(error(.init(userAgent: "\u{0}")) == .invalidHeader(.invalidValue(name: "User-Agent", byte: 0)))
    }

    @Test(
        "a response that meets RFC 6455, section 4.1, opens the connection",
        arguments: [
            good, ["upgrade: WebSocket", "connection: keep-alive, UPGRADE", "sec-websocket-accept:  \(accept) \t"],
            ["Upgrade: websocket,", "Connection: close", "Connection: upgrade", "Sec-WebSocket-Accept: \(accept)", "X: y"],
        ])
    func accepted(lines: [String]) throws {
        let result = try handshake().check(response(101, "", lines))
        #expect(result.subprotocol == nil && result.extensions.isEmpty && result.response.status == 101)
    }

    @Test("the subprotocol and extensions chosen among those offered are the result (RFC 6455, section 4.1, items 5 and 6)")
    func chosen() throws {
        let options = ClientHandshake.Options(subprotocols: ["a", "b"], extensionOffers: [.init("foo"), .init("bar")])
        let lines = Self.good + ["Sec-WebSocket-Protocol: b", "Sec-WebSocket-Extensions: bar; x=1", "Sec-WebSocket-Extensions: foo"]
        let result = try handshake("ws://h", options).check(response(101, "", lines))
        #expect(result.subprotocol == "b")
        #expect(result.extensions == [.init("bar", [.init("x", "1")]), .init("foo")])
        #expect(try handshake("ws://h", options).check(response(101, "", Self.good)).subprotocol == nil)
    }

    @Test(
        "a response that breaks a MUST of RFC 6455, section 4.1, is refused with what was seen and expected",
        arguments: [
            (0, "", "Upgrade is missing, expected websocket"),
            (0, "Upgrade: h2c", "Upgrade is \"h2c\", expected websocket"),
            (0, "Upgrade:", "Upgrade is empty, expected websocket"),
            (0, "Upgrade: websocket, h2c", "Upgrade is \"websocket, h2c\", expected websocket"),
            (1, "", "Connection is missing, expected Upgrade"),
            (1, "Connection: keep-alive", "Connection is \"keep-alive\", expected Upgrade"),
            (1, "Connection: not-upgrade", "Connection is \"not-upgrade\", expected Upgrade"),
            (2, "", "Sec-WebSocket-Accept is missing, expected \(accept)"),
            (2, "Sec-WebSocket-Accept: AAAA", "Sec-WebSocket-Accept is \"AAAA\", expected \(accept)"),
            (
                2, "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
                "Sec-WebSocket-Accept is \"S3PPLMBITXAQ9KYGZZHZRBK+XOO=\", expected \(accept)"
            ),
        ])
    func refused(index: Int, line: String, expected: String) throws {
        var lines = Self.good
        lines[index] = line
        #expect(try verdict(lines.filter { !$0.isEmpty })?.description == expected)
    }

    @Test(
        "an Accept that is one of the usual mistakes is explained (RFC 6455, section 4.2.2)",
        arguments: [
            (
                "dGhlIHNhbXBsZSBub25jZQ==",
                "the server sent the key back as it was"
            ),
            (
                "hHLtf2V1k8aDQZfNjw3Ia1hCwt0=",
                "the server hashed the key without the GUID 258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            ),
            (
                "WJfwerbIozKsJXHxxI0JTO1SQgU=",
                "the server hashed the GUID in lower case, it is 258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            ),
            (
                "BXhwxM0SZasKmCD9S4BfpPmCnEw=",
                "the server decoded the key before it hashed it, it is hashed as text"
            ),
            (
                "YjM3YTRmMmNjMDYyNGYxNjkwZjY0NjA2Y2YzODU5NDViMmJlYzRlYQ==",
                "the server wrote the digest in hexadecimal, it is the digest's bytes that are encoded in base64"
            ),
            (
                "B37A4F2CC0624F1690F64606CF385945B2BEC4EA",
                "the server wrote the digest in hexadecimal, it is the digest's bytes that are encoded in base64"
            ),
        ])
    func mistakes(value: String, expected: String) throws {
        var lines = Self.good
        lines[2] = "Sec-WebSocket-Accept: \(value)"
        #expect(try verdict(lines)?.description == "Sec-WebSocket-Accept is \"\(value)\", expected \(Self.accept): \(expected)")
    }

    @Test("a repeated Accept or Protocol is refused, though its values agree (RFC 6455, sections 11.3.3 and 11.3.4)")
    func repeated() throws {
        let options = ClientHandshake.Options(subprotocols: ["a", "b"])
        #expect(try verdict(Self.good + [Self.good[2]]) == .repeated(field: "Sec-WebSocket-Accept", values: [Self.accept, Self.accept]))
        let twice = Self.good + ["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"]
        #expect(try verdict(twice, options: options) == .repeated(field: "Sec-WebSocket-Protocol", values: ["a", "a"]))
        #expect(
            try verdict(Self.good + ["Sec-WebSocket-Protocol: a, b"], options: options)
                == .repeated(field: "Sec-WebSocket-Protocol", values: ["a, b"]))
    }

    @Test("a subprotocol that was not offered is refused, case included (RFC 6455, section 4.1, item 6)", arguments: ["z", "A", ""])
    func subprotocol(name: String) throws {
        let lines = Self.good + ["Sec-WebSocket-Protocol: \(name)"]
        #expect(try verdict(lines, options: .init(subprotocols: ["a"])) == .subprotocolNotOffered(name, offered: ["a"]))
        #expect(try verdict(lines) == .subprotocolNotOffered(name, offered: []))
    }

    @Test("an extension that was not offered, or outside the grammar, is refused (RFC 6455, section 4.1, item 5)")
    func extensions() throws {
        #expect(try verdict(Self.good + ["Sec-WebSocket-Extensions: foo"]) == .extensionNotOffered("foo"))
        let error = try verdict(Self.good + ["Sec-WebSocket-Extensions: foo;"], options: .init(extensionOffers: [.init("foo")]))
        #expect(error?.description == "Sec-WebSocket-Extensions \"foo;\" has no parameter name at column 5")
    }

    @Test(
        "a 101 in another version than HTTP/1.1 is refused (RFC 9110, section 7.8; RFC 9113, section 8.6)",
        arguments: [(1, 0), (2, 0), (0, 9)])
    func otherVersion(major: UInt8, minor: UInt8) throws {
        var head = try response(101, "", Self.good)
        head.version = HTTPVersion(major: major, minor: minor)
        #expect(throws: HandshakeError.httpVersion(head.version)) { try handshake().check(head) }
    }

    @Test(
        "a status other than 101 gets a verdict, and a hint where there is one",
        arguments: [
            (
                401, "Unauthorized", "WWW-Authenticate: Basic realm=\"x, Bearer\"", "HTTP 401: the server wants authentication (Basic)",
                "try --auth"
            ),
            (401, "Unauthorized", "WWW-Authenticate: bearer", "HTTP 401: the server wants authentication (bearer)", "try --bearer"),
            (401, "Unauthorized", "X: y", "HTTP 401: the server wants authentication", nil),
            (301, "Moved", "Location: https://h/x", "HTTP 301: the server redirects to \"https://h/x\"", "try -L"),
            (304, "Not Modified", "X: y", "HTTP 304: Not Modified", nil),
            (
                200, "OK", "X: y", "HTTP 200: the server answered as to a plain request and did not switch to WebSocket",
                "check the path: there may be no WebSocket here"
            ),
            (404, "Not Found", "X: y", "HTTP 404: Not Found", "check the path: there is no WebSocket here"),
            (
                426, "Upgrade Required", "Sec-WebSocket-Version: 8, 7",
                "HTTP 426: the server wants another protocol version: Sec-WebSocket-Version \"8, 7\"", "try -p 8"
            ),
            (400, "Bad Request", "Sec-WebSocket-Version: 13", "HTTP 400: Bad Request", "try -p 13"),
            (503, "Busy", "Retry-After: 3", "HTTP 503: Busy", "the server asks to wait: Retry-After \"3\""),
            (502, "", "X: y", "HTTP 502: the server refused the handshake", "a gateway answered, and the server behind it did not"),
            (500, "\u{1b}[2J\u{9b}", "X: y", "HTTP 500: \\x1b[2J\\x9b", nil),
        ] as [(Int, String, String, String, String?)])
    func status(status: Int, reason: String, line: String, expected: String, hint: String?) throws {
        let error = try verdict([line], status: status, reason: reason)
        #expect(error?.description == expected)
        #expect(error?.hint == hint)
    }

    @Test("a server that refuses version 8 and doesn't say what it speaks may speak 13", arguments: [400, 426])
    func oldDraft(status: Int) throws {
        let handshake = try handshake("ws://h/", .init(version: .draft8))
        let head = try response(status, "", ["X: y"])
        let error = #expect(throws: HandshakeError.self) { try handshake.check(head) }
        #expect(error?.hint == "few servers speak version 8: try -p 13")
    }

    @Test("no verdict lets what the server sent drive the terminal or flood the line")
    func hostile() throws {
        var head = try response(101, "", Self.good)
        head.headers = HTTPHeaders(head.headers.fields.filter { !$0.isNamed("Upgrade") })
        head.headers.append(.init(trustedName: "Upgrade", rawValue: [0xc2, 0x9b, 0x32, 0x4a] + [UInt8](repeating: 0x61, count: 10_000)))
        let error = #expect(throws: HandshakeError.self) { try handshake().check(head) }
        let text = error?.description ?? ""
        #expect(text.contains("\\x9b2Ja") && text.utf8.count < 300 && text.unicodeScalars.allSatisfy { $0.value < 0x7f || $0 == "…" })
    }
}

extension ClientHandshake.Options {
    init(
        subprotocols: [String] = [], headers: [HTTPHeaders.Field] = [], origin: String? = nil, host: String? = nil,
        userAgent: String? = "wsline", version: HandshakeVersion = .rfc6455, authorization: Authorization? = nil,
        extensionOffers: [WebSocketExtension] = []
    ) {
        self.init()
        self.subprotocols = subprotocols
        self.headers = headers
        self.origin = origin
        self.host = host
        self.userAgent = userAgent
        self.version = version
        self.authorization = authorization
        self.extensionOffers = extensionOffers
    }
}
