import Testing
import WebSocketProtocol

@testable import wsline

@Suite struct BinaryFormsTests {
    private func format(_ bytes: [UInt8], as form: OutputOptions.BinaryForm) -> [UInt8] {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { output.append($0, as: form) }
        return output
    }

    private func text(_ bytes: [UInt8], as form: OutputOptions.BinaryForm) -> String {
        String(decoding: format(bytes, as: form), as: UTF8.self)
    }

    @Test("each form of the same payload, with no newline after it")
    func forms() {
        let bytes: [UInt8] = [0x00, 0x9f, 0xff, 0x41]
        #expect(text(bytes, as: .hex) == "009fff41")
        #expect(text(bytes, as: .base64) == "AJ//QQ==")
        #expect(format(bytes, as: .raw) == bytes)
        #expect(text(bytes, as: .size) == "4 bytes")
        #expect(text(bytes, as: .dump) == "00000000  00 9f ff 41                                       |...A|")
    }

    @Test("one byte is one byte, and none are 0 bytes")
    func sizes() {
        #expect(text([7], as: .size) == "1 byte")
        #expect(text([], as: .size) == "0 bytes")
        #expect(text([UInt8](repeating: 0, count: 1234), as: .size) == "1234 bytes")
    }

    @Test("an empty payload is nothing", arguments: [OutputOptions.BinaryForm.dump, .hex, .base64, .raw])
    func empty(form: OutputOptions.BinaryForm) {
        #expect(format([], as: form) == [])
    }

    @Test("hex has two digits for every byte there is")
    func everyByte() {
        let bytes = Array(UInt8.min...UInt8.max)
        #expect(text(bytes, as: .hex) == bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }

    @Test("output is appended to what is there")
    func appends() {
        for form in OutputOptions.BinaryForm.allCases {
            var output = Array("< ".utf8)
            [UInt8(1), 2].withUnsafeBytes { output.append($0, as: form) }
            #expect(output == Array("< ".utf8) + format([1, 2], as: form))
        }
    }
}

@Suite struct HexDumpTests {
    private func dump(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        bytes.withUnsafeBytes { output.append($0, as: .dump) }
        return String(decoding: output, as: UTF8.self)
    }

    @Test("a short row is padded so that the ASCII column stays in place")
    func shortRow() {
        #expect(dump(Array("Hello, world.".utf8)) == "00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 2e           |Hello, world.|")
    }

    @Test("sixteen bytes fill a row, the seventeenth begins another, and no newline is after the last")
    func rows() {
        #expect(dump(Array(0..<16)) == "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|")
        #expect(
            dump(Array(0..<17))
                == "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n"
                + "00000010  10                                                |.|")
    }

    @Test("an empty payload has no row")
    func empty() {
        #expect(dump([]) == "")
    }

    @Test("only printable ASCII shows in the ASCII column, so no byte can drive a terminal")
    func controls() {
        for byte in UInt8.min...UInt8.max {
            let shown = dump([byte]).dropLast().last
            #expect(shown == ((0x20...0x7e).contains(byte) ? Character(UnicodeScalar(byte)) : "."))
        }
    }
}
