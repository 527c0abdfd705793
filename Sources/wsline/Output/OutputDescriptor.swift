import Dispatch
import WebSocketTransport
import CPosix

/// What is written without ever blocking the queue that it's used on: standard output, standard error, or a pipe or device to save to.
///
/// A descriptor that we were started with may be shared with other programs, so its mode is left alone: a pipe or terminal is opened anew as
/// non-blocking where the system allows that, a socket is told with each call, and elsewhere no more is written at once than a ready pipe is
/// bound to take.
final class OutputDescriptor: @unchecked Sendable {
    // Invariant: used on its queue only.

    private enum Way {
        /// A file or device: a write is done when it returns.
        case direct
        case nonBlocking
        case socket
        case readyPieces
    }

    private struct Target {
        let descriptor: Int32
        let way: Way
        /// Whether its reader is missed as soon as it goes, and not only once there is something to write.
        let watchesReader: Bool
        let watch: DescriptorWatch
        /// Whether it's closed with this.
        let isOwned: Bool
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
    /// nil for a pipe that has had no reader yet.
    private var target: Target?
    /// Bytes of `buffer` that are written.
    private var written = 0
    /// Why nothing more can be written; an errno.
    private(set) var failure: Int32?
    private var hasFailed: Bool { failure != nil }

    /// Writes to a descriptor that others may share.
    init(_ descriptor: Int32, queue: DispatchQueue) {
        self.queue = queue
        buffer.reserveCapacity(Self.keptCapacity)
        let (descriptor, way) = Self.open(descriptor)
        adopt(descriptor, way, watchesReader: (way == .nonBlocking || way == .readyPieces) && isatty(descriptor) == 0)
    }

    /// Opens the pipe or device at `path`. What is written to a pipe waits until somebody reads it.
    ///
    /// - Throws: why it can't be opened.
    init(path: String, queue: DispatchQueue) throws(FileError) {
        self.queue = queue
        let descriptor = systemOpen(path, O_WRONLY | O_APPEND | O_NONBLOCK)
        if descriptor >= 0 {
            adoptOwn(descriptor)
        } else if errno == ENXIO, isPipe(path) {
            awaitReader(path)
        } else {
            throw FileError(.open, path)
        }
    }

    deinit {
        guard let target, target.isOwned else { return }
        target.watch.cancel()
        close(target.descriptor)
    }

    private func adopt(_ descriptor: Int32, _ way: Way, watchesReader: Bool, isOwned: Bool = false) {
        // A reader that is gone is an error of `write`, and not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let watch = DescriptorWatch(descriptor, queue: queue)
        watch.onWritable = { [unowned self] in writable() }
        watch.onBreak = { [unowned self] in readerLeft() }
        target = Target(descriptor: descriptor, way: way, watchesReader: watchesReader, watch: watch, isOwned: isOwned)
    }

    private func adoptOwn(_ descriptor: Int32) {
        enlargePipe(descriptor)
        adopt(descriptor, .nonBlocking, watchesReader: false, isOwned: true)
    }

    /// Opens a pipe once it has a reader: no event reports that, only an `open` that waits, on a thread of its own.
    private func awaitReader(_ path: String) {
        DispatchQueue(label: "wsline.opening").async { [weak self, queue] in
            var descriptor: Int32
            repeat { descriptor = systemOpen(path, O_WRONLY | O_APPEND) } while descriptor < 0 && errno == EINTR
            if descriptor >= 0 { _ = fcntl(descriptor, F_SETFL, O_APPEND | O_NONBLOCK) }
            let error = errno
            queue.async { [weak self, descriptor] in
                guard let self else {
                    close(descriptor)
                    return
                }
                guard descriptor >= 0 else { return fail(error) }
                adoptOwn(descriptor)
                writable()
                rearm()
            }
        }
    }

    /// Learns of a reader that is gone, with nothing to write or with a pipe that is full: `wsline URL | head -1` ends when `head` does.
    private func rearm() {
        guard let target else { return }
        target.watch.arm(writing: isBlocked, breaking: target.watchesReader && !hasFailed && onFailure != nil)
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
        guard let target else {
            isBlocked = !buffer.isEmpty
            return
        }
        while written < buffer.count {
            let count = buffer.withUnsafeBytes { Self.write(UnsafeRawBufferPointer(rebasing: $0[written...]), to: target) }
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

    /// Writes what is gathered, waiting for the reader, for `seconds` at most.
    func flush(within seconds: Double) {
        let deadline = DispatchTime.now() + seconds
        flush()
        while isBlocked, let target {
            let now = DispatchTime.now()
            guard now < deadline else { return }
            var entry = pollfd(fd: target.descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&entry, 1, Int32((deadline.uptimeNanoseconds - now.uptimeNanoseconds) / 1_000_000 + 1))
            writable()
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to target: Target) -> Int {
        switch target.way {
        case .direct, .nonBlocking:
            return bytes.baseAddress.map { systemWrite(target.descriptor, $0, bytes.count) } ?? 0
        case .socket:
            return send(target.descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
        case .readyPieces:
            var entry = pollfd(fd: target.descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 0) == 1 else {
                errno = EAGAIN
                return -1
            }
            // A pipe that polls as writable takes this much whole.
            let piece = UnsafeRawBufferPointer(rebasing: bytes.prefix(512))
            return piece.baseAddress.map { systemWrite(target.descriptor, $0, piece.count) } ?? 0
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

private func isPipe(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
}
