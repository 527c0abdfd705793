import CLibEdit
import CPosix

/// The terminal that libedit sees in place of the user's: a pseudo-terminal with one row, whose size never changes.
///
/// libedit draws each key it takes, though nobody sees that, into buffers that it makes as large as the window of its terminal, which it asks as each line
/// begins. It keeps a cursor from before the window shrank, and loses count of its rows where a line has more than the window: both write past the
/// buffers. On a single row there is no count to lose: what doesn't fit scrolls. Nor can libedit set modes here that are not on the user's terminal.
final class EngineTerminal {
    /// Where libedit takes modes and size from; nothing is read from it or written to it.
    let descriptor: Int32
    private let controller: Int32

    /// - Parameter modes: the user's, whose control characters libedit binds.
    init(modes: termios) throws(LineTerminalError) {
        var (modes, size) = (modes, winsize(ws_row: 1, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0))
        var (controller, descriptor): (Int32, Int32) = (-1, -1)
        guard openpty(&controller, &descriptor, nil, &modes, &size) == 0 else { throw .system(call: "openpty", code: errno) }
        for end in [controller, descriptor] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (self.controller, self.descriptor) = (controller, descriptor)
    }

    deinit {
        close(descriptor)
        close(controller)
    }
}
