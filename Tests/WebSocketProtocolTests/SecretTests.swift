import Testing

@testable import WebSocketProtocol

@Suite struct SecretTests {
    @Test("a secret prints as *** in every way Swift has of printing")
    func neverPrinted() throws {
        let secret = Secret("hunter2")
        let auth = try Authorization(user: "aladdin", password: secret)
        let token = try #require(Authorization(bearer: secret))
        var text = "\(secret) \(auth) \(token) \(String(reflecting: secret)) \(String(reflecting: auth)) \(String(reflecting: token))"
        dump([secret], to: &text)
        dump(auth, to: &text)
        dump(ClientHandshake.Options(authorization: token), to: &text)
        dump(try HTTPHeaders.Field(parsing: "Authorization: hunter2 aladdin"), to: &text)
        #expect(text.contains("***"))
        #expect(!text.contains("hunter2") && !text.contains("aladdin"))
    }

    @Test("secrets are equal byte for byte")
    func equality() {
        #expect(Secret("a") == Secret("a"))
        #expect(Secret("a") != Secret("b"))
        #expect(Secret("a") != Secret("ab"))
        // The same text to `String`, other bytes to a server.
        #expect(Secret("\u{e9}") != Secret("e\u{301}"))
    }

    @Test("Basic credentials are sent as RFC 7617, section 2, has it")
    func basic() throws {
        #expect(try Authorization(parsing: Secret("Aladdin:open sesame")).fieldValue.revealed == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        #expect(try Authorization(parsing: Secret("test:123£")).fieldValue.revealed == "Basic dGVzdDoxMjPCow==")
        #expect(try Authorization(parsing: Secret("u:a:b")) == Authorization(user: "u", password: Secret("a:b")))
        #expect(try Authorization(parsing: Secret("u")) == Authorization(user: "u", password: Secret("")))
        #expect(throws: Authorization.InvalidError.colonInUser) { try Authorization(user: "a:b", password: Secret("")) }
        #expect(throws: Authorization.InvalidError.controlCharacter) { try Authorization(user: "a", password: Secret("b\r\nX: y")) }
    }

    @Test("a bearer token of anything but visible ASCII is refused", arguments: ["", "a b", "a\r\nX: y", "é", "a\u{7f}"])
    func bearer(text: String) {
        #expect(Authorization(bearer: Secret(text)) == nil)
    }
}
