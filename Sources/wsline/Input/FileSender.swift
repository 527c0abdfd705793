import WebSocketProtocol
import WebSocketTransport
import CPosix

/// Sends a file as one message, in fragments if it is large: memory stays bounded whatever its size, and a slow server makes it wait.
///
/// A file that is to be text is read twice: nothing of it is sent before all of it is known to be UTF-8. Work is done in slices,
/// so that what arrives meanwhile has its turn.
@EventLoop
final class FileSender {
    /// All of it has been handed to the connection, or it can't be; not called once cancelled. Never called from within `init`.
    var onEnd: ((Result<String, CommandFailure>) -> Void)?

    private enum Phase {
        case checking(UTF8Validator)
        case sending
        case over
    }

    private let path: String
    private let kind: MessageKind
    private let peer: any Peer
    private let descriptor: Int32
    private let size: Int
    private var position = 0
    private var phase: Phase
    private var isWorking = false

    /// A file up to this size is one frame.
    private static let largestFrame = 1 << 20
    private static let fragmentSize = 256 << 10
    /// How many reads one turn does.
    private static let mostReads = 16

    /// - Throws: what is wrong with the file.
    init(_ path: String, as kind: MessageKind, to peer: any Peer) throws(CommandFailure) {
        (self.path, self.kind, self.peer) = (path, kind, peer)
        // Without O_NONBLOCK, opening a FIFO that nobody writes to would wait.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw CommandFailure(FileError(.open, path).description) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw CommandFailure("can't send \(path.quoted): it is not a file")
        }
        size = Int(status.st_size)
        phase = kind == .text ? .checking(UTF8Validator()) : .sending
    }

    deinit { CPosix.close(descriptor) }

    var shownPath: String { path.quoted }

    /// How much of it has been sent.
    var progress: String {
        if case .checking = phase { return "none of \(counted(UInt64(size), "byte"))" }
        return "\(position) of \(counted(UInt64(size), "byte"))"
    }

    /// Goes on; called at first and whenever the connection has room again.
    func resume() {
        guard !isWorking else { return }
        isWorking = true
        EventLoop.later { [self] in
            let goesOn = turn()
            isWorking = false
            if goesOn { resume() }
        }
    }

    func cancel() { phase = .over }

    // MARK: Working

    /// Reads and sends a slice; returns false if there is nothing more to do, or no room for now.
    private func turn() -> Bool {
        do throws(CommandFailure) {
            for _ in 0..<Self.mostReads {
                switch phase {
                case .over: return false
                case .checking(let validator): try check(validator)
                case .sending:
                    // The connection's drain resumes.
                    if peer.isCongested { return false }
                    try sendNext()
                }
            }
        } catch {
            end(.failure(error))
            return false
        }
        return true
    }

    private func check(_ validator: UTF8Validator) throws(CommandFailure) {
        var validator = validator
        let bytes = try read(Self.fragmentSize)
        let wrong = bytes.withUnsafeBytes { validator.consume($0) }
        if let wrong {
            throw CommandFailure("\(shownPath) isn't UTF-8 at byte \(position + wrong + 1), so it can't be sent as text: nothing was sent")
        }
        position += bytes.count
        phase = .checking(validator)
        guard bytes.count < Self.fragmentSize else { return }
        guard validator.isComplete else {
            throw CommandFailure(
                "\(shownPath) ends at byte \(position) within a UTF-8 character, so it can't be sent as text: nothing was sent")
        }
        position = 0
        phase = .sending
    }

    private func sendNext() throws(CommandFailure) {
        let isWhole = size <= Self.largestFrame
        let wanted = isWhole ? size : min(Self.fragmentSize, size - position)
        let bytes = try read(wanted)
        // What was cut off since, or written after the size at the start, isn't part of the message.
        let isFinal = isWhole || bytes.count < wanted || position + bytes.count == size
        do {
            try bytes.withUnsafeBytes { buffer in
                if isWhole {
                    try peer.send(kind, buffer)
                } else {
                    try peer.sendFragment(kind, buffer, isFinal: isFinal)
                }
            }
        } catch {
            throw CommandFailure("sending \(shownPath) stopped after \(progress): \(error)")
        }
        position += bytes.count
        if isFinal { end(.success("sent \(counted(UInt64(position), "byte")) of \(shownPath)")) }
    }

    private func end(_ result: Result<String, CommandFailure>) {
        if case .over = phase { return }
        phase = .over
        onEnd?(result)
    }

    /// Up to `count` bytes from `position` on: fewer at the file's end.
    private func read(_ count: Int) throws(CommandFailure) -> [UInt8] {
        var failure: Int32?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count, let base = buffer.baseAddress {
                let got = pread(descriptor, base + filled, count - filled, off_t(position + filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                guard got > 0 else { return }
                filled += got
            }
        }
        guard let failure else { return bytes }
        // Half a message can't be taken back: the connection has to go with it.
        var isBegun = false
        if case .sending = phase { isBegun = position > 0 }
        if isBegun { try? peer.close(.internalError, reason: "the rest of a message is lost") }
        throw CommandFailure("\(FileError(.read, path, code: failure))" + (isBegun ? "; the connection is closed" : ""))
    }
}
