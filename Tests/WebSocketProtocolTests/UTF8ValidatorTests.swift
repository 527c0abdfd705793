import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("UTF-8 checking (RFC 3629; RFC 6455, section 8.1)")
struct UTF8ValidatorTests {
    @Test(
        "the first byte that can't belong to a character is named",
        arguments: [
            ("c0 80", 0), ("c1 bf", 0), ("e0 9f bf", 1), ("ed a0 80", 1), ("ed bf bf", 1), ("f0 8f bf bf", 1), ("f4 90 80 80", 1),
            ("f5 80 80 80", 0), ("ff", 0), ("80", 0), ("61 bf", 1), ("c3 28", 1), ("e2 82 28", 2), ("f0 9f 98 41", 3),
            ("ce ba e1 bd b9 ed a0 80", 6),
            ("61 62 63 64 65 66 67 68 69 fe", 9),
        ])
    func wrong(_ bytes: String, _ offset: Int) {
        #expect(hex(bytes).withUnsafeBytes { UTF8Validator.firstError(in: $0) } == offset)
    }

    @Test(
        "the first and last character of each length are valid",
        arguments: [
            "00", "7f", "c2 80", "df bf", "e0 a0 80", "ed 9f bf", "ee 80 80", "ef bf bf", "f0 90 80 80", "f4 8f bf bf",
        ])
    func right(_ bytes: String) {
        #expect(hex(bytes).withUnsafeBytes { UTF8Validator.firstError(in: $0) } == nil)
    }

    @Test("a text cut off within a character is wrong at its end", arguments: ["c3", "e2 82", "f0 9f 98"])
    func cutOff(_ bytes: String) {
        let bytes = hex(bytes)
        #expect(bytes.withUnsafeBytes { UTF8Validator.firstError(in: $0) } == bytes.count)
    }

    @Test("every lead byte with every second byte gets the standard library's verdict, whatever follows")
    func allBeginnings() {
        for lead in UInt8(0x80)...0xFF {
            for second in UInt8(0)...0xFF {
                for rest: [UInt8] in [[0x41, 0x41], [0x80, 0x41], [0xBF, 0x41], [0x80, 0xBF], [0xC3, 0xA9]] {
                    let bytes = [0xC3, 0xA9, lead, second] + rest + [0x42, 0xC3, 0xA9, 0x42]
                    let isValid = bytes.withUnsafeBytes { UTF8Validator.firstError(in: $0) } == nil
                    if isValid != (String(validating: bytes, as: UTF8.self) != nil) { Issue.record("\(bytes)") }
                }
            }
        }
    }

    @Test("random bytes get the standard library's verdict, in any cuts")
    func againstStandardLibrary() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<3000 {
            var bytes = Array("κόσμε 😀 plain ascii text of some length ".utf8)
            bytes += bytes
            if Bool.random(using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let expected = String(validating: bytes, as: UTF8.self) != nil
            var validator = UTF8Validator()
            var position = 0
            var valid = true
            while position < bytes.count, valid {
                let count = Int.random(in: 0...min(13, bytes.count - position), using: &random)
                valid = bytes[position..<(position + count)].withUnsafeBytes { validator.consume($0) } == nil
                position += count
            }
            #expect((valid && validator.isComplete) == expected, "\(bytes)")
        }
    }
}
