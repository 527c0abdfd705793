import CPosix

/// A moment of the years 0000 to 9999, in microseconds since 1970-01-01T00:00:00Z.
struct Timestamp: Hashable, Comparable {
    let microseconds: Int64

    /// The moments that RFC 3339 can write; what is beyond them becomes the first or the last of them.
    private static let range: ClosedRange<Int64> = -62_167_219_200_000_000...253_402_300_799_999_999

    init(microseconds: Int64) { self.microseconds = min(max(microseconds, Self.range.lowerBound), Self.range.upperBound) }

    static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// What the system's clock shows.
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    /// Appends `2026-11-22T16:23:35.123456Z` (RFC 3339, section 5.6).
    func append(to output: inout [UInt8]) {
        let (days, ofDay) = microseconds.flooringDivision(by: Self.microsecondsPerDay)
        let date = CivilDate(daysSince1970: days)
        let start = output.count
        output.append(literal: "0000-00-00T00:00:00.000000Z")
        output.withUnsafeMutableBytes { output in
            output.write(UInt64(date.year), digits: 4, at: start)
            output.write(UInt64(date.month), digits: 2, at: start + 5)
            output.write(UInt64(date.day), digits: 2, at: start + 8)
            let seconds = UInt64(ofDay) / 1_000_000
            output.write(seconds / 3600, digits: 2, at: start + 11)
            output.write(seconds / 60 % 60, digits: 2, at: start + 14)
            output.write(seconds % 60, digits: 2, at: start + 17)
            output.write(UInt64(ofDay) % 1_000_000, digits: 6, at: start + 20)
        }
    }

    /// Appends `16:23:35.123 `, the time of day where the user is, for `--timestamps`.
    func appendLocalTime(to output: inout [UInt8]) {
        let (seconds, fraction) = microseconds.flooringDivision(by: 1_000_000)
        var moment = time_t(seconds)
        var local = tm()
        localtime_r(&moment, &local)
        let start = output.count
        output.append(literal: "00:00:00.000 ")
        output.withUnsafeMutableBytes { output in
            output.write(UInt64(local.tm_hour.magnitude), digits: 2, at: start)
            output.write(UInt64(local.tm_min.magnitude), digits: 2, at: start + 3)
            output.write(UInt64(local.tm_sec.magnitude), digits: 2, at: start + 6)
            output.write(UInt64(fraction) / 1000, digits: 3, at: start + 9)
        }
    }

    fileprivate static let microsecondsPerDay: Int64 = 86_400_000_000
}

extension Timestamp: CustomStringConvertible {
    var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A day of the Gregorian calendar, carried back before its introduction. Years are counted from 1 March, so that the leap day ends one.
private struct CivilDate {
    var year: Int64
    var month: Int64
    var day: Int64

    /// 1970-01-01 is this many days after 0000-03-01.
    private static let epoch: Int64 = 719_468
    /// The calendar repeats after 400 years of this many days.
    private static let daysPerEra: Int64 = 146_097

    init(daysSince1970: Int64) {
        let (era, ofEra) = (daysSince1970 + Self.epoch).flooringDivision(by: Self.daysPerEra)
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let dayOfYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // From March on, months have 31 and 30 days by turns with 31 twice in a row each fifth: 153 days in five of them.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    }
}

extension Int64 {
    /// Quotient and remainder, the remainder never negative.
    fileprivate func flooringDivision(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
