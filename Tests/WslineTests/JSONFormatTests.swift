import LineTerminal
import TestSupport
import Testing
import WebSocketTransport

@testable import wsline

@Suite("JSON as a terminal shows it")
struct JSONFormatTests {
    private func shown(_ text: String, colors: Bool = false, indents: Bool = false, filters: Bool = true) -> String? {
        var format = JSONFormat(Style(isEnabled: colors))
        (format.indents, format.filters) = (indents, filters)
        var output = Array("before".utf8)
        let isShown = Array(text.utf8).withUnsafeBytes { format.append($0, to: &output) } == text.utf8.count
        let result = String(decoding: output, as: UTF8.self)
        #expect(result.hasPrefix("before"))
        if !isShown { #expect(result == "before") }
        return isShown ? String(result.dropFirst("before".count)) : nil
    }

    @Test("indented, each member and element has a row; numbers, names and escapes stay as they came")
    func indented() {
        let text = #" {"b":1.50e+0,"a" :[ 1,[],{ } ,[null]],"a":"é\u00e9\/ , :"}"# + "\r\n"
        #expect(
            shown(text, indents: true) == #"""
                {
                  "b": 1.50e+0,
                  "a": [
                    1,
                    [],
                    {},
                    [
                      null
                    ]
                  ],
                  "a": "é\u00e9\/ , :"
                }
                """#)
        #expect(shown("[]", indents: true) == "[]")
        #expect(shown(" {\n} ", indents: true) == "{}")
    }

    @Test("not indented, white space stays too")
    func asItCame() {
        let text = " {\"a\" :\t[1, 2]\n,\"b\":{}} \n"
        #expect(shown(text) == text)
        #expect(shown("[1]\r\n") == "[1]\\x0d\n")
        #expect(shown("[1]\r\n", filters: false) == "[1]\r\n")
    }

    @Test("each token has its colour, and what stands between them none")
    func colors() {
        let style = Style(isEnabled: true)
        let expected =
            "{" + style.apply(.name, #""a""#) + ": [" + style.apply(.number, "-1") + "," + style.apply(.string, #""x""#) + ","
            + style.apply(.keyword, "true") + "," + style.apply(.keyword, "false") + "," + style.apply(.keyword, "null") + "]}"
        #expect(shown(#"{"a": [-1,"x",true,false,null]}"#, colors: true) == expected)
    }

    @Test(
        "what isn't JSON, or is neither an object nor an array, is left alone",
        arguments: ["", " ", "hello", "1", "\"a\"", "null", "{", "[1,]", "{} {}", "[1] x", "{'a':1}", "[\"\u{1}\"]", "[1}", "\u{feff}{}"])
    func others(text: String) {
        for indents in [false, true] { #expect(shown(text, colors: true, indents: indents) == nil) }
    }

    @Test("what could drive a terminal is made harmless in strings and names, and the colours are ours alone")
    func escapes() {
        #expect(shown("{\"\u{9b}2J\":\"\u{7f}\u{202e}\\u001b\"}") == #"{"\u{9b}2J":"\x7f\u{202e}\u001b"}"#)
        #expect(shown("[\"\u{9b}\"]", filters: false) == "[\"\u{9b}\"]")
    }

    @Test("however the text is made, less its colours and what was put in it is what came")
    func random() throws {
        var random = SeededGenerator(seed: 12)
        for _ in 0..<500 {
            let text = value(&random, depth: 5)
            for (colors, indents) in [(false, true), (true, false), (true, true)] {
                guard let result = shown("[\(text)]", colors: colors, indents: indents) else {
                    Issue.record("\(text) isn't shown")
                    continue
                }
                let plain = result.replacing(/\u{1b}\[[0-9]*m/, with: "")
                #expect(plain.filter { !$0.isWhitespace } == "[\(text)]".filter { !$0.isWhitespace })
                #expect(shown(plain, indents: true) == shown("[\(text)]", indents: true))
            }
        }
    }

    private func value(_ random: inout SeededGenerator, depth: Int) -> String {
        let blank = [" ", "", "\n", "\t"].randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<(depth > 0 ? 7 : 4), using: &random) {
        case 0: return blank + "-12.5e3"
        case 1: return #""a, [\"b\" {\u00e9""# + blank
        case 2: return "true"
        case 3: return "{}"
        case 4, 5:
            return "[" + (0..<Int.random(in: 0..<4, using: &random)).map { _ in value(&random, depth: depth - 1) }.joined(separator: ",")
                + "]"
        default:
            return "{"
                + (0..<Int.random(in: 0..<4, using: &random)).map { "\"k\($0)\"" + blank + ":" + value(&random, depth: depth - 1) }.joined(
                    separator: ",") + "}"
        }
    }

    @Test("a text that nests deeply doesn't become many times as large")
    func bounded() throws {
        let deep = String(repeating: "[", count: 500) + String(repeating: "1,", count: 1 << 20) + "1" + String(repeating: "]", count: 500)
        let size = try #require(shown(deep, indents: true)).utf8.count
        #expect(size < 6 * deep.utf8.count)
        #expect(shown("[" + String(repeating: "1,", count: 1 << 20) + "1]", indents: true)?.contains("\n  1,\n  1\n]") == true)
    }

    @Test("what is cut begins as the whole does, says how much of the text it shows, and is JSON only if all of it is")
    func cut() throws {
        let text = #" {"name":["é\u00e9🇩🇪👩‍👩‍👧",-12.5 , true], "b":{}} "# + "\n"
        let bytes = Array(text.utf8)
        for (colors, indents) in [(false, false), (false, true), (true, false), (true, true)] {
            var format = JSONFormat(Style(isEnabled: colors))
            format.indents = indents
            func shown(_ bytes: [UInt8], _ limit: Int) -> (count: Int, plain: String)? {
                var output: [UInt8] = []
                let count = bytes.withUnsafeBytes { format.append($0, limit: limit, to: &output) }
                let plain = String(decoding: output, as: UTF8.self).replacing(/\u{1b}\[[0-9]*m/, with: "")
                return count.map { ($0, plain) }
            }
            let whole = try #require(shown(bytes, .max)?.plain)
            var last = -1
            for limit in 0...whole.utf8.count + 2 {
                let (count, plain) = try #require(shown(bytes, limit))
                #expect(plain.utf8.count <= limit && whole.hasPrefix(plain), "\(limit): \(plain)")
                #expect(String(decoding: bytes[..<count], as: UTF8.self).filter { !$0.isWhitespace } == plain.filter { !$0.isWhitespace })
                #expect(count >= last)
                last = count
                #expect(shown(bytes.dropLast(3), limit) == nil)
            }
            #expect(last == bytes.count)
        }
    }

    // MARK: The terminal's rows

    @Test(
        "further lines of a message are indented by two",
        arguments: [("", ""), ("a", "a"), ("a\nb\n\nc\n", "a\n  b\n  \n  c\n  "), ("\n", "\n  ")])
    func lines(text: String, indented: String) {
        var output = Array("x\ny".utf8)
        output += text.utf8
        output.indentLines(from: 3)
        #expect(String(decoding: output, as: UTF8.self) == "x\ny" + indented)
    }
}
