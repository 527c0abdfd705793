import CLibEdit
import CPosix

/// libedit as an engine: keys in, an edited line out. What it draws goes to memory and is thrown away, except the bell (see `LineDisplay`), and it has a
/// terminal of its own to draw for (see `EngineTerminal`).
///
/// Only the thread that reads a line may touch it.
final class LibEdit {
    let handle: OpaquePointer
    private let terminal: EngineTerminal
    private let sink: UnsafeMutablePointer<FILE>
    private let sinkMemory: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let sinkSize: UnsafeMutablePointer<Int>

    /// A command of our own, which keys are bound to by its name.
    struct Command {
        var name: String
        var help: String
        /// Called with the key; returns `CC_NORM`, or `CC_ERROR` for the bell: what libedit would draw nobody sees.
        var function: @convention(c) (OpaquePointer?, Int32) -> UInt8
    }

    /// Its wide characters come from the locale: the user's, or where that is not UTF-8 (in containers `LANG` is often unset) `C.UTF-8`.
    static let useUTF8Locale: Void = {
        for name in ["", "C.UTF-8", "en_US.UTF-8", "UTF-8"] {
            if setlocale(LC_CTYPE, name) != nil, String(cString: nl_langinfo(nl_item(CODESET))) == "UTF-8" { return }
        }
    }()

    init(input: Int32, commands: [Command]) throws(LineTerminalError) {
        _ = Self.useUTF8Locale
        sinkMemory = .allocate(capacity: 1)
        sinkMemory.initialize(to: nil)
        sinkSize = .allocate(capacity: 1)
        sinkSize.initialize(to: 0)
        var modes = termios()
        tcgetattr(input, &modes)
        terminal = try EngineTerminal(modes: modes)
        let descriptor = terminal.descriptor
        guard let sink = open_memstream(sinkMemory, sinkSize),
            let handle = el_init_fd("wsline", sink, sink, sink, descriptor, descriptor, descriptor)
        else { throw .libedit }
        (self.sink, self.handle) = (sink, handle)
        setUpKeys(commands)
    }

    deinit {
        el_end(handle)
        fclose(sink)
        free(sinkMemory.pointee)
        sinkMemory.deallocate()
        sinkSize.deallocate()
    }

    // MARK: The line

    /// The line as it stands and its cursor.
    func withLine<Result>(_ body: (_ line: UnsafeBufferPointer<Int32>, _ cursor: Int) -> Result) -> Result {
        guard let info = el_wline(handle)?.pointee, let start = info.buffer, let end = info.lastchar, let cursor = info.cursor else {
            return body(UnsafeBufferPointer(start: nil, count: 0), 0)
        }
        let count = max(end - start, 0)
        return start.withMemoryRebound(to: Int32.self, capacity: count) {
            body(UnsafeBufferPointer(start: $0, count: count), min(cursor - start, count))
        }
    }

    /// A copy of the line and its cursor; setting it leaves the kill buffer alone.
    var line: HistoryWalk.Line {
        get { withLine { HistoryWalk.Line(characters: Array($0), cursor: $1) } }
        set {
            if newValue.characters.isEmpty { return wsline_el_clear(handle) }
            _ = wsline_el_replace(handle, newValue.characters + [0])
            moveCursor(to: newValue.cursor)
        }
    }

    var isEmpty: Bool { withLine { line, _ in line.isEmpty } }

    func moveCursor(to cursor: Int) { el_cursor(handle, Int32(clamping: cursor - withLine { $1 })) }

    /// Inserts text at the cursor; what begins with a mark of the character before it becomes part of that. False when libedit couldn't take it.
    func insert(_ text: String) -> Bool {
        let before = withLine { line, cursor in cursor > 0 ? line[cursor - 1] : 0x0a }
        guard let first = text.unicodeScalars.first, EditBuffer.join(before, first.value) != nil else {
            return wsline_el_insert(handle, EditBuffer.encode(text)) == 0
        }
        let cursor = line.cursor
        replace(cursor - 1..<cursor, with: EditBuffer.decode(CollectionOfOne(before)) + text)
        return true
    }

    /// Puts `text` in place of the characters of `range`, and the cursor after it.
    func replace(_ range: Range<Int>, with text: String) {
        var line = line
        let range = range.clamped(to: 0..<line.characters.count)
        let text = EditBuffer.encode(text).dropLast()
        line.characters.replaceSubrange(range, with: text)
        line.cursor = range.lowerBound + text.count
        self.line = line
    }

    /// Whether libedit rang the bell since the last call. What else it drew is dropped.
    func takeBell() -> Bool {
        fflush(sink)
        defer { rewind(sink) }
        guard let memory = sinkMemory.pointee, sinkSize.pointee > 0 else { return false }
        return memchr(memory, 0x07, sinkSize.pointee) != nil
    }
}

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
