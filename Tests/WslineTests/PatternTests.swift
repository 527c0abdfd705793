import Testing

@testable import wsline

@Suite("Regular expressions")
struct PatternTests {
    private func search(_ pattern: String, _ text: String) throws -> Pattern.Outcome {
        try Pattern(pattern).search(text.utf8.span.bytes)
    }

    @Test(
        "Whatever backtracks without end meets the limit, compiled or interpreted",
        arguments: ["", "(*NO_JIT)"], ["(a|aa)+$", "(a+)+$", "(\\w+\\s?)+\\d?$", "^(([a-z])+.)+([a-z])+$"])
    func catastrophes(engine: String, pattern: String) throws {
        #expect(try search(engine + pattern, String(repeating: "a", count: 60) + "!") == .limit)
    }

    @Test(
        "Time that grows with the square of the text meets the limit too",
        arguments: ["a.*b", "[^b]*+b", "(a*)\\1b", ".*.*=.*$.", "a{1,65535}b"])
    func squares(pattern: String) throws {
        let long = String(repeating: "a", count: 4 << 20)
        #expect(try search(pattern, long) == .limit)
    }

    @Test("More than 16 MiB of memory is the limit, compiled or interpreted", arguments: ["", "(*NO_JIT)"])
    func memory(engine: String) throws {
        #expect(try search(engine + "(a|b)*c", String(repeating: "ab", count: 4 << 20)) == .limit)
    }

    @Test("A long text meets no limit where its time grows with its length alone")
    func longTexts() throws {
        let long = String(repeating: "the price is 42.5, the side is \"buy\"; ", count: 25_000)
        for pattern in ["error", "\"id\":\\d+", "(?i)\\bFAIL(ed|ure)?\\b", "^.*;$", "side is \"sell\""] {
            #expect(try search(pattern, long) == .notFound, "\(pattern)")
        }
        #expect(try search("needle", long + "needle") == .found)
    }

    @Test("One pattern serves for many texts, whatever the one before came to")
    func again() throws {
        let pattern = try Pattern("^(a|aa)+$")
        for _ in 0..<2 {
            #expect(pattern.search("aaa".utf8.span.bytes) == .found)
            #expect(pattern.search((String(repeating: "a", count: 60) + "b").utf8.span.bytes) == .limit)
            #expect(pattern.search("b".utf8.span.bytes) == .notFound)
            #expect(pattern.search("".utf8.span.bytes) == .notFound)
        }
        #expect(try Pattern("^$").search("".utf8.span.bytes) == .found)
        #expect(try Pattern("").search("a".utf8.span.bytes) == .found)
    }

    @Test("Characters, classes, letter case and the dot know Unicode")
    func unicode() throws {
        #expect(try search("^.$", "😀") == .found)
        #expect(try search("^\\w+$", "naïveté") == .found)
        #expect(try search("(?i)straße", "STRAßE") == .found)
        #expect(try search("[à-ï]", "é") == .found)
        #expect(try search("\\p{Cyrillic}", "abcд") == .found)
        #expect(try search("(?-s)^a.b$", "a\nb") == .notFound)
    }

    @Test("A text that is no pattern is refused with the reason and the character, counted from 1")
    func syntaxErrors() {
        func refusal(_ text: String) -> String? {
            do throws(Pattern.SyntaxError) {
                _ = try Pattern(text)
                return nil
            } catch {
                return error.description
            }
        }
        #expect(refusal("a(") == "missing closing parenthesis (at character 3)")
        #expect(refusal("éé*+*") == "quantifier does not follow a repeatable item (at character 5)")
        #expect(refusal("[z-a]")?.hasPrefix("range out of order") == true)
        #expect(refusal("\\C") != nil)
    }
}
