import TestSupport
import Testing
import WebSocketProtocol

@Suite struct Base64Tests {
    static let vectors = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ]

    @Test("base64 gives and takes the vectors of RFC 4648, section 10", arguments: vectors)
    func vector(plain: String, encoded: String) throws {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(try Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test("base64 round-trips random bytes of every length up to 300")
    func roundTrip() throws {
        var generator = SeededGenerator(seed: 7)
        for length in 0...300 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(try Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }

    @Test(
        "a wrong base64 text is refused with its column (RFC 4648, sections 3.2, 3.3 and 3.5)",
        arguments: [
            ("Zg", Base64.DecodeError.incomplete(length: 2)),
            ("Zg=", .incomplete(length: 3)),
            ("Z", .incomplete(length: 1)),
            ("Zm9v Zg==", .invalidCharacter(0x20, column: 5)),
            ("Zm9v\n", .invalidCharacter(0x0a, column: 5)),
            ("Zm-v", .invalidCharacter(0x2d, column: 3)),
            ("é===", .invalidCharacter(0xc3, column: 1)),
            ("====", .misplacedPadding(column: 1)),
            ("Z===", .misplacedPadding(column: 2)),
            ("Zg=v", .misplacedPadding(column: 3)),
            ("Zg==Zg==", .misplacedPadding(column: 3)),
            ("Zh==", .excessBits(column: 2)),
            ("Zm9=", .excessBits(column: 3)),
        ])
    func refused(text: String, error: Base64.DecodeError) {
        #expect(throws: error) { try Base64.decode(text) }
    }

    @Test("hexadecimal takes both cases and blanks between bytes")
    func hex() throws {
        #expect(try Hex.decode("00 fF\t7f\r\n80") == [0x00, 0xff, 0x7f, 0x80])
        #expect(try Hex.decode(" \n") == [])
        let all = (UInt8.min...UInt8.max).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(try Hex.decode(all) == Array(UInt8.min...UInt8.max))
    }

    @Test(
        "a wrong hexadecimal text is refused with its column",
        arguments: [
            ("0", Hex.DecodeError.halfByte(column: 1)), ("00f", .halfByte(column: 3)), ("0 0", .halfByte(column: 1)),
            ("0x00", .invalidCharacter(0x78, column: 2)), ("00,11", .invalidCharacter(0x2c, column: 3)),
            ("0g", .invalidCharacter(0x67, column: 2)),
        ])
    func hexRefused(text: String, error: Hex.DecodeError) {
        #expect(throws: error) { try Hex.decode(text) }
    }

    @Test("an error says what stands where")
    func descriptions() {
        #expect(Base64.DecodeError.invalidCharacter(0x0a, column: 5).description == "0x0a at column 5 is not a base64 character")
        #expect(Hex.DecodeError.invalidCharacter(0x78, column: 2).description == "\"x\" at column 2 is not a hexadecimal digit")
    }
}
