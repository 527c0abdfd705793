import CPosix
import Synchronization
import WebSocketTransport

/// Standard error, for all threads, none of which ever waits for it.
///
/// Lines that can't be written yet wait for the reader. If they become too many the older ones are dropped, and counted in their place: the
/// latest report how a run ended.
///
/// Lines that come many at a time are gathered, and written once in a turn of the loop. Whoever brings them stops while too much waits, until
/// ``onRoom``: none of them is dropped, except if it comes to ``mostGathered`` all the same.
final class ErrorOutput: LineSink {
    static let standard = ErrorOutput(STDERR_FILENO)

    /// Bytes that may wait.
    static let limit = 64 << 10
    /// Bytes that may wait where lines were gathered: one read's worth of frames, at the worst.
    fileprivate static let mostGathered = 16 << 20
    /// Bytes that are written at once.
    private static let pieceSize = 64 << 10

    fileprivate struct State {
        /// nil before the first line.
        var writer: DescriptorWriter?
        /// Lines of which some bytes may be written; none of them is dropped.
        var begun: [UInt8] = []
        var written = 0
        /// Whole lines for after those.
        var waiting: [UInt8] = []
        /// How many lines are missing before the waiting ones.
        var dropped = 0
        /// Whole lines for after all of those, which are to be written before the loop waits.
        var gathered: [UInt8] = []
        /// Bytes that may wait.
        var limit = ErrorOutput.limit

        var isFull: Bool { isBlocked && waiting.count + gathered.count >= ErrorOutput.limit / 2 }
    }

    private let descriptor: Int32
    private let state = Mutex(State())
    /// Reports that there is room again; there while it's waited for.
    @EventLoop private var watch: DescriptorWatch?
    /// There is room again, or may be.
    @EventLoop var onRoom: (() -> Void)?

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Writes whole lines, now or later.
    func write(_ lines: [UInt8]) { change { $0.add($0.takeGathered() + lines, descriptor) } }

    var isFull: Bool { state.withLock { $0.isFull } }

    @EventLoop func gather(_ lines: [UInt8]) -> Bool {
        let (isFirst, size, isFull) = state.withLock { state in
            let isFirst = state.gathered.isEmpty
            state.gathered += lines
            state.limit = Self.mostGathered
            return (isFirst, state.gathered.count, state.isFull)
        }
        if isFirst { EventLoop.later { [self] in writeGathered() } }
        if size >= Self.pieceSize { writeGathered() }
        return !isFull
    }

    private func writeGathered() {
        change { $0.addGathered(descriptor) }
    }

    private func change(_ body: (inout State) -> Void) {
        let begins = state.withLock { state in
            let wasBlocked = state.isBlocked
            body(&state)
            return !wasBlocked && state.isBlocked
        }
        if begins { EventLoop.enter { [self] in wait() } }
    }

    /// Writes what waits, for `seconds` at most.
    func finish(within seconds: Double) {
        let deadline = monotonicNow() &+ nanoseconds(seconds)
        state.withLock { state in
            state.addGathered(descriptor)
            while state.isBlocked, let writer = state.writer {
                let now = monotonicNow()
                guard now < deadline, writer.waitForRoom(milliseconds: Int32(clamping: (deadline - now) / 1_000_000 + 1)) else { return }
                state.flush()
            }
        }
    }

    @EventLoop private func wait() {
        guard let writer = state.withLock({ $0.isBlocked ? $0.writer : nil }) else {
            watch?.cancel()
            watch = nil
            return
        }
        let watch = watch ?? DescriptorWatch(writer.descriptor)
        self.watch = watch
        watch.onWritable = { [self] in
            state.withLock { $0.flush() }
            wait()
            if !isFull { onRoom?() }
        }
        watch.arm(writing: true)
    }
}

extension ErrorOutput.State {
    var isBlocked: Bool { !begun.isEmpty }

    mutating func takeGathered() -> [UInt8] {
        defer { gathered.removeAll(keepingCapacity: true) }
        return gathered
    }

    mutating func addGathered(_ descriptor: Int32) {
        if !gathered.isEmpty { add(takeGathered(), descriptor) }
    }

    mutating func add(_ lines: [UInt8], _ descriptor: Int32) {
        if writer == nil { writer = DescriptorWriter(sharing: descriptor) }
        guard isBlocked else {
            begun = lines
            return flush()
        }
        if waiting.count + lines.count > limit {
            dropped += waiting.count { $0 == 0x0A }
            waiting = []
        }
        waiting += lines
    }

    /// Writes what the reader takes. What nobody can read any more is dropped.
    mutating func flush() {
        while !begun.isEmpty, let writer {
            let count = begun.withUnsafeBytes { writer.write(UnsafeRawBufferPointer(rebasing: $0[written...])) }
            if count > 0 {
                written += count
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                return
            } else if errno != EINTR {
                (begun, waiting, dropped, written) = ([], [], 0, 0)
            }
            if written == begun.count { nextLines() }
        }
    }

    private mutating func nextLines() {
        let notice = dropped == 0 ? "" : "wsline: \(counted(dropped, "line")) dropped here: standard error took no more\n"
        begun = Array(notice.utf8) + waiting
        (waiting, dropped, written) = ([], 0, 0)
    }
}
