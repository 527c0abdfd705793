/// Gathers binary messages on their way to a ``FileSaver``, so that many small ones cost one write, and long ones few.
///
/// Messages are in their files after ``flush()``, to be called when no more come for now. Not for use on two threads at once.
final class SaveQueue {
    private let saver: FileSaver
    /// Called for each message that is in its file.
    private let told: (FileSaver.Saved) -> Void
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
    private var count = 0
    /// Where in the buffer each message ends that is whole.
    private var ends: [Int] = []
    /// Whether the first bytes in the buffer belong to a message whose beginning the saver has.
    private var hasBegun = false
    /// Messages that are waiting for a pipe's reader, at least in part.
    private var untold: [FileSaver.Saved] = []

    /// What was gathered has found room, after ``isBlocked``.
    var onDrain: (() -> Void)?
    /// Why what waited for room could not be written.
    var onFailure: ((FileError) -> Void)?

    init(_ saver: FileSaver, told: @escaping (FileSaver.Saved) -> Void) {
        self.saver = saver
        self.told = told
        saver.stream?.onDrain = { [unowned self] in drained() }
        saver.stream?.onFailure = { [unowned self] in onFailure?($0) }
    }

    deinit { buffer.deallocate() }

    /// Whether a pipe or device takes no more for now, so that nothing more should come.
    var isBlocked: Bool { saver.stream?.isBlocked ?? false }

    private func tell(_ saved: FileSaver.Saved) {
        if isBlocked { untold.append(saved) } else { told(saved) }
    }

    private func drained() {
        let saved = untold
        untold = []
        saved.forEach(told)
        onDrain?()
    }

    /// Adds to the message under way, which begins with its first bytes.
    func append(_ part: UnsafeRawBufferPointer) throws(FileError) {
        var rest = part
        while !rest.isEmpty {
            if count == buffer.count { try write(all: true) }
            let piece = rest.prefix(buffer.count - count)
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: UnsafeRawBufferPointer(rebasing: piece))
            count += piece.count
            rest = UnsafeRawBufferPointer(rebasing: rest[piece.endIndex...])
        }
    }

    /// Ends the message under way.
    func endMessage() { ends.append(count) }

    /// Writes the messages that are whole. After an error those that didn't get into their files are gone.
    func flush() throws(FileError) {
        if !ends.isEmpty { try write(all: false) }
    }

    /// Drops the message under way, and what is in its file of it.
    func abandon() {
        count = ends.last ?? 0
        guard hasBegun, ends.isEmpty else { return }
        saver.abandon()
        hasBegun = false
    }

    /// Writes what is whole, or everything.
    private func write(all: Bool) throws(FileError) {
        // In case of an error nothing stays.
        let (ends, count, hadBegun) = (ends, count, hasBegun)
        (self.ends, self.count, hasBegun) = ([], 0, false)
        var whole = ends[...]
        var start = 0
        if hadBegun, let end = whole.popFirst() {
            try saver.write(bytes(0..<end))
            tell(try saver.finish())
            start = end
        }
        if let end = whole.last {
            try saver.save(bytes(start..<end), zip([start] + whole, whole).map { $1 - $0 }, told: tell)
            start = end
        }
        if all, start < count {
            if !(hadBegun && ends.isEmpty) { try saver.begin() }
            try saver.write(bytes(start..<count))
            hasBegun = true
        } else if start < count {
            buffer.copyMemory(from: bytes(start..<count))
            self.count = count - start
        }
    }

    private func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[range]) }
}
