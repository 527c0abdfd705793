import WebSocketTransport
import CPosix

/// Reads a descriptor, only while somebody wants what it brings.
@EventLoop
final class InputSource {
    enum Outcome {
        case bytes(Int)
        case wouldBlock
        case end
        case failed(Int32)
    }

    /// There may be something to read.
    var onReadable: (() -> Void)?

    private let descriptor: Int32
    /// Whether a read never waits, because the descriptor was opened so, or is a file.
    private let isNonBlocking: Bool
    /// Files and devices are always ready, and epoll refuses them.
    private let isAlwaysReady: Bool
    private let watch: DescriptorWatch
    private var isResumed = false
    private var isScheduled = false

    init(_ descriptor: Int32) {
        let type = fileType(descriptor)
        isAlwaysReady = !(type == S_IFIFO || type == S_IFSOCK || isatty(descriptor) == 1)
        let fresh = isAlwaysReady || type == S_IFSOCK ? nil : reopenNonBlocking(descriptor, O_RDONLY)
        self.descriptor = fresh ?? descriptor
        isNonBlocking = isAlwaysReady || fresh != nil
        watch = DescriptorWatch(self.descriptor)
        watch.onReadable = { [unowned self] in onReadable?() }
    }

    /// Lets `onReadable` be called.
    func resume() {
        guard !isResumed else { return }
        isResumed = true
        if isAlwaysReady { wake() } else { watch.arm(reading: true) }
    }

    func suspend() {
        guard isResumed else { return }
        isResumed = false
        watch.arm()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        if !isNonBlocking {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 0) == 1 else { return .wouldBlock }
        }
        while true {
            let count = CPosix.read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .end }
            // A terminal that hung up reads as EIO: its input has ended.
            switch errno {
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK: return .wouldBlock
            case EIO: return .end
            default: return .failed(errno)
            }
        }
    }

    /// Calls `onReadable` soon, even if nothing has come.
    func wake() {
        guard isResumed, !isScheduled else { return }
        isScheduled = true
        EventLoop.later { [self] in
            isScheduled = false
            guard isResumed else { return }
            onReadable?()
            if isAlwaysReady { wake() }
        }
    }
}
