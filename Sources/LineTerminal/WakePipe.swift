import CPosix

/// A pipe that ends a `poll`: written to by any thread or signal handler, read by the one thread that polls. Neither end blocks.
final class WakePipe: Sendable {
    /// Why the reader is woken.
    enum Reason: UInt8 { case output, stop, resized, suspend, resumed }

    let readEnd: Int32
    let writeEnd: Int32

    init() throws(LineTerminalError) {
        guard let ends = makePipe() else { throw .system(call: "pipe", code: errno) }
        (readEnd, writeEnd) = ends
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// A full pipe wakes as well as one more byte would.
    func wake(_ reason: Reason) { Self.write(reason, to: writeEnd) }

    /// Safe in a signal handler.
    static func write(_ reason: Reason, to descriptor: Int32) {
        let saved = errno
        var byte = reason.rawValue
        _ = withUnsafeBytes(of: &byte) { CPosix.write(descriptor, $0.baseAddress, 1) }
        errno = saved
    }

    /// Every reason since the last call.
    func drain() -> [Reason] {
        var reasons: [Reason] = []
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            while true {
                let count = read(readEnd, buffer.baseAddress, buffer.count)
                guard count > 0 else { return }
                reasons += buffer[..<count].compactMap { Reason(rawValue: $0) }
            }
        }
        return reasons
    }
}

/// Why the terminal can't be used.
public enum LineTerminalError: Error, Equatable, CustomStringConvertible {
    /// A system call failed; `code` is its `errno`.
    case system(call: String, code: Int32)
    /// There is no terminal to talk to.
    case noTerminal
    /// libedit could not be started.
    case libedit

    public var description: String {
        switch self {
        case .system(let call, let code): "\(call) failed: \(errorText(code))"
        case .noTerminal: "there is no terminal to read from"
        case .libedit: "libedit could not be started on this terminal"
        }
    }
}
