import Testing

@testable import wsline

@Suite("Sizes and durations")
struct OptionsNumbersTests {
    @Test(
        "Seconds are decimal digits with at most one point",
        arguments: [
            ("0", 0), ("5", 5), ("0.25", 0.25), (".5", 0.5), ("5.", 5), ("007", 7), ("1000000000", 1e9), ("0.000", 0),
        ])
    func seconds(text: String, expected: Double) {
        #expect(Double(seconds: text) == expected)
    }

    @Test(
        "What is no plain decimal number is no number of seconds",
        arguments: [
            "", ".", "-1", "+1", "-0", "nan", "inf", "infinity", "0x10", "1e3", "1,5", "1.2.3", " 1", "1 ", "1s", "٣", "1000000001",
            "99999999999999999999999999",
        ])
    func noSeconds(text: String) {
        #expect(Double(seconds: text) == nil)
    }

    @Test(
        "A size is bytes, or has a binary suffix in either case",
        arguments: [
            ("1", 1), ("4096", 4096), ("1K", 1024), ("1k", 1024), ("64M", 64 << 20), ("2g", 2 << 30), ("1024G", 1 << 40),
            ("1099511627776", 1 << 40),
        ])
    func size(text: String, expected: Int) {
        #expect(Int(size: text) == expected)
    }

    @Test(
        "A size of nothing, too much, or of other letters is none",
        arguments: [
            "", "0", "0K", "-1", "+1", "1.5M", "12Q", "KM", "M", "1MB", "1 M", "1025G", "1099511627777", "9223372036854775808",
            "9999999999999999999G",
        ])
    func noSize(text: String) {
        #expect(Int(size: text) == nil)
    }

    @Test("A decimal number is digits alone, within its range")
    func decimal() {
        #expect(Int(decimal: "1000", in: 1000...4999) == 1000)
        #expect(Int(decimal: "4999", in: 1000...4999) == 4999)
        for text in ["999", "5000", "+1000", "-1000", "1000 ", "", "99999999999999999999"] {
            #expect(Int(decimal: text, in: 1000...4999) == nil)
        }
    }
}
