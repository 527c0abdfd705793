import Testing

@testable import WebSocketProtocol

@Suite struct WebSocketURLRedirectTests {
    @Test(
        "a Location is resolved against the URL (RFC 3986, section 5.2)",
        arguments: [
            ("http://other/x", "ws://other/x", true), ("https://h:81/a", "wss://h:81/a", true), ("WS://H:8080/b", "ws://h:8080/b", false),
            ("//other:1/x", "ws://other:1/x", true), ("//h:8080", "ws://h:8080/", false),
            ("/x", "ws://h:8080/x", false), ("/x/../y/./z?q=../", "ws://h:8080/y/z?q=../", false),
            ("x", "ws://h:8080/a/b/x", false), ("./x", "ws://h:8080/a/b/x", false), ("../x", "ws://h:8080/a/x", false),
            ("../../../../x", "ws://h:8080/x", false), ("..", "ws://h:8080/a/", false), (".", "ws://h:8080/a/b/", false),
            ("?z", "ws://h:8080/a/b/c?z", false), ("", "ws://h:8080/a/b/c?q=1", false), ("#f", "ws://h:8080/a/b/c?q=1", false),
            ("/x#f", "ws://h:8080/x", false), ("/é", "ws://h:8080/%C3%A9", false), ("x:80", "", false),
            ("./x:80", "ws://h:8080/a/b/x:80", false),
            ("http://h:8080/a/../b#f@x", "ws://h:8080/b", false),
        ])
    func resolved(location: String, expected: String, changesOrigin: Bool) throws {
        let base = try WebSocketURL("ws://u:p@h:8080/a/b/c?q=1")
        guard !expected.isEmpty else {
            #expect(throws: WebSocketURL.ParseError.redirectScheme("x")) { try base.resolve(location: location) }
            return
        }
        let redirect = try base.resolve(location: location)
        #expect(redirect.url.description == expected)
        #expect(redirect.changesOrigin == changesOrigin)
        #expect((redirect.url.credentials == nil) == changesOrigin, "credentials stay with their origin")
    }

    @Test(
        "a redirect to anything but ws, wss, http and https is refused",
        arguments: [
            "ws+unix:///run/x.sock", "file:///etc/passwd", "ftp://h/", "javascript:alert(1)", "http:/x", "http:x", "/a\r\nX: y", "//",
            "http://h:0/",
        ])
    func refused(location: String) throws {
        let base = try WebSocketURL("wss://h/")
        #expect(throws: WebSocketURL.ParseError.self) { try base.resolve(location: location) }
    }

    @Test("a redirect from TLS to none is said to be one, and credentials in a Location are its own")
    func downgrade() throws {
        let base = try WebSocketURL("wss://u:p@h/")
        let redirect = try base.resolve(location: "http://v:w@h/")
        #expect(redirect.dropsTLS && redirect.changesOrigin)
        #expect(redirect.url.credentials == (try Authorization(user: "v", password: Secret("w"))))
        #expect(try !base.resolve(location: "https://h/x").dropsTLS)
    }

    @Test("a relative redirect of a socket's URL stays on the socket")
    func unix() throws {
        let redirect = try WebSocketURL("ws+unix:///a.sock:/x").resolve(location: "y")
        #expect(redirect.url.description == "ws+unix:///a.sock:/y" && !redirect.changesOrigin)
    }
}
