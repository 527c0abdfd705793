import WebSocketTransport
import CPosix

/// Writes binary payloads to files (`--save`), each streamed: ``begin()``, ``write(_:)``, then ``finish()`` or ``abandon()``.
///
/// A directory gets one file a message, `000001.bin` and on, none of them ever overwritten; a plain path gets the payloads appended, with
/// nothing between. Nothing half-written stays: a message's file has a hidden name (`.000001.bin.part`) until it is whole, and a plain
/// file is cut back to where the message began. No name comes from the network.
///
/// Not for use on two threads at once. Writes to files block; the disk is taken to be faster than the network. A pipe or device gets the
/// payloads at the pace of its reader: see ``stream``.
@EventLoop
final class FileSaver {
    /// A message that is in its file.
    struct Saved: Equatable, CustomStringConvertible {
        var path: String
        var byteCount: Int

        var description: String { "saved \(counted(byteCount, "byte")) to \(path)" }
    }

    /// What goes where; `byteCount` is of the message so far.
    private enum Message {
        case part(SaveDirectory.Part, in: SaveDirectory)
        case appended(AppendedFile, start: Int)
        case streamed(SavedStream)
        /// In a file of its own, until it's whole and is appended.
        case spooled(Int32, for: AppendedFile)
    }

    private let destination: SaveDestination
    private let spools: Bool
    private var message: Message?
    private var byteCount = 0

    /// - Parameter spools: whether a message on its way to a plain file is kept apart until it is whole, as others may be under way to the same
    ///   file, each for as long as its sender likes.
    init(_ destination: SaveDestination, spools: Bool = false) {
        self.destination = destination
        self.spools = spools
    }

    isolated deinit { abandon() }

    /// Begins a message. One that is under way is abandoned.
    func begin() throws(FileError) {
        abandon()
        byteCount = 0
        switch destination {
        case .directory(let directory): message = .part(try directory.createPart(), in: directory)
        case .file(let file) where spools: message = .spooled(try file.makeSpool(), for: file)
        case .file(let file): message = .appended(file, start: file.length)
        case .stream(let stream): message = .streamed(stream)
        }
    }

    /// Adds to the message begun. After an error the message is abandoned.
    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        switch message {
        case .part(let part, let directory): try write(bytes, to: part.descriptor, directory.path(of: part.name))
        case .appended(let file, _): try write(bytes, to: file.descriptor, file.path)
        case .spooled(let descriptor, let file): try write(bytes, to: descriptor, file.path)
        case .streamed(let stream):
            try stream.write(bytes)
            byteCount += bytes.count
        case nil: preconditionFailure("write(_:) without begin()")
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String) throws(FileError) {
        let written = writeToFile(bytes, descriptor)
        byteCount += written
        guard written == bytes.count else {
            let error = FileError(.writeTo, path)
            abandon()
            throw error
        }
    }

    /// Ends the message begun; its file is then to be seen under its name.
    func finish() throws(FileError) -> Saved {
        let path: String
        switch message.take() {
        case .part(let part, let directory): path = directory.path(of: try directory.publish(part))
        case .appended(let file, _): path = file.path
        case .streamed(let stream): path = stream.path
        case .spooled(let descriptor, let file):
            defer { close(descriptor) }
            try file.append(contentsOf: descriptor, byteCount)
            path = file.path
        case nil: preconditionFailure("finish() without begin()")
        }
        return Saved(path: path, byteCount: byteCount)
    }

    /// Saves whole messages that lie one after the other, of `counts` bytes each; `saved` is called for each that is in its file.
    ///
    /// - Throws: at the first that can't be saved; those before it are.
    func save(_ bytes: UnsafeRawBufferPointer, _ counts: [Int], saved: (Saved) -> Void) throws(FileError) {
        switch destination {
        case .directory:
            var start = 0
            for count in counts {
                try begin()
                try write(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)]))
                saved(try finish())
                start += count
            }
        case .file(let file):
            abandon()
            let (whole, error) = file.append(bytes, counts)
            for count in counts.prefix(whole) { saved(Saved(path: file.path, byteCount: count)) }
            if let error { throw error }
        case .stream(let stream):
            abandon()
            try stream.write(bytes)
            for count in counts { saved(Saved(path: stream.path, byteCount: count)) }
        }
    }

    /// Drops the message under way, if there is one, and what is in its file of it.
    func abandon() {
        switch message {
        case .part(let part, let directory): directory.discard(part)
        case .appended(let file, let start): file.cutBack(to: start, written: byteCount)
        // What has gone into a pipe stays there.
        case .streamed, nil: break
        case .spooled(let descriptor, _): close(descriptor)
        }
        message = nil
    }
}

/// Where messages are saved to; savers for several senders share one.
@EventLoop
enum SaveDestination {
    case directory(SaveDirectory)
    case file(AppendedFile)
    case stream(SavedStream)

    /// A path that is a directory, or ends in `/` and can be made one, gets a file for each message; its parent must exist.
    ///
    /// - Throws: what would keep a message from being saved, as far as that can be known before there is one.
    init(_ path: String) throws(FileError) {
        // A file that meets its limit (`ulimit -f`) is an error of `write`, and not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        switch fileType(path) {
        case let type where type == S_IFDIR || path.hasSuffix("/"): self = .directory(try SaveDirectory(path))
        case S_IFREG?, nil: self = .file(try AppendedFile(path))
        default: self = .stream(try SavedStream(path))
        }
    }

    /// The pipe or device that is saved to, if it is one: while it is blocked nothing more should come.
    var stream: SavedStream? { if case .stream(let stream) = self { stream } else { nil } }
}

/// A file that grows at its end.
final class AppendedFile {
    let path: String
    let descriptor: Int32

    init(_ path: String) throws(FileError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o666)
        guard descriptor >= 0 else { throw FileError(.open, path) }
    }

    deinit { close(descriptor) }

    var length: Int { max(Int(lseek(descriptor, 0, SEEK_END)), 0) }

    /// Writes messages of `counts` bytes each at once; returns how many are in the file, and the error that kept the next one out.
    func append(_ bytes: UnsafeRawBufferPointer, _ counts: [Int]) -> (whole: Int, error: FileError?) {
        let start = length
        let written = writeToFile(bytes, descriptor)
        guard written < bytes.count else { return (counts.count, nil) }
        let error = FileError(.writeTo, path)
        var (whole, end) = (0, 0)
        while end + counts[whole] <= written {
            end += counts[whole]
            whole += 1
        }
        cutBack(to: start + end, written: written - end)
        return (whole, error)
    }

    /// Copies the `byteCount` bytes of another file to the end; all of them, or none.
    func append(contentsOf spool: Int32, _ byteCount: Int) throws(FileError) {
        let start = length
        var copied = 0
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
        defer { piece.deallocate() }
        while copied < byteCount {
            let count = pread(spool, piece.baseAddress, min(piece.count, byteCount - copied), off_t(copied))
            if count < 0, errno == EINTR { continue }
            // Nobody else has the file, so it can't be shorter than what was written.
            var error = count > 0 ? nil : FileError(.writeTo, path)
            if count > 0 { error = append(UnsafeRawBufferPointer(rebasing: piece[..<count]), [count]).error }
            if let error {
                cutBack(to: start, written: copied)
                throw error
            }
            copied += count
        }
    }

    /// A new file with no name, on the same disk, for a message that isn't whole.
    func makeSpool() throws(FileError) -> Int32 {
        let directory = path.lastIndex(of: "/").map { path[...$0] } ?? "./"
        var name = Array("\(directory).wsline-XXXXXX".utf8CString)
        let spool = mkstemp(&name)
        guard spool >= 0 else { throw FileError(.create, "\(directory).wsline-XXXXXX") }
        unlink(name)
        _ = fcntl(spool, F_SETFD, FD_CLOEXEC)
        return spool
    }

    /// Takes the last `written` bytes off again, unless somebody else has written after them.
    func cutBack(to start: Int, written: Int) {
        guard written > 0, length == start + written else { return }
        while ftruncate(descriptor, off_t(start)) != 0, errno == EINTR {}
    }
}

/// A directory of numbered files.
final class SaveDirectory {
    /// A file that has only its hidden name as yet.
    struct Part {
        let number: Int
        let descriptor: Int32

        var name: String { ".\(SaveDirectory.name(number)).part" }
    }

    private let path: String
    private let descriptor: Int32
    /// After the highest number of a file that is there, so that a long run does not try each of them again.
    private var next = 1

    init(_ path: String) throws(FileError) {
        guard fileType(path) == S_IFDIR || mkdir(path, 0o777) == 0 || errno == EEXIST else { throw FileError(.create, path) }
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(.open, path) }
        self.path = path
        guard access(path, W_OK | X_OK) == 0 else { throw FileError(.writeTo, path) }
        guard let names = names(in: path) else { throw FileError(.open, path) }
        next = (names.compactMap(Self.number).max() ?? 0) + 1
    }

    deinit { close(descriptor) }

    func path(of name: String) -> String { path + (path.hasSuffix("/") ? "" : "/") + name }

    func createPart() throws(FileError) -> Part {
        while true {
            let number = next
            next += 1
            let name = Part(number: number, descriptor: -1).name
            let file = openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if file >= 0 { return Part(number: number, descriptor: file) }
            // Another run is at this number, or one that was killed left it.
            guard errno == EEXIST else { throw FileError(.create, path(of: name)) }
        }
    }

    /// Publishes the part under its name, or the next one that is free, and returns which. In the case of an error the part is gone.
    func publish(_ part: Part) throws(FileError) -> String {
        do throws(FileError) {
            // NFS and quotas may report a full disk only now. The descriptor is closed even so.
            guard close(part.descriptor) == 0 || errno == EINTR || errno == EINPROGRESS else {
                throw FileError(.writeTo, path(of: part.name))
            }
            var number = part.number
            while !rename(part.name, to: Self.name(number)) {
                guard errno == EEXIST else { throw FileError(.create, path(of: Self.name(number))) }
                number = max(number + 1, next)
            }
            next = max(next, number + 1)
            return Self.name(number)
        } catch {
            unlinkat(descriptor, part.name, 0)
            throw error
        }
    }

    func discard(_ part: Part) {
        close(part.descriptor)
        unlinkat(descriptor, part.name, 0)
    }

    /// Renames without replacing what is there: false, with `errno`, if that can't be.
    private func rename(_ name: String, to newName: String) -> Bool {
        if linkat(descriptor, name, descriptor, newName, 0) == 0 {
            unlinkat(descriptor, name, 0)
            return true
        }
        guard errno != EEXIST else { return false }
        // FAT and some network file systems have no hard links: there an empty file holds the name until it is replaced.
        let holder = openat(descriptor, newName, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard holder >= 0 else { return false }
        close(holder)
        if renameat(descriptor, name, descriptor, newName) == 0 { return true }
        let code = errno
        unlinkat(descriptor, newName, 0)
        errno = code
        return false
    }

    private static func name(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(6 - digits.count, 0)) + digits + ".bin"
    }

    private static func number(_ name: String) -> Int? {
        guard name.hasSuffix(".bin"), let number = Int(name.dropLast(4)), number < .max / 2, self.name(number) == name else { return nil }
        return number
    }
}
