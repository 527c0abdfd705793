import Dispatch
import Synchronization
import CPosix

/// A program in pipes: what it writes is collected on threads, its input is written when the test says so.
///
///     let program = try RunningProcess(try PseudoTerminal.builtProduct("wsline"), ["-1", "ws://localhost:\(port)"])
///     try program.write("hello\n")
///     let result = try program.waitForExit()
///     #expect(result.status == .exited(0))
///     #expect(program.outputText == "hello\n")
///
/// Every wait has a bound and throws what was written so far. The program is killed when the value goes away.
public final class RunningProcess: Sendable {
    /// Where standard input comes from.
    public enum Input: Sendable {
        /// From `write`, until `closeInput()`.
        case pipe
        /// A file or device; `/dev/null` for none.
        case file(String)
    }

    /// Where standard output or standard error goes.
    public enum Output: Sendable {
        case collected
        /// A pipe that nobody reads before `read(_:)` is called.
        case unread
        /// A pipe whose reader is gone already.
        case readerGone
        /// A file or device, which is made, or emptied, for it.
        case file(String)
    }

    public enum ExitStatus: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    public struct Result: Sendable {
        public let status: ExitStatus
        /// The most memory that was resident at once, in bytes.
        public let peakMemory: Int
    }

    public enum Stream: Sendable {
        case output, errors
    }

    public let process: pid_t
    private let input: Descriptor
    private let output: Collector
    private let errors: Collector
    private let ending = Ending()

    /// Starts the program at `path`. `environment` is the whole of it.
    public init(
        _ path: String, _ arguments: [String] = [], environment: [String: String] = PseudoTerminal.standardEnvironment,
        input: Input = .pipe, output: Output = .collected, errors: Output = .collected
    ) throws {
        // A program that is gone must not take the tests with it.
        signal(SIGPIPE, SIG_IGN)
        let (inputEnd, inputWriter) = try Self.open(input)
        let (outputEnd, outputReader) = try Self.open(output)
        let (errorsEnd, errorsReader) = try Self.open(errors)
        defer { [inputEnd, outputEnd, errorsEnd].forEach { close($0) } }
        self.input = Descriptor(inputWriter)
        self.output = Collector(outputReader)
        self.errors = Collector(errorsReader)
        process = try Self.spawn(path, arguments, environment, [inputEnd, outputEnd, errorsEnd])
        if case .collected = output { self.output.start() }
        if case .collected = errors { self.errors.start() }
        let (process, ending) = (process, ending)
        DispatchQueue(label: "wsline.process").async { ending.await(process) }
    }

    deinit {
        if !ending.isOver { kill(process, SIGKILL) }
    }

    // MARK: Input

    /// Writes all of it, waiting while the pipe is full. Throws when the program reads no more.
    public func write(_ text: String) throws { try write(Array(text.utf8)) }

    public func write(_ bytes: [UInt8]) throws { try input.write(bytes) }

    /// Writes `chunk` again and again, on a thread of its own, until the program takes no more or `closeInput()`.
    public func writeForever(_ chunk: [UInt8]) {
        let input = input
        DispatchQueue(label: "wsline.process.input").async {
            while (try? input.write(chunk)) != nil {}
        }
    }

    public func closeInput() { input.close() }

    // MARK: Output

    /// Begins to read what was `unread`.
    public func read(_ stream: Stream = .output) { (stream == .output ? output : errors).start() }

    /// The reader of what was `unread` goes away.
    public func dropReader(_ stream: Stream = .output) { (stream == .output ? output : errors).drop() }

    public var outputBytes: [UInt8] { output.bytes }
    public var outputText: String { String(decoding: output.bytes, as: UTF8.self) }
    public var errorText: String { String(decoding: errors.bytes, as: UTF8.self) }

    /// Waits until what came so far is as `condition` says.
    public func wait(
        for stream: Stream = .output, within seconds: Double = 20, until condition: @escaping @Sendable (String) -> Bool
    ) throws {
        let collector = stream == .output ? output : errors
        let isMet = collector.wait(within: seconds) { condition(String(decoding: $0, as: UTF8.self)) }
        guard isMet else { throw TestFailure("waited in vain for \(stream); \(summary)") }
    }

    // MARK: The process

    public func send(signal: Int32) { kill(process, signal) }

    /// The most memory that was resident at once so far, in bytes; nil where the system doesn't tell, or the program is over.
    public var peakMemory: Int? { residentPeak(process) }

    public var isRunning: Bool { !ending.isOver }

    /// Waits for the end, and for all that was written to be collected.
    @discardableResult
    public func waitForExit(within seconds: Double = 20) throws -> Result {
        guard let result = ending.wait(within: seconds) else { throw TestFailure("still running after \(seconds) s; \(summary)") }
        _ = output.waitForEnd(within: seconds)
        _ = errors.waitForEnd(within: seconds)
        if case .exited(let code) = result.status { try Sanitizer.check(process, status: code) }
        return result
    }

    private var summary: String {
        "its output ends \"\(outputText.suffix(400))\", its errors: \"\(errorText.suffix(2000))\""
    }

    // MARK: System calls

    private static func open(_ input: Input) throws -> (program: Int32, ours: Int32) {
        switch input {
        case .pipe:
            let (reader, writer) = try makePipe()
            return (reader, writer)
        case .file(let path): return (try openFile(path, O_RDONLY), -1)
        }
    }

    private static func open(_ output: Output) throws -> (program: Int32, ours: Int32) {
        switch output {
        case .collected, .unread:
            let (reader, writer) = try makePipe()
            return (writer, reader)
        case .readerGone:
            let (reader, writer) = try makePipe()
            close(reader)
            return (writer, -1)
        case .file(let path): return (try openFile(path, O_WRONLY | O_CREAT | O_TRUNC), -1)
        }
    }

    private static func openFile(_ path: String, _ flags: Int32) throws -> Int32 {
        let descriptor = CPosix.open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw TestFailure("open \(path): \(String(cString: strerror(errno)))") }
        return descriptor
    }

    /// Closed on exec, so that no other program holds an end of it.
    private static func makePipe() throws -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [-1, -1]
        let outcome = pipe(&ends)
        ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
        guard outcome == 0 else { throw TestFailure("pipe: \(String(cString: strerror(errno)))") }
        return (ends[0], ends[1])
    }

    private static func spawn(_ path: String, _ arguments: [String], _ environment: [String: String], _ streams: [Int32]) throws -> pid_t {
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
        for (number, stream) in streams.enumerated() { posix_spawn_file_actions_adddup2(&actions, stream, Int32(number)) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        var flags = Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK)
        #if canImport(Darwin)
            flags |= Int16(POSIX_SPAWN_CLOEXEC_DEFAULT)
        #else
            // Sockets and pipes of tests that run at the same time stay theirs. Closing what isn't open does no harm.
            for descriptor in Int32(3)..<1024 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        #endif
        posix_spawnattr_setflags(&attributes, flags)
        let argv = ([path] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var process: pid_t = 0
        let result = posix_spawn(&process, path, &actions, &attributes, argv, envp)
        guard result == 0 else { throw TestFailure("can't run '\(path)': \(String(cString: strerror(result)))") }
        return process
    }
}

/// All of a file, or of one that /proc makes up.
public func readFile(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw TestFailure("open \(path): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
    return bytes
}

/// The writing end of the program's input.
private final class Descriptor: Sendable {
    private let state: Mutex<Int32>

    init(_ descriptor: Int32) { state = Mutex(descriptor) }

    deinit { close() }

    /// Writes without holding the lock, with a descriptor of its own, so that `close()` never waits for a full pipe.
    func write(_ bytes: [UInt8]) throws {
        let descriptor = state.withLock { $0 < 0 ? -1 : fcntl($0, F_DUPFD_CLOEXEC, 0) }
        guard descriptor >= 0 else { throw TestFailure("the input is closed") }
        defer { CPosix.close(descriptor) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { CPosix.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw TestFailure("the program reads no more: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    func close() {
        state.withLock {
            if $0 >= 0 { CPosix.close($0) }
            $0 = -1
        }
    }
}

/// Collects what comes through a pipe, on a thread of its own.
private final class Collector: Sendable {
    private struct State {
        var descriptor: Int32
        var bytes: [UInt8] = []
        var isReading = false
        var isOver: Bool
    }

    private let state: Mutex<State>
    private let changed = DispatchSemaphore(value: 0)

    init(_ descriptor: Int32) { state = Mutex(State(descriptor: descriptor, isOver: descriptor < 0)) }

    deinit { drop() }

    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func start() {
        let descriptor: Int32? = state.withLock {
            guard !$0.isOver, !$0.isReading else { return nil }
            $0.isReading = true
            return $0.descriptor
        }
        guard let descriptor else { return }
        DispatchQueue(label: "wsline.process.output").async { [self] in
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = read(descriptor, &buffer, buffer.count), count > 0 {
                state.withLock { $0.bytes += buffer[..<count] }
                changed.signal()
            }
            state.withLock {
                $0.isOver = true
                $0.descriptor = -1
            }
            CPosix.close(descriptor)
            changed.signal()
        }
    }

    /// Closes a pipe that isn't read.
    func drop() {
        state.withLock {
            guard !$0.isReading, $0.descriptor >= 0 else { return }
            CPosix.close($0.descriptor)
            $0.descriptor = -1
            $0.isOver = true
        }
    }

    func wait(within seconds: Double, until condition: ([UInt8]) -> Bool) -> Bool {
        let deadline = DispatchTime.now() + seconds * Sanitizer.slowness
        while true {
            let (bytes, isOver) = state.withLock { ($0.bytes, $0.isOver) }
            if condition(bytes) { return true }
            if isOver || changed.wait(timeout: deadline) == .timedOut { return false }
        }
    }

    func waitForEnd(within seconds: Double) -> Bool {
        let deadline = DispatchTime.now() + seconds * Sanitizer.slowness
        while state.withLock({ $0.isReading && !$0.isOver }) {
            if changed.wait(timeout: deadline) == .timedOut { return false }
        }
        return true
    }
}

/// The most memory that a process has had resident at once, in bytes; nil where the system doesn't tell, or it is over.
public func residentPeak(_ process: pid_t) -> Int? {
    guard let status = try? readFile("/proc/\(process)/status") else { return nil }
    let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return line.flatMap { Int($0.filter(\.isNumber)) }.map { $0 << 10 }
}

/// The end of a process, awaited on a thread of its own.
private final class Ending: Sendable {
    private let result = Mutex<RunningProcess.Result?>(nil)
    private let changed = DispatchSemaphore(value: 0)

    var isOver: Bool { result.withLock { $0 != nil } }

    func await(_ process: pid_t) {
        var raw: Int32 = 0
        var peak = 0
        #if canImport(Darwin)
            var usage = rusage()
            while wait4(process, &raw, 0, &usage) < 0, errno == EINTR {}
            peak = usage.ru_maxrss
        #else
            // Linux counts in ru_maxrss what the tests' process had when it started this one, so the program's own mark is read until the end.
            while waitpid(process, &raw, WNOHANG) == 0 {
                peak = max(peak, residentPeak(process) ?? 0)
                usleep(5000)
            }
        #endif
        let status: RunningProcess.ExitStatus = raw & 0x7F == 0 ? .exited(raw >> 8 & 0xFF) : .killed(signal: raw & 0x7F)
        result.withLock { $0 = .init(status: status, peakMemory: peak) }
        changed.signal()
    }

    func wait(within seconds: Double) -> RunningProcess.Result? {
        let deadline = DispatchTime.now() + seconds * Sanitizer.slowness
        while true {
            if let result = result.withLock({ $0 }) { return result }
            if changed.wait(timeout: deadline) == .timedOut { return nil }
        }
    }
}
