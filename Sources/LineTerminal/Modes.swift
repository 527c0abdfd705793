import CLibEdit
import CPosix

/// The terminal's modes as they were found, and the promise that they come back: on every way out, a crash or a fatal signal included.
///
/// One terminal at a time. The state lies in memory that is allocated once and never freed, since a signal handler reads it and may not allocate.
public enum TerminalModes {
    private struct State {
        /// The terminal that is in our modes, or -1.
        var descriptor: Int32 = -1
        var found = termios()
        var bracketedPaste = false
        var wake: Int32 = -1
        var isGuarded = false
    }

    /// Invariant: written by the thread that owns the terminal alone, and the descriptor last on the way in and first on the way out; a handler only reads.
    private nonisolated(unsafe) static let state: UnsafeMutablePointer<State> = {
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(to: State())
        return state
    }()

    /// What the signals of `fatal` did before. Invariant: written once, before the handlers that read it are set.
    private nonisolated(unsafe) static let previous: UnsafeMutablePointer<sigaction> = {
        let actions = UnsafeMutablePointer<sigaction>.allocate(capacity: 64)
        actions.initialize(repeating: sigaction(), count: 64)
        return actions
    }()

    private static let pasteOn = Array("\u{1b}[?2004h".utf8)
    /// Read by a signal handler, so not an array, whose first use may allocate.
    private nonisolated(unsafe) static let pasteOff: UnsafeMutableBufferPointer<UInt8> = {
        let bytes = Array("\u{1b}[?2004l".utf8)
        let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = buffer.initialize(from: bytes)
        return buffer
    }()

    /// Puts the terminal back as it was found. Does nothing when it already is, or when the process is in the background and the terminal is another's.
    /// Safe in a signal handler, at exit, and when called twice.
    public static func restore() {
        let descriptor = state.pointee.descriptor
        guard descriptor >= 0 else { return }
        state.pointee.descriptor = -1
        guard tcgetpgrp(descriptor) == getpgrp() else { return }
        // A terminal that takes nothing more, of a connection that hangs for example, must not keep us.
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let isReady = poll(&entry, 1, 100) == 1
        if isReady, state.pointee.bracketedPaste { _ = CPosix.write(descriptor, pasteOff.baseAddress, pasteOff.count) }
        while tcsetattr(descriptor, isReady ? TCSADRAIN : TCSANOW, &state.pointee.found) != 0 && errno == EINTR {}
    }

    /// What is to be changed in the modes that are found.
    enum Mode {
        /// Each byte at once, nothing echoed, no signal from a key.
        case editing
        /// Whole lines, nothing echoed.
        case secret
    }

    /// Changes the modes and remembers what they were. Nothing is changed while they already are.
    static func enter(_ mode: Mode, descriptor: Int32, bracketedPaste: Bool = false) throws(LineTerminalError) {
        guard state.pointee.descriptor < 0 else { return }
        guard tcgetattr(descriptor, &state.pointee.found) == 0 else { throw .system(call: "tcgetattr", code: errno) }
        guardExits()
        state.pointee.bracketedPaste = bracketedPaste
        var modes = state.pointee.found
        switch mode {
        case .editing:
            modes.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INLCR | IGNCR | ISTRIP | IXON | INPCK)
            modes.c_oflag |= tcflag_t(OPOST | ONLCR)
            modes.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | IEXTEN | ISIG)
            withUnsafeMutableBytes(of: &modes.c_cc) { characters in
                characters[Int(VMIN)] = 1
                characters[Int(VTIME)] = 0
            }
        case .secret:
            modes.c_lflag &= ~tcflag_t(ECHO)
            modes.c_lflag |= tcflag_t(ICANON | ISIG | ECHONL)
        }
        state.pointee.descriptor = descriptor
        while tcsetattr(descriptor, TCSADRAIN, &modes) != 0 {
            guard errno == EINTR else {
                state.pointee.descriptor = -1
                throw .system(call: "tcsetattr", code: errno)
            }
        }
        if bracketedPaste { writeAll(pasteOn, to: descriptor) }
    }

    /// The modes as they were found are no longer on the terminal, nor are ours: a shell has been there. The next `enter` starts anew.
    static func forget() { state.pointee.descriptor = -1 }

    /// The control characters that the user has set, as they were found.
    static func controlCharacter(_ index: Int32) -> UInt8 { withUnsafeBytes(of: &state.pointee.found.c_cc) { $0[Int(index)] } }

    // MARK: Signals

    /// Signals that end the process. Those in the first list are the program's to handle: one that it has taken or ignores is left alone.
    private static let ending = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]
    private static let crashes = [SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGBUS, SIGSEGV, SIGSYS]

    /// Sees to it, once, that the modes come back however the process ends.
    private static func guardExits() {
        _ = previous
        _ = pasteOff
        if !state.pointee.isGuarded {
            state.pointee.isGuarded = true
            atexit { TerminalModes.restore() }
            for signal in crashes { _ = wsline_set_signal_handler(signal, endingHandler, 0, previous + Int(signal)) }
        }
        for signal in ending where wsline_signal_is_default(signal) != 0 {
            _ = wsline_set_signal_handler(signal, endingHandler, 0, previous + Int(signal))
        }
    }

    /// Restores, then lets the signal do what it did before: it is blocked while this runs and takes effect on return.
    private static let endingHandler: @convention(c) (Int32) -> Void = { signal in
        TerminalModes.restore()
        sigaction(signal, TerminalModes.previous + Int(signal), nil)
        raise(signal)
    }

    private static let wakeHandler: @convention(c) (Int32) -> Void = { signal in
        let reason: WakePipe.Reason =
            switch signal {
            case SIGWINCH: .resized
            case SIGCONT: .resumed
            default: .suspend
            }
        WakePipe.write(reason, to: TerminalModes.state.pointee.wake)
    }

    /// Turns job control and resizing into reasons on `pipe`, until `unwatch`.
    static func watch(_ pipe: WakePipe) {
        state.pointee.wake = pipe.writeEnd
        for signal in [SIGWINCH, SIGCONT, SIGTSTP] {
            _ = wsline_set_signal_handler(signal, wakeHandler, Int32(SA_RESTART), previous + Int(signal))
        }
    }

    static func unwatch() {
        for signal in [SIGWINCH, SIGCONT, SIGTSTP] { sigaction(signal, previous + Int(signal), nil) }
        state.pointee.wake = -1
    }

    /// Stops the process group as Ctrl-Z in a cooked terminal would, and returns once it goes on; at once where nothing can continue it
    /// (an orphaned process group, which the kernel doesn't stop).
    static func stopProcessGroup(resumedOn pipe: WakePipe) {
        var ours = sigaction()
        _ = wsline_set_signal_handler(SIGTSTP, nil, 0, &ours)
        kill(0, SIGTSTP)
        // The stop may take effect a moment after kill returns; the bound only runs while the process does.
        var wait = pollfd(fd: pipe.readEnd, events: Int16(POLLIN), revents: 0)
        for _ in 0..<5 where poll(&wait, 1, 50) >= 0 && pipe.drain().contains(.resumed) { break }
        sigaction(SIGTSTP, &ours, nil)
    }
}
