import TestSupport
import Testing

@testable import wsline

@Suite("Round trips")
struct RoundTripsTests {
    @Test("none says nothing, and one is all of them")
    func few() {
        var trips = RoundTrips()
        #expect(trips.summary == nil && trips.last == nil && trips.percentile(50) == nil)
        #expect(trips.description(lost: 0) == nil)
        #expect(trips.description(lost: 2) == "0, 2 lost")
        trips.add(1_500_000)
        #expect(trips.last == 1_500_000)
        #expect(trips.description(lost: 0) == "1 (min 1.5 ms, median 1.5 ms, p99 1.5 ms, max 1.5 ms), 0 lost")
    }

    @Test("percentiles are those of the sorted times to within 1%, the extremes exact", arguments: [2, 3, 10, 100, 101, 5000])
    func percentiles(count: Int) throws {
        var random = SeededGenerator(seed: UInt64(count))
        var trips = RoundTrips()
        var times: [UInt64] = []
        for _ in 0..<count {
            let time = UInt64.random(in: 0...(1 << UInt64.random(in: 0...40, using: &random)), using: &random)
            times.append(time)
            trips.add(time)
        }
        times.sort()
        #expect(trips.least == times.first && trips.greatest == times.last)
        for percent: UInt64 in [1, 50, 90, 99, 100] {
            let exact = times[(count * Int(percent) + 99) / 100 - 1]
            let found = try #require(trips.percentile(percent))
            #expect(max(exact, found) - min(exact, found) <= exact / 100, "\(percent)% of \(count): \(found), not \(exact)")
        }
    }

    @Test("no time is too long or too short")
    func extremes() {
        var trips = RoundTrips()
        let times: [UInt64] = [.max, 0, 1, 127, 128, .max / 2]
        for time in times { trips.add(time) }
        #expect(trips.least == 0 && trips.greatest == .max && trips.count == 6)
        #expect(trips.percentile(100).map { $0 > UInt64.max / 100 * 99 } == true)
        #expect(trips.percentile(1) == 0)
    }
}
