import Dispatch
import TestSupport
import Testing

@testable import wsline
import CPosix

@Suite(.eventLoop)
struct ErrorOutputTests {
    private func line(_ number: Int) -> [UInt8] { Array("line \(number) \(String(repeating: "x", count: 500))\n".utf8) }

    @Test("with nobody reading, writing returns; then the oldest lines and the latest are there, with the count of those between")
    func unread() throws {
        let pipe = try Fifo()
        defer { pipe.close() }
        let output = ErrorOutput(pipe.descriptor)
        for number in 0..<2000 { output.write(line(number)) }
        let text = Gathered<String>()
        pipe.read { text.append(String(decoding: $0, as: UTF8.self)) }
        output.finish(within: 20)
        try text.wait { $0.joined().contains("line 1999 ") && $0.joined().hasSuffix("\n") }
        let lines = text.all.joined().split(separator: "\n")
        let note = try #require(lines.firstIndex { $0.hasPrefix("wsline: ") })
        let count = try #require(lines[note].firstMatch(of: /^wsline: ([0-9]+) lines dropped here/).flatMap { Int($0.1) })
        #expect(count > 1000 && count + lines.count - 1 == 2000)
        #expect(lines[0].hasPrefix("line 0 "))
        #expect(lines[note + 1].hasPrefix("line \(note + count) "))
    }

    @Test("a reader who comes within the time gets all that waits")
    func late() throws {
        let pipe = try Fifo()
        defer { pipe.close() }
        pipe.fill()
        let output = ErrorOutput(pipe.descriptor)
        output.write(line(1))
        output.write(line(2))
        let text = Gathered<String>()
        pipe.read { text.append(String(decoding: $0, as: UTF8.self)) }
        output.finish(within: 20)
        try text.wait { $0.joined().contains("line 2 ") && $0.joined().hasSuffix("\n") }
        #expect(text.all.joined().drop { $0 == "." } == String(decoding: line(1) + line(2), as: UTF8.self))
    }

    @Test("with a reader who doesn't, the wait ends")
    func never() throws {
        let pipe = try Fifo()
        defer { pipe.close() }
        pipe.fill()
        let output = ErrorOutput(pipe.descriptor)
        output.write(line(1))
        let begin = DispatchTime.now()
        output.finish(within: 0.2)
        #expect(DispatchTime.now() >= begin + 0.2)
    }
}
