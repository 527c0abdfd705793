import CPosix
import WebSocketProtocol

/// What the operating system refused to do with a file of this machine.
struct FileError: Error, Equatable, CustomStringConvertible {
    /// In the words of "can't … PATH".
    enum Operation: String {
        case create, open, read
        case writeTo = "write to"
    }

    var operation: Operation
    var path: String
    /// The `errno` of it.
    var code: Int32

    init(_ operation: Operation, _ path: String, code: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    var description: String { "can't \(operation.rawValue) \(path.quoted): \(errorText(code))" }

    var exitStatus: ExitStatus { .localIO }
}

/// The kind of file that a path leads to, as `S_IFREG`; nil if there is none, or it can't be examined.
func fileType(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
}

/// The kind of file that a descriptor stands for. What can't be examined counts as a plain file: its reads and writes fail in their own time.
func fileType(_ descriptor: Int32) -> mode_t {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
}

/// The names in a directory, except those that aren't UTF-8; nil, with `errno`, if it can't be read.
func names(in directory: String) -> [String]? {
    guard let listing = opendir(directory) else { return nil }
    defer { closedir(listing) }
    var names: [String] = []
    while let entry = readdir(listing) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(validating: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if let name { names.append(name) }
    }
    return names
}

/// Writes as many of `bytes` as a file takes, and returns how many: if not all, `errno` has the reason.
func writeToFile(_ bytes: UnsafeRawBufferPointer, _ descriptor: Int32) -> Int {
    var written = 0
    while let base = bytes.baseAddress, written < bytes.count {
        // Darwin takes INT_MAX bytes a call at most.
        let count = CPosix.write(descriptor, base + written, min(bytes.count - written, 1 << 30))
        if count >= 0 {
            written += count
        } else if errno != EINTR {
            break
        }
    }
    return written
}

/// Writes a file anew, never waiting for the reader of a pipe.
func writeFile(_ bytes: [UInt8], to path: String) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o666)
    guard descriptor >= 0 else { throw FileError(.writeTo, path) }
    let isWritten = bytes.withUnsafeBytes { writeToFile($0, descriptor) } == bytes.count
    let failure = errno
    guard close(descriptor) == 0 || !isWritten else { throw FileError(.writeTo, path) }
    guard isWritten else { throw FileError(.writeTo, path, code: failure) }
}

// MARK: Pipes and terminals

/// Opens the pipe or terminal that `descriptor` stands for anew, as non-blocking: the description is ours alone, so that others who share the
/// old one aren't changed. Linux offers that through /proc; elsewhere there is no way, and it returns nil.
///
/// - Parameter mode: `O_RDONLY` or `O_WRONLY`.
func reopenNonBlocking(_ descriptor: Int32, _ mode: Int32) -> Int32? {
    #if os(Linux)
        let fresh = open("/proc/self/fd/\(descriptor)", mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard fresh >= 0 else { return nil }
        enlargePipe(fresh)
        return fresh
    #else
        return nil
    #endif
}

/// Makes room for more in a pipe: with the usual 64 KiB both ends would wait for each other much of the time.
///
/// One that is larger already stays as it is; so does one that may not grow, and whatever isn't a pipe.
func enlargePipe(_ descriptor: Int32) {
    #if os(Linux)
        // Swift can't import the names.
        let (setPipeSize, getPipeSize) = (Int32(1031), Int32(1032))
        let size = Int32(256 << 10)
        if case 0..<size = fcntl(descriptor, getPipeSize) { _ = fcntl(descriptor, setPipeSize, size) }
    #endif
}
