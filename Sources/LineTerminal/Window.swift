import CLibEdit
import CPosix

/// The terminal's window: how large it is, and when it has stopped changing.
struct Window {
    struct Size: Equatable {
        var columns: Int
        var rows: Int
    }

    let input: Int32
    let output: Int32
    let pipe: WakePipe
    let environment: [String: String]
    let reportDelay: Duration

    /// What the kernel reports, which may be ahead of its signal; where it knows none, what the environment says.
    var size: Size {
        var size = winsize()
        let isKnown = wsline_window_size(output, &size) == 0
        func pick(_ value: UInt16, _ name: String, _ standard: Int) -> Int {
            isKnown && value > 0
                ? Int(value) : environment[name].flatMap(Int.init).flatMap { (2...10_000).contains($0) ? $0 : nil } ?? standard
        }
        return Size(columns: pick(size.ws_col, "COLUMNS", 80), rows: pick(size.ws_row, "LINES", 24))
    }

    /// Returns the size once it has been the same for as long as a report may take, as an edge that is dragged makes many; at once when there is a key to
    /// take or another reason to go on, which stays to be found.
    func settle() -> Size {
        var settled = size
        var deadline = ContinuousClock.now + reportDelay
        var reasons: Set<WakePipe.Reason> = []
        while reasons.isSubset(of: [.resized, .output]), case let rest = ContinuousClock.now.duration(to: deadline), rest > .zero {
            var descriptors = [
                pollfd(fd: input, events: Int16(POLLIN), revents: 0), pollfd(fd: pipe.readEnd, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&descriptors, 2, Int32(rest / .milliseconds(1)) + 1) > 0, descriptors[0].revents != 0 { break }
            reasons.formUnion(pipe.drain())
            let new = size
            if new != settled { (settled, deadline) = (new, .now + reportDelay) }
        }
        for reason in reasons.subtracting([.resized]) { pipe.wake(reason) }
        return settled
    }
}
