import Dispatch
import Synchronization
import CPosix

/// Standard error, for all threads, none of which ever waits for it.
///
/// Lines that can't be written yet wait for the reader. Where they become too many the older ones are dropped, and counted in their place: the
/// latest say what a run came to.
final class ErrorOutput: Sendable {
    static let standard = ErrorOutput(STDERR_FILENO)

    /// Bytes that may wait.
    static let limit = 64 << 10

    private struct State {
        /// nil before the first line.
        var output: OutputDescriptor?
        /// Whole lines, for when the output has drained.
        var waiting: [UInt8] = []
        /// How many lines are missing before those.
        var dropped = 0
    }

    private let descriptor: Int32
    private let queue = DispatchQueue(label: "wsline.errors")
    private let state = Mutex(State())

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Writes whole lines, now or later.
    func write(_ lines: [UInt8]) {
        queue.sync {
            state.withLock { state in
                let output = state.output ?? makeOutput()
                state.output = output
                guard output.isBlocked else {
                    output.buffer += lines
                    return output.flush()
                }
                if state.waiting.count + lines.count > Self.limit {
                    state.dropped += state.waiting.count { $0 == 0x0A }
                    state.waiting = []
                }
                state.waiting += lines
            }
        }
    }

    /// Writes what waits, for `seconds` at most.
    func finish(within seconds: Double) {
        queue.sync { state.withLock { $0.output }?.flush(within: seconds) }
    }

    private func makeOutput() -> OutputDescriptor {
        let output = OutputDescriptor(descriptor, queue: queue)
        output.onDrain = { [unowned self] in drained() }
        return output
    }

    private func drained() {
        state.withLock { state in
            guard let output = state.output else { return }
            if state.dropped > 0 {
                output.buffer += "wsline: \(counted(state.dropped, "line")) dropped here: standard error took no more\n".utf8
            }
            output.buffer += state.waiting
            (state.waiting, state.dropped) = ([], 0)
            output.flush()
        }
    }
}
