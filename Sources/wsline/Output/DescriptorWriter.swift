import CPosix

/// Writes to a descriptor without ever waiting for its reader.
///
/// A descriptor that we were started with may be shared with other programs, so its mode is left alone: a pipe or terminal is opened anew as
/// non-blocking if the system allows that, a socket's writes don't block by a flag of each call, and otherwise no more is written at once than a ready pipe is
/// bound to take.
struct DescriptorWriter: Sendable {
    private enum Way {
        /// A file or device: a write is done when it returns.
        case direct
        case nonBlocking
        case socket
        case readyPieces
    }

    let descriptor: Int32
    private let way: Way

    /// Whether there is a reader that can go.
    var isPipe: Bool { (way == .nonBlocking || way == .readyPieces) && isatty(descriptor) == 0 }

    init(nonBlocking descriptor: Int32) { self.init(descriptor, .nonBlocking) }

    init(sharing descriptor: Int32) {
        switch fileType(descriptor) {
        case S_IFSOCK: self.init(descriptor, .socket)
        case S_IFIFO: self.init(reopening: descriptor)
        case S_IFCHR where isatty(descriptor) == 1: self.init(reopening: descriptor)
        default: self.init(descriptor, .direct)
        }
    }

    private init(reopening descriptor: Int32) {
        if let own = reopenNonBlocking(descriptor, O_WRONLY) { self.init(own, .nonBlocking) } else { self.init(descriptor, .readyPieces) }
    }

    private init(_ descriptor: Int32, _ way: Way) {
        // A reader that is gone is an error of `write`, and not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        (self.descriptor, self.way) = (descriptor, way)
    }

    /// Writes as much as the reader takes: the count, or -1 with `errno`, which is `EAGAIN` if that is nothing.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch way {
        case .direct, .nonBlocking: return CPosix.write(descriptor, bytes.baseAddress, bytes.count)
        case .socket: return send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
        case .readyPieces:
            guard waitForRoom(milliseconds: 0) else {
                errno = EAGAIN
                return -1
            }
            // A pipe that polls as writable takes this much whole.
            return CPosix.write(descriptor, bytes.baseAddress, min(bytes.count, 512))
        }
    }

    /// Waits until there is room, or the reader is gone; false if there is none in time.
    func waitForRoom(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&entry, 1, milliseconds) == 1
    }
}
