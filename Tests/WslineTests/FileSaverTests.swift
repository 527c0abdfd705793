import TestSupport
import Testing
import WebSocketTransport

@testable import wsline
import CPosix

@Suite(.eventLoop)
@EventLoop
struct FileSaverTests {
    /// A new directory that is removed with all its files when the test is over.
    private final class Scratch {
        let path: String

        init() throws {
            var template = Array("/tmp/wsline-save-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit { Self.remove(path) }

        private static func remove(_ path: String) {
            chmod(path, 0o700)
            for name in names(path) where unlink(path + "/" + name) != 0 { remove(path + "/" + name) }
            rmdir(path)
        }

        /// The names in a directory, hidden ones too, sorted.
        static func names(_ path: String) -> [String] {
            guard let listing = opendir(path) else { return [] }
            defer { closedir(listing) }
            var names: [String] = []
            while let entry = readdir(listing) {
                names.append(withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
            }
            return names.filter { $0 != "." && $0 != ".." }.sorted()
        }

        var names: [String] { Self.names(path) }
    }

    private func contents(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    private func put(_ text: String, in path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        #expect(write(descriptor, text, text.utf8.count) == text.utf8.count)
    }

    private func save(_ pieces: [[UInt8]], with saver: FileSaver) throws -> FileSaver.Saved {
        try saver.begin()
        for piece in pieces { try piece.withUnsafeBytes(saver.write) }
        return try saver.finish()
    }

    private func failure(_ body: () throws -> Void) -> FileError? {
        do {
            try body()
            return nil
        } catch {
            return error as? FileError
        }
    }

    @Test("a directory gets a numbered file for each message, empty ones too, and a line says where it went")
    func directory() throws {
        let scratch = try Scratch()
        let saver = FileSaver(try SaveDestination(scratch.path))
        #expect(try save([[1, 2], [], [3]], with: saver).description == "saved 3 bytes to \(scratch.path)/000001.bin")
        #expect(try save([[4]], with: saver).description == "saved 1 byte to \(scratch.path)/000002.bin")
        #expect(try save([], with: saver) == .init(path: scratch.path + "/000003.bin", byteCount: 0))
        #expect(scratch.names == ["000001.bin", "000002.bin", "000003.bin"])
        #expect(contents(scratch.path + "/000001.bin") == [1, 2, 3])
        #expect(contents(scratch.path + "/000002.bin") == [4])
        #expect(contents(scratch.path + "/000003.bin") == [])
    }

    @Test("numbers go on behind the highest that is there, and files of other names don't count")
    func goesOn() throws {
        let scratch = try Scratch()
        for name in ["000007.bin", "12.bin", "0000099.bin", "-00050.bin", "+00050.bin", "000050.txt", "99999999999999999999999.bin"] {
            try put("kept", in: scratch.path + "/" + name)
        }
        #expect(try save([[1]], with: FileSaver(try SaveDestination(scratch.path))).path == scratch.path + "/000008.bin")
        try put("kept", in: scratch.path + "/1000000.bin")
        #expect(try save([[1]], with: FileSaver(try SaveDestination(scratch.path + "/"))).path == scratch.path + "/1000001.bin")
    }

    @Test("a file that somebody puts there meanwhile is never overwritten, a symbolic link neither")
    func neverOverwrites() throws {
        let scratch = try Scratch()
        let saver = FileSaver(try SaveDestination(scratch.path))
        try saver.begin()
        try [UInt8(1)].withUnsafeBytes(saver.write)
        try put("theirs", in: scratch.path + "/000001.bin")
        #expect(symlink("/nowhere/at/all", scratch.path + "/000002.bin") == 0)
        #expect(try saver.finish().path == scratch.path + "/000003.bin")
        #expect(contents(scratch.path + "/000001.bin") == Array("theirs".utf8))
        #expect(try save([[2]], with: saver).path == scratch.path + "/000004.bin")
    }

    @Test("two savers in one directory get different files")
    func two() throws {
        let scratch = try Scratch()
        let (first, second) = (FileSaver(try SaveDestination(scratch.path)), FileSaver(try SaveDestination(scratch.path)))
        try first.begin()
        try second.begin()
        try [UInt8(1)].withUnsafeBytes(first.write)
        try [UInt8(2)].withUnsafeBytes(second.write)
        let paths = [try second.finish().path, try first.finish().path]
        #expect(Set(paths).count == 2)
        #expect(paths.map(contents) == [[2], [1]])
        #expect(scratch.names.count == 2)
    }

    @Test("an unfinished message has only a hidden name, and none once it is abandoned or the saver is gone")
    func abandoned() throws {
        let scratch = try Scratch()
        var saver: FileSaver? = FileSaver(try SaveDestination(scratch.path))
        try saver?.begin()
        try [UInt8(1)].withUnsafeBytes { try saver?.write($0) }
        #expect(scratch.names == [".000001.bin.part"])
        saver?.abandon()
        #expect(scratch.names == [])
        try saver?.begin()
        try saver?.begin()
        #expect(scratch.names.count == 1)
        saver = nil
        #expect(scratch.names == [])
    }

    @Test("a path with a slash at its end is made a directory")
    func makesDirectory() throws {
        let scratch = try Scratch()
        let saver = FileSaver(try SaveDestination(scratch.path + "/new/"))
        #expect(try save([[9]], with: saver).path == scratch.path + "/new/000001.bin")
        #expect(scratch.names == ["new"])
    }

    @Test("a plain path gets the payloads appended to what is there")
    func appends() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/all"
        try put("old", in: path)
        let saver = FileSaver(try SaveDestination(path))
        #expect(try save([[1], [2]], with: saver).description == "saved 2 bytes to \(path)")
        #expect(try save([[3]], with: saver).byteCount == 1)
        #expect(contents(path) == Array("old".utf8) + [1, 2, 3])
    }

    @Test("an abandoned message is cut off a plain file, and the next goes where it began")
    func cutsBack() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/all"
        let saver = FileSaver(try SaveDestination(path))
        _ = try save([[1]], with: saver)
        try saver.begin()
        try [UInt8](repeating: 7, count: 1000).withUnsafeBytes(saver.write)
        saver.abandon()
        #expect(contents(path) == [1])
        _ = try save([[2]], with: saver)
        #expect(contents(path) == [1, 2])
    }

    @Test("what another program wrote behind an abandoned message stays")
    func leavesOthers() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/all"
        let (saver, other) = (FileSaver(try SaveDestination(path)), FileSaver(try SaveDestination(path)))
        try saver.begin()
        try [UInt8(1)].withUnsafeBytes(saver.write)
        _ = try save([[2]], with: other)
        saver.abandon()
        #expect(contents(path) == [1, 2])
    }

    @Test("whole messages are saved at once, and each is told of")
    func savesMany() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/all"
        let saver = FileSaver(try SaveDestination(path))
        var told: [Int] = []
        try [UInt8]([1, 2, 2, 3, 3, 3]).withUnsafeBytes { try saver.save($0, [1, 2, 0, 3]) { told.append($0.byteCount) } }
        #expect(told == [1, 2, 0, 3])
        #expect(contents(path) == [1, 2, 2, 3, 3, 3])
    }

    @Test("a full disk is an error with the path and the system's words, and exit status 74", .enabled(if: access("/dev/full", W_OK) == 0))
    func fullDisk() throws {
        let saver = FileSaver(try SaveDestination("/dev/full"))
        try saver.begin()
        let error = failure { try [UInt8(1)].withUnsafeBytes(saver.write) }
        #expect(error?.code == ENOSPC)
        #expect(error?.description == "can't write to \"/dev/full\": no space left on device")
        #expect(error?.exitStatus == .localIO)
        #expect(ExitStatus.localIO.rawValue == 74)
    }

    @Test("a place that can't be written to is refused at once")
    func refused() throws {
        let scratch = try Scratch()
        try put("", in: scratch.path + "/file")
        #expect(failure { _ = FileSaver(try SaveDestination("")) }?.code == ENOENT)
        #expect(failure { _ = FileSaver(try SaveDestination(scratch.path + "/no/file")) }?.code == ENOENT)
        #expect(failure { _ = FileSaver(try SaveDestination(scratch.path + "/no/dir/")) }?.code == ENOENT)
        #expect(failure { _ = FileSaver(try SaveDestination(scratch.path + "/file/")) }?.code == ENOTDIR)
        let error = failure { _ = FileSaver(try SaveDestination(scratch.path + "/file/x")) }
        #expect(error?.description == "can't open \"\(scratch.path)/file/x\": not a directory")
    }

    @Test("a directory without permission to write is refused at once", .enabled(if: geteuid() != 0))
    func unwritable() throws {
        let scratch = try Scratch()
        chmod(scratch.path, 0o500)
        #expect(failure { _ = FileSaver(try SaveDestination(scratch.path)) }?.code == EACCES)
    }

    @Test("a directory that vanishes is an error when a message begins, with the file's path")
    func vanished() throws {
        let scratch = try Scratch()
        let saver = FileSaver(try SaveDestination(scratch.path + "/gone/"))
        #expect(rmdir(scratch.path + "/gone") == 0)
        let error = failure { try saver.begin() }
        #expect(error?.code == ENOENT)
        #expect(error?.path == scratch.path + "/gone/.000001.bin.part")
    }

    @Test("files are for whom the umask leaves them")
    func mode() throws {
        let scratch = try Scratch()
        let path = try save([[1]], with: FileSaver(try SaveDestination(scratch.path))).path
        var status = stat()
        try #require(stat(path, &status) == 0)
        let mask = umask(0)
        umask(mask)
        #expect(status.st_mode & 0o777 == 0o666 & ~mask)
    }
}
