import Dispatch
import Synchronization
import TestSupport
import CPosix

/// A named pipe, read as slowly as a test likes.
///
/// Unless told otherwise it's open for both directions: a program that writes to it finds a reader, and never the end of one.
final class Fifo: Sendable {
    let path: String
    private let directory: TemporaryDirectory
    private let opened = Mutex<Int32>(-1)

    var descriptor: Int32 { opened.withLock { $0 } }

    init(opens: Bool = true) throws {
        directory = try TemporaryDirectory()
        path = directory.file("pipe")
        guard mkfifo(path, 0o600) == 0 else { throw TestFailure("mkfifo: errno \(errno)") }
        if opens { try open(O_RDWR) }
    }

    deinit { close() }

    func open(_ mode: Int32) throws {
        let descriptor = CPosix.open(path, mode | O_CLOEXEC)
        guard descriptor >= 0 else { throw TestFailure("open \(path): errno \(errno)") }
        opened.withLock { $0 = descriptor }
    }

    /// The reader goes.
    func close() {
        opened.withLock {
            if $0 >= 0 { CPosix.close($0) }
            $0 = -1
        }
    }

    /// Fills it, so that nobody else can write.
    func fill() {
        // As large as it gets, F_SETPIPE_SZ: nobody can make more room.
        #if os(Linux)
            _ = fcntl(descriptor, 1031, 1 << 20)
        #endif
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
        var piece = [UInt8](repeating: 0x2E, count: 4096)
        while CPosix.write(descriptor, &piece, piece.count) > 0 {}
        _ = fcntl(descriptor, F_SETFL, flags)
    }

    /// What was written up to the next newline.
    func readLine() throws -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.last != 0x0A {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 20_000) == 1, CPosix.read(descriptor, &byte, 1) == 1 else { throw TestFailure("no line came") }
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    /// Reads on a thread of its own, until the end or ``close()``.
    func read(_ handle: @escaping @Sendable ([UInt8]) -> Void) {
        let reader = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        DispatchQueue(label: "wsline.tests.fifo").async { [self] in
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while self.descriptor >= 0 {
                var entry = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
                guard poll(&entry, 1, 100) == 1 else { continue }
                let count = CPosix.read(reader, &buffer, buffer.count)
                guard count > 0 else { break }
                handle(Array(buffer[..<count]))
            }
            CPosix.close(reader)
        }
    }
}

extension Gathered {
    /// Waits until what came so far is as `condition` says.
    func wait(within seconds: Double = 20, until condition: ([Element]) -> Bool) throws {
        let deadline = DispatchTime.now() + seconds * Sanitizer.slowness
        var count = 0
        while !condition(all) {
            guard DispatchTime.now() < deadline else { throw TestFailure("waited in vain: \("\(all)".suffix(2000))") }
            count = all.count
            // One more than there are, or the bound.
            _ = try? first(count + 1, within: 1)
        }
    }
}

extension RunningProcess {
    /// Waits until the program's memory has not grown for half a second.
    func settle() throws { try waitForSteadyMemory { peakMemory } }
}

extension PseudoTerminal {
    /// Waits until the program's memory has not grown for half a second; nobody reads the terminal meanwhile.
    func settle() throws { try waitForSteadyMemory { residentPeak(process) } }

    /// Waits for the end, and reads nothing.
    func waitUnread(within seconds: Double = 10) throws {
        let deadline = DispatchTime.now() + seconds * Sanitizer.slowness
        var info = siginfo_t()
        while waitid(P_PID, id_t(process), &info, WEXITED | WNOWAIT | WNOHANG) == 0, info.si_signo == 0 {
            guard DispatchTime.now() < deadline else { throw TestFailure("still running after \(seconds) s") }
            usleep(10_000)
        }
    }
}

private func waitForSteadyMemory(_ peak: () -> Int?) throws {
    var last = -1
    var steady = 0
    for _ in 0..<200 where steady < 10 {
        usleep(50_000)
        guard let peak = peak() else { throw TestFailure("it ended") }
        steady = peak == last ? steady + 1 : 0
        last = peak
    }
}
