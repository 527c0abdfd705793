import CPosix

/// The lines of this session and of those before it, oldest first.
///
/// The file holds one line for each entry, with `\\` for a backslash, `\n` for a newline and `\0` for NUL. It is only ever replaced as a whole, under a
/// lock, after what other sessions wrote has been read: sessions that run at once don't lose each other's lines, and a crash leaves the old file or the new.
public struct History: Sendable {
    /// The entries that are kept at most.
    public static let capacity = 1000
    /// An entry above this many bytes is left out of the file: a pasted file is not history.
    static let longestEntry = 64 << 10
    /// A file above this many bytes was not written here.
    static let largestFile = 128 << 20

    /// Why history could not be read or kept, to be shown as a notice; the session goes on.
    public struct Failure: Error, Equatable, CustomStringConvertible { public let description: String }

    public private(set) var entries: [String] = []
    private let path: String?
    /// The failure reported last, which isn't reported again.
    private var reported: Failure?

    /// A history that is not kept.
    public init() { path = nil }

    /// The history at `path`, and why it could not be read, if so. A file that isn't there is an empty history.
    public static func open(path: String) -> (history: History, failure: Failure?) {
        var history = History(path: path)
        do throws(Failure) {
            history.entries = try withLockedFile(path, creating: false) { descriptor throws(Failure) in try read(descriptor, path) } ?? []
        } catch {
            history.reported = error
        }
        return (history, history.reported)
    }

    private init(path: String) { self.path = path }

    /// `$XDG_STATE_HOME/wsline/history`, or `~/.local/state/wsline/history` where that is unset, empty or relative (which the XDG Base Directory
    /// Specification says to ignore). Nil where there is no `HOME` either.
    public static func defaultPath(environment: [String: String]) -> String? {
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return state + "/wsline/history" }
        guard let home = environment["HOME"], !home.isEmpty else { return nil }
        return home + "/.local/state/wsline/history"
    }

    /// Whether `line` is kept: not an empty one, one that begins with a space, or a repeat of the last.
    public func accepts(_ line: String) -> Bool { !line.isEmpty && !line.hasPrefix(" ") && line != entries.last }

    /// Adds `line` if it is to be kept, here and in the file.
    /// - Throws: why the file could not be written, unless that was reported before; the line is in `entries` all the same.
    public mutating func add(_ line: String) throws(Failure) {
        guard accepts(line) else { return }
        entries.append(line)
        if entries.count > Self.capacity { entries.removeFirst(entries.count - Self.capacity) }
        do throws(Failure) {
            try write(line)
        } catch  where error != reported {
            reported = error
            throw error
        } catch {}
    }

    private func write(_ line: String) throws(Failure) {
        guard let path, line.utf8.count <= Self.longestEntry else { return }
        try Self.makeDirectory(for: path)
        _ = try Self.withLockedFile(path, creating: true) { descriptor throws(Failure) in
            var kept = try Self.read(descriptor, path)
            if kept.last != line { kept.append(line) }
            try Self.replace(path, with: kept.suffix(Self.capacity))
        }
    }

    // MARK: The file

    static func encode(_ entry: String) -> [UInt8] {
        var result: [UInt8] = []
        for byte in entry.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): result += "\\\\".utf8
            case 0x0a: result += "\\n".utf8
            case 0x00: result += "\\0".utf8
            default: result.append(byte)
            }
        }
        return result
    }

    static func decode(_ line: some Sequence<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var isEscape = false
        for byte in line {
            switch (isEscape, byte) {
            case (false, UInt8(ascii: "\\")):
                isEscape = true
                continue
            case (true, UInt8(ascii: "n")): bytes.append(0x0a)
            case (true, UInt8(ascii: "0")): bytes.append(0)
            case (true, UInt8(ascii: "\\")), (false, 1...): bytes.append(byte)
            default: return nil
            }
            isEscape = false
        }
        return isEscape ? nil : String(validating: bytes, as: UTF8.self)
    }

    private static func read(_ descriptor: Int32, _ path: String) throws(Failure) -> [String] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(description: "the history \(quoted(path)) is not a file") }
        guard status.st_size <= largestFile else { throw Failure(description: "the history \(quoted(path)) is too large to be one") }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: filled), $0.count - filled, off_t(filled))
            }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            guard count > 0 else { break }
            filled += count
        }
        var entries: [String] = []
        for line in bytes[..<filled].split(separator: 0x0a, omittingEmptySubsequences: true) {
            guard let entry = decode(line) else {
                throw Failure(description: "the history \(quoted(path)) is damaged: move it away to begin a new one")
            }
            entries.append(entry)
        }
        return entries.suffix(capacity)
    }

    private static func replace(_ path: String, with entries: some Collection<String>) throws(Failure) {
        let temporary = path + ".new.\(getpid())"
        let descriptor = openFile(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw failure("write", path) }
        var bytes: [UInt8] = []
        for entry in entries {
            bytes += encode(entry)
            bytes.append(0x0a)
        }
        let isWritten = writeAll(bytes, to: descriptor)
        let cause = errno
        guard close(descriptor) == 0, isWritten, rename(temporary, path) == 0 else {
            let cause = isWritten ? errno : cause
            unlink(temporary)
            throw failure("write", path, cause)
        }
    }

    /// Runs `body` on the file with an exclusive lock. Nil when the file isn't there and isn't to be created.
    private static func withLockedFile<Result>(
        _ path: String, creating: Bool, _ body: (Int32) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        while true {
            let descriptor = openFile(path, (creating ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else {
                if errno == ENOENT && !creating { return nil }
                throw failure(creating ? "write" : "read", path)
            }
            defer { close(descriptor) }
            while flock(descriptor, LOCK_EX) != 0 {
                guard errno == EINTR else { throw failure("lock", path) }
            }
            // Another session may have put a new file in this one's place while we waited.
            var ours = stat()
            var current = stat()
            guard fstat(descriptor, &ours) == 0 else { throw failure("read", path) }
            if stat(path, &current) == 0, ours.st_ino == current.st_ino, ours.st_dev == current.st_dev {
                return try body(descriptor)
            }
        }
    }

    /// Makes the directories above `path` that aren't there, mode 0700.
    private static func makeDirectory(for path: String) throws(Failure) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        for count in parts.indices where !parts[count].isEmpty {
            let directory = parts[...count].joined(separator: "/")
            guard mkdir(directory, S_IRWXU) == 0 || errno == EEXIST || errno == EISDIR || access(directory, F_OK) == 0 else {
                throw failure("create a directory for", path)
            }
        }
    }

    private static func failure(_ action: String, _ path: String, _ code: Int32 = errno) -> Failure {
        Failure(description: "could not \(action) the history \(quoted(path)): \(errorText(code))")
    }

    private static func quoted(_ path: String) -> String { "'\(EscapeFilter.filter(path))'" }
}

/// Mode 0600 when it is created. A function of its own, since `History.open` hides the system's.
private func openFile(_ path: String, _ flags: Int32) -> Int32 { open(path, flags, mode_t(S_IRUSR | S_IWUSR)) }
