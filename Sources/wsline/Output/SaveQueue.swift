import WebSocketTransport

/// Gathers binary messages on their way to a ``FileSaver``, so that many small ones cost one write, and long ones few.
///
/// Messages are in their files after ``flush(saved:)``, to be called when no more come for now. After an error whatever comes is dropped: of a
/// message that is under way then, further parts are still to be expected. Not for use on two threads at once.
@EventLoop
final class SaveQueue {
    /// Called for each message that is in its file.
    typealias Report = (FileSaver.Saved) -> Void

    private enum State {
        /// The message under way, if there is one, begins in the buffer.
        case gathering
        /// The saver has the beginning of the message that the buffer's first bytes belong to.
        case begun
        /// A file took no more.
        case failed
    }

    private let saver: FileSaver
    private let buffer: UnsafeMutableRawBufferPointer
    private var count = 0
    /// Where in the buffer each message ends that is whole.
    private var ends: [Int] = []
    private var state = State.gathering

    /// - Parameter capacity: bytes that are gathered before they are written.
    init(_ saver: FileSaver, capacity: Int = 256 << 10) {
        self.saver = saver
        buffer = .allocate(byteCount: capacity, alignment: 64)
    }

    isolated deinit { buffer.deallocate() }

    /// Whether nothing is under way.
    var isIdle: Bool { count == 0 && ends.isEmpty && state != .begun }

    /// Adds to the message under way, which begins with its first bytes.
    func append(_ part: UnsafeRawBufferPointer, saved: Report) throws(FileError) {
        guard state != .failed else { return }
        var rest = part
        while !rest.isEmpty {
            if count == buffer.count { try write(all: true, saved) }
            let piece = rest.prefix(buffer.count - count)
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: UnsafeRawBufferPointer(rebasing: piece))
            count += piece.count
            rest = UnsafeRawBufferPointer(rebasing: rest[piece.endIndex...])
        }
    }

    /// Ends the message under way.
    func endMessage() {
        if state != .failed { ends.append(count) }
    }

    /// Writes the messages that are whole.
    func flush(saved: Report) throws(FileError) {
        if !ends.isEmpty { try write(all: false, saved) }
    }

    /// Drops the message under way, and what is in its file of it.
    func abandon() {
        count = ends.last ?? 0
        guard state == .begun, ends.isEmpty else { return }
        saver.abandon()
        state = .gathering
    }

    /// Writes what is whole, or everything.
    private func write(all: Bool, _ saved: Report) throws(FileError) {
        do {
            try writeGathered(all: all, saved)
        } catch {
            saver.abandon()
            (state, count, ends) = (.failed, 0, [])
            throw error
        }
    }

    private func writeGathered(all: Bool, _ saved: Report) throws(FileError) {
        var whole = ends[...]
        var start = 0
        if state == .begun, let end = whole.popFirst() {
            try saver.write(bytes(0..<end))
            saved(try saver.finish())
            state = .gathering
            start = end
        }
        if let end = whole.last {
            try saver.save(bytes(start..<end), zip([start] + whole, whole).map { $1 - $0 }, saved: saved)
            start = end
        }
        if all, start < count {
            if state == .gathering { try saver.begin() }
            state = .begun
            try saver.write(bytes(start..<count))
            start = count
        }
        buffer.copyMemory(from: bytes(start..<count))
        count -= start
        ends = []
    }

    private func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[range]) }
}
