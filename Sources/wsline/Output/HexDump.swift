/// Bytes as offset, hexadecimal and ASCII, sixteen a row, as `hexdump -C` shows them:
///
///     00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 0a           |Hello, world.|
///
/// Rows are parted by newlines, with none after the last. The bytes may come in pieces cut anywhere; a row appears once it is full,
/// the last one with ``finish(to:)``. Beyond 4 GiB the offset takes more than its eight digits.
struct HexDump {
    static let width = 16

    /// Where the row begun starts.
    private var offset: UInt64 = 0
    private var row = SIMD16<UInt8>()
    private var rowCount = 0

    mutating func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        var rest = bytes[...]
        if rowCount > 0 {
            let head = rest.prefix(Self.width - rowCount)
            rest = rest.dropFirst(head.count)
            keep(head)
            guard rowCount == Self.width else { return }
            writeKeptRow(to: &output)
        }
        output.reserveCapacity(output.count + rest.count / Self.width * Self.fullRowLength)
        while rest.count >= Self.width {
            writeRow(UnsafeRawBufferPointer(rebasing: rest.prefix(Self.width)), to: &output)
            rest = rest.dropFirst(Self.width)
        }
        keep(rest)
    }

    /// Writes the last, incomplete row, and is ready for another message.
    mutating func finish(to output: inout [UInt8]) {
        if rowCount > 0 { writeKeptRow(to: &output) }
        offset = 0
    }

    private mutating func keep(_ bytes: Slice<UnsafeRawBufferPointer>) {
        for byte in bytes {
            row[rowCount] = byte
            rowCount += 1
        }
    }

    private mutating func writeKeptRow(to output: inout [UInt8]) {
        let (kept, count) = (row, rowCount)
        rowCount = 0
        withUnsafeBytes(of: kept) { writeRow(UnsafeRawBufferPointer(rebasing: $0.prefix(count)), to: &output) }
    }

    /// What stands between the offset and the ASCII column: two groups of eight cells, overwritten where there is a byte.
    private static let blankCells: StaticString = "                                                    |"
    private static let fullRowLength = 1 + 8 + blankCells.utf8CodeUnitCount + width + 1

    private mutating func writeRow(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        if offset > 0 { output.append(UInt8(ascii: "\n")) }
        let digits = max(8, (64 - offset.leadingZeroBitCount + 3) / 4)
        let start = output.count
        output.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: digits))
        output.append(literal: Self.blankCells)
        output.append(contentsOf: bytes)
        output.append(UInt8(ascii: "|"))
        output.withUnsafeMutableBytes { output in
            for digit in 0..<digits {
                output[start + digit] = hexDigit(UInt8(truncatingIfNeeded: offset >> UInt64((digits - 1 - digit) * 4)) & 15)
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
        offset &+= UInt64(bytes.count)
    }
}

/// The lower-case digit of a value below 16; without a table and without a branch, so that a loop of it becomes vector code.
@inline(__always)
func hexDigit(_ value: UInt8) -> UInt8 {
    value &+ (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
}
