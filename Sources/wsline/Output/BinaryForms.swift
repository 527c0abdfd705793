import WebSocketProtocol

/// A binary payload in the form that `--binary-as` asks for, with no newline after it.
///
/// The payload may come in pieces cut anywhere: ``append(_:to:)`` each, then ``finish(to:)``, after which the next message may begin.
/// An empty payload is `0 bytes` as `size` and nothing in the other forms.
struct MessageFormat {
    private enum State {
        case dump(HexDump)
        case hex
        case base64(Base64Pieces)
        case raw
        case size(UInt64)
    }

    private var state: State

    init(_ form: OutputOptions.BinaryForm) {
        state =
            switch form {
            case .dump: .dump(HexDump())
            case .hex: .hex
            case .base64: .base64(Base64Pieces())
            case .raw: .raw
            case .size: .size(0)
            }
    }

    /// A whole message.
    static func write(_ bytes: UnsafeRawBufferPointer, as form: OutputOptions.BinaryForm, to output: inout [UInt8]) {
        var format = MessageFormat(form)
        format.append(bytes, to: &output)
        format.finish(to: &output)
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        switch state {
        case .dump(var dump):
            dump.append(bytes, to: &output)
            state = .dump(dump)
        case .hex: output.append(hexOf: bytes)
        case .base64(var pieces):
            pieces.append(bytes, to: &output)
            state = .base64(pieces)
        case .raw: output.append(contentsOf: bytes)
        case .size(let count): state = .size(count + UInt64(bytes.count))
        }
    }

    mutating func finish(to output: inout [UInt8]) {
        switch state {
        case .dump(var dump):
            dump.finish(to: &output)
            state = .dump(dump)
        case .base64(var pieces):
            pieces.finish(to: &output)
            state = .base64(pieces)
        case .size(let count):
            output.append(decimal: count)
            output.append(literal: count == 1 ? " byte" : " bytes")
            state = .size(0)
        case .hex, .raw: break
        }
    }
}

/// Base64 of bytes that come in pieces: up to two of them wait for the group of three that they begin.
private struct Base64Pieces {
    private var waiting: (UInt8, UInt8) = (0, 0)
    private var waitingCount = 0

    mutating func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        var rest = bytes[...]
        while waitingCount > 0, let byte = rest.first {
            rest = rest.dropFirst()
            if waitingCount == 1 {
                waiting.1 = byte
                waitingCount = 2
            } else {
                waitingCount = 0
                withUnsafeBytes(of: (waiting.0, waiting.1, byte)) { Base64.encode($0.bytes, into: &output) }
            }
        }
        let whole = rest.prefix(rest.count / 3 * 3)
        if !whole.isEmpty { Base64.encode(UnsafeRawBufferPointer(rebasing: whole).bytes, into: &output) }
        for byte in rest.dropFirst(whole.count) {
            if waitingCount == 0 { waiting.0 = byte } else { waiting.1 = byte }
            waitingCount += 1
        }
    }

    mutating func finish(to output: inout [UInt8]) {
        let count = waitingCount
        waitingCount = 0
        withUnsafeBytes(of: waiting) { Base64.encode(UnsafeRawBufferPointer(rebasing: $0.prefix(count)).bytes, into: &output) }
    }
}

extension [UInt8] {
    /// Text known at compile time, copied in one go.
    @inline(__always)
    mutating func append(literal text: StaticString) {
        append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(decimal value: UInt64) {
        var digits = 1
        var rest = value
        while rest >= 10 {
            digits += 1
            rest /= 10
        }
        let start = count
        append(contentsOf: repeatElement(0, count: digits))
        withUnsafeMutableBytes { $0.write(value, digits: digits, at: start) }
    }

    /// Two lower-case digits a byte.
    fileprivate mutating func append(hexOf bytes: UnsafeRawBufferPointer) {
        let start = count
        append(contentsOf: repeatElement(0, count: bytes.count * 2))
        withUnsafeMutableBufferPointer { output in
            for index in 0..<bytes.count {
                output[start &+ 2 &* index] = hexDigit(bytes[index] >> 4)
                output[start &+ 2 &* index &+ 1] = hexDigit(bytes[index] & 15)
            }
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Overwrites so many bytes from `offset` on with the last decimal digits of `value`.
    @inline(__always)
    func write(_ value: UInt64, digits: Int, at offset: Int) {
        var rest = value
        for index in (offset..<offset + digits).reversed() {
            self[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}
