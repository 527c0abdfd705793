import WebSocketProtocol

extension [UInt8] {
    /// Appends a binary payload in the form that `--binary-as` asks for, with no newline after it. An empty one is `0 bytes` as `size`, and nothing
    /// in the other forms.
    mutating func append(_ bytes: UnsafeRawBufferPointer, as form: OutputOptions.BinaryForm) {
        switch form {
        case .dump: append(dumpOf: bytes)
        case .hex: append(hexOf: bytes)
        case .base64: Base64.encode(bytes.bytes, into: &self)
        case .raw: append(contentsOf: bytes)
        case .size:
            append(decimal: UInt64(bytes.count))
            append(literal: bytes.count == 1 ? " byte" : " bytes")
        }
    }

    /// Two lower-case digits a byte.
    private mutating func append(hexOf bytes: UnsafeRawBufferPointer) {
        let start = count
        append(contentsOf: repeatElement(0, count: bytes.count * 2))
        withUnsafeMutableBufferPointer { output in
            for index in 0..<bytes.count {
                output[start &+ 2 &* index] = hexDigit(bytes[index] >> 4)
                output[start &+ 2 &* index &+ 1] = hexDigit(bytes[index] & 15)
            }
        }
    }

    /// The two digits of one byte.
    mutating func append(hexOf byte: UInt8) {
        append(hexDigit(byte >> 4))
        append(hexDigit(byte & 15))
    }

    /// Offset, hexadecimal and ASCII, sixteen bytes a row, as `hexdump -C` shows them:
    ///
    ///     00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 0a           |Hello, world.|
    ///
    /// Newlines separate the rows. Beyond 4 GiB the offset takes more than its eight digits.
    private mutating func append(dumpOf bytes: UnsafeRawBufferPointer) {
        reserveCapacity(count + bytes.count / 16 * (10 + Self.blankCells.utf8CodeUnitCount + 16))
        for offset in stride(from: 0, to: bytes.count, by: 16) {
            if offset > 0 { append(UInt8(ascii: "\n")) }
            append(row: UnsafeRawBufferPointer(rebasing: bytes[offset..<Swift.min(offset + 16, bytes.count)]), at: offset)
        }
    }

    /// What stands between the offset and the ASCII column: two groups of eight cells, overwritten where there is a byte.
    private static var blankCells: StaticString { "                                                    |" }

    private mutating func append(row bytes: UnsafeRawBufferPointer, at offset: Int) {
        let digits = Swift.max(8, (Int.bitWidth - offset.leadingZeroBitCount + 3) / 4)
        let start = count
        append(contentsOf: repeatElement(0, count: digits))
        append(literal: Self.blankCells)
        append(contentsOf: bytes)
        append(UInt8(ascii: "|"))
        withUnsafeMutableBytes { output in
            for digit in 0..<digits {
                output[start + digit] = hexDigit(UInt8(truncatingIfNeeded: offset >> ((digits - 1 - digit) * 4)) & 15)
            }
            let cells = start + digits + 2
            let text = start + digits + Self.blankCells.utf8CodeUnitCount
            for column in 0..<bytes.count {
                let byte = bytes[column]
                let cell = cells + column * 3 + column / 8
                output[cell] = hexDigit(byte >> 4)
                output[cell + 1] = hexDigit(byte & 15)
                if !(0x20...0x7e).contains(byte) { output[text + column] = UInt8(ascii: ".") }
            }
        }
    }

    /// Puts two blanks after each newline from `start` on.
    mutating func indentLines(from start: Int) {
        var newlines = 0
        for index in start..<count where self[index] == 0x0A { newlines += 1 }
        guard newlines > 0 else { return }
        var source = count
        Memory.require(2 * (count + 2 * newlines))
        append(contentsOf: repeatElement(0x20, count: 2 * newlines))
        withUnsafeMutableBytes { bytes in
            var target = bytes.count
            // What stands before the first newline stays where it is.
            while target > source {
                source -= 1
                if bytes[source] == 0x0A {
                    target -= 2
                    bytes[target] = 0x20
                    bytes[target + 1] = 0x20
                }
                target -= 1
                bytes[target] = bytes[source]
            }
        }
    }

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

/// The lower-case digit of a value below 16; without a table and without a branch, so that a loop of it becomes vector code.
@inline(__always)
func hexDigit(_ value: UInt8) -> UInt8 { value &+ (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10) }
