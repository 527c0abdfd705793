import Testing

@testable import WebSocketProtocol

@Suite struct HTTPHeadersTests {
    private func headers(_ lines: String...) throws -> HTTPHeaders { HTTPHeaders(try lines.map { try HTTPHeaders.Field(parsing: $0) }) }

    @Test("names match in any case, order and repeats are kept (RFC 9110, section 5.1)")
    func lookup() throws {
        let headers = try headers("Set-Cookie: a", "X: 1", "set-cookie: b")
        #expect(headers["SET-COOKIE"] == "a")
        #expect(headers.values(of: "Set-cookie") == ["a", "b"])
        #expect(headers.fields.map(\.name) == ["Set-Cookie", "X", "set-cookie"])
        #expect(headers["nope"] == nil && !headers.contains("nope"))
    }

    @Test("list elements are trimmed, empty ones dropped, fields joined (RFC 9110, section 5.6.1)")
    func tokens() throws {
        let headers = try headers("Connection: , keep-alive ,\t, Upgrade", "connection: x", "Bad: a b, c", "None: ,")
        #expect(headers.tokens(of: "Connection") == ["keep-alive", "Upgrade", "x"])
        #expect(headers.tokens(of: "Bad") == nil)
        #expect(headers.tokens(of: "None") == [])
        #expect(headers.contains(token: "upgrade", in: "CONNECTION"))
        #expect(!headers.contains(token: "up", in: "Connection"))
    }

    @Test(
        "a header as a user writes it is taken apart at its first colon",
        arguments: [
            ("A: b", "A", "b"), ("A:b", "A", "b"), ("A:", "A", ""), ("A: \t", "A", ""), ("A: b:c ", "A", "b:c"), ("X: é", "X", "é"),
        ])
    func userHeader(line: String, name: String, value: String) throws {
        let field = try HTTPHeaders.Field(parsing: line)
        #expect(field.name == name && field.value == value)
    }

    @Test(
        "a header that would smuggle in another, or has no name, is refused",
        arguments: [
            ("A: b\r\nX: y", HTTPFieldError.invalidValue(name: "A", byte: 0x0d)),
            ("A: b\nX: y", .invalidValue(name: "A", byte: 0x0a)),
            ("A: b\n", .invalidValue(name: "A", byte: 0x0a)),
            ("A: \u{0}", .invalidValue(name: "A", byte: 0)),
            ("A: \u{7f}", .invalidValue(name: "A", byte: 0x7f)),
            ("A\r\nX: y", .invalidName("A\r\nX", at: "\r")),
            (": b", .emptyName), (":", .emptyName),
            ("A : b", .invalidName("A ", at: " ")),
            (" A: b", .invalidName(" A", at: " ")),
            ("Ä: b", .invalidName("Ä", at: "Ä")),
            ("A", .missingColon("A")), ("", .missingColon("")),
            ("Authorization Bearer s3cret", .missingColon("Authorization")),
        ])
    func refusedUserHeader(line: String, error: HTTPFieldError) {
        #expect(throws: error) { try HTTPHeaders.Field(parsing: line) }
    }

    @Test("a colon with a combining mark is still a colon")
    func graphemes() throws {
        #expect(try HTTPHeaders.Field(parsing: "A:\u{301}b").value == "\u{301}b")
        #expect(try headers("Connection: a,\u{301}, upgrade").contains(token: "upgrade", in: "Connection"))
    }

    @Test("credentials are redacted in any case of their name, the rest is not")
    func redacted() throws {
        let headers = try headers("AUTHORIZATION: Basic x", "cookie: id=1", "Proxy-Authorization: y", "X: z")
        #expect(headers.redacted.fields.map(\.description) == ["AUTHORIZATION: ***", "cookie: ***", "Proxy-Authorization: ***", "X: z"])
        #expect(headers["cookie"] == "id=1")
    }

    @Test("an error quotes the name with its controls escaped")
    func description() {
        #expect(
            HTTPFieldError.invalidName("A\r\nX", at: "\r").description
                == #"the header name "A\x0d\x0aX" holds "\x0d": names are letters, digits and any of !#$%&'*+-.^_`|~"#)
    }
}
