import CPosix

/// Closes a descriptor when the last of those who use it lets go. A descriptor closed earlier could be given to another connection while it is
/// still watched.
final class DescriptorLease: Sendable {
    let socket: Socket

    init(_ socket: Socket) { self.socket = socket }

    deinit { socket.close() }
}

/// Reports when a descriptor can be read or written, or has broken, while somebody wants to know.
@EventLoop
public final class DescriptorWatch {
    /// What is called; set before the first ``arm(reading:writing:breaking:)``.
    public var onReadable: () -> Void = {}
    public var onWritable: () -> Void = {}
    /// The other end is gone: of a pipe that is written, its reader.
    public var onBreak: () -> Void = {}

    private let descriptor: Int32
    /// Keeps the descriptor open; given up by ``cancel()``.
    private var lease: DescriptorLease?
    private var wants = Wants()
    /// Its place among the loop's waits; 0 while it's not watched.
    var index = 0

    private struct Wants: Equatable {
        var reading = false
        var writing = false
        var breaking = false

        var events: Int16 { Int16(reading ? POLLIN : 0) | Int16(writing ? POLLOUT : 0) }
    }

    /// The descriptor must stay open until ``cancel()``.
    public init(_ descriptor: Int32) { self.descriptor = descriptor }

    convenience init(_ lease: DescriptorLease) {
        self.init(lease.socket.descriptor)
        self.lease = lease
    }

    /// What to report from now on. As long as it is so it's reported again and again, and the loop holds the watch.
    public func arm(reading: Bool = false, writing: Bool = false, breaking: Bool = false) {
        let wanted = Wants(reading: reading, writing: writing, breaking: breaking)
        guard wanted != wants else { return }
        wants = wanted
        // With nothing wanted it's left out altogether, since errors are reported even so.
        if wants == Wants() {
            remove()
        } else if index == 0 {
            EventLoop.add(self, descriptor, wants.events)
        } else {
            EventLoop.update(self, wants.events)
        }
    }

    /// Nothing is reported from now on; a lease on the descriptor ends.
    public func cancel() {
        wants = Wants()
        remove()
        lease = nil
    }

    private func remove() { if index != 0 { EventLoop.remove(self) } }

    /// A broken descriptor is readable and writable as well: reading and writing find out how it broke.
    func happened(_ events: Int16) {
        let isBroken = events & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
        if wants.reading, isBroken || events & Int16(POLLIN) != 0 { onReadable() }
        if wants.writing, isBroken || events & Int16(POLLOUT) != 0 { onWritable() }
        if wants.breaking, isBroken { onBreak() }
    }
}
