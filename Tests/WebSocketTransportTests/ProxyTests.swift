import Testing

@testable import WebSocketTransport
import WebSocketProtocol

@Suite struct ProxyTests {
    @Test(
        "a proxy is read as curl reads it",
        arguments: [
            ("proxy", "http://proxy:1080"), ("proxy:3128", "http://proxy:3128"), ("http://proxy/", "http://proxy:1080"),
            ("https://proxy", "https://proxy:443"), ("SOCKS5://proxy", "socks5://proxy:1080"), ("socks5h://[::1]:9", "socks5h://[::1]:9"),
            ("user:pass@proxy:1", "http://proxy:1"),
        ])
    func parsing(text: String, expected: String) throws {
        #expect(try Proxy(parsing: text).description == expected)
    }

    @Test(
        "a proxy's user and password are unescaped",
        arguments: [("u:p@h", "u", "p"), ("u%40x:p%3A%2f@h", "u@x", "p:/"), ("u@h", "u", ""), ("u:a@b@h", "u", "a@b"), (":p@h", "", "p")])
    func credentials(text: String, user: String, password: String) throws {
        #expect(try Proxy(parsing: text).credentials == Proxy.Credentials(user: user, password: Secret(password)))
    }

    @Test(
        "what is no proxy is refused, and its password is not shown",
        arguments: [
            "", "ftp://hunter2:hunter2@h", "u:hunter2@", "u:hunter2@h:0", "u:hunter2@h:65536", "u:hunter2@h:x", "u:hunter2@h/path",
            "u:hunter2%4@h",
            "u:%ffhunter2@h", "u:hunter2@[::1",
        ])
    func bad(text: String) {
        #expect {
            try Proxy(parsing: text)
        } throws: { error in
            guard let error = error as? TransportError else { return false }
            return error.stage == .proxy && !error.message.contains("hunter2")
        }
    }

    @Test("a proxy with credentials does not print them")
    func noCredentials() throws {
        let proxy = try Proxy(parsing: "u:hunter2@h")
        var dumped = ""
        dump(proxy, to: &dumped)
        #expect(!"\(proxy)\(String(reflecting: proxy))\(dumped)".contains("hunter2"))
    }

    @Test(
        "the environment's proxy depends on TLS; lower case goes first; empty means none",
        arguments: [
            (["http_proxy": "a", "https_proxy": "b"], false, "http://a:1080"),
            (["http_proxy": "a", "https_proxy": "b"], true, "http://b:1080"),
            (["HTTP_PROXY": "a"], false, "http://a:1080"), (["http_proxy": "a", "HTTP_PROXY": "b"], false, "http://a:1080"),
            (["all_proxy": "c"], true, "http://c:1080"), (["ALL_PROXY": "c"], false, "http://c:1080"),
            (["http_proxy": "", "all_proxy": "c"], false, nil), (["http_proxy": "a"], true, nil), ([:], true, nil),
            (["http_proxy": "a", "no_proxy": "example.com"], false, nil), (["http_proxy": "a", "NO_PROXY": "*"], false, nil),
            (["http_proxy": "a", "no_proxy": ""], false, "http://a:1080"),
        ] as [([String: String], Bool, String?)])
    func environment(variables: [String: String], secure: Bool, expected: String?) throws {
        let proxy = try Proxy.fromEnvironment(secure: secure, host: "www.example.com", port: 80) { variables[$0] }
        #expect(proxy?.description == expected)
    }

    @Test("a bad proxy in the environment is named by its variable")
    func badEnvironment() {
        #expect {
            try Proxy.fromEnvironment(secure: true, host: "h", port: 1) { $0 == "ALL_PROXY" ? "ftp://x" : nil }
        } throws: { error in
            (error as? TransportError)?.message.hasPrefix("ALL_PROXY: ") == true
        }
    }

    @Test(
        "no_proxy excepts names with their subdomains, addresses, blocks and ports",
        arguments: [
            ("example.com", "example.com", true), ("example.com", "www.example.com", true), (".example.com", "example.com", true),
            (".example.com", "www.example.com", true), ("example.com", "notexample.com", false), ("EXAMPLE.com.", "example.COM", true),
            ("a, example.com", "example.com", true), ("a example.com", "example.com", true), ("*", "anything", true),
            ("", "example.com", false),
            (",.", "example.com", false), ("example.com:80", "example.com", true), ("example.com:81", "example.com", false),
            ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1:81", "127.0.0.1", false), ("0.0.1", "127.0.0.1", false),
            ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.1.2.3", false), ("0.0.0.0/0", "11.1.2.3", true),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("10.0.0.0/-1", "10.0.0.0", false), ("[::1]", "::1", true), ("::1", "::1", true), ("[::1]:80", "::1", true),
            ("fe80::/10", "fe80::1", true),
            ("fe80::/10", "::1", false), ("10.0.0.0/8", "example.com", false),
        ])
    func exceptions(list: String, host: String, isExcepted: Bool) {
        #expect(NoProxyList(list).contains(host: host, port: 80) == isExcepted)
    }
}

@Suite struct ProxyHandshakeTests {
    private func connect(_ proxy: String = "proxy:1", to host: String = "example.com", port: UInt16 = 443) throws -> any ProxyHandshake {
        try Proxy(parsing: proxy).handshake(to: host, port: port)
    }

    private func failure(_ action: ProxyAction) -> TransportError? {
        if case .fail(let error) = action { error } else { nil }
    }

    @Test("CONNECT names the target twice, and the credentials if there are any (RFC 9110 §9.3.6)")
    func request() throws {
        let plain = try connect()
        #expect(plain.opening == Array("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n".utf8))
        let secret = try connect("user:pass@proxy", to: "::1")
        let text = "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
        #expect(secret.opening == Array(text.utf8))
    }

    @Test("a name that would break out of the request is refused", arguments: ["a b", "a\r\nX: y", "a\u{7f}"])
    func injection(host: String) {
        #expect(throws: TransportError.self) { try connect(to: host) }
    }

    @Test("any 2xx opens the tunnel, in one piece or byte by byte, after interim answers too")
    func opens() throws {
        let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 OK\r\nVia: x\r\n\r\n"
        var whole = try connect()
        #expect(whole.received(answer.utf8) == .finish)
        var pieces = try connect()
        for byte in answer.utf8.dropLast() { #expect(pieces.received([byte]) == .wait) }
        #expect(pieces.received([0x0A]) == .finish)
        var bare = try connect()
        #expect(bare.received("HTTP/1.1 200\n\n".utf8) == .finish)
    }

    @Test("another status refuses, quoted")
    func refuses() throws {
        var handshake = try connect()
        let error = failure(handshake.received("HTTP/1.1 403 For\u{202e}bidden\r\n\r\n".utf8))
        #expect(error?.stage == .proxy)
        #expect(error?.message == "the proxy http://proxy:1 refused to connect to example.com:443: HTTP 403 For\\u{202e}bidden")
    }

    @Test("407 asks for credentials, or for others, and shows none")
    func authentication() throws {
        let answer = "HTTP/1.1 407 Nope\r\nProxy-Authenticate: Basic realm=\"x\"\r\nproxy-authenticate: Digest\r\n\r\n"
        var none = try connect()
        let wanted = failure(none.received(answer.utf8))
        #expect(wanted?.kind == .authentication)
        #expect(wanted?.message == "the proxy http://proxy:1 wants authentication (Basic, Digest)")
        var wrong = try connect("user:hunter2@proxy:1")
        let refused = failure(wrong.received(answer.utf8))
        #expect(refused?.message == "the proxy http://proxy:1 did not accept the user and password (Basic, Digest)")
    }

    @Test(
        "what is not HTTP, has no end, or goes on past it, is refused",
        arguments: ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n", "HTTP/1.1\r\n\r\n", "\r\n\n", "HTTP/1.1 200 OK\r\n\r\nmore"])
    func malformed(answer: String) throws {
        var handshake = try connect()
        #expect(failure(handshake.received(answer.utf8))?.kind == .protocolFailure)
    }

    @Test("an answer without end is refused at the limit", arguments: ["X: ", ""])
    func limit(field: String) throws {
        var handshake = try connect()
        let start = "HTTP/1.1 200 " + (field.isEmpty ? "" : "OK\r\n" + field)
        #expect(handshake.received(start.utf8) == .wait)
        for _ in start.utf8.count..<16384 { #expect(handshake.received([0x41]) == .wait) }
        #expect(failure(handshake.received([0x41]))?.message == "the proxy http://proxy:1 answered with more than 16384 bytes of headers")
    }

    @Test("an answer that isn't HTTP is refused at its first wrong byte, and quoted")
    func notHTTP() throws {
        var handshake = try connect()
        let error = failure(handshake.received("SSH-2.0-\u{1b}[2J\r\nmore".utf8))
        #expect(error?.stage == .proxy)
        #expect(error?.message == #"the proxy http://proxy:1 does not speak HTTP: it answered "SSH-2.0-\x1b[2J""#)
    }

    @Test(
        "a head with a wrong field is refused, and its line quoted",
        arguments: [
            ("Via: x\r\n folded\r\n\r\n", #"" folded""#), ("Via: a\0b\r\n\r\n", #""Via: a\x00b""#), ("Via\r\n\r\n", #""Via""#),
            (": x\r\n\r\n", #"": x""#),
            ("Via : x\r\n\r\n", #""Via : x""#), ("Via: a\rb\r\n\r\n", #""Via: a\x0db""#), ("Via\n\n", #""Via""#),
            (String(repeating: "A: b\r\n", count: 129) + "\r\n", #""A: b""#),
        ])
    func malformedHead(fields: String, quoted: String) throws {
        for status in ["200 OK", "407 No", "103 Hint"] {
            var handshake = try connect()
            let error = failure(handshake.received("HTTP/1.1 \(status)\r\n\(fields)".utf8))
            #expect(error?.stage == .proxy && error?.kind == .protocolFailure)
            #expect(
                error?.message.hasPrefix("the proxy http://proxy:1 answered with a malformed HTTP head, in \(quoted): ") == true,
                "\(error?.message ?? "none")")
        }
    }

    @Test("a reason phrase with a control character is refused, and quoted")
    func reasonPhrase() throws {
        var handshake = try connect()
        let error = failure(handshake.received("HTTP/1.1 403 For\u{1b}bidden\r\n\r\n".utf8))
        let start =
            #"the proxy http://proxy:1 answered with a malformed HTTP head, in "HTTP/1.1 403 For\x1bbidden": the reason phrase is wrong"#
        #expect(error?.message.hasPrefix(start) == true, "\(error?.message ?? "none")")
    }

    @Test("interim answers without end are refused")
    func interim() throws {
        var handshake = try connect()
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        for _ in 0..<20 { #expect(handshake.received(hints.utf8) == .wait) }
        let message = "the proxy http://proxy:1 sent more than 20 interim responses (1xx, the last HTTP 103) and no final one"
        #expect(failure(handshake.received(hints.utf8))?.message == message)
        var flood = try connect()
        #expect(failure(flood.received(String(repeating: hints, count: 1000).utf8))?.message == message)
    }

    @Test("a refusal's body is left alone, whole and in pieces")
    func body() throws {
        let answer = "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 3\r\n\r\n\0\n\n"
        var whole = try connect()
        #expect(failure(whole.received(answer.utf8))?.message == "the proxy http://proxy:1 wants authentication (Basic)")
        var pieces = try connect()
        let last = answer.utf8.lazy.map { pieces.received([$0]) }.first { $0 != .wait }
        #expect(last.flatMap(failure)?.message == "the proxy http://proxy:1 wants authentication (Basic)")
    }

    @Test("an answer in another HTTP than HTTP/1 is refused", arguments: ["HTTP/2.0 200 OK\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\n"])
    func version(answer: String) throws {
        var handshake = try connect()
        #expect(failure(handshake.received(answer.utf8))?.message.contains("does not speak HTTP: it answered \"HTTP/") == true)
    }

    @Test("SOCKS5 with no password: greeting, request by name, reply (RFC 1928)")
    func socksByName() throws {
        var handshake = try connect("socks5h://proxy", to: "ab", port: 0x1234)
        #expect(handshake.opening == [5, 1, 0])
        #expect(handshake.received([5]) == .wait)
        #expect(handshake.received([0]) == .send([5, 1, 0, 3, 2, 0x61, 0x62, 0x12, 0x34]))
        let reply: [UInt8] = [5, 0, 0, 1, 1, 2, 3, 4, 0, 80]
        for byte in reply.dropLast() { #expect(handshake.received([byte]) == .wait) }
        #expect(handshake.received([80]) == .finish)
    }

    @Test(
        "SOCKS5 by address",
        arguments: [
            ("1.2.3.4", [5, 1, 0, 1, 1, 2, 3, 4, 0, 5]), ("::1", [5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 5]),
        ] as [(String, [UInt8])])
    func socksByAddress(address: String, request: [UInt8]) throws {
        var handshake = try connect("socks5://proxy", to: address, port: 5)
        #expect(handshake.received([5, 0]) == .send(request))
    }

    @Test("SOCKS5 with a password (RFC 1929)")
    func socksPassword() throws {
        var handshake = try connect("socks5h://u:pw@proxy", to: "a", port: 1)
        #expect(handshake.opening == [5, 2, 0, 2])
        #expect(handshake.received([5, 2]) == .send([1, 1, 0x75, 2, 0x70, 0x77]))
        #expect(handshake.received([1, 0]) == .send([5, 1, 0, 3, 1, 0x61, 0, 1]))
        #expect(handshake.received([5, 0, 0, 3, 1, 0x78, 0, 0]) == .finish)
        var refused = try connect("socks5h://u:pw@proxy")
        _ = refused.received([5, 2])
        #expect(failure(refused.received([1, 1]))?.kind == .authentication)
    }

    @Test("a SOCKS5 proxy that wants a password, or takes none of ours, says so", arguments: [2, 255] as [UInt8])
    func socksWantsPassword(method: UInt8) throws {
        var handshake = try connect("socks5h://proxy")
        #expect(failure(handshake.received([5, method]))?.message == "the proxy socks5h://proxy:1080 wants authentication")
    }

    @Test("a SOCKS5 refusal tells the reason (RFC 1928 §6)")
    func socksRefused() throws {
        var handshake = try connect("socks5h://proxy")
        _ = handshake.received([5, 0])
        let error = failure(handshake.received([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]))
        #expect(error?.message == "the proxy socks5h://proxy:1080 can't connect to example.com:443: connection refused")
    }

    @Test(
        "what is not SOCKS5, or goes on past the reply, is refused",
        arguments: [
            [[4]], [[72, 84]], [[5, 0], [4]], [[5, 0], [5, 0, 0, 9, 0]], [[5, 0, 1]], [[5, 0], [5, 0, 0, 1, 1, 2, 3, 4, 0, 80, 1]],
        ] as [[[UInt8]]])
    func socksMalformed(pieces: [[UInt8]]) throws {
        var handshake = try connect("socks5h://proxy")
        var last = ProxyAction.wait
        for piece in pieces { last = handshake.received(piece) }
        #expect(failure(last)?.kind == .protocolFailure)
    }

    @Test("what SOCKS5's length bytes can't hold is refused")
    func socksLengths() {
        let long = String(repeating: "x", count: 256)
        #expect(throws: TransportError.self) { try connect("socks5h://proxy", to: long) }
        #expect(throws: TransportError.self) { try connect("socks5h://\(long):p@proxy") }
        #expect(throws: TransportError.self) { try connect("socks5h://u@proxy") }
    }
}
