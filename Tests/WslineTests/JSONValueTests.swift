import TestSupport
import Testing

@testable import wsline

@Suite("Values of JSON, read where they stand")
struct JSONValueTests {
    /// Reads what `body` asks of a text's value.
    private func reading<Result>(_ text: String, _ body: (JSONValue) throws -> Result) throws -> Result {
        try Array(text.utf8).withUnsafeBytes { try body(try JSONValue(parsing: $0)) }
    }

    private func written(_ value: JSONValue?) -> String? { value.map { String(decoding: $0.bytes, as: UTF8.self) } }

    /// What the steps lead to, as it is written.
    private func look(_ text: String, _ path: JSONValue.Step...) throws -> String? { try reading(text) { written($0.value(at: path)) } }

    @Test(
        "a text is one value, with blanks round it",
        arguments: [
            (" {} ", .object, "{}"), ("\n[1, 2]\t", .array, "[1, 2]"), (" \"a b\" ", .string, "\"a b\""), ("-1.50E+3", .number, "-1.50E+3"),
            ("true", .true, "true"), ("false ", .false, "false"), (" null", .null, "null"),
        ] as [(String, JSONValue.Kind, String)])
    func whole(text: String, kind: JSONValue.Kind, bytes: String) throws {
        #expect(try reading(text) { $0.kind } == kind)
        #expect(try reading(text) { written($0) } == bytes)
    }

    @Test("a text that isn't JSON as a whole is refused", arguments: [("", 0), ("[1,{\"a\":[}]", 9), ("{} {}", 3), ("[", 1)])
    func refused(text: String, offset: Int) {
        #expect(throws: JSONSyntaxError(offset: offset)) { try reading(text) { _ in } }
    }

    @Test("a path leads to a value by names and places, and nowhere else")
    func paths() throws {
        let text = #"{"id" : 1, "result":{"items":[{"name":"x"}, [ 10,20 ] ,"]}"],"":{"a":2}},"z":[]}"#
        #expect(try look(text) == text)
        #expect(try look(text, .member("id")) == "1")
        #expect(try look(text, .member("result"), .member("items"), .element(0), .member("name")) == #""x""#)
        #expect(try look(text, .member("result"), .member("items"), .element(1)) == "[ 10,20 ]")
        #expect(try look(text, .member("result"), .member("items"), .element(1), .element(1)) == "20")
        #expect(try look(text, .member("result"), .member("items"), .element(2)) == #""]}""#)
        #expect(try look(text, .member("result"), .member(""), .member("a")) == "2")
        #expect(try look(text, .member("z")) == "[]")
        for path in [
            [.member("result"), .member("items"), .element(3)], [.member("name")], [.element(0)], [.member("z"), .element(0)],
            [.member("z"), .member("a")], [.member("id"), .member("a")], [.member("result"), .member("items"), .element(-1)],
        ] as [[JSONValue.Step]] {
            #expect(try reading(text) { $0.value(at: path) == nil }, "\(path)")
        }
    }

    @Test("of members with the same name the last counts, however the name is written, and all are there to be seen")
    func duplicates() throws {
        let text = #"{"a":1,"b":2,"\u0061":3,"A":4}"#
        #expect(try look(text, .member("a")) == "3")
        #expect(try reading(text) { $0.members.map { written($0.name) } } == [#""a""#, #""b""#, #""\u0061""#, #""A""#])
        #expect(try reading(text) { $0.members.map { written($0.value) } } == ["1", "2", "3", "4"])
    }

    @Test("only objects have members, and only arrays elements", arguments: ["1", "\"a\"", "null", "true", "{}", "[]"])
    func none(text: String) throws {
        #expect(try reading(text) { Array($0.members).isEmpty && Array($0.elements).isEmpty })
        #expect(try reading("[\(text),5]") { Array($0.elements).count } == 2)
        #expect(try reading("[[1],{\"a\":1}]") { Array($0.members).count } == 0)
        #expect(try reading("{\"a\":[1]}") { Array($0.elements).count } == 0)
    }

    @Test(
        "the escapes of a string are read",
        arguments: [
            (#""""#, ""), (#""abc""#, "abc"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u00e9\u0000x""#, "é\0x"),
            (#""\ud83d\ude42""#, "🙂"), (#""\uD83D\uDE42\u20AC""#, "🙂€"), (#""\udbff\udfff""#, "\u{10ffff}"), (#""\\u0041""#, #"\u0041"#),
            ("\"é🙂\u{7f}\u{2028}\"", "é🙂\u{7f}\u{2028}"),
        ])
    func strings(text: String, expected: String) throws {
        #expect(try reading(text) { try $0.decoded() } == Array(expected.utf8))
        #expect(try reading(text) { $0.isString(expected) })
        #expect(try reading(text) { !$0.isString(expected + "x") && !$0.isString("x" + expected) })
    }

    @Test(
        "half of a surrogate pair stands for no character",
        arguments: [
            (#""\ud800""#, 1), (#""ab\udc00""#, 3), (#""\ud800\u0041""#, 1), (#""\ud800\ud800""#, 1), (#""\ud800x\udc00""#, 1),
            (#""\ud83d\ude42\ude42""#, 13), (#""\ud800\n""#, 1), (#""\ud800\\udc00""#, 1),
        ])
    func loneSurrogates(text: String, offset: Int) throws {
        #expect(throws: JSONSyntaxError(offset: offset)) { try reading(text) { try $0.decoded() } }
        #expect(try reading(text) { !$0.isString("") })
    }

    @Test("a number is the nearest there is, and stays as it is written")
    func numbers() throws {
        for (text, value) in [("0", 0), ("-0.5", -0.5), ("1e3", 1000), ("9007199254740993", 9_007_199_254_740_992), ("1e999", .infinity)]
            as [(String, Double)]
        {
            #expect(try reading(text) { $0.double } == value)
            #expect(try reading("[\(text)]") { written($0.value(at: [.element(0)])) } == text)
        }
        #expect(try reading("123456789012345678901234567890123456789") { $0.double }?.isFinite == true)
        #expect(try reading(#""1""#) { $0.double } == nil)
    }

    @Test("16 MiB are read in a moment, whatever they hold")
    func large() throws {
        for text in [
            "\"" + String(repeating: "x", count: 16 << 20) + "\"", "[" + String(repeating: "1,", count: 8 << 20) + "1]",
            "[" + String(repeating: "{},", count: 5 << 20) + "{}]", String(repeating: "[", count: 512) + String(repeating: "]", count: 512),
        ] {
            #expect(try reading(text) { $0.range.count } == text.utf8.count)
        }
    }
}
