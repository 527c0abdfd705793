import LineTerminal
import WebSocketProtocol

/// Writes a frame as a line of columns, as it was on the wire (`-vv`):
///
///     > 14:02:11.482133  text                 FIN         mask 37fa213d      5 B            hello
///     < 14:02:11.483071  text             1/- ---  RSV1                   1.2 kB > 9.8 kB   {"id":1,"method":…
///     < 14:02:11.490002  (0x3)                FIN                            0 B            RFC 6455, 5.2: opcode 3 is reserved        83 00
///
/// No payload can break a line or drive a terminal: what could is written as an escape.
struct FrameLines {
    private let style: Style
    private var clock = LocalClock()
    /// How many digits the largest number of a client has had so far.
    private var clientDigits = 1

    init(style: Style) { self.style = style }

    /// Appends a frame's line.
    ///
    /// - Parameter client: whose it is, where there are several.
    mutating func append(_ frame: ObservedFrame, client: Int? = nil, at time: Timestamp = .now, to output: inout [UInt8]) {
        begin(frame.direction, client, time, isBreach: frame.breach != nil, &output)
        let start = output.count
        output.append(opcode: frame.opcode)
        if let place = frame.place, place > 1 || !frame.isFinal {
            output.append(place: place, isLast: frame.isFinal, endingAt: start + Self.finColumn - 1)
        }
        output.pad(to: start + Self.finColumn)
        output.append(literal: frame.isFinal ? "FIN" : "---")
        output.append(reserved: frame.reserved)
        output.pad(to: start + Self.maskColumn)
        if let key = frame.maskKey { output.append(mask: key) }
        output.append(size: frame.length, endingAt: start + Self.sizeEnd)
        if let inflated = frame.inflatedLength {
            output.append(literal: " > ")
            output.append(size: inflated)
        }
        output.pad(to: start + Self.payloadColumn - 1)
        output.append(UInt8(ascii: " "))
        if let breach = frame.breach { output.append(breach, frame) } else { output.append(payloadOf: frame) }
        end(start, &output)
    }

    /// Appends the line of bytes that were sent as they were given.
    mutating func append(raw bytes: [UInt8], client: Int? = nil, at time: Timestamp = .now, to output: inout [UInt8]) {
        begin(.sent, client, time, isBreach: false, &output)
        let start = output.count
        output.append(literal: "(raw)")
        output.append(size: UInt64(bytes.count), endingAt: start + Self.sizeEnd)
        output.pad(to: start + Self.payloadColumn)
        bytes.withUnsafeBytes { output.append(spacedHex: $0, isCut: false) }
        end(start, &output)
    }

    // Counted from where the opcode begins.
    private static let finColumn = 21
    private static let maskColumn = finColumn + 12
    private static let sizeEnd = maskColumn + 22
    private static let payloadColumn = sizeEnd + 12

    private mutating func begin(
        _ direction: ObservedFrame.Direction, _ client: Int?, _ time: Timestamp, isBreach: Bool, _ output: inout [UInt8]
    ) {
        if style.isEnabled { output += style.start(isBreach ? .error : direction == .sent ? .sent : .incoming).utf8 }
        if let client {
            let start = output.count
            output.append(decimal: UInt64(client.magnitude))
            clientDigits = max(clientDigits, output.count - start)
            output.pad(to: start + clientDigits + 1)
        }
        output.append(literal: direction == .sent ? "> " : "< ")
        clock.append(time, to: &output)
        output.append(literal: "  ")
    }

    private func end(_ start: Int, _ output: inout [UInt8]) {
        while output.count > start, output.last == UInt8(ascii: " ") { output.removeLast() }
        if style.isEnabled { output += style.end.utf8 }
        output.append(0x0A)
    }
}

/// The time of day where the user is, to the microsecond; the calendar is asked once a second.
private struct LocalClock {
    private var second: Int64 = -1
    private var digits: [UInt8] = []

    mutating func append(_ time: Timestamp, to output: inout [UInt8]) {
        let (second, microsecond) = time.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        if second != self.second {
            self.second = second
            digits.removeAll()
            time.appendLocalTime(to: &digits)
            digits.removeLast(digits.count - 8)
            digits.append(contentsOf: ".000000".utf8)
        }
        let start = output.count
        output.append(contentsOf: digits)
        output.withUnsafeMutableBytes { $0.write(UInt64(microsecond), digits: 6, at: start + 9) }
    }
}

extension [UInt8] {
    fileprivate mutating func pad(to column: Int) {
        while count < column {
            let blanks: StaticString = "                                                                                "
            append(contentsOf: UnsafeRawBufferPointer(start: blanks.utf8Start, count: Swift.min(column - count, blanks.utf8CodeUnitCount)))
        }
    }

    fileprivate mutating func append(opcode: UInt8) {
        switch opcode {
        case 0x0: append(literal: "continuation")
        case 0x1: append(literal: "text")
        case 0x2: append(literal: "binary")
        case 0x8: append(literal: "close")
        case 0x9: append(literal: "ping")
        case 0xA: append(literal: "pong")
        default:
            append(literal: "(0x")
            append(hexDigit(opcode & 15))
            append(UInt8(ascii: ")"))
        }
    }

    /// `2/-`, and of a message's last frame `3/3`: how many there are isn't known before.
    fileprivate mutating func append(place: Int, isLast: Bool, endingAt end: Int) {
        var text: [UInt8] = []
        text.append(decimal: UInt64(place.magnitude))
        text.append(UInt8(ascii: "/"))
        if isLast { text.append(decimal: UInt64(place.magnitude)) } else { text.append(UInt8(ascii: "-")) }
        pad(to: Swift.max(count + 1, end - text.count))
        append(contentsOf: text)
        append(UInt8(ascii: " "))
    }

    /// `RSV1`, `RSV2,3`, `RSV1-3`.
    fileprivate mutating func append(reserved: UInt8) {
        guard reserved & 0x7 != 0 else { return }
        append(literal: "  RSV")
        switch reserved & 0x7 {
        case 0b100: append(literal: "1")
        case 0b010: append(literal: "2")
        case 0b001: append(literal: "3")
        case 0b110: append(literal: "1,2")
        case 0b101: append(literal: "1,3")
        case 0b011: append(literal: "2,3")
        default: append(literal: "1-3")
        }
    }

    fileprivate mutating func append(mask key: UInt32) {
        append(literal: "mask ")
        for shift in stride(from: 0, to: 32, by: 8) {
            append(hexOf: UInt8(truncatingIfNeeded: key >> UInt32(shift)))
        }
    }

    /// `5 B`, `9.8 kB`, `120 kB`: three digits at most; a kB is 1,000 bytes.
    fileprivate mutating func append(size: UInt64, endingAt end: Int? = nil) {
        let units: [StaticString] = [" B", " kB", " MB", " GB", " TB", " PB", " EB"]
        var (unit, scale): (Int, UInt64) = (0, 1)
        // What would be rounded to a thousand belongs to the next unit.
        while unit < units.count - 1, size >= scale * 999 + Swift.max(scale / 2, 1) { (unit, scale) = (unit + 1, scale * 1000) }
        let scaled = Double(size) / Double(scale)
        let tenths = UInt64((scaled * 10).rounded())
        let isFine = unit > 0 && tenths < 100
        let whole = isFine ? tenths / 10 : unit == 0 ? size : UInt64(scaled.rounded())
        if let end {
            let width = (whole < 10 ? 1 : whole < 100 ? 2 : 3) + (isFine ? 2 : 0) + (unit == 0 ? 2 : 3)
            pad(to: Swift.max(count + 1, end - width))
        }
        append(decimal: whole)
        if isFine {
            append(UInt8(ascii: "."))
            append(decimal: tenths % 10)
        }
        append(literal: units[unit])
    }

    // MARK: Payloads

    fileprivate mutating func append(_ breach: ProtocolError, _ frame: ObservedFrame) {
        append(contentsOf: onOneLine("\(breach)").utf8)
        guard !frame.bytes.isEmpty else { return }
        append(literal: "        ")
        append(spacedHex: frame.bytes, isCut: frame.length > UInt64(frame.bytes.count))
    }

    fileprivate mutating func append(payloadOf frame: ObservedFrame) {
        guard !frame.payload.isEmpty else { return }
        let length = frame.inflatedLength ?? frame.length
        let isCut = length > UInt64(frame.payload.count)
        if frame.kind == .binary { return append(spacedHex: frame.payload, isCut: isCut) }
        if frame.kind == .text { return append(text: frame.payload, isCut: isCut) }
        if frame.opcode == 0x8 { return append(close: frame.payload) }
        // A control frame's payload is bytes, which mostly are text (RFC 6455, section 5.5.2).
        if isText(frame.payload, isCut: isCut) {
            append(text: frame.payload, isCut: isCut)
        } else {
            append(spacedHex: frame.payload, isCut: isCut)
        }
    }

    private func isText(_ bytes: UnsafeRawBufferPointer, isCut: Bool) -> Bool {
        var validator = UTF8Validator()
        return validator.consume(bytes) == nil && (isCut || validator.isComplete)
    }

    /// `1000 (normal closure) bye`
    private mutating func append(close bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 2 else { return append(spacedHex: bytes, isCut: false) }
        let code = CloseCode(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
        append(contentsOf: describe(code).utf8)
        guard bytes.count > 2 else { return }
        append(UInt8(ascii: " "))
        append(text: UnsafeRawBufferPointer(rebasing: bytes[2...]), isCut: bytes.count == Connection.observedBytes)
    }

    /// Text on one line, whatever is in it.
    private mutating func append(text bytes: UnsafeRawBufferPointer, isCut: Bool) {
        var rest = isCut ? Self.wholeCharacters(bytes) : bytes
        while let breakIndex = rest.firstIndex(where: { $0 == 0x0A || $0 == 0x09 }) {
            EscapeFilter.append(UnsafeRawBufferPointer(rebasing: rest[..<breakIndex]), to: &self)
            append(literal: rest[breakIndex] == 0x0A ? "\\x0a" : "\\x09")
            rest = UnsafeRawBufferPointer(rebasing: rest[(breakIndex + 1)...])
        }
        EscapeFilter.append(rest, to: &self)
        if isCut { append(literal: "…") }
    }

    /// The bytes without those at the end that only begin a character.
    private static func wholeCharacters(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard !bytes.isEmpty else { return bytes }
        let last = bytes.codePoint(at: bytes.count - 1)
        var validator = UTF8Validator()
        let isCutOff = validator.consume(UnsafeRawBufferPointer(rebasing: bytes[last...])) == nil && !validator.isComplete
        return isCutOff ? UnsafeRawBufferPointer(rebasing: bytes[..<last]) : bytes
    }

    /// `83 00`, two digits a byte.
    fileprivate mutating func append(spacedHex bytes: UnsafeRawBufferPointer, isCut: Bool) {
        for (index, byte) in bytes.prefix(Self.shownBytes).enumerated() {
            if index > 0 { append(UInt8(ascii: " ")) }
            append(hexOf: byte)
        }
        if isCut || bytes.count > Self.shownBytes { append(literal: " …") }
    }

    /// How many bytes a line shows in hexadecimal.
    private static var shownBytes: Int { 32 }
}
