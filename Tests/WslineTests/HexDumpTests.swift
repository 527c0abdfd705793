import TestSupport
import Testing

@testable import wsline

@Suite struct HexDumpTests {
    private func dump(_ pieces: [[UInt8]]) -> String {
        var dump = HexDump()
        var output: [UInt8] = []
        for piece in pieces { piece.withUnsafeBytes { dump.append($0, to: &output) } }
        dump.finish(to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test("a short row is padded so that the ASCII column stays in place")
    func shortRow() {
        #expect(dump([Array("Hello, world.".utf8)]) == "00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 2e           |Hello, world.|")
    }

    @Test("sixteen bytes fill a row, the seventeenth begins another, and no newline stands behind the last")
    func rows() {
        #expect(dump([Array(0..<16)]) == "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|")
        #expect(
            dump([Array(0..<17)])
                == "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n"
                + "00000010  10                                                |.|")
    }

    @Test("an empty payload has no row")
    func empty() {
        #expect(dump([]) == "")
        #expect(dump([[], []]) == "")
    }

    @Test("only printable ASCII shows in the ASCII column, so no byte can drive a terminal")
    func controls() {
        for byte in UInt8.min...UInt8.max {
            let shown = dump([[byte]]).dropLast().last
            #expect(shown == ((0x20...0x7e).contains(byte) ? Character(UnicodeScalar(byte)) : "."))
        }
    }

    @Test("cut anywhere, the pieces give what the whole gives")
    func pieces() {
        var random = SeededGenerator(seed: 1)
        for length in [1, 15, 16, 17, 31, 32, 33, 100, 257] {
            let bytes = random.bytes(length)
            let whole = dump([bytes])
            for _ in 0..<20 {
                #expect(dump(cut(bytes, using: &random)) == whole)
            }
        }
    }

    @Test("after the end of one message the next starts at offset 0")
    func reuse() {
        var dump = HexDump()
        var output: [UInt8] = []
        for _ in 0..<2 {
            [UInt8](repeating: 0x41, count: 20).withUnsafeBytes { dump.append($0, to: &output) }
            dump.finish(to: &output)
            output.append(UInt8(ascii: "\n"))
        }
        let lines = String(decoding: output, as: UTF8.self).split(separator: "\n")
        #expect(lines.map { $0.prefix(8) } == ["00000000", "00000010", "00000000", "00000010"])
    }
}

/// `bytes` in pieces of random lengths, empty ones among them.
func cut(_ bytes: [UInt8], using random: inout SeededGenerator) -> [[UInt8]] {
    var rest = bytes[...]
    var pieces: [[UInt8]] = []
    while !rest.isEmpty {
        let length = Int.random(in: 0...min(rest.count, 40), using: &random)
        pieces.append(Array(rest.prefix(length)))
        rest = rest.dropFirst(length)
    }
    return pieces
}
