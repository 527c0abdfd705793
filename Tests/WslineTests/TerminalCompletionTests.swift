import LineTerminal
import TestSupport
import Testing

@testable import wsline

@Suite("What Tab puts into a command")
struct TerminalCompletionTests {
    private func complete(_ line: String) -> [String]? { Candidates.complete(line, line.unicodeScalars.count)?.candidates }

    @Test("A command's beginning is completed, with a blank where an argument follows")
    func commands() {
        #expect(complete("/pi") == ["/ping "])
        #expect(complete("/st") == ["/status"])
        #expect(complete("/p") == ["/ping ", "/pong ", "/pretty ", "/pause"])
        #expect(complete("/")?.count == Commands.all.count)
    }

    @Test("Messages and unknown commands have nothing to complete", arguments: ["", "hello", "//he", "/x", "/text ab", "/nope a"])
    func nothing(line: String) {
        #expect(complete(line) == nil)
    }

    @Test("Only what stands before the cursor counts, and only it is replaced")
    func cursor() {
        #expect(Candidates.complete("/pi and more", 3) == Completion(candidates: ["/ping "], range: 0..<3))
    }

    @Test("A path is completed name by name; a directory's ends in a slash, a hidden one's dot has to be typed")
    func paths() throws {
        let directory = try TemporaryDirectory()
        for name in ["alpha.bin", "al ice", ".hidden"] { try directory.write([], to: name) }
        let inner = try TemporaryDirectory()
        let base = directory.path + "/"
        #expect(complete("/file \(base)al") == ["al ice", "alpha.bin"])
        #expect(complete("/file -t \(base)al i") == ["al ice"])
        #expect(complete("/save \(base).") == [".hidden"])
        #expect(complete("/save \(base)") == ["al ice", "alpha.bin"])
        #expect(complete("/file " + inner.path.dropLast()) == [inner.path.split(separator: "/").last.map { "\($0)/" } ?? ""])
        let line = "/file \(base)alp"
        #expect(Candidates.complete(line, line.count)?.range == line.count - 3..<line.count)
    }

    @Test("/save offers off, /close the codes that may be sent, and ~ a slash")
    func words() {
        #expect(complete("/save of")?.contains("off") == true)
        #expect(complete("/close 101") == ["1010 ", "1011 ", "1012 ", "1013 ", "1014 "])
        #expect(complete("/file ~") == ["~/"])
    }
}
