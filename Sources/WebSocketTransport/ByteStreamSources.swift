import Dispatch

/// Closes a descriptor when the last of those who use it lets go: a stream, and each Dispatch source until its cancellation is complete.
/// A descriptor closed earlier could be given to another connection while a source still watches it.
final class DescriptorLease: Sendable {
    let socket: Socket

    init(_ socket: Socket) { self.socket = socket }

    deinit { socket.close() }
}

/// The read and the write source of one descriptor, made when they are first wanted and asleep whenever they are not.
final class ReadinessSources {
    /// Dispatch counts suspensions, and releasing a suspended source traps; so each source's state is here, and cancel resumes first.
    private struct Entry {
        let source: any DispatchSourceProtocol
        var isArmed = true
    }

    /// Given up by ``cancel()``.
    private var lease: DescriptorLease?
    private let queue: DispatchQueue
    private var reading: Entry?
    private var writing: Entry?
    /// What the sources call; set once, before the first is armed.
    var onReadable: () -> Void = {}
    var onWritable: () -> Void = {}
    /// Whether the last readable event may be the last of all: when both directions have ended, or the peer has reset the connection, epoll
    /// says so once, and Dispatch then watches the descriptor no more, with however much still to be read. Such an event counts no bytes.
    private(set) var hasHungUp = false

    init(_ lease: DescriptorLease, queue: DispatchQueue) {
        self.lease = lease
        self.queue = queue
    }

    deinit { cancel() }

    /// Nothing after ``cancel()``.
    func arm(reading wantsRead: Bool, writing wantsWrite: Bool) {
        guard let lease else { return }
        let descriptor = lease.socket.descriptor
        Self.update(&reading, wantsRead) {
            Self.start(DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue), lease) { [weak self] in
                guard let self else { return }
                hasHungUp = reading?.source.data == 0
                onReadable()
            }
        }
        Self.update(&writing, wantsWrite) {
            Self.start(DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue), lease) { [weak self] in self?.onWritable()
            }
        }
    }

    private static func update(_ entry: inout Entry?, _ isWanted: Bool, make: () -> Entry) {
        guard var current = entry else {
            if isWanted { entry = make() }
            return
        }
        guard current.isArmed != isWanted else { return }
        current.isArmed = isWanted
        entry = current
        if isWanted { current.source.resume() } else { current.source.suspend() }
    }

    private static func start(_ source: any DispatchSourceProtocol, _ lease: DescriptorLease, _ handler: @escaping () -> Void) -> Entry {
        source.setEventHandler(handler: DispatchWorkItem(block: handler))
        source.setCancelHandler { withExtendedLifetime(lease) {} }
        source.resume()
        return Entry(source: source)
    }

    func cancel() {
        for entry in [reading, writing].compactMap(\.self) {
            if !entry.isArmed { entry.source.resume() }
            entry.source.cancel()
        }
        reading = nil
        writing = nil
        lease = nil
    }
}
