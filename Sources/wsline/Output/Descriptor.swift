import Dispatch
import WebSocketTransport
import CPosix

/// What is written without ever blocking the loop: standard output, or a pipe or device to save to.
@EventLoop
final class OutputDescriptor {
    private struct Target {
        let writer: DescriptorWriter
        /// Whether a reader that is gone is reported at once, and not only by the next write.
        let watchesReader: Bool
        let watch: DescriptorWatch
        /// Whether it's closed with this.
        let isOwned: Bool
    }

    /// Bytes gathered since the last flush; append to it, then `flush()`.
    var buffer: [UInt8] = []
    /// All that waited has been written, after `isBlocked` was true.
    var onDrain: (() -> Void)?
    /// The reader is gone, or the disk is full; nothing more can be written. The errno. Called at once if that is known already.
    var onFailure: ((Int32) -> Void)? {
        didSet {
            rearm()
            if let failure { onFailure?(failure) }
        }
    }
    /// Whether the reader is slow: what was flushed waits.
    private(set) var isBlocked = false

    /// nil for a pipe that has had no reader yet.
    private var target: Target?
    /// Bytes of `buffer` that are written.
    private var written = 0
    /// Why nothing more can be written; an errno.
    private(set) var failure: Int32?
    private var hasFailed: Bool { failure != nil }

    /// Writes to a descriptor that others may share.
    init(_ descriptor: Int32) {
        buffer.reserveCapacity(Self.keptCapacity)
        let writer = DescriptorWriter(sharing: descriptor)
        adopt(writer, watchesReader: writer.isPipe)
    }

    /// Opens the pipe or device at `path`. What is written to a pipe waits until somebody reads it.
    ///
    /// - Throws: why it can't be opened.
    init(path: String) throws(FileError) {
        let descriptor = CPosix.open(path, O_WRONLY | O_APPEND | O_NONBLOCK)
        if descriptor >= 0 {
            adoptOwn(descriptor)
        } else if errno == ENXIO, fileType(path) == S_IFIFO {
            awaitReader(path)
        } else {
            throw FileError(.open, path)
        }
    }

    isolated deinit {
        guard let target else { return }
        target.watch.cancel()
        if target.isOwned { close(target.writer.descriptor) }
    }

    private func adopt(_ writer: DescriptorWriter, watchesReader: Bool, isOwned: Bool = false) {
        let watch = DescriptorWatch(writer.descriptor)
        watch.onWritable = { [unowned self] in writable() }
        watch.onBreak = { [unowned self] in if !hasFailed { fail(EPIPE) } }
        target = Target(writer: writer, watchesReader: watchesReader, watch: watch, isOwned: isOwned)
    }

    private func adoptOwn(_ descriptor: Int32) {
        enlargePipe(descriptor)
        adopt(DescriptorWriter(nonBlocking: descriptor), watchesReader: false, isOwned: true)
    }

    /// Opens a pipe once it has a reader: no event reports that, only an `open` that waits, on a thread of its own.
    private func awaitReader(_ path: String) {
        DispatchQueue(label: "wsline.opening").async { [weak self] in
            var descriptor: Int32
            repeat { descriptor = CPosix.open(path, O_WRONLY | O_APPEND) } while descriptor < 0 && errno == EINTR
            if descriptor >= 0 { _ = fcntl(descriptor, F_SETFL, O_APPEND | O_NONBLOCK) }
            let error = errno
            EventLoop.enter { [weak self, descriptor] in
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

    private func fail(_ error: Int32) {
        failure = error
        isBlocked = false
        rearm()
        discard()
        onFailure?(error)
    }

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
            let count = buffer.withUnsafeBytes { target.writer.write(UnsafeRawBufferPointer(rebasing: $0[written...])) }
            if count > 0 {
                written += count
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                isBlocked = true
                return rearm()
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

    private func writable() {
        guard isBlocked else { return }
        isBlocked = false
        flush()
        guard !isBlocked, !hasFailed else { return }
        rearm()
        onDrain?()
    }

    private static let keptCapacity = 256 << 10
}
