import TestSupport
import WebSocketProtocol

@testable import WebSocketTransport
@testable import wsline
import CPosix

/// Standard input on a pipe or a file, and what it reports.
@EventLoop
final class TestInput {
    enum Medium: CaseIterable { case pipe, file }

    let input: StandardInput
    /// Where messages go first.
    private(set) var peer = RecordingPeer()
    private(set) var ends = 0
    private(set) var failures: [InputError] = []
    private let descriptor: Int32
    /// Of a pipe; -1 once it's closed.
    private var writer: Int32 = -1
    private let directory: TemporaryDirectory?

    /// Input from a pipe.
    init(_ options: InputOptions = InputOptions()) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw TestFailure("pipe: errno \(errno)") }
        (descriptor, writer) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(writer, F_SETFL, O_NONBLOCK)
        directory = nil
        input = StandardInput(descriptor, options: options)
        record()
    }

    /// Input from a file that holds `bytes`.
    init(_ options: InputOptions = InputOptions(), file bytes: [UInt8]) throws {
        let directory = try TemporaryDirectory()
        self.directory = directory
        descriptor = open(try directory.write(bytes, to: "input"), O_RDONLY | O_CLOEXEC)
        input = StandardInput(descriptor, options: options)
        record()
    }

    /// Input from what `path` is.
    init(opening path: String) throws {
        directory = nil
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TestFailure("open: errno \(errno)") }
        input = StandardInput(descriptor, options: InputOptions())
        record()
    }

    private func record() {
        input.onEnd = { [unowned self] in ends += 1 }
        input.onFailure = { [unowned self] in failures.append($0) }
    }

    isolated deinit {
        input.cancel()
        closeWriter()
        close(descriptor)
    }

    func start(to peer: RecordingPeer) {
        self.peer = peer
        input.attach(peer)
        input.resume()
    }

    var isOver: Bool { ends > 0 || !failures.isEmpty }

    /// Writes into the pipe, as it takes it.
    func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        try await waitUntil("the pipe takes the last \(rest.count) of \(bytes.count) bytes") {
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { systemWrite(writer, $0.baseAddress, $0.count) }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }

    func closeWriter() {
        if writer >= 0 { close(writer) }
        writer = -1
    }

    /// How many bytes stand in the pipe.
    var bytesInPipe: Int {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : -1
    }

    /// How far the file has been read.
    var position: Int { Int(lseek(descriptor, 0, SEEK_CUR)) }

    /// Sends all of `bytes` to a peer, which makes the input wait where `peer` is given with little room.
    static func send(
        _ bytes: [UInt8], _ options: InputOptions = InputOptions(), from medium: Medium, to peer: RecordingPeer = RecordingPeer()
    ) async throws -> TestInput {
        let input = medium == .pipe ? try TestInput(options) : try TestInput(options, file: bytes)
        input.start(to: peer)
        if medium == .pipe {
            try await input.write(bytes)
            input.closeWriter()
        }
        try await waitUntil("the input is over") {
            if peer.isCongested {
                peer.drain()
                input.input.resume()
            }
            return input.isOver
        }
        await settle()
        return input
    }
}

extension InputOptions {
    init(_ split: Split, _ encoding: Encoding = .text) {
        self.init()
        (self.split, self.encoding) = (split, encoding)
    }
}
