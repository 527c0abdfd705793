import CPosix

/// A moment of the years 1970 to 9999, in microseconds since 1970-01-01T00:00:00Z.
struct Timestamp {
    let microseconds: Int64

    /// What is beyond the years becomes the first moment or the last of them.
    init(microseconds: Int64) { self.microseconds = min(max(microseconds, 0), 253_402_300_799_999_999) }

    /// What the system's clock shows.
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    /// Appends `2026-11-22T16:23:35.123456Z` (RFC 3339, section 5.6).
    func append(to output: inout [UInt8]) {
        let (date, microsecond) = broken(gmtime_r)
        let start = output.count
        output.append(literal: "0000-00-00T00:00:00.000000Z")
        output.withUnsafeMutableBytes { output in
            output.write(UInt64(date.tm_year.magnitude) + 1900, digits: 4, at: start)
            output.write(UInt64(date.tm_mon.magnitude) + 1, digits: 2, at: start + 5)
            output.write(UInt64(date.tm_mday.magnitude), digits: 2, at: start + 8)
            output.write(timeOf: date, at: start + 11)
            output.write(microsecond, digits: 6, at: start + 20)
        }
    }

    /// Appends `16:23:35.123 `, the time of day where the user is, for `--timestamps`.
    func appendLocalTime(to output: inout [UInt8]) {
        let (time, microsecond) = broken(localtime_r)
        let start = output.count
        output.append(literal: "00:00:00.000 ")
        output.withUnsafeMutableBytes { output in
            output.write(timeOf: time, at: start)
            output.write(microsecond / 1000, digits: 3, at: start + 9)
        }
    }

    /// Its date and time of day by one of the C library's calendars, and what is left of a second.
    private func broken(
        _ calendar: (UnsafePointer<time_t>, UnsafeMutablePointer<tm>) -> UnsafeMutablePointer<tm>?
    ) -> (tm, microsecond: UInt64) {
        var second = time_t(microseconds / 1_000_000)
        var date = tm()
        _ = calendar(&second, &date)
        return (date, UInt64(microseconds % 1_000_000))
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Overwrites the digits of `00:00:00` at `offset`.
    fileprivate func write(timeOf date: tm, at offset: Int) {
        write(UInt64(date.tm_hour.magnitude), digits: 2, at: offset)
        write(UInt64(date.tm_min.magnitude), digits: 2, at: offset + 3)
        write(UInt64(date.tm_sec.magnitude), digits: 2, at: offset + 6)
    }
}
