import TestSupport
import Testing
import WebSocketTransport

@testable import wsline
import CPosix

@Suite(.eventLoop)
@EventLoop
struct SaveQueueTests {
    /// A file's path in a directory of its own; both are removed with it.
    private final class Scratch {
        let directory: String
        var path: String { directory + "/all" }

        init() throws {
            var template = Array("/tmp/wsline-queue-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            directory = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit {
            unlink(path)
            rmdir(directory)
        }

        var contents: [UInt8] {
            let descriptor = open(path, O_RDONLY)
            defer { close(descriptor) }
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = read(descriptor, &piece, piece.count), count > 0 { bytes += piece[..<count] }
            return bytes
        }
    }

    private func message(_ number: Int, _ count: Int) -> [UInt8] {
        // Not byte by byte: the loop is needed by other tests.
        let piece = (0..<256).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += piece.prefix(count - bytes.count) }
        return bytes
    }

    private func append(
        _ bytes: [UInt8], to queue: SaveQueue, piece: Int = 100_000, saved: SaveQueue.Report = { _ in }
    ) throws {
        for start in stride(from: 0, to: bytes.count, by: piece) {
            try bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { try queue.append($0, saved: saved) }
        }
        queue.endMessage()
    }

    @Test("messages of every size are in the file in their order once they are flushed, and not told of before")
    func order() throws {
        let scratch = try Scratch()
        var told: [Int] = []
        let queue = SaveQueue(FileSaver(try SaveDestination(scratch.path)))
        let counts = [0, 1, 5, 262_143, 262_144, 262_145, 3, 1_000_000, 7]
        for (number, count) in counts.enumerated() {
            try append(message(number, count), to: queue) { told.append($0.byteCount) }
        }
        #expect(told.count < counts.count)
        try queue.flush { told.append($0.byteCount) }
        #expect(told == counts)
        #expect(scratch.contents == counts.enumerated().flatMap { message($0.offset, $0.element) })
    }

    @Test(
        "a message that is abandoned leaves nothing, however much of it was in the file, and those before it stay",
        arguments: [10, 600_000])
    func abandoned(_ count: Int) throws {
        let scratch = try Scratch()
        var told: [Int] = []
        let queue = SaveQueue(FileSaver(try SaveDestination(scratch.path)))
        try append(message(1, 300_000), to: queue) { told.append($0.byteCount) }
        try append(message(2, 4), to: queue)
        try message(3, count).withUnsafeBytes { try queue.append($0) { told.append($0.byteCount) } }
        queue.abandon()
        try append(message(4, 2), to: queue)
        try queue.flush { told.append($0.byteCount) }
        #expect(told == [300_000, 4, 2])
        #expect(scratch.contents == message(1, 300_000) + message(2, 4) + message(4, 2))
    }

    @Test("half a message waits for its rest through a flush")
    func flushedWithin() throws {
        let scratch = try Scratch()
        let queue = SaveQueue(FileSaver(try SaveDestination(scratch.path)))
        try append([1, 2], to: queue)
        try [UInt8(3)].withUnsafeBytes { try queue.append($0) { _ in } }
        try queue.flush { _ in }
        #expect(scratch.contents == [1, 2])
        try append([4], to: queue)
        try queue.flush { _ in }
        #expect(scratch.contents == [1, 2, 3, 4])
    }

    @Test("several clients' messages are kept apart also if it is in the middle of a run that saving begins")
    func sharedLater() throws {
        let scratch = try Scratch()
        let diagnostics = Diagnostics(level: .quiet, to: NoLines())
        var presenter = try MessagePresenter(OutputOptions(), isTerminal: false, sharing: true, diagnostics: diagnostics)
        var output: [UInt8] = []
        try presenter.save(to: scratch.path, reporting: &output)
        for client in [1, 2, 1, 2] {
            try [UInt8(client)].withUnsafeBytes { try presenter.append(.bytes(.binary, $0), from: client, to: &output) }
        }
        for client in [1, 2] {
            try presenter.append(.ended(.binary), from: client, to: &output)
            try presenter.endBatch(from: client, into: &output)
        }
        #expect(scratch.contents == [1, 1, 2, 2])
    }

    @Test("a message that is under way when saving goes elsewhere, or ends, is finished where it began", arguments: [false, true])
    func switched(goesOn: Bool) throws {
        let (first, second) = (try Scratch(), try Scratch())
        let diagnostics = Diagnostics(level: .quiet, to: NoLines())
        var presenter = try MessagePresenter(OutputOptions(), isTerminal: false, diagnostics: diagnostics)
        var output: [UInt8] = []
        func receive(_ bytes: [UInt8]) throws {
            try bytes.withUnsafeBytes { try presenter.append(.bytes(.binary, $0), to: &output) }
        }
        try presenter.save(to: first.path, reporting: &output)
        try receive([1, 2])
        try presenter.save(to: goesOn ? second.path : nil, reporting: &output)
        try receive([3])
        try presenter.append(.ended(.binary), to: &output)
        try presenter.endBatch(into: &output)
        #expect(first.contents == [1, 2, 3])
        if goesOn {
            try receive([4])
            try presenter.append(.ended(.binary), to: &output)
            try presenter.endBatch(into: &output)
            #expect(second.contents == [4])
        }
        #expect(first.contents == [1, 2, 3])
    }

    @Test("a full disk is told, and nothing of what was gathered comes later", .enabled(if: access("/dev/full", W_OK) == 0))
    func fullDisk() throws {
        let queue = SaveQueue(FileSaver(try SaveDestination("/dev/full")))
        let lost: SaveQueue.Report = { _ in Issue.record("told of a message that was lost") }
        try append([1], to: queue)
        #expect(throws: FileError.self) { try queue.flush(saved: lost) }
        try queue.flush(saved: lost)
    }

    @Test(
        "a full disk within a message is told once, and the rest of it is dropped as it comes", .enabled(if: access("/dev/full", W_OK) == 0)
    )
    func fullDiskWithin() throws {
        let queue = SaveQueue(FileSaver(try SaveDestination("/dev/full")))
        let lost: SaveQueue.Report = { _ in Issue.record("told of a message that was lost") }
        #expect(throws: FileError.self) { try append(message(1, 1_000_000), to: queue, saved: lost) }
        try append(message(1, 2_000_000), to: queue, saved: lost)
        try queue.flush(saved: lost)
        #expect(queue.isIdle)
    }
}
