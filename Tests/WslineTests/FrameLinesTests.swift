import LineTerminal
import TestSupport
import Testing

@testable import WebSocketProtocol
@testable import wsline

@Suite("A frame's line")
struct FrameLinesTests {
    /// The line of one frame, without its time and its end.
    private func line(
        _ direction: ObservedFrame.Direction = .received, fin: Bool = true, rsv: UInt8 = 0, op: UInt8 = 1, mask: UInt32? = nil,
        length: UInt64? = nil, inflated: UInt64? = nil, place: Int? = nil, kind: MessageKind? = nil, _ payload: [UInt8] = [],
        breach: ProtocolError? = nil, bytes: [UInt8] = [], client: Int? = nil, style: Style = Style(isEnabled: false)
    ) -> String {
        var output: [UInt8] = []
        payload.withUnsafeBytes { payload in
            bytes.withUnsafeBytes { bytes in
                var frame = ObservedFrame(
                    direction: direction, isFinal: fin, reserved: rsv, opcode: op, maskKey: mask, length: length ?? UInt64(payload.count))
                frame.inflatedLength = inflated
                (frame.place, frame.kind) = (place, kind)
                frame.payload = UnsafeRawBufferPointer(rebasing: payload.prefix(Connection.observedBytes))
                (frame.breach, frame.bytes) = (breach, bytes)
                var lines = FrameLines(style: style)
                lines.append(frame, client: client, to: &output)
            }
        }
        let text = String(decoding: output, as: UTF8.self)
        #expect(text.hasSuffix("\n") && text.filter { $0 == "\n" }.count == 1)
        return String(text.replacing(/[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}/, with: "TIME").dropLast())
    }

    @Test("the columns stay where they are, whatever is in them")
    func columns() {
        let text = Array("hello".utf8)
        let lines = [
            line(.sent, mask: 0x3D21_FA37, place: 1, kind: .text, text),
            line(fin: false, rsv: 4, length: 1234, inflated: 9800, place: 1, kind: .text, text),
            line(fin: false, op: 0, length: 999_600, place: 12, kind: .text, text),
            line(op: 0, place: 1234, kind: .text, text),
            line(op: 9, Array("abcd".utf8)),
            line(rsv: 7, op: 15, mask: 1, text, breach: .reservedOpcode(15), bytes: [0xFF, 0x85]),
            line(op: 3, breach: .reservedOpcode(3), bytes: [0x83, 0]),
            line(op: 8, [0x03, 0xE8] + Array("bye".utf8)),
        ]
        #expect(
            lines == [
                "> TIME  text                 FIN         mask 37fa213d      5 B            hello",
                "< TIME  text             1/- ---  RSV1                   1.2 kB > 9.8 kB   hello…",
                "< TIME  continuation    12/- ---                         1.0 MB            hello…",
                "< TIME  continuation 1234/1234 FIN                          5 B            hello",
                "< TIME  ping                 FIN                            4 B            abcd",
                "< TIME  (0xf)                FIN  RSV1-3 mask 01000000      5 B            RFC 6455, 5.2: opcode 0xf is reserved        ff 85 …",
                "< TIME  (0x3)                FIN                            0 B            RFC 6455, 5.2: opcode 3 is reserved        83 00",
                "< TIME  close                FIN                            5 B            1000 (normal closure) bye",
            ])
    }

    @Test("a size has three digits at most, and a kB is 1,000 bytes")
    func sizes() {
        let sizes: [UInt64: String] = [
            0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 99_499: "99 kB", 999_499: "999 kB", 999_500: "1.0 MB",
            5_000_000: "5.0 MB", 1 << 40: "1.1 TB", .max: "18 EB",
        ]
        for (size, shown) in sizes { #expect(line(op: 2, length: size).hasSuffix(" \(shown)"), "\(size)") }
    }

    @Test("a message that is whole in one frame has no place, others have theirs; the number is known with the last")
    func places() {
        #expect(!line(place: 1).contains("/"))
        #expect(line(fin: false, place: 1).contains(" 1/- ---"))
        #expect(line(op: 0, place: 3).contains(" 3/3 FIN"))
    }

    @Test(
        "a payload is text where it is text, else hexadecimal, always on one line and harmless",
        arguments: [
            (UInt8(1), MessageKind?.some(.text), Array("a\nb\tc\u{1b}[2J\u{9b}\u{202e}".utf8), #"a\x0ab\x09c\x1b[2J\u{9b}\u{202e}"#),
            (0, .text, [0x82, 0xAC, 0x61, 0xFF], #"\x82\xaca\xff"#), (2, .binary, Array("ab".utf8), "61 62"),
            (0, .binary, [0x1B, 0x0A], "1b 0a"), (9, nil, Array("\u{7}é".utf8), #"\x07é"#), (10, nil, [0xFF, 0x00], "ff 00"),
            (3, nil, Array("hi".utf8), "hi"), (8, nil, [0x03], "03"), (8, nil, [0xFF, 0xFF, 0x0A], #"65535 (not defined) \x0a"#),
        ])
    func payloads(_ op: UInt8, _ kind: MessageKind?, _ payload: [UInt8], _ shown: String) {
        #expect(line(op: op, place: kind == nil ? nil : 1, kind: kind, payload).hasSuffix(" B            \(shown)"))
    }

    @Test("what is longer than the line shows ends in an ellipsis, never within a character")
    func cut() {
        let text = Array(("a" + String(repeating: "é", count: 100)).utf8)
        #expect(line(place: 1, kind: .text, text).hasSuffix("a" + String(repeating: "é", count: 31) + "…"))
        #expect(line(op: 2, place: 1, kind: .binary, [UInt8](repeating: 7, count: 40)).hasSuffix("07 07 …"))
    }

    @Test("lines are coloured by their direction, a breach as an error is")
    func colours() {
        let style = Style(isEnabled: true)
        #expect(line(.sent, style: style).hasPrefix("\u{1b}[1m> ") && line(.sent, style: style).hasSuffix("\u{1b}[0m"))
        #expect(line(style: style).hasPrefix("\u{1b}[94m< "))
        #expect(line(breach: .reservedOpcode(3), style: style).hasPrefix("\u{1b}[31m< "))
    }

    @Test("a client's number stands first")
    func client() {
        #expect(line(client: 12).hasPrefix("12 < TIME  text"))
    }

    @Test("the numbers of several clients take the same room, once the longest has been seen")
    func clientColumn() {
        var lines = FrameLines(style: Style(isEnabled: false))
        var output: [UInt8] = []
        for client in [1, 10, 2] {
            let frame = ObservedFrame(direction: .sent, isFinal: true, reserved: 0, opcode: 1, maskKey: nil, length: 0)
            lines.append(frame, client: client, to: &output)
        }
        let starts = String(decoding: output, as: UTF8.self).split(separator: "\n").map { $0.prefix(5) }
        #expect(starts[1] == "10 > " && starts[2] == "2  > ")
    }

    @Test("the time is that of the day where the user is, to the microsecond")
    func time() {
        var lines = FrameLines(style: Style(isEnabled: false))
        for microseconds in [Int64(1_700_000_000_123_456), 1_700_000_000_999_999, 1_700_000_001_000_000] {
            var (line, time): ([UInt8], [UInt8]) = ([], [])
            lines.append(raw: [1, 0xAB], at: Timestamp(microseconds: microseconds), to: &line)
            Timestamp(microseconds: microseconds).appendLocalTime(to: &time)
            let expected = String(decoding: time.prefix(8), as: UTF8.self) + "." + String("00000\(microseconds % 1_000_000)".suffix(6))
            #expect(String(decoding: line, as: UTF8.self).hasPrefix("> \(expected)  (raw) "))
            #expect(String(decoding: line, as: UTF8.self).hasSuffix(" 2 B            01 ab\n"))
        }
    }
}
