import TestSupport
import Testing
import WebSocketProtocol

@testable import wsline

@Suite struct MessageFormatTests {
    private func format(_ pieces: [[UInt8]], as form: OutputOptions.BinaryForm) -> [UInt8] {
        var format = MessageFormat(form)
        var output: [UInt8] = []
        for piece in pieces { piece.withUnsafeBytes { format.append($0, to: &output) } }
        format.finish(to: &output)
        return output
    }

    private func text(_ bytes: [UInt8], as form: OutputOptions.BinaryForm) -> String {
        String(decoding: format([bytes], as: form), as: UTF8.self)
    }

    @Test("each form of the same payload, with no newline behind it")
    func forms() {
        let bytes: [UInt8] = [0x00, 0x9f, 0xff, 0x41]
        #expect(text(bytes, as: .hex) == "009fff41")
        #expect(text(bytes, as: .base64) == "AJ//QQ==")
        #expect(format([bytes], as: .raw) == bytes)
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

    @Test("cut anywhere, also inside a base64 group, the pieces give what the whole gives", arguments: OutputOptions.BinaryForm.allCases)
    func pieces(form: OutputOptions.BinaryForm) {
        var random = SeededGenerator(seed: 2)
        for length in [1, 2, 3, 4, 5, 16, 17, 100, 1000] {
            let bytes = random.bytes(length)
            var whole: [UInt8] = []
            bytes.withUnsafeBytes { MessageFormat.write($0, as: form, to: &whole) }
            #expect(format(bytes.map { [$0] }, as: form) == whole)
            for _ in 0..<10 {
                #expect(format(cut(bytes, using: &random), as: form) == whole)
            }
        }
    }

    @Test("one formatter serves message after message", arguments: OutputOptions.BinaryForm.allCases)
    func reuse(form: OutputOptions.BinaryForm) {
        var random = SeededGenerator(seed: 3)
        var formatter = MessageFormat(form)
        for length in [1, 17, 2, 0, 33] {
            let bytes = random.bytes(length)
            var output: [UInt8] = []
            bytes.withUnsafeBytes { formatter.append($0, to: &output) }
            formatter.finish(to: &output)
            #expect(output == format([bytes], as: form))
        }
    }

    @Test("output is appended to what is there")
    func appends() {
        for form in OutputOptions.BinaryForm.allCases {
            var output = Array("< ".utf8)
            [UInt8(1), 2].withUnsafeBytes { MessageFormat.write($0, as: form, to: &output) }
            #expect(output == Array("< ".utf8) + format([[1, 2]], as: form))
        }
    }
}
