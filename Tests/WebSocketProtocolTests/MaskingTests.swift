import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite("Masking (RFC 6455, section 5.3)")
struct MaskingTests {
    @Test("byte i is XORed with byte i mod 4 of the key, at every length, alignment and offset")
    func everyLength() {
        var random = SeededGenerator(seed: 1)
        let key: UInt32 = 0x3D21_FA37
        let keyBytes: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        for count in Array(0...130) + [255, 256, 1000] {
            for (offset, shift) in [(0, 0), (1, 3), (2, 1), (3, 7), (4, 2), (4_294_967_297, 5)] {
                let source = random.bytes(count)
                var buffer = [UInt8](repeating: 0, count: shift) + source
                buffer.withUnsafeMutableBytes {
                    Masking.apply(key, to: UnsafeMutableRawBufferPointer(rebasing: $0[shift...]), offset: UInt64(offset))
                }
                let expected = source.enumerated().map { $1 ^ keyBytes[($0 + offset) % 4] }
                #expect(Array(buffer[shift...]) == expected, "count \(count), offset \(offset), shift \(shift)")
            }
        }
    }

    @Test("masking twice gives the bytes back")
    func twice() {
        var random = SeededGenerator(seed: 2)
        let source = random.bytes(10_007)
        var buffer = source
        buffer.withUnsafeMutableBytes { Masking.apply(0xDEAD_BEEF, to: $0) }
        #expect(buffer != source)
        buffer.withUnsafeMutableBytes { Masking.apply(0xDEAD_BEEF, to: $0) }
        #expect(buffer == source)
    }
}
