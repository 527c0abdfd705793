import CLibEdit
import CPosix

/// libedit as an engine: keys in, an edited line out. What it draws goes to memory and is thrown away, except the bell (see `LineDisplay`), and it has a
/// terminal of its own to draw for (see `EngineTerminal`).
///
/// Only the thread that reads a line may touch it.
final class LibEdit {
    let handle: OpaquePointer
    private let terminal: EngineTerminal
    private let history: OpaquePointer
    private let sink: UnsafeMutablePointer<FILE>
    private let sinkMemory: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let sinkSize: UnsafeMutablePointer<Int>

    /// A key that no terminal sends (C1 is dropped from what is typed): it makes libedit, in whatever state it is, end that state and run the paste command.
    static let pasteKey: UInt32 = 0x9e

    /// What the commands of our own do.
    struct Commands {
        var complete: @convention(c) (OpaquePointer?, Int32) -> UInt8
        var paste: @convention(c) (OpaquePointer?, Int32) -> UInt8
        var clearScreen: @convention(c) (OpaquePointer?, Int32) -> UInt8
    }

    /// Its wide characters come from the locale: the user's, or where that is not UTF-8 (in containers `LANG` is often unset) `C.UTF-8`.
    static let useUTF8Locale: Void = {
        for name in ["", "C.UTF-8", "en_US.UTF-8", "UTF-8"] {
            if setlocale(LC_CTYPE, name) != nil, String(cString: nl_langinfo(nl_item(CODESET))) == "UTF-8" { return }
        }
    }()

    init(input: Int32, commands: Commands) throws(LineTerminalError) {
        _ = Self.useUTF8Locale
        sinkMemory = .allocate(capacity: 1)
        sinkMemory.initialize(to: nil)
        sinkSize = .allocate(capacity: 1)
        sinkSize.initialize(to: 0)
        var modes = termios()
        tcgetattr(input, &modes)
        terminal = try EngineTerminal(modes: modes)
        let descriptor = terminal.descriptor
        guard let sink = open_memstream(sinkMemory, sinkSize), let history = history_winit(),
            let handle = el_init_fd("wsline", sink, sink, sink, descriptor, descriptor, descriptor)
        else { throw .libedit }
        (self.sink, self.history, self.handle) = (sink, history, handle)
        wsline_history_set_size(history, Int32(History.capacity))
        wsline_el_set_history(handle, history)
        setUpKeys(commands)
    }

    deinit {
        el_end(handle)
        history_wend(history)
        fclose(sink)
        free(sinkMemory.pointee)
        sinkMemory.deallocate()
        sinkSize.deallocate()
    }

    /// Keys that terminals have and libedit doesn't know. Sourced after them, `~/.editrc` has the last word, except on the keys that the program itself needs.
    private func setUpKeys(_ commands: Commands) {
        _ = wsline_el_set_editor(handle, Self.wide("emacs"))
        add("wsline-complete", "Complete the word", commands.complete)
        add("wsline-paste", "Insert what was pasted", commands.paste)
        add("wsline-clear-screen", "Clear the screen", commands.clearScreen)
        bind("\u{12}", "em-inc-search-prev")
        bindTerminalKeys()
        _ = el_source(handle, nil)
        // Changing the editor in ~/.editrc forgets every key bound before.
        let isVi = wsline_el_is_vi(handle) != 0
        if isVi { bindTerminalKeys(isVi: true) }
        bind("\t", "wsline-complete")
        bind("\u{0c}", "wsline-clear-screen", alternative: isVi)
        bind("\u{9e}", "wsline-paste", alternative: true)
    }

    /// In vi's keys ESC always leaves the insert mode, and what follows is a command: so the arrows work in libedit, and so do these.
    private func bindTerminalKeys(isVi: Bool = false) {
        func bindSequence(_ sequence: String, _ command: String) {
            if isVi {
                _ = wsline_el_bind_alternative(handle, Self.wide(sequence), Self.wide(command))
            } else {
                bind("\u{1b}" + sequence, command)
            }
        }
        let keys = [
            ("[H", "ed-move-to-beg"), ("OH", "ed-move-to-beg"), ("[1~", "ed-move-to-beg"), ("[7~", "ed-move-to-beg"),
            ("[F", "ed-move-to-end"), ("OF", "ed-move-to-end"), ("[4~", "ed-move-to-end"), ("[8~", "ed-move-to-end"),
            ("[3~", "ed-delete-next-char"), ("[1;5C", "em-next-word"), ("[1;5D", "ed-prev-word"), ("[1;3C", "em-next-word"),
            ("[1;3D", "ed-prev-word"),
            ("[5~", "ed-search-prev-history"), ("[6~", "ed-search-next-history"), ("[1;2C", "ed-next-char"), ("[1;2D", "ed-prev-char"),
        ]
        for (sequence, command) in keys { bindSequence(sequence, command) }
        // Keys that mean nothing here, which else would insert their last characters.
        let unused = [
            "[2~", "OP", "OQ", "OR", "OS", "[11~", "[12~", "[13~", "[14~", "[15~", "[17~", "[18~", "[19~", "[20~", "[21~", "[23~", "[24~",
            "[I", "[O", "[Z",
        ]
        for sequence in unused { bindSequence(sequence, "ed-unassigned") }
    }

    private func add(_ name: String, _ help: String, _ function: @escaping @convention(c) (OpaquePointer?, Int32) -> UInt8) {
        // libedit keeps the pointers.
        _ = wsline_el_add_function(handle, Self.kept(name), Self.kept(help), function)
    }

    private func bind(_ key: String, _ command: String, alternative: Bool = false) {
        _ = wsline_el_bind(handle, Self.wide(key), Self.wide(command))
        if alternative { _ = wsline_el_bind_alternative(handle, Self.wide(key), Self.wide(command)) }
    }

    private static func wide(_ text: String) -> [Int32] { EditBuffer.encode(text) }

    /// A wide string that lives as long as the process, as one of few names.
    private static func kept(_ text: String) -> UnsafePointer<Int32> {
        let text = wide(text)
        let memory = UnsafeMutableBufferPointer<Int32>.allocate(capacity: text.count)
        _ = memory.initialize(from: text)
        return UnsafePointer(memory.baseAddress ?? .allocate(capacity: 1))
    }

    // MARK: The line

    /// The line as it stands and its cursor. While libedit searches, what it shows of that is part of it.
    func withLine<Result>(_ body: (_ line: UnsafeBufferPointer<Int32>, _ cursor: Int) -> Result) -> Result {
        guard let info = el_wline(handle)?.pointee, let start = info.buffer, let end = info.lastchar, let cursor = info.cursor else {
            return body(UnsafeBufferPointer(start: nil, count: 0), 0)
        }
        let count = max(end - start, 0)
        return start.withMemoryRebound(to: Int32.self, capacity: count) {
            body(UnsafeBufferPointer(start: $0, count: count), cursor - start)
        }
    }

    var isEmpty: Bool { withLine { line, _ in line.isEmpty } }

    /// Whether libedit could take `text`.
    func insert(_ text: String) -> Bool { wsline_el_insert(handle, EditBuffer.encode(text)) == 0 }

    /// Puts `text` in place of the scalars of `range`, and the cursor after it.
    func replace(_ range: Range<Int>, with text: String) {
        let (count, cursor) = withLine { ($0.count, $1) }
        let range = range.clamped(to: 0..<count)
        el_cursor(handle, Int32(clamping: range.upperBound - cursor))
        el_deletestr(handle, Int32(clamping: range.count))
        if !text.isEmpty { _ = insert(text) }
    }

    /// libedit keeps no more than this of a line that is left for history and come back to, and fills the rest with NUL.
    static let shortMemory = 1000

    /// Puts `line` back when the buffer is that line with its end lost.
    func repair(from line: [Int32]) {
        let isDamaged = withLine { current, _ in
            current.count == line.count && current.contains(0)
                && current.prefix(Self.shortMemory).elementsEqual(line.prefix(Self.shortMemory))
        }
        if isDamaged { _ = wsline_el_replace(handle, line + [0]) }
    }

    /// Adds an entry that the arrows and the searches find.
    func enterHistory(_ entry: String) {
        // libedit takes one newline and then one space off the end of what it recalls.
        _ = wsline_history_enter(history, EditBuffer.encode(entry + (entry.last == " " ? " \n" : "\n")))
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
