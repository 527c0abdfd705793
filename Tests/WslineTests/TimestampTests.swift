import TestSupport
import Testing

@testable import wsline
import CPosix

@Suite struct TimestampTests {
    private func text(_ moment: Timestamp) -> String {
        var bytes: [UInt8] = []
        moment.append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        "moments are written in UTC with six digits of fraction",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_795_364_615_123_456, "2026-11-22T16:23:35.123456Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ] as [(Int64, String)])
    func known(microseconds: Int64, text: String) {
        #expect(self.text(Timestamp(microseconds: microseconds)) == text)
    }

    @Test("the calendar agrees with the C library's")
    func againstLibrary() {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<5000 {
            let moment = Timestamp(microseconds: Int64.random(in: 0...253_402_300_799_999_999, using: &random))
            var seconds = time_t(moment.microseconds / 1_000_000)
            var utc = tm()
            gmtime_r(&seconds, &utc)
            var buffer = [CChar](repeating: 0, count: 32)
            let length = strftime(&buffer, buffer.count, "%m-%dT%H:%M:%S", &utc)
            let expected = String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let text = text(moment)
            #expect(Int(text.prefix(4)) == Int(utc.tm_year) + 1900)
            #expect(text.dropFirst(5).prefix(expected.utf8.count) == expected)
            #expect(text.dropFirst(19).first == "." && text.last == "Z")
            #expect(Int64(text.dropLast().suffix(6)) == moment.microseconds - Int64(seconds) * 1_000_000)
        }
    }

    @Test("a moment after the year 9999 becomes its last, and one before 1970 the first")
    func clamped() {
        #expect(text(Timestamp(microseconds: .max)) == "9999-12-31T23:59:59.999999Z")
        #expect(text(Timestamp(microseconds: .min)) == "1970-01-01T00:00:00.000000Z")
    }

    @Test("now lies between two looks at the system's clock")
    func now() {
        // Not `time`, whose clock lags by up to a tick.
        func look() -> Int64 {
            var time = timeval()
            gettimeofday(&time, nil)
            return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec)
        }
        let before = look()
        let now = Timestamp.now.microseconds
        #expect((before...look()).contains(now))
    }

    @Test("the local form shows the C library's local time, with milliseconds and a blank behind")
    func local() {
        var seconds = time_t(1_795_364_615)
        var local = tm()
        localtime_r(&seconds, &local)
        var output: [UInt8] = []
        Timestamp(microseconds: 1_795_364_615_007_999).appendLocalTime(to: &output)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        #expect(
            String(decoding: output, as: UTF8.self) == "\(two(local.tm_hour)):\(two(local.tm_min)):\(two(local.tm_sec)).007 ")
    }
}
