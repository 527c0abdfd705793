import Testing
import WebSocketProtocol

@Suite struct ExtensionHeaderTests {
    @Test(
        "an extension list is read by RFC 6455, section 9.1",
        arguments: [
            (["foo"], "foo"), (["foo, bar; baz=2"], "foo, bar; baz=2"), (["foo;a ; b = c ,bar"], "foo; a; b=c, bar"),
            (["foo; a=\"1\\0\"; b"], "foo; a=10; b"), (["foo", "bar"], "foo, bar"), ([", foo ,, bar,"], "foo, bar"), ([], ""),
            (["foo; a; a=1; a"], "foo; a; a=1; a"),
        ])
    func valid(values: [String], serialized: String) throws {
        let extensions = try ExtensionHeader.parse(values)
        #expect(ExtensionHeader.serialize(extensions) == serialized)
        if !extensions.isEmpty { #expect(try ExtensionHeader.parse([serialized]) == extensions) }
    }

    @Test(
        "a list outside the grammar of RFC 6455, section 9.1, is refused with its column",
        arguments: [
            ("", ExtensionHeader.ParseError.Reason.emptyList, 1), (" , ,", .emptyList, 1), ("foo bar", .expectedSeparator, 5),
            ("foo;", .expectedParameterName, 5),
            ("foo; ,bar", .expectedParameterName, 6), ("foo; =1", .expectedParameterName, 6), ("foo; a=", .expectedValue, 8),
            ("foo; a=,", .expectedValue, 8),
            ("foo; a=\"", .unterminatedQuotedString, 8), ("foo; a=\"b\\", .unterminatedQuotedString, 8),
            ("foo; a=\"b\\\"", .unterminatedQuotedString, 8),
            ("foo; a=\"\"", .quotedValueIsNoToken, 8), ("foo; a=\"b c\"", .quotedValueIsNoToken, 8),
            ("foo; a=\"b\"c", .expectedSeparator, 11),
            ("foo=1", .expectedSeparator, 4), ("=", .expectedExtensionName, 1), ("é", .expectedExtensionName, 1),
            ("foo, \"x\"", .expectedExtensionName, 6),
        ])
    func refused(value: String, reason: ExtensionHeader.ParseError.Reason, column: Int) {
        let error = #expect(throws: ExtensionHeader.ParseError.self) { try ExtensionHeader.parse([value]) }
        #expect(error?.reason == reason && error?.column == column, "\(String(describing: error))")
    }

    @Test("a value with no end of parameters is read in one pass")
    func long() throws {
        let value = "foo" + String(repeating: ";a", count: 20_000)
        #expect(try ExtensionHeader.parse([value]).first?.parameters.count == 20_000)
    }
}
