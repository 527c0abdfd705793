import Synchronization
import CPosix

/// Text for the terminal, from any thread.
///
/// While a `LineEditor` reads a line, text is queued and the editor's thread prints it above the prompt, as many lines at once as a terminal takes without
/// keeping a key waiting. While none does, text is written straight away by the thread that hands it in. Each piece ends in a newline on the screen, added
/// if it has none.
///
/// The queue is bounded by its user: `enqueue` never waits for the editor, but reports when the queue is above the high-water mark; stop producing then until
/// `onDrained` has been called.
public final class TerminalPrinter: Sendable {
    private struct State {
        /// What is still to be written is what follows the bytes that were `printed`.
        var queue: [UInt8] = []
        var printed = 0
        var isFull = false
        var wake: WakePipe?
        var onDrained: (@Sendable () -> Void)?
        var recent = RecentOutput(followsOthers: true)

        mutating func write(_ text: [UInt8], to descriptor: Int32) {
            recent.append(text)
            writeAll(text, to: descriptor)
        }

        var waiting: Int { queue.count - printed }

        /// The next lines: no more than a key can wait for, unless one is longer.
        mutating func takeLines() -> [UInt8] {
            guard waiting > TerminalPrinter.pieceSize else { return takeAll() }
            let rest = queue[printed...]
            let (piece, others) = (rest.prefix(TerminalPrinter.pieceSize), rest.dropFirst(TerminalPrinter.pieceSize))
            let end = piece.lastIndex(of: 0x0a) ?? others.firstIndex(of: 0x0a)
            guard let end, end + 1 < queue.count else { return takeAll() }
            defer { printed = end + 1 }
            return Array(rest[...end])
        }

        mutating func takeAll() -> [UInt8] {
            defer { (queue, printed) = ([], 0) }
            return printed == 0 ? queue : Array(queue[printed...])
        }

        /// What to call if nothing is left, and producers wait for that.
        mutating func drained() -> (@Sendable () -> Void)? {
            guard isFull, queue.isEmpty else { return nil }
            isFull = false
            return onDrained
        }
    }

    /// Bytes printed between two looks at the keys: even a slow terminal takes them within a frame of 16 ms.
    private static let pieceSize = 32 << 10

    private let descriptor: Int32
    private let highWater: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - descriptor: what is written to while no editor reads.
    ///   - highWater: bytes queued at which `enqueue` says to stop.
    public init(descriptor: Int32 = STDOUT_FILENO, highWater: Int = 1 << 20) {
        self.descriptor = descriptor
        self.highWater = highWater
    }

    /// Hands in a piece of text, filtered and styled as it is to be shown. False when the queue is now above the high-water mark; the text is kept all
    /// the same.
    @discardableResult
    public func enqueue(_ text: some Collection<UInt8>) -> Bool {
        guard !text.isEmpty else { return true }
        return state.withLock { state in
            guard let wake = state.wake else {
                var direct = state.takeAll() + text
                if direct.last != 0x0a { direct.append(0x0a) }
                state.write(direct, to: descriptor)
                return true
            }
            if state.queue.isEmpty { wake.wake(.output) }
            // Seldom, so that it costs no more than the bytes that it moves.
            if state.printed >= highWater {
                state.queue.removeFirst(state.printed)
                state.printed = 0
            }
            state.queue += text
            if state.queue.last != 0x0a { state.queue.append(0x0a) }
            if state.waiting >= highWater { state.isFull = true }
            return !state.isFull
        }
    }

    /// Hands in a piece of text, see `enqueue(_:)`.
    @discardableResult
    public func enqueue(_ text: String) -> Bool { enqueue(text.utf8) }

    /// Whether producers should wait for `onDrained`.
    public var isAboveHighWater: Bool { state.withLock { $0.isFull } }

    /// Called on the editor's thread each time a queue that was above the high-water mark has been printed.
    public func onDrained(_ callback: (@Sendable () -> Void)?) { state.withLock { $0.onDrained = callback } }

    /// Writes what is queued straight away if no editor reads; otherwise it is the editor's, which prints it before it next waits for a key.
    public func flush() {
        state.withLock { state in
            guard state.wake == nil else { return }
            state.write(state.takeAll(), to: descriptor)
        }
    }

    // MARK: For the editor

    /// From here on text is queued, and `wake` is woken when the queue is no longer empty.
    func attach(_ wake: WakePipe) {
        state.withLock { state in
            state.wake = wake
            if state.waiting > 0 || state.isFull { wake.wake(.output) }
        }
    }

    /// From here on text is written straight away; what is queued comes first, with it if it is much.
    func detach() {
        let callback = state.withLock { state in
            state.wake = nil
            if state.waiting <= Self.pieceSize { state.write(state.takeAll(), to: descriptor) }
            return state.drained()
        }
        callback?()
    }

    /// The end of what has been printed, by the editor too.
    var recent: RecentOutput { state.withLock { $0.recent } }

    /// The editor has printed `text`.
    func record(_ text: [UInt8]) { state.withLock { $0.recent.append(text) } }

    /// What has been printed is no longer on the screen: it was cleared, or others have printed since.
    func forgetRecent(followsOthers: Bool) { state.withLock { $0.recent = RecentOutput(followsOthers: followsOthers) } }

    /// The next lines that are queued go through `print`, which writes them; if there are more, the editor is woken for them.
    func drain(_ print: ([UInt8]) -> Void) {
        let (text, callback) = state.withLock { state in
            let text = state.takeLines()
            if state.waiting > 0 { state.wake?.wake(.output) }
            return (text, state.drained())
        }
        if !text.isEmpty { print(text) }
        callback?()
    }
}
