import Dispatch
import WebSocketTransport
import CPosix

/// Standard output, gathered and written without ever blocking the queue that the connection lives on.
///
/// The descriptor may be shared with other programs, so its mode is left alone: a pipe or terminal is opened anew as non-blocking where the
/// system allows that, a socket is told with each call, and elsewhere no more is written at once than a ready pipe is bound to take.
final class OutputDescriptor: @unchecked Sendable {
    // Invariant: used on its queue only.

    private enum Way {
        /// A file or device: a write is done when it returns.
        case direct
        case nonBlocking
        case socket
        case readyPieces
    }

    /// Bytes gathered since the last flush; append to it, then `flush()`.
    var buffer: [UInt8] = []
    /// All that waited has been written, after `isBlocked` was true.
    var onDrain: (() -> Void)?
    /// The reader is gone, or the disk is full; nothing more can be written. The errno. Called at once where that has been found out already.
    var onFailure: ((Int32) -> Void)? {
        didSet {
            rearm()
            if let failure { onFailure?(failure) }
        }
    }
    /// Whether the reader is slow: what was flushed waits.
    private(set) var isBlocked = false

    private let queue: DispatchQueue
    private let descriptor: Int32
    private let way: Way
    /// Whether its reader can go unnoticed.
    private let isPipe: Bool
    /// Bytes of `buffer` that are written.
    private var written = 0
    private let watch: DescriptorWatch
    private var failure: Int32?
    private var hasFailed: Bool { failure != nil }

    init(_ descriptor: Int32, queue: DispatchQueue) {
        self.queue = queue
        (self.descriptor, way) = Self.open(descriptor)
        isPipe = way == .nonBlocking || way == .readyPieces ? isatty(descriptor) == 0 : false
        buffer.reserveCapacity(Self.keptCapacity)
        // A reader that is gone is an error of `write`, and not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        watch = DescriptorWatch(self.descriptor, queue: queue)
        watch.onWritable = { [unowned self] in writable() }
        watch.onBreak = { [unowned self] in readerLeft() }
    }

    /// Learns of a reader that is gone, with nothing to write or with a pipe that is full: `wsline URL | head -1` ends when `head` does.
    private func rearm() {
        watch.arm(writing: isBlocked, breaking: isPipe && !hasFailed && onFailure != nil)
    }

    private func readerLeft() {
        if !hasFailed { fail(EPIPE) }
    }

    private func fail(_ error: Int32) {
        failure = error
        isBlocked = false
        rearm()
        discard()
        onFailure?(error)
    }

    /// What is gathered and not yet written; bytes.
    var backlog: Int { buffer.count - written }

    /// Writes what is gathered, as far as the reader takes it.
    func flush() {
        guard !isBlocked, !hasFailed else {
            if hasFailed { discard() }
            return
        }
        while written < buffer.count {
            let count = buffer.withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[written...])) }
            if count > 0 {
                written += count
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                return wait()
            } else if errno != EINTR {
                return fail(errno)
            }
        }
        discard()
    }

    private func discard() {
        written = 0
        if buffer.capacity > Self.keptCapacity * 4 {
            buffer = []
        } else {
            buffer.removeAll(keepingCapacity: true)
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch way {
        case .direct, .nonBlocking:
            return bytes.baseAddress.map { systemWrite(descriptor, $0, bytes.count) } ?? 0
        case .socket:
            return send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
        case .readyPieces:
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 0) == 1 else {
                errno = EAGAIN
                return -1
            }
            // A pipe that polls as writable takes this much whole.
            let piece = UnsafeRawBufferPointer(rebasing: bytes.prefix(512))
            return piece.baseAddress.map { systemWrite(descriptor, $0, piece.count) } ?? 0
        }
    }

    private func wait() {
        isBlocked = true
        rearm()
    }

    private func writable() {
        guard isBlocked else { return }
        isBlocked = false
        flush()
        guard !isBlocked, !hasFailed else { return }
        rearm()
        onDrain?()
    }

    private static let keptCapacity = 256 << 10

    private static func open(_ descriptor: Int32) -> (Int32, Way) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return (descriptor, .direct) }
        switch status.st_mode & S_IFMT {
        case S_IFSOCK: return (descriptor, .socket)
        case S_IFIFO: return reopenNonBlocking(descriptor, O_WRONLY).map { ($0, .nonBlocking) } ?? (descriptor, .readyPieces)
        case S_IFCHR where isatty(descriptor) == 1:
            return reopenNonBlocking(descriptor, O_WRONLY).map { ($0, .nonBlocking) } ?? (descriptor, .readyPieces)
        default: return (descriptor, .direct)
        }
    }
}
