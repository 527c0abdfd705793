import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("What a server repeats of a request's credentials is masked")
struct CredentialMaskTests {
    private func mask(_ lines: String...) throws -> CredentialMask {
        CredentialMask(try lines.map { try HTTPHeaders.Field(parsing: $0) })
    }

    @Test(
        "the whole value is, whatever its length, and each part of 6 bytes or more",
        arguments: [
            (
                "Authorization: Basic dTpwYXNzd29yZA==", "Basic dTpwYXNzd29yZA==, dTpwYXNzd29yZA==, u:password, password, Basic, u",
                "***, ***, ***, ***, Basic, u"
            ),
            ("Authorization: Bearer abc", "Bearer abc, abc, Bearer", "***, abc, Bearer"),
            ("authorization: Bearer a.b-c_d", "a.b-c_d Bearer", "*** Bearer"),
            ("Authorization: secret", "secrets", "***s"),
            (
                #"Authorization: Digest username="Mufasa", uri="/x", response="8ca523f5e9506fed""#,
                #"Digest Mufasa "8ca523f5e9506fed" /x"#, #"Digest *** "***" /x"#
            ),
            ("Cookie: id=7; s=\"quoted-value\"; long = a=b=c=d", "id=7; 7 quoted-value a=b=c=d id", "id=7; 7 *** *** id"),
            ("Cookie: id=7", "<id=7>", "<***>"),
            ("Set-Cookie: s=123456; Domain=example.com; Path=/", "123456 example.com 12345", "*** example.com 12345"),
            ("Proxy-Authorization: Basic eDp5", "Basic eDp5", "***"),
            ("X-Other: a-long-value", "a-long-value", "a-long-value"),
            ("Cookie:", "nothing", "nothing"),
        ])
    func parts(field: String, text: String, shown: String) throws {
        #expect(try mask(field).masked(text) == shown)
    }

    @Test("secrets that overlap or touch are one mask, and the same one counts each time")
    func overlapping() throws {
        let mask = try mask("Cookie: a=abcdef", "Set-Cookie: b=defghi")
        #expect(mask.ranges(in: Array("-abcdefghi-abcdefdefghi-".utf8)) == [1..<10, 11..<23])
        #expect(mask.masked("abcdef abcdef") == "*** ***")
    }

    @Test("a text that was cut off may end within a secret, of which 6 bytes are enough")
    func cut() throws {
        let mask = try mask("Authorization: Bearer secret-token")
        #expect(mask.masked(Array("x secret-".utf8), isCut: true) == Array("x ***".utf8))
        #expect(mask.masked(Array("x secre".utf8), isCut: true) == Array("x secre".utf8))
        #expect(mask.masked(Array("x secret-".utf8)) == Array("x secret-".utf8))
    }

    @Test("a head is masked in its values and its reason, and stays as it was elsewhere")
    func head() throws {
        let fields = try ["X-A: see secret-token", "Set-Cookie: a=b", "B: c"].map { try HTTPHeaders.Field(parsing: $0) }
        let head = HTTPResponseHead(status: 403, reason: "not secret-token", headers: HTTPHeaders(fields))
        let shown = try mask("Authorization: Bearer secret-token").masked(head)
        #expect(shown.statusLine == "HTTP/1.1 403 not ***")
        #expect(shown.headers.fields.map(\.value) == ["see ***", "***", "c"])
    }

    @Test("a query's credential is masked in the target, and where the server repeats it, as it was or decoded")
    func target() throws {
        let request = HTTPRequestHead(
            method: "GET", target: "/x?token=abc%20defg&key=7", headers: HTTPHeaders([try .init(parsing: "Referer: http://h/?sig=1&a=7")]))
        let mask = CredentialMask(request)
        #expect(mask.masked(request).startLine == "GET /x?token=***&key=*** HTTP/1.1")
        #expect(mask.masked(request).headers.fields.map(\.value) == ["http://h/?sig=***&a=7"])
        #expect(mask.masked("you sent abc defg (abc%20defg) 7") == "you sent *** (***) 7")
        #expect(mask.masked(Array("abc defg /?token=new".utf8)) == Array("*** /?token=new".utf8), "a body is the server's own text")
        let response = HTTPResponseHead(status: 302, reason: "", headers: HTTPHeaders([try .init(parsing: "Location: /y?ticket=longer")]))
        let both = CredentialMask(request, response)
        #expect(both.masked(response).headers["Location"] == "/y?ticket=***")
        #expect(both.masked("longer") == "***")
    }

    @Test("lifted, it shows everything as it is, a URL with its user and password")
    func lifted() throws {
        let request = HTTPRequestHead(
            method: "GET", target: "/?token=abcdefg", headers: HTTPHeaders([try .init(parsing: "Authorization: Bearer abcdefg")]))
        let mask = CredentialMask(request, isLifted: true)
        #expect(mask.masked(request) == request)
        #expect(mask.masked("abcdefg") == "abcdefg" && mask.ranges(in: Array("abcdefg".utf8)) == [])
        let url = try WebSocketURL("wss://us%40er:p%3Aw@[::1]:8/?token=abc")
        #expect(mask.masked(url) == "wss://us%40er:p%3Aw@[::1]:8/?token=abc")
        #expect(CredentialMask().masked(url) == "wss://[::1]:8/?token=***" && "\(url)" == "wss://[::1]:8/?token=***")
    }

    @Test("nothing of a secret is in the mask's description")
    func description() throws {
        #expect(!String(reflecting: try mask("Authorization: Bearer secret-token")).contains("secret-token"))
    }
}
