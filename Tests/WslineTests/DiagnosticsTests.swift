import Dispatch
import LineTerminal
import Synchronization
import TestSupport
import Testing

@testable import wsline
import CPosix

@Suite struct DiagnosticsTests {
    private func output(_ level: Diagnostics.Level, _ body: (Diagnostics) -> Void) -> String {
        let recorder = LineRecorder()
        body(Diagnostics(level: level, to: recorder))
        return recorder.text
    }

    @Test("an error and its hint are two lines of the program's, in one write")
    func error() {
        let recorder = LineRecorder()
        Diagnostics(to: recorder).error("HTTP 401: the server wants authentication", hint: "try --auth USER:PASS")
        #expect(recorder.writes == ["wsline: HTTP 401: the server wants authentication\nwsline: try --auth USER:PASS\n"])
    }

    @Test("each level shows what it says")
    func levels() {
        func all(_ diagnostics: Diagnostics) {
            diagnostics.error("error", hint: "hint")
            diagnostics.notice("notice")
            diagnostics.detail("detail")
            diagnostics.detail("frame", as: .incoming)
        }
        #expect(output(.quiet, all) == "wsline: error\n")
        #expect(output(.normal, all) == "wsline: error\nwsline: hint\nnotice\n")
        #expect(output(.verbose, all) == "wsline: error\nwsline: hint\nnotice\n* detail\n< frame\n")
    }

    @Test("-q, -v and -vv choose the level, and -q wins")
    func options() {
        func level(_ verbosity: Int, quiet: Bool = false) -> Diagnostics.Level {
            var options = OutputOptions()
            options.verbosity = verbosity
            options.quiet = quiet
            return .init(options)
        }
        #expect([level(0), level(1), level(2), level(3), level(2, quiet: true)] == [.normal, .verbose, .verbose, .verbose, .quiet])
    }

    @Test("every line of a head has its mark, CR LF and a last line end leave no empty one behind")
    func heads() {
        #expect(output(.verbose) { $0.detail("GET / HTTP/1.1\r\nHost: h\r\n", as: .sent) } == "> GET / HTTP/1.1\n> Host: h\n")
        #expect(output(.verbose) { $0.detail("a\n\nb", as: .incoming) } == "< a\n< \n< b\n")
        #expect(output(.verbose) { $0.detail("") } == "* \n")
    }

    @Test("text that is not shown is not made")
    func lazy() {
        let made = Mutex(0)
        func text() -> String {
            made.withLock { $0 += 1 }
            return ""
        }
        _ = output(.normal) { $0.detail(text()) }
        _ = output(.quiet) { $0.notice(text()) }
        #expect(made.withLock { $0 } == 0)
        _ = output(.verbose) { $0.detail(text()) }
        #expect(made.withLock { $0 } == 1)
    }

    @Test("each line is filtered, then styled by its role, and its end is neither")
    func filterAndStyle() {
        let recorder = LineRecorder()
        let diagnostics = Diagnostics(style: Style(isEnabled: true), filters: true, to: recorder)
        diagnostics.error("a\u{1b}[2J\nb")
        diagnostics.notice("c\u{1b}")
        #expect(recorder.text == "\u{1b}[31mwsline: a\\x1b[2J\u{1b}[0m\n\u{1b}[31mwsline: b\u{1b}[0m\n\u{1b}[35mc\\x1b\u{1b}[0m\n")
    }

    @Test("redirected, lines go to the new place alone")
    func redirect() {
        let (first, second) = (LineRecorder(), LineRecorder())
        let diagnostics = Diagnostics(to: first)
        diagnostics.notice("1")
        diagnostics.redirect(to: second)
        diagnostics.notice("2")
        #expect(first.text == "1\n")
        #expect(second.text == "2\n")
    }

    @Test("lines of several threads are whole, and none is lost")
    func threads() {
        let recorder = LineRecorder()
        let diagnostics = Diagnostics(to: recorder)
        DispatchQueue.concurrentPerform(iterations: 200) { diagnostics.error("line \($0)", hint: "hint \($0)") }
        #expect(Set(recorder.writes) == Set((0..<200).map { "wsline: line \($0)\nwsline: hint \($0)\n" }))
        #expect(recorder.writes.count == 200)
    }

    @Test("all is written also where the pipe is full and does not block")
    func fullPipe() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let (reader, writer) = (ends[0], ends[1])
        try #require(fcntl(writer, F_SETFL, fcntl(writer, F_GETFL) | O_NONBLOCK) == 0)
        let bytes = SeededGenerator.bytes(count: 1 << 20)
        let written = DispatchGroup()
        DispatchQueue.global().async(group: written) {
            writeAll(bytes, to: writer)
            close(writer)
        }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = read(reader, &buffer, buffer.count)
            guard count > 0 else { break }
            received += buffer.prefix(count)
        }
        written.wait()
        close(reader)
        #expect(received == bytes)
    }
}

extension SeededGenerator {
    fileprivate static func bytes(count: Int) -> [UInt8] {
        var random = SeededGenerator(seed: 8)
        return random.bytes(count)
    }
}
