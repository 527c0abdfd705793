import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite struct WebSocketURLTests {
    @Test(
        "what users type becomes a scheme, a Host value and a target (RFC 6455, section 3)",
        arguments: [
            ("ws://example.com", false, "example.com", "/"),
            ("wss://example.com/", true, "example.com", "/"),
            ("WSS://EXAMPLE.com/Chat", true, "example.com", "/Chat"),
            ("http://example.com:80/a", false, "example.com", "/a"),
            ("https://example.com:443/a", true, "example.com", "/a"),
            ("ws://example.com:443", false, "example.com:443", "/"),
            ("wss://example.com:80", true, "example.com:80", "/"),
            ("localhost", false, "localhost", "/"),
            ("localhost:8080", false, "localhost:8080", "/"),
            ("localhost:8080/a?b=http://c", false, "localhost:8080", "/a?b=http://c"),
            ("ws:8080/x", false, "ws:8080", "/x"),
            ("127.0.0.1:1", false, "127.0.0.1:1", "/"),
            ("ws://h:65535?q", false, "h:65535", "/?q"),
            ("ws://h?", false, "h", "/?"),
            ("ws://h//a/../b/./", false, "h", "//a/../b/./"),
            ("ws://h/a b?c d", false, "h", "/a%20b?c%20d"),
            ("ws://h/é?é", false, "h", "/%C3%A9?%C3%A9"),
            ("ws://h/%zz%2F100%?a[]=1&b='(*)!;@:$,+~", false, "h", "/%zz%2F100%?a[]=1&b='(*)!;@:$,+~"),
            ("ws://h/\"<>\\^`{|}", false, "h", "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
            ("ws://h/a@b:c", false, "h", "/a@b:c"),
            ("[::1]:9000/x", false, "[::1]:9000", "/x"),
            ("ws://[2001:DB8::1]", false, "[2001:db8::1]", "/"),
            ("ws://[::ffff:192.0.2.1]:80/", false, "[::ffff:192.0.2.1]", "/"),
            ("ws://my_service.internal.:8080", false, "my_service.internal.:8080", "/"),
            ("ws://xn--bcher-kva.example", false, "xn--bcher-kva.example", "/"),
            ("ws://3com.com", false, "3com.com", "/"),
            ("ws+unix:///run/a.sock:/uri?q", false, "localhost", "/uri?q"),
        ])
    func valid(text: String, isSecure: Bool, host: String, target: String) throws {
        let url = try WebSocketURL(text)
        #expect(url.isSecure == isSecure)
        #expect(url.hostField == host)
        #expect(url.target == target)
        #expect(url.credentials == nil)
        #expect(try WebSocketURL(url.revealed) == url, "what is revealed leads to the same place")
    }

    @Test("an endpoint names the kind of its host")
    func endpoints() throws {
        #expect(try WebSocketURL("ws://a.b").endpoint == .tcp(.name("a.b"), port: 80))
        #expect(try WebSocketURL("wss://10.0.0.1").endpoint == .tcp(.ipv4("10.0.0.1"), port: 443))
        #expect(try WebSocketURL("wss://[::1]").endpoint == .tcp(.ipv6("::1", zone: nil), port: 443))
    }

    @Test("a zone with an @ is refused, since it could not be printed and read back")
    func zoneWithAt() {
        #expect(throws: WebSocketURL.ParseError.self) { try WebSocketURL("ws://[fe80::1%25e%40x]/") }
    }

    @Test(
        "a zone is taken as RFC 6874 writes it and bare, and stays off the Host value",
        arguments: ["ws://[fe80::1%25eth0]:81/", "[fe80::1%eth0]:81"])
    func zone(text: String) throws {
        let url = try WebSocketURL(text)
        #expect(url.endpoint == .tcp(.ipv6("fe80::1", zone: "eth0"), port: 81))
        #expect(url.hostField == "[fe80::1]:81")
        #expect(url.description == "ws://[fe80::1%25eth0]:81/")
        guard case .tcp(let host, _) = url.endpoint else { return }
        #expect(host.lookupName == "fe80::1%eth0")
    }

    @Test(
        "a socket's path ends at the first colon or query and is percent-decoded",
        arguments: [
            ("ws+unix:///a/b.sock", "/a/b.sock", "/"), ("ws+unix:///a.sock:", "/a.sock", "/"), ("ws+unix:///a.sock:/u", "/a.sock", "/u"),
            ("ws+unix:/a.sock:/u:v", "/a.sock", "/u:v"), ("WS+UNIX:///a%3Ab%20c:/u", "/a:b c", "/u"), ("ws+unix:///a?q", "/a", "/?q"),
            ("ws+unix:///a b", "/a b", "/"),
        ])
    func unix(text: String, path: String, target: String) throws {
        let url = try WebSocketURL(text)
        #expect(url.endpoint == .unix(path: path) && url.target == target && !url.isSecure)
        #expect(try WebSocketURL(url.revealed) == url)
    }

    @Test(
        "userinfo becomes Basic credentials, percent-decoded, and is never printed",
        arguments: [
            ("ws://user:hunter2@h/", "user", "hunter2"), ("user:hunter2@h", "user", "hunter2"),
            ("ws://us%40er:hunter%3A2%2F@h", "us@er", "hunter:2/"),
            ("ws://user:a@hunter2@h/", "user", "a@hunter2"), ("ws://user@h/", "user", ""), ("ws://:hunter2@h/", "", "hunter2"),
            ("ws://user:hunter:2@[::1]", "user", "hunter:2"),
        ])
    func userinfo(text: String, user: String, password: String) throws {
        let url = try WebSocketURL(text)
        #expect(url.credentials == (try Authorization(user: user, password: Secret(password))))
        #expect(try WebSocketURL(url.revealed) == url)
        var printed = "\(url) \(String(reflecting: url)) \(url.hostField)"
        dump(url, to: &printed)
        #expect(!printed.contains("hunter") && !printed.contains("us"))
    }

    @Test(
        "a URL that can't be connected to is refused, and the error names the likely fix",
        arguments: [
            ("", WebSocketURL.ParseError.empty, "expected one such as"),
            (" ws://h", .surroundingBlank, "blank"),
            ("ws://h/\r\nX: y", .controlCharacter(0x0d, column: 8), "0x0d, at column 8"),
            ("ws://h\t", .controlCharacter(0x09, column: 7), "0x09"),
            ("ws://h/\u{0}", .controlCharacter(0, column: 8), "0x00"),
            ("htp://h", .unknownScheme("htp"), "did you mean http://?"),
            ("wsss://h", .unknownScheme("wsss"), "did you mean wss://?"),
            ("htpps://h", .unknownScheme("htpps"), "did you mean https://?"),
            ("sw://h", .unknownScheme("sw"), "did you mean ws://?"),
            ("wss+unix:///a", .unknownScheme("wss+unix"), "did you mean ws+unix://?"),
            ("ftp://h", .unknownScheme("ftp"), "expected ws, wss, http, https or ws+unix"),
            ("gopher://h", .unknownScheme("gopher"), "expected ws, wss"),
            ("://h", .unknownScheme(""), "no scheme"),
            ("//h", .missingScheme, "write ws:// or wss://"),
            ("ws:/h", .missingSlashes(scheme: "ws"), "write ws://"),
            ("wss:h", .missingSlashes(scheme: "wss"), "write wss://"),
            ("wss//h", .missingColon(scheme: "wss"), "write wss://"),
            ("ws://", .missingHost, "no host"), ("ws:///a", .missingHost, "no host"), (":80", .missingHost, "no host"),
            ("/a", .missingHost, "no host"), ("ws://:80/", .missingHost, "no host"), ("ws://u@/", .missingHost, "no host"),
            ("ws://h:", .emptyPort, "1 to 65535"),
            ("ws://h:80a/", .invalidPort("80a"), "\"80a\""),
            ("ws://h:+80", .invalidPort("+80"), "1 to 65535"),
            ("ws://h:0", .portOutOfRange("0"), "1 to 65535"),
            ("ws://h:65536", .portOutOfRange("65536"), "1 to 65535"),
            ("ws://h:99999999999999999999999", .portOutOfRange("99999999999999999999999"), "1 to 65535"),
            ("ws://bücher.example", .nonASCIIHost("bücher.example"), "xn--"),
            ("ws://a b/", .invalidHost("a b"), "blank"), ("ws://a%20b/", .invalidHost("a%20b"), "percent-encoded"),
            ("ws://-a", .invalidHost("-a"), "labels"), ("ws://a-.b", .invalidHost("a-.b"), "labels"),
            ("ws://a..b", .invalidHost("a..b"), "labels"), ("ws://.", .invalidHost("."), "labels"),
            ("ws://a,b", .invalidHost("a,b"), "labels"),
            ("ws://127.1", .invalidIPv4("127.1"), "four numbers"), ("ws://1.2.3.256", .invalidIPv4("1.2.3.256"), "four numbers"),
            ("ws://010.0.0.1", .invalidIPv4("010.0.0.1"), "leading zeros"), ("ws://0x7f000001", .invalidIPv4("0x7f000001"), "four numbers"),
            ("8080", .invalidIPv4("8080"), "localhost:8080"),
            ("ws://::1", .unbracketedIPv6("::1"), "write [::1]"),
            ("ws://[::1", .unclosedBracket("[::1"), "[::1]"), ("ws://[::1]80", .afterBracket("80"), ":PORT"),
            ("ws://[1.2.3.4]", .invalidIPv6("1.2.3.4"), "not an IPv6"), ("ws://[fe80::1%]", .invalidIPv6("fe80::1%"), "not an IPv6"),
            ("ws://[::1%25a/b]", .unclosedBracket("[::1%25a"), "closed"),
            ("ws://h/#frag", .fragment("frag"), "\"#frag\""), ("ws://h#", .fragment(""), "RFC 6455, section 3"),
            ("ws+unix://a.sock", .relativeSocketPath, "slash"), ("ws+unix:///a:u", .relativeTarget("u"), "slash"),
            ("ws+unix:///a%00b", .invalidSocketPath("/a%00b"), "not a path"), ("ws+unix:///", .invalidSocketPath("/"), "not a path"),
            ("ws+unix:///a:/#f", .fragment("f"), "fragment"),
        ])
    func refused(text: String, error: WebSocketURL.ParseError, fix: String) {
        #expect(throws: error) { try WebSocketURL(text) }
        #expect(error.description.contains(fix), "\(error.description)")
        #expect(error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f })
    }

    @Test(
        "no error quotes what may be a password",
        arguments: [
            "ws://user:hunter2#x@h/", "ws://user:hunter2/x@h/", "ws://user:hunter2?x@h/", "ws://user:80#hunter2@h/",
            "ws://user:80/hunter2#x@h/",
            "ws://user:hunter2%zz@h/", "ws://user:hunter2%0a@h/", "ws://us%3Aer:hunter2@h/", "ws://user:hunter2@h:80a/",
            "ws://user:hunter2@bad host/",
            "htp://user:hunter2@h/", "ws:/user:hunter2@h", "wss//user:hunter2@h", "ws+unix://user:hunter2@h/", "user:hunter2@h:x",
            "user:hunter2/x@h",
            "ws://user:hunter2@h/#frag", "ws://user:hunter2\u{7f}@h", "ws://[user:hunter2#@h", "ws://user:a@80#hunter2@h",
            "ws://user:a@hunter2 x/y@h",
        ])
    func passwordUnquoted(text: String) {
        let error = #expect(throws: WebSocketURL.ParseError.self) { try WebSocketURL(text) }
        #expect(error.map { !"\($0) \(String(reflecting: $0))".contains("hunter2") } == true)
    }

    @Test("a label may have 63 characters and a name 253")
    func lengths() throws {
        let label = String(repeating: "a", count: 63)
        _ = try WebSocketURL("ws://\(label)")
        #expect(throws: WebSocketURL.ParseError.invalidHost(label + "a")) { try WebSocketURL("ws://\(label)a") }
        let name = [label, label, label, String(repeating: "a", count: 61)].joined(separator: ".")
        #expect(name.utf8.count == 253)
        _ = try WebSocketURL("ws://\(name)")
        _ = try WebSocketURL("ws://\(name).")
        #expect(throws: WebSocketURL.ParseError.invalidHost(name + "a")) { try WebSocketURL("ws://\(name)a") }
    }

    @Test(
        "IPv6 addresses follow RFC 4291, section 2.2",
        arguments: [
            ("::", true), ("::1", true), ("1::", true), ("1:2:3:4:5:6:7:8", true), ("1:2:3:4:5:6:7::", true), ("::2:3:4:5:6:7:8", true),
            ("1:2:3:4:5:6:1.2.3.4", true), ("::1.2.3.4", true), ("ABCD:ef01::", true),
            ("", false), (":", false), (":::", false), ("1", false), ("1:2:3:4:5:6:7", false), ("1:2:3:4:5:6:7:8:9", false),
            ("1::2::3", false), ("12345::", false), ("g::", false), (":1:2:3:4:5:6:7", false), ("1:2:3:4:5:6:7:", false),
            ("1:2:3:4:5:6:7:8::", false),
            ("::1.2.3", false), ("::1.2.3.256", false), ("1.2.3.4::", false), ("1:2:3:4:5:6:7:1.2.3.4", false), ("1.2.3.4", false),
        ])
    func ipv6(text: String, isValid: Bool) {
        #expect(WebSocketURLParser.isIPv6(text) == isValid)
    }

    @Test("random texts give a URL or an error, never a trap, and a URL's target fits a request line")
    func fuzz() {
        var generator = SeededGenerator(seed: 3)
        let pieces = [
            "ws", "wss", "http", "://", ":", "/", "//", "?", "#", "@", "[", "]", "::1", "h", "80", "%", "%41", ".", "..", "é", " ",
            "\u{301}", "-",
        ]
        var valid = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...9, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            guard let url = try? WebSocketURL(text) else { continue }
            valid += 1
            #expect(url.target.hasPrefix("/") && url.target.utf8.allSatisfy { (0x21...0x7e).contains($0) }, "\(text)")
            #expect((try? WebSocketURL(url.revealed)) == url, "\(text)")
            _ = try? url.resolve(location: pieces.shuffled(using: &generator).prefix(5).joined())
        }
        #expect(valid > 100)
    }
}
