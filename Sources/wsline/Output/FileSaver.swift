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

        var description: String { "saved \(byteCount) \(byteCount == 1 ? "byte" : "bytes") to \(path)" }
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
        var rest = bytes
        while let base = rest.baseAddress, rest.count > 0 {
            // Darwin takes INT_MAX bytes a call at most.
            let written = CPosix.write(descriptor, base, min(rest.count, 1 << 30))
            if written >= 0 {
                byteCount += written
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            } else if errno != EINTR {
                let error = FileError(.writeTo, path)
                abandon()
                throw error
            }
        }
    }

    /// Ends the message begun; its file is then to be seen under its name.
    func finish() throws(FileError) -> Saved {
        guard let message else { preconditionFailure("finish() without begin()") }
        self.message = nil
        switch message {
        case .part(let part, let directory):
            return Saved(path: directory.path(of: try directory.publish(part)), byteCount: byteCount)
        case .appended(let file, _): return Saved(path: file.path, byteCount: byteCount)
        case .streamed(let stream): return Saved(path: stream.path, byteCount: byteCount)
        case .spooled(let descriptor, let file):
            defer { close(descriptor) }
            try file.append(contentsOf: descriptor, byteCount)
            return Saved(path: file.path, byteCount: byteCount)
        }
    }

    /// Saves whole messages that lie one after the other, of `counts` bytes each; `told` is called for each that is in its file.
    ///
    /// - Throws: at the first that can't be saved; those before it are.
    func save(_ bytes: UnsafeRawBufferPointer, _ counts: [Int], told: (Saved) -> Void) throws(FileError) {
        switch destination {
        case .directory:
            var start = 0
            for count in counts {
                try begin()
                try write(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)]))
                told(try finish())
                start += count
            }
        case .file(let file):
            abandon()
            let (whole, error) = file.append(bytes, counts)
            for count in counts.prefix(whole) { told(Saved(path: file.path, byteCount: count)) }
            if let error { throw error }
        case .stream(let stream):
            abandon()
            try stream.write(bytes)
            for count in counts { told(Saved(path: stream.path, byteCount: count)) }
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
        if path.hasSuffix("/") || SaveDirectory.isDirectory(path) {
            self = .directory(try SaveDirectory(path))
        } else if AppendedFile.isDevice(path) {
            self = .stream(try SavedStream(path))
        } else {
            self = .file(try AppendedFile(path))
        }
    }

    /// The pipe or device that is saved to, if it is one: where it is blocked nothing more should come.
    var stream: SavedStream? { if case .stream(let stream) = self { stream } else { nil } }
}

/// A file that grows at its end.
final class AppendedFile {
    let path: String
    let descriptor: Int32

    /// Whether there is something at `path` that is no file: a pipe, a terminal or another device.
    static func isDevice(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
    }

    init(_ path: String) throws(FileError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o666)
        guard descriptor >= 0 else { throw FileError(.open, path) }
    }

    deinit { close(descriptor) }

    var length: Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Writes messages of `counts` bytes each at once; returns how many are in the file, and the error that kept the next one out.
    func append(_ bytes: UnsafeRawBufferPointer, _ counts: [Int]) -> (whole: Int, error: FileError?) {
        let start = length
        var written = 0
        while let base = bytes.baseAddress, written < bytes.count {
            let count = CPosix.write(descriptor, base + written, min(bytes.count - written, 1 << 30))
            if count >= 0 {
                written += count
            } else if errno != EINTR {
                let error = FileError(.writeTo, path)
                var (whole, end) = (0, 0)
                while end + counts[whole] <= written {
                    end += counts[whole]
                    whole += 1
                }
                cutBack(to: start + end, written: written - end)
                return (whole, error)
            }
        }
        return (counts.count, nil)
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
    private var next: Int

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    init(_ path: String) throws(FileError) {
        guard Self.isDirectory(path) || mkdir(path, 0o777) == 0 || errno == EEXIST else { throw FileError(.create, path) }
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(.open, path) }
        self.path = path
        next = 1
        guard access(path, W_OK | X_OK) == 0 else { throw FileError(.writeTo, path) }
        next = try highestNumber() + 1
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
            // Another run is at this number, or one that was killed left it behind.
            guard errno == EEXIST else { throw FileError(.create, path(of: name)) }
        }
    }

    /// Publishes the part under its name, or the next one that is free, and returns which. In the case of an error the part is gone.
    func publish(_ part: Part) throws(FileError) -> String {
        // NFS and quotas may report a full disk only now. The descriptor is closed even so.
        guard close(part.descriptor) == 0 || errno == EINTR || errno == EINPROGRESS else {
            let error = FileError(.writeTo, path(of: part.name))
            unlinkat(descriptor, part.name, 0)
            throw error
        }
        var number = part.number
        while true {
            let name = Self.name(number)
            if give(part.name, newName: name) {
                next = max(next, number + 1)
                return name
            }
            guard errno == EEXIST else {
                let error = FileError(.create, path(of: name))
                unlinkat(descriptor, part.name, 0)
                throw error
            }
            number = max(number + 1, next)
        }
    }

    func discard(_ part: Part) {
        close(part.descriptor)
        unlinkat(descriptor, part.name, 0)
    }

    /// Renames without replacing what is there: false, with `errno`, if that can't be.
    private func give(_ name: String, newName: String) -> Bool {
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

    /// The highest number of a file that is there, so that a long run does not try each of them again.
    private func highestNumber() throws(FileError) -> Int {
        guard let listing = opendir(path) else { throw FileError(.open, path) }
        defer { closedir(listing) }
        var highest = 0
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if let number = Self.number(name) { highest = max(highest, number) }
        }
        return highest
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
