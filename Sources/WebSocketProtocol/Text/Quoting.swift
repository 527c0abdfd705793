extension StringProtocol {
    /// The text in double quotes for use inside a message: controls, bidirectional controls, quotes and backslashes escaped, and cut after
    /// 256 characters, so that what a peer sent can't steer a terminal or flood a line.
    package var quoted: String { "\"" + escaped + "\"" }

    /// ``quoted`` without the quotes.
    package var escaped: String {
        var result = ""
        for scalar in unicodeScalars.prefix(256) {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.mayDriveTerminal: result += scalar.escape
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + (unicodeScalars.dropFirst(256).isEmpty ? "" : "…")
    }
}

extension Unicode.Scalar {
    /// C0, DEL, C1, the line and paragraph separators and the bidirectional controls.
    fileprivate var mayDriveTerminal: Bool {
        switch value {
        case 0...0x1f, 0x7f...0x9f, 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }

    fileprivate var escape: String {
        let digits = String(value, radix: 16)
        return value < 0x100 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
    }
}

extension UInt8 {
    /// A byte for a message: `"x"` when it is printable ASCII, else `0x0a`.
    package var quoted: String {
        if (0x20...0x7e).contains(self) { return String(UnicodeScalar(self)).quoted }
        return "0x" + (self < 16 ? "0" : "") + String(self, radix: 16)
    }
}

/// How many letters were added, left out, mistaken or swapped with their neighbour between two words (optimal string alignment).
package func slips(_ one: some StringProtocol, _ other: some StringProtocol) -> Int {
    let (one, other) = (Array(one.utf8), Array(other.utf8))
    var rows = [Array(0...other.count)]
    for i in one.indices {
        var row = [i + 1]
        for j in other.indices {
            var best = min(rows[i][j] + (one[i] == other[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, one[i] == other[j - 1], one[i - 1] == other[j] { best = min(best, rows[i - 1][j - 1] + 1) }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[one.count][other.count]
}
