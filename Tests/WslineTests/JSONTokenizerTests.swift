import TestSupport
import Testing

@testable import wsline

@Suite("The grammar of JSON (RFC 8259)")
struct JSONTokenizerTests {
    typealias Kind = JSONTokenizer.Token.Kind

    /// Where a text isn't JSON; nil if it is.
    private func error(_ text: some Collection<UInt8>) -> Int? {
        Array(text).withUnsafeBytes { bytes in
            var tokens = JSONTokenizer(bytes)
            do throws(JSONSyntaxError) {
                while try tokens.next() != nil {}
                return nil
            } catch {
                return error.offset
            }
        }
    }

    private func error(_ text: String) -> Int? { error(text.utf8) }

    /// A text's tokens, each as it is written.
    private func tokens(_ text: String) throws -> [(Kind, String)] {
        try Array(text.utf8).withUnsafeBytes { bytes in
            var tokens = JSONTokenizer(bytes)
            var result: [(Kind, String)] = []
            while let token = try tokens.next() { result.append((token.kind, String(decoding: bytes[token.range], as: UTF8.self))) }
            return result
        }
    }

    @Test("each token is what it is, where it stands, as it is written")
    func kinds() throws {
        let text = #" {"a" : [1.50, -0e+1, "\u0061\"", true], "a":{"b":false}, "":null } "#
        let expected: [(Kind, String)] = [
            (.beginObject, "{"), (.name, #""a""#), (.colon, ":"), (.beginArray, "["), (.number, "1.50"), (.comma, ","), (.number, "-0e+1"),
            (.comma, ","), (.string, #""\u0061\"""#), (.comma, ","), (.true, "true"), (.endArray, "]"), (.comma, ","), (.name, #""a""#),
            (.colon, ":"), (.beginObject, "{"), (.name, #""b""#), (.colon, ":"), (.false, "false"), (.endObject, "}"), (.comma, ","),
            (.name, #""""#), (.colon, ":"), (.null, "null"), (.endObject, "}"),
        ]
        let tokens = try tokens(text)
        #expect(tokens.map(\.0) == expected.map(\.0))
        #expect(tokens.map(\.1) == expected.map(\.1))
    }

    @Test(
        "a JSON text is taken, whatever it is",
        arguments: [
            "{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "12", "-1.50e+10", "1E5", "0.1", "\"\"", #""\"\\\/\b\f\n\r\t\u00eF""#,
            #"{"a":[1,{"b":null},"世界"],"a":1}"#, "\t\r\n{ \"a\" : 1 , \"b\" : [ 2 , 3 ] }\n", #""\ud800""#, "\"\u{7f}\u{2028}\"",
        ])
    func valid(text: String) {
        #expect(error(text) == nil)
    }

    @Test(
        "what isn't one is refused at its first wrong byte",
        arguments: [
            ("", 0), (" ", 1), ("{", 1), ("[1", 2), ("[1,]", 3), ("{\"a\":1,}", 7), ("{,}", 1), ("[,1]", 1), ("{\"a\"}", 4),
            ("{\"a\":}", 5),
            ("{a:1}", 1), ("'a'", 0), ("01", 1), ("-", 1), ("+1", 0), (".5", 0), ("1.", 2), ("1.e5", 2), ("1e", 2), ("1e+", 3), ("0x10", 1),
            ("tru", 3), ("True", 0), ("nul1", 3), ("NaN", 0), ("Infinity", 0), ("\"a", 2), ("\"\t\"", 1), ("\"\0\"", 1), (#""\x41""#, 2),
            (#""\u12g4""#, 5), (#""\"#, 2), ("1 2", 2), ("{}}", 2), ("[1}", 2), ("// a\n1", 0), ("\u{feff}1", 0), ("[1 2]", 3),
            ("\u{a0}1", 0), ("{\"a\":1 \"b\":2}", 7),
        ])
    func refused(text: String, offset: Int) {
        #expect(error(text) == offset)
    }

    @Test("a string's length doesn't matter to what ends it", arguments: 0..<20)
    func stringLengths(length: Int) {
        let filler = String(repeating: "x", count: length)
        #expect(error("\"\(filler)\"") == nil)
        #expect(error("\"\(filler)é\u{80}\u{fffd}\"") == nil)
        #expect(error("\"\(filler)") == length + 1)
        #expect(error("\"\(filler)\u{1f}yyyyyyyyyyyyyyyy\"") == length + 1)
        #expect(error("\"\(filler)\\x\"") == length + 2)
        #expect(error("\"\(filler)\"\"") == length + 2)
    }

    @Test("nesting is taken 512 deep and no deeper, and what was opened is closed as it was opened")
    func depth() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 511, 512] {
            // The third, sixth, … level is an object.
            let open = (1...depth).map { $0 % 3 == 0 ? "{\"a\":" : "[" }.joined()
            let close = (1...depth).reversed().map { $0 % 3 == 0 ? "}" : "]" }.joined()
            #expect(error(open + "1" + close) == nil)
            for place in [0, depth / 2, depth - 1] {
                var wrong = Array(close)
                wrong[place] = wrong[place] == "]" ? "}" : "]"
                #expect(error(open + "1" + String(wrong)) == open.utf8.count + 1 + place)
            }
        }
        #expect(error(String(repeating: "[", count: 100_000)) == 512)
        #expect(error(String(repeating: #"{"":"#, count: 100_000)) == 512 * 4)
    }

    @Test("whatever bytes come, a place in them or none is the answer, and every prefix of a text is cut off at its end")
    func random() {
        var random = SeededGenerator(seed: 8)
        let text = Array(#"{"a":[-1.5e3,true,null,"\u00e9\n"],"b":{}}"#.utf8)
        for count in text.indices { #expect(error(text[..<count]) == count) }
        for _ in 0..<20_000 {
            var bytes = text
            for _ in 0..<3 { bytes[Int.random(in: bytes.indices, using: &random)] = text[Int.random(in: text.indices, using: &random)] }
            #expect(error(bytes).map { $0 <= bytes.count } ?? true)
        }
    }
}
