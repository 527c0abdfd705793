import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("What is kept for /last, and where large messages are cut")
struct KeptMessagesTests {
    private func append(_ size: Int, _ byte: Int, to kept: inout KeptMessages) {
        [UInt8](repeating: UInt8(byte & 0xFF), count: size).withUnsafeBytes { kept.append(.text, $0, from: nil) }
    }

    @Test("The last hundred messages are kept")
    func count() {
        var kept = KeptMessages(budget: nil)
        #expect(kept.last(1) == nil && kept.count == 0)
        for number in 0..<250 { append(1, number, to: &kept) }
        #expect(kept.count == 100)
        #expect(kept.last(1)?.bytes == [249] && kept.last(100)?.bytes == [150])
        #expect(kept.last(101) == nil)
    }

    @Test("Together they take an eighth of the memory allowed at most, which counts; one that is larger leaves its size alone")
    func size() throws {
        let budget = MemoryBudget(limit: 8 << 20)
        var kept = KeptMessages(budget: budget)
        #expect(kept.limit == 1 << 20 && KeptMessages(budget: nil).limit == 64 << 20)
        for number in 0..<5 { append(300 << 10, number, to: &kept) }
        #expect(kept.count == 3 && kept.last(3)?.bytes?.first == 2)
        // 900 KiB are in use.
        #expect(!budget.change(from: 0, to: 8 << 20 - 800 << 10, mayExceed: false))
        #expect(budget.change(from: 0, to: 7 << 20, mayExceed: false))
        append(1 << 20 + 1, 9, to: &kept)
        let large = try #require(kept.last(1))
        #expect(large.bytes == nil && large.byteCount == 1 << 20 + 1)
        #expect(kept.last(2)?.bytes?.first == 4)
        append(1 << 20, 10, to: &kept)
        #expect(kept.last(1)?.bytes?.count == 1 << 20 && kept.last(2)?.bytes == nil && kept.last(3) == nil)
    }

    private func cut(_ text: String, _ limit: Int) -> String {
        Array(text.utf8).withUnsafeBytes { String(decoding: $0.prefix(ofText: limit), as: UTF8.self) }
    }

    @Test("A text is cut between two grapheme clusters, one of absurd length between code points")
    func clusters() {
        #expect(cut("abc", 3) == "abc" && cut("abc", 2) == "ab" && cut("abc", 0) == "" && cut("", 5) == "")
        let parts = ["a", "é", "e\u{301}", "🇩🇪", "🇫🇷", "👩‍👩‍👧", "\r\n", "한", "👍🏽", "z"]
        let text = parts.joined()
        for limit in 0...text.utf8.count {
            var expected = ""
            for part in parts {
                guard expected.utf8.count + part.utf8.count <= limit else { break }
                expected += part
            }
            #expect(cut(text, limit) == expected, "\(limit)")
        }
        let marks = "a" + String(repeating: "\u{301}", count: 5000)
        #expect(cut(marks, 1000).utf8.count == 999)
    }

    @Test("What isn't UTF-8 is cut where the limit is, or before the bytes that may be a character")
    func bytes() {
        for limit in 0...12 {
            let bytes: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x80, 0xFF, 0xC3, 0xA9, 0xF0, 0x9F, 0x98, 0x80, 0x41]
            let count = bytes.withUnsafeBytes { $0.prefix(ofText: limit).count }
            #expect(count <= limit && count >= limit - 3)
        }
    }
}

extension ProgramTests {
    @Suite
    struct LastRunTests {
        @Test("/last writes a message to a file as it came, with --slash in a pipe, and a wrong file is an error that ends with 65")
        func last() throws {
            let directory = try TemporaryDirectory()
            let server = try TestServer.echo()
            let program = try start(["--slash", server.url])
            try program.write("/hex 00ff\n")
            try program.wait(for: .output) { $0 == "00ff\n" }
            try program.write("/last > \(directory.file("it"))\n/last\n/last 2\n")
            let result = try finish(program)
            #expect(directory.read("it") == [0, 0xFF])
            #expect(result.output == "00ff\n00ff\n")
            #expect(result.status == 65 && result.errors.contains("saved 2 bytes to ") && result.errors.contains("only 1 message is kept"))
        }
    }
}
