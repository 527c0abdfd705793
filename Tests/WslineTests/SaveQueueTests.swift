import TestSupport
import Testing

@testable import wsline
import CPosix

@Suite struct SaveQueueTests {
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

    private func message(_ number: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) } }

    private func append(_ bytes: [UInt8], to queue: SaveQueue, piece: Int = 100_000) throws {
        for start in stride(from: 0, to: bytes.count, by: piece) {
            try bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { try queue.append($0) }
        }
        queue.endMessage()
    }

    @Test("messages of every size are in the file in their order once they are flushed, and not told of before")
    func order() throws {
        let scratch = try Scratch()
        var told: [Int] = []
        let queue = SaveQueue(try FileSaver(scratch.path)) { told.append($0.byteCount) }
        let counts = [0, 1, 5, 262_143, 262_144, 262_145, 3, 1_000_000, 7]
        for (number, count) in counts.enumerated() { try append(message(number, count), to: queue) }
        #expect(told.count < counts.count)
        try queue.flush()
        #expect(told == counts)
        #expect(scratch.contents == counts.enumerated().flatMap { message($0.offset, $0.element) })
    }

    @Test(
        "a message that is abandoned leaves nothing, however much of it was in the file, and those before it stay",
        arguments: [10, 600_000])
    func abandoned(_ count: Int) throws {
        let scratch = try Scratch()
        var told: [Int] = []
        let queue = SaveQueue(try FileSaver(scratch.path)) { told.append($0.byteCount) }
        try append(message(1, 300_000), to: queue)
        try append(message(2, 4), to: queue)
        try message(3, count).withUnsafeBytes { try queue.append($0) }
        queue.abandon()
        try append(message(4, 2), to: queue)
        try queue.flush()
        #expect(told == [300_000, 4, 2])
        #expect(scratch.contents == message(1, 300_000) + message(2, 4) + message(4, 2))
    }

    @Test("half a message waits for its rest through a flush")
    func flushedWithin() throws {
        let scratch = try Scratch()
        let queue = SaveQueue(try FileSaver(scratch.path)) { _ in }
        try append([1, 2], to: queue)
        try [UInt8(3)].withUnsafeBytes { try queue.append($0) }
        try queue.flush()
        #expect(scratch.contents == [1, 2])
        try append([4], to: queue)
        try queue.flush()
        #expect(scratch.contents == [1, 2, 3, 4])
    }

    @Test("a full disk is told, and nothing of what was gathered comes later", .enabled(if: access("/dev/full", W_OK) == 0))
    func fullDisk() throws {
        let queue = SaveQueue(try FileSaver("/dev/full")) { _ in Issue.record("told of a message that was lost") }
        try append([1], to: queue)
        #expect(throws: FileError.self) { try queue.flush() }
        try queue.flush()
    }
}
