import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("Standard input: how it becomes messages", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct StandardInputTests {
    typealias Medium = TestInput.Medium

    private func texts(_ input: String, _ split: InputOptions.Split = .line, from medium: Medium) async throws -> [String] {
        let input = try await TestInput.send(Array(input.utf8), InputOptions(split), from: medium)
        #expect(input.ends == 1)
        #expect(input.failures == [])
        #expect(input.peer.batchDepth == 0)
        #expect(input.peer.messages.allSatisfy { $0.kind == .text })
        return input.peer.texts
    }

    // MARK: Splitting

    @Test("a line is a message, an empty one too; CR LF ends a line as LF does, and the last needs no end", arguments: Medium.allCases)
    func lines(medium: Medium) async throws {
        #expect(try await texts("one\ntwo\r\n\n\r\nlast", from: medium) == ["one", "two", "", "", "last"])
        #expect(try await texts("one\n", from: medium) == ["one"])
        #expect(try await texts("", from: medium) == [])
        #expect(try await texts("\n", from: medium) == [""])
    }

    @Test("only the one CR before LF belongs to a line's end", arguments: Medium.allCases)
    func carriageReturns(medium: Medium) async throws {
        #expect(try await texts("a\r\r\nb\rc\n\rd\n", from: medium) == ["a\r", "b\rc", "\rd"])
    }

    @Test("split at NUL, a message keeps its line ends", arguments: Medium.allCases)
    func nul(medium: Medium) async throws {
        #expect(try await texts("one\ntwo\r\n\0\0three\r\n", .nul, from: medium) == ["one\ntwo\r\n", "", "three\r\n"])
        #expect(try await texts("one\0", .nul, from: medium) == ["one"])
    }

    @Test("split by size, each message has so many bytes, and the last has the rest", arguments: Medium.allCases)
    func size(medium: Medium) async throws {
        #expect(try await texts("abcdefghi\n", .size(4), from: medium) == ["abcd", "efgh", "i\n"])
        #expect(try await texts("abcdefgh", .size(4), from: medium) == ["abcd", "efgh"])
        #expect(try await texts("abc", .size(1), from: medium) == ["a", "b", "c"])
        #expect(try await texts("", .size(4), from: medium) == [])
    }

    @Test("unsplit, all of the input is one message", arguments: Medium.allCases)
    func whole(medium: Medium) async throws {
        #expect(try await texts("one\ntwo\r\n\0three", .whole, from: medium) == ["one\ntwo\r\n\0three"])
    }

    @Test("a line may come in pieces, cut anywhere")
    func pieces() async throws {
        let input = try TestInput()
        let peer = RecordingPeer()
        input.start(to: peer)
        for piece in ["on", "e\ntw", "o", "\r", "\nthr", "ee"] {
            try await input.write(piece)
            await settle()
        }
        #expect(peer.texts == ["one", "two"])
        #expect(input.ends == 0)
        input.closeWriter()
        try await waitUntil("the input is over") { input.isOver }
        #expect(peer.texts == ["one", "two", "three"])
    }

    @Test("lines of every length round the size of a read come whole and in their order", arguments: Medium.allCases)
    func lengths(medium: Medium) async throws {
        var generator = SeededGenerator(seed: 7)
        var expected: [String] = []
        for number in 0..<400 {
            let length =
                [0, 1, 100, 65_500, 131_000].randomElement(using: &generator).map { $0 + Int.random(in: 0...80, using: &generator) } ?? 0
            expected.append("\(number) " + String(repeating: number % 3 == 0 ? "é" : "x", count: number % 10 == 0 ? length : length % 3000))
        }
        let ending = ["\n", "\r\n"]
        let text = expected.enumerated().map { $1 + ending[$0 % 2] }.joined()
        #expect(try await texts(text, from: medium) == expected)
    }

    // MARK: Large messages

    @Test("a line of more than a mebibyte leaves in fragments, and the next one whole", arguments: Medium.allCases)
    func longLine(medium: Medium) async throws {
        let long = String(repeating: "é", count: 1_300_000)
        let input = try await TestInput.send(Array("\(long)\nnext\n".utf8), from: medium)
        #expect(input.ends == 1)
        #expect(input.peer.messages == [.text(long), .text("next")])
        #expect(input.peer.fragments.count == 3)
        #expect(input.peer.fragments.dropLast().allSatisfy { $0 == StandardInput.longestMessage })
    }

    @Test("where a fragment's end falls into a line's end, no CR is left over", arguments: Medium.allCases)
    func longLineEnd(medium: Medium) async throws {
        for count in StandardInput.longestMessage - 2...StandardInput.longestMessage + 1 {
            let line = String(repeating: "x", count: count)
            #expect(try await texts("\(line)\r\nnext\r\n", from: medium) == [line, "next"])
        }
    }

    @Test("a CR that a fragment held back stays where no LF follows", arguments: Medium.allCases)
    func longLineWithReturn(medium: Medium) async throws {
        let line = String(repeating: "x", count: StandardInput.longestMessage - 1) + "\rx"
        #expect(try await texts("\(line)\n", from: medium) == [line])
    }

    @Test("pieces and whole input of more than a mebibyte leave in fragments", arguments: Medium.allCases)
    func longPieces(medium: Medium) async throws {
        let bytes = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var input = try await TestInput.send(bytes, InputOptions(.size(1_500_000), .binary), from: medium)
        #expect(input.ends == 1)
        #expect(input.peer.messages.map(\.bytes.count) == [1_500_000, 1_500_000, 1_000_000])
        #expect(input.peer.messages.flatMap(\.bytes) == bytes)
        #expect(input.peer.messages.allSatisfy { $0.kind == .binary })
        #expect(input.peer.fragments.reduce(0, +) == 3_000_000)
        input = try await TestInput.send(bytes, InputOptions(.whole, .binary), from: medium)
        #expect(input.ends == 1)
        #expect(input.peer.messages == [.binary(bytes)])
        #expect(input.peer.fragments.count > 3)
    }

    @Test("a file doesn't keep the loop to itself")
    func turns() async throws {
        let line = [UInt8](repeating: 0x61, count: 1023) + [0x0A]
        let input = try TestInput(file: Array(repeatElement(line, count: 4 << 10).joined()))
        let peer = RecordingPeer()
        input.start(to: peer)
        #expect(peer.messages.count > 0)
        #expect(peer.messages.count < 4 << 10)
        try await waitUntil("the input is over") { input.isOver }
        #expect(peer.messages.count == 4 << 10)
    }

    // MARK: Text and encodings

    @Test("text that isn't UTF-8 is named by its line and byte, and what came before is sent", arguments: Medium.allCases)
    func notUTF8(medium: Medium) async throws {
        let input = try await TestInput.send(Array("one\ntwo\nbad ".utf8) + [0xFF, 0x0A] + Array("four\n".utf8), from: medium)
        #expect(input.peer.texts == ["one", "two"])
        #expect(input.failures == [.notUTF8(place: .init(name: "line", number: 3), byte: 5)])
        #expect(input.failures.first?.description == "input line 3, byte 5, isn't UTF-8")
        #expect(input.failures.first?.exitStatus == .badInput)
        #expect(input.ends == 0)
    }

    @Test("a character that a line's end cuts is wrong, though the next line could go on with it")
    func cutByLineEnd() async throws {
        let input = try await TestInput.send([0x61, 0xC3, 0x0A, 0xA9, 0x0A], from: .pipe)
        #expect(input.peer.messages == [])
        #expect(input.failures == [.notUTF8(place: .init(name: "line", number: 1), byte: 3)])
    }

    @Test("in a later fragment the byte counts from the message's beginning", arguments: Medium.allCases)
    func notUTF8InFragment(medium: Medium) async throws {
        let start = Array(String(repeating: "é", count: 1_000_000).utf8) + [0x61]
        let input = try await TestInput.send(Array("one\n".utf8) + start + [0xC3, 0x28, 0x0A], from: medium)
        #expect(input.failures == [.notUTF8(place: .init(name: "line", number: 2), byte: start.count + 2)])
        #expect(input.peer.texts == ["one"])
        #expect(input.peer.fragments == [StandardInput.longestMessage])
    }

    @Test("a character may lie across two fragments")
    func characterAcrossFragments() async throws {
        let line = "x" + String(repeating: "é", count: 1_000_000)
        #expect(try await texts("\(line)\n", from: .pipe) == [line])
    }

    @Test("text cut by size within a character is said to be so", arguments: Medium.allCases)
    func cutCharacter(medium: Medium) async throws {
        let input = try await TestInput.send(Array("abaé".utf8), InputOptions(.size(2)), from: medium)
        #expect(input.peer.texts == ["ab"])
        #expect(input.failures == [.cutCharacter(place: .init(name: "message", number: 2))])
    }

    @Test("binary input may be anything", arguments: Medium.allCases)
    func binary(medium: Medium) async throws {
        let input = try await TestInput.send([0xFF, 0x0A, 0xC3, 0x0D, 0x0A], InputOptions(.line, .binary), from: medium)
        #expect(input.peer.messages == [.binary([0xFF]), .binary([0xC3])])
        #expect(input.ends == 1)
    }

    @Test("hexadecimal and Base64 lines are the bytes that they stand for", arguments: Medium.allCases)
    func decoding(medium: Medium) async throws {
        var input = try await TestInput.send(Array("00 ff\n\n0A\r\n".utf8), InputOptions(.line, .hex), from: medium)
        #expect(input.peer.messages == [.binary([0, 255]), .binary([]), .binary([10])])
        #expect(input.ends == 1)
        input = try await TestInput.send(Array("AQI=\n\naGk=".utf8), InputOptions(.line, .base64), from: medium)
        #expect(input.peer.messages == [.binary([1, 2]), .binary([]), .binary(Array("hi".utf8))])
        #expect(input.ends == 1)
    }

    @Test("a line to be decoded is one message whatever its size")
    func longEncodedLine() async throws {
        let input = try await TestInput.send(
            Array(String(repeating: "0f", count: 3 << 20).utf8) + [0x0A], InputOptions(.line, .hex), from: .file)
        #expect(input.peer.messages == [.binary([UInt8](repeating: 15, count: 3 << 20))])
        #expect(input.peer.fragments == [])
        #expect(input.ends == 1)
    }

    @Test("what can't be decoded is named by its line", arguments: Medium.allCases)
    func wrongEncoding(medium: Medium) async throws {
        var input = try await TestInput.send(Array("00\n0g\n01\n".utf8), InputOptions(.line, .hex), from: medium)
        #expect(input.peer.messages == [.binary([0])])
        #expect(input.failures.count == 1)
        #expect(input.failures.first?.description.hasPrefix("input line 2: ") == true)
        input = try await TestInput.send(Array("AQI=\0AQ*=\0".utf8), InputOptions(.nul, .base64), from: medium)
        #expect(input.peer.messages == [.binary([1, 2])])
        #expect(input.failures.first?.description.hasPrefix("input message 2: ") == true)
        #expect(input.ends == 0)
    }
}
