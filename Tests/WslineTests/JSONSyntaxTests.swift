import TestSupport
import Testing

@testable import wsline

@Suite("The grammar of JSON (RFC 8259)")
struct JSONSyntaxTests {
    private func error(_ text: String) -> Int? { Array(text.utf8).withUnsafeBytes(JSONSyntax.firstError(in:)) }

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

    @Test("nesting is taken 512 deep and no deeper")
    func depth() {
        #expect(error(String(repeating: "[", count: 512) + String(repeating: "]", count: 512)) == nil)
        #expect(error(String(repeating: "[", count: 100_000)) == 512)
    }

    @Test("whatever bytes come, a place in them or none is the answer, and every prefix of a text is cut off at its end")
    func random() {
        var random = SeededGenerator(seed: 8)
        let text = Array(#"{"a":[-1.5e3,true,null,"\u00e9\n"],"b":{}}"#.utf8)
        for count in text.indices { #expect(text[..<count].withUnsafeBytes(JSONSyntax.firstError(in:)) == count) }
        for _ in 0..<20_000 {
            var bytes = text
            for _ in 0..<3 { bytes[Int.random(in: bytes.indices, using: &random)] = text[Int.random(in: text.indices, using: &random)] }
            let offset = bytes.withUnsafeBytes(JSONSyntax.firstError(in:))
            #expect(offset.map { $0 <= bytes.count } ?? true)
        }
    }
}
