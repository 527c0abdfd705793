import CPosix

/// A program on a terminal of its own: keys go in, and what it writes is drawn on a `ScreenEmulator`.
///
///     let terminal = try PseudoTerminal(try PseudoTerminal.builtProduct("wsline"), ["--demo"], columns: 80, rows: 24)
///     try terminal.wait { $0.rows.contains("> ") }
///     terminal.type("hello\r")
///     try terminal.wait { $0.rows.contains("< hello") }
///     terminal.type("\u{4}")
///     #expect(try terminal.waitForExit() == .exited(0))
///
/// Nothing runs in the background: the screen changes while a method waits. Every wait has a bound; one that is passed throws what was on the screen.
/// For one thread. The program is killed when the value goes away.
public final class PseudoTerminal {
    /// How a program ended.
    public enum ExitStatus: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    /// A wait that was in vain, or a call that failed.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public private(set) var screen: ScreenEmulator
    /// All that the program wrote.
    public private(set) var transcript: [UInt8] = []
    /// The program's process.
    public let process: pid_t
    private var controller: Int32
    private var status: ExitStatus?
    /// Seconds that a wait may take before it has failed, in an ordinary build.
    public var patience = 10.0

    /// Starts the program at `path` as the leader of a session that has the terminal.
    /// - Parameters:
    ///   - environment: the whole of it; by default a UTF-8 locale, `TERM=xterm` and a `HOME` that isn't there.
    ///   - rewraps: see `ScreenEmulator.rewraps`.
    public init(
        _ path: String, _ arguments: [String] = [], environment: [String: String] = PseudoTerminal.standardEnvironment,
        columns: Int = 80, rows: Int = 24, rewraps: Bool = true
    ) throws {
        screen = ScreenEmulator(columns: columns, rows: rows, rewraps: rewraps)
        let terminal: String
        (controller, terminal) = try Self.openTerminal()
        _ = fcntl(controller, F_SETFD, FD_CLOEXEC)
        Self.setSize(controller, columns, rows)
        process = try Self.spawn(path, arguments, environment, terminal: terminal)
    }

    deinit {
        if status == nil {
            kill(process, SIGKILL)
            var ignored: Int32 = 0
            while waitpid(process, &ignored, 0) < 0 && errno == EINTR {}
        }
        if controller >= 0 { close(controller) }
    }

    public static let standardEnvironment = [
        "LANG": "C.UTF-8", "TERM": "xterm", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin",
    ].merging(Sanitizer.environment) { $1 }

    /// The path of an executable that was built along with the tests.
    public static func builtProduct(_ name: String) throws -> String {
        for argument in CommandLine.arguments {
            let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
            guard let bundle = parts.firstIndex(where: { $0.hasSuffix(".xctest") }) else { continue }
            let path = (parts[..<bundle] + [name[...]]).joined(separator: "/")
            if access(path, X_OK) == 0 { return path }
        }
        throw Failure(description: "no executable '\(name)' beside the tests; arguments: \(CommandLine.arguments)")
    }

    // MARK: The user

    /// Sends keys, `\r` for Enter and `\u{1b}` for Escape. What the program writes meanwhile is read, so neither can block the other.
    public func type(_ keys: String) {
        type(Array(keys.utf8))
    }

    /// Sends bytes as keys.
    public func type(_ keys: [UInt8]) {
        let flags = fcntl(controller, F_GETFL)
        _ = fcntl(controller, F_SETFL, flags | O_NONBLOCK)
        defer { _ = fcntl(controller, F_SETFL, flags) }
        var sent = 0
        var stalled = 0
        while sent < keys.count && stalled < 1000 {
            let count = keys.withUnsafeBytes { write(controller, $0.baseAddress?.advanced(by: sent), min($0.count - sent, 1024)) }
            if count > 0 { sent += count }
            stalled = count > 0 ? 0 : stalled + 1
            readAvailable(milliseconds: count > 0 ? 0 : 20)
        }
    }

    /// Pastes text as a terminal does: in brackets if the program asked for them, with CR for newlines.
    public func paste(_ text: String) {
        let bytes = text.utf8.map { $0 == 0x0a ? 0x0d : $0 }
        type(screen.hasBracketedPaste ? Array("\u{1b}[200~".utf8) + bytes + Array("\u{1b}[201~".utf8) : bytes)
    }

    /// Gives the window another size; the kernel reports it to the program (SIGWINCH).
    public func resize(columns: Int, rows: Int) {
        resizeUnreported(columns: columns, rows: rows)
        Self.setSize(controller, columns, rows)
    }

    /// Gives the window another size that the program isn't told of until `resize`, as a multiplexer does for a moment.
    public func resizeUnreported(columns: Int, rows: Int) {
        readAvailable(milliseconds: 0)
        screen.resize(columns: columns, rows: rows)
    }

    /// Sends a signal to the program.
    public func send(signal: Int32) {
        kill(process, signal)
    }

    /// Takes the terminal away, as a window that is closed or a connection that is lost does. Nothing can be typed or read after that.
    public func hangUp() {
        close(controller)
        controller = -1
    }

    /// Whether the terminal is in its usual modes: whole lines, echoed, with keys that are signals.
    public var isCooked: Bool {
        var modes = termios()
        let cooked = tcflag_t(ICANON | ECHO | ISIG)
        return tcgetattr(controller, &modes) == 0 && modes.c_lflag & cooked == cooked
    }

    // MARK: Waiting

    /// Reads until the screen is as `condition` says.
    public func wait(until condition: (ScreenEmulator) throws -> Bool) throws {
        let deadline = Self.now() + patience * Sanitizer.slowness
        while try !condition(screen) {
            guard Self.now() < deadline else {
                throw Failure(description: "waited \(patience) s in vain; the screen:\n\(screen.description)")
            }
            if !readAvailable(milliseconds: 50), try !condition(screen) {
                throw Failure(description: "the program ended before; the screen:\n\(screen.description)")
            }
            // All that is there: while messages keep coming, a slow reader would see nothing but screens that are half drawn.
            var reads = 0
            while reads < 64, readAvailable(milliseconds: 0, untilEmpty: true) { reads += 1 }
        }
    }

    /// Reads what the program still writes until it ends.
    public func waitForExit() throws -> ExitStatus {
        let deadline = Self.now() + patience * Sanitizer.slowness
        while status == nil {
            readAvailable(milliseconds: 10)
            var raw: Int32 = 0
            if waitpid(process, &raw, WNOHANG) == process {
                status = raw & 0x7f == 0 ? .exited(raw >> 8 & 0xff) : .killed(signal: raw & 0x7f)
            } else if Self.now() > deadline {
                throw Failure(description: "still running after \(patience) s; the screen:\n\(screen.description)")
            }
        }
        while readAvailable(milliseconds: 0, untilEmpty: true) {}
        if case .exited(let code) = status { try Sanitizer.check(process, status: code) }
        return status ?? .exited(-1)
    }

    /// Draws what there is to read within a time. False when there will be no more, or with `untilEmpty` when there is none now.
    @discardableResult
    private func readAvailable(milliseconds: Int32, untilEmpty: Bool = false) -> Bool {
        var descriptor = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
        // Of a descriptor of -1 poll reports nothing.
        guard poll(&descriptor, 1, milliseconds) > 0 else { return !untilEmpty }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(controller, &buffer, buffer.count)
        guard count > 0 else { return count < 0 && (errno == EINTR || errno == EAGAIN) }
        transcript += buffer[..<count]
        screen.feed(buffer[..<count])
        return true
    }

    // MARK: System calls

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func setSize(_ descriptor: Int32, _ columns: Int, _ rows: Int) {
        var size = winsize(ws_row: UInt16(clamping: rows), ws_col: UInt16(clamping: columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(descriptor, UInt(TIOCSWINSZ), &size)
    }

    /// A new terminal: the end that is ours and the path of the program's.
    private static func openTerminal() throws -> (controller: Int32, path: String) {
        #if canImport(Darwin)
            let controller = posix_openpt(O_RDWR | O_NOCTTY)
            if controller >= 0, grantpt(controller) == 0, unlockpt(controller) == 0, let name = ptsname(controller) {
                return (controller, String(cString: name))
            }
        #else
            // The C library's module leaves posix_openpt and its like out; this is what they do. The numbers are TIOCSPTLCK and TIOCGPTN.
            let controller = open("/dev/ptmx", O_RDWR | O_NOCTTY)
            var locked: Int32 = 0
            var number: UInt32 = 0
            if controller >= 0, ioctl(controller, 0x4004_5431, &locked) == 0, ioctl(controller, 0x8004_5430, &number) == 0 {
                return (controller, "/dev/pts/\(number)")
            }
        #endif
        throw Failure(description: "no pseudo-terminal: \(String(cString: strerror(errno)))")
    }

    #if canImport(Darwin)
        private static let newSession = Int16(POSIX_SPAWN_SETSID)
    #else
        /// POSIX_SPAWN_SETSID, which the C library's module leaves out.
        private static let newSession: Int16 = 0x80
    #endif

    private static func spawn(_ path: String, _ arguments: [String], _ environment: [String: String], terminal: String) throws -> pid_t {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // The leader of a new session gets the first terminal that it opens; the file actions run in the child after setsid.
        posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, newSession | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
        let argv = ([path] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var process: pid_t = 0
        let result = posix_spawn(&process, path, &actions, &attributes, argv, envp)
        guard result == 0 else { throw Failure(description: "can't run '\(path)': \(String(cString: strerror(result)))") }
        return process
    }
}
