import CLibEdit
import Synchronization
import CPosix

/// What came of reading a line.
public enum LineEvent: Sendable, Equatable {
    /// Enter: the line, with the newlines that were pasted into it.
    case line(String)
    /// Ctrl-C on an empty line. Reading on returns the next one too.
    case interrupt
    /// Ctrl-D on an empty line, or the terminal is gone.
    case endOfInput
    /// Another thread called `stop`.
    case stopped
}

/// Reads lines from a terminal through libedit, while others print above them.
///
/// One editor at a time, and one thread: the one that calls `readLine` is the only one that touches libedit and, while it reads, the terminal. `stop` and the
/// printer may be used from anywhere.
///
/// Invariant of `@unchecked Sendable`: what is not `Sendable` by itself is used on the reading thread alone; `stop` uses the rest.
public final class LineEditor: @unchecked Sendable {
    /// How an editor reads.
    public struct Configuration {
        public var prompt: Prompt
        /// What Tab completes, asked with the line and the cursor's offset in Unicode scalars. Nil: nothing.
        public var complete: ((_ line: String, _ cursor: Int) -> Completion?)?
        /// The process's environment: `TERM` and what identifies a terminal.
        public var environment: [String: String]
        public var input: Int32 = STDIN_FILENO
        public var output: Int32 = STDOUT_FILENO
        /// How late a terminal may report that its window has another size: tmux takes up to 250 ms, and a network has its delay.
        public var reportDelay = Duration.milliseconds(300)

        public init(prompt: Prompt, environment: [String: String], complete: ((String, Int) -> Completion?)? = nil) {
            self.prompt = prompt
            self.environment = environment
            self.complete = complete
        }
    }

    /// A paste above this many bytes is refused, visibly: libedit holds a line in five buffers of four bytes a character.
    public static let longestPaste = 1 << 20

    /// What stands before the line from the next key on.
    public var prompt: Prompt
    /// What prints above the line.
    public let printer: TerminalPrinter
    private let complete: ((String, Int) -> Completion?)?
    private let input: Int32
    private let output: Int32
    private let usesEscapes: Bool
    private let engine: LibEdit
    private let pipe: WakePipe
    private let window: Window
    private let isStopped = Atomic(false)
    private var history: History
    private var display: LineDisplay
    /// When the screen was last written to.
    private var drawn = ContinuousClock.now
    private var parser = InputParser()
    /// Whether nothing came after what the parser holds.
    private var isInputComplete = false
    /// Why the read is ended other than by libedit.
    private var ending: Ending?
    /// What the paste command is to insert.
    private var pasted = ""
    /// Whether Ctrl-V stood before the paste, and took its key for text.
    private var isPasteQuoted = false
    /// Whether the next character is to be inserted whatever it is (Ctrl-V).
    private var isQuoting = false
    private var needsBell = false
    /// The line and cursor that Tab last left ambiguous: the second Tab lists.
    private var ambiguous: (line: String, cursor: Int)?
    /// The latest lines of this read that are too long for libedit's memory, by length.
    private var longLines: [Int: [Int32]] = [:]

    private enum Ending { case interrupt, cleared, endOfInput, stopped }

    /// - Throws: `LineTerminalError` when input or output is not a terminal, or libedit can't start.
    public init(_ configuration: Configuration, history: History = History(), printer: TerminalPrinter) throws(LineTerminalError) {
        guard isatty(configuration.input) != 0, isatty(configuration.output) != 0 else { throw .noTerminal }
        prompt = configuration.prompt
        complete = configuration.complete
        (input, output) = (configuration.input, configuration.output)
        let environment = configuration.environment
        let term = environment["TERM"] ?? ""
        usesEscapes = !(term.isEmpty || term == "dumb")
        let cutsRows = environment["XTERM_VERSION"] != nil || term == "linux" || (environment["STY"] != nil && environment["TMUX"] == nil)
        self.history = history
        self.printer = printer
        pipe = try WakePipe()
        engine = try LibEdit(
            input: input,
            commands: LibEdit.Commands(
                complete: { handle, _ in LineEditor.of(handle)?.completeCommand() ?? UInt8(CC_ERROR) },
                paste: { handle, _ in LineEditor.of(handle)?.pasteCommand() ?? UInt8(CC_ERROR) },
                clearScreen: { handle, _ in LineEditor.of(handle)?.clearScreenCommand() ?? UInt8(CC_ERROR) }))
        window = Window(input: input, output: output, pipe: pipe, environment: environment, reportDelay: configuration.reportDelay)
        display = LineDisplay(isDumb: !usesEscapes, rewraps: !cutsRows, columns: window.size.columns, rows: window.size.rows)
        wsline_el_set_clientdata(engine.handle, Unmanaged.passUnretained(self).toOpaque())
        wsline_el_set_getcfn(engine.handle) { handle, character in LineEditor.of(handle)?.nextCharacter(character) ?? -1 }
        for entry in history.entries { engine.enterHistory(entry) }
        TerminalModes.watch(pipe)
    }

    deinit {
        TerminalModes.unwatch()
        TerminalModes.restore()
    }

    /// Ends the read that is going on, or else the next one, with `.stopped`; a half-typed line stays on the screen. From any thread.
    public func stop() {
        isStopped.store(true, ordering: .releasing)
        pipe.wake(.stop)
    }

    /// Restores the terminal as it was found, until the next `readLine`. On the reading thread.
    public func close() { TerminalModes.restore() }

    /// Adds a line to what the arrows and Ctrl-R find, and to the history's file.
    /// - Throws: why it could not be kept; it is found in this session all the same.
    public func addHistory(_ line: String) throws(History.Failure) {
        guard history.accepts(line) else { return }
        engine.enterHistory(line)
        try history.add(line)
    }

    /// Reads a line. The terminal stays in the editor's modes between two calls, in which Ctrl-C is a key and not a signal; `close` restores it.
    public func readLine() -> LineEvent {
        do {
            try TerminalModes.enter(.editing, descriptor: input, bracketedPaste: usesEscapes)
        } catch {
            return .endOfInput
        }
        printer.attach(pipe)
        defer { printer.detach() }
        longLines = [:]
        ambiguous = nil
        while true {
            ending = nil
            checkSize()
            var count: Int32 = 0
            let hasLine = el_wgets(engine.handle, &count) != nil && count > 0
            switch ending {
            case .cleared: write(display.erase())
            case .stopped:
                // A half-typed line stays to be seen.
                write(engine.isEmpty ? display.erase() : display.finish())
                return .stopped
            case .interrupt, .endOfInput:
                write(display.erase())
                return ending == .interrupt ? .interrupt : .endOfInput
            case nil:
                guard hasLine else {
                    write(display.erase())
                    return .endOfInput
                }
                return .line(accept(count: Int(count)))
            }
        }
    }

    /// Leaves the finished line on the screen, whole, and returns it.
    private func accept(count: Int) -> String {
        engine.withLine { buffer, _ in
            let whole = buffer[..<min(count, buffer.count)]
            let line = whole.last == 0x0a ? whole.dropLast() : whole
            write(display.update(prompt: prompt, line: line, cursor: line.count) + display.finish())
            printer.record(LineLayout(prompt: prompt, line: line, cursor: 0, columns: display.columns).bytes + [0x0d, 0x0a])
            return EditBuffer.decode(line)
        }
    }

    private static func of(_ handle: OpaquePointer?) -> LineEditor? {
        guard let data = wsline_el_get_clientdata(handle) else { return nil }
        return Unmanaged<LineEditor>.fromOpaque(data).takeUnretainedValue()
    }

    private func write(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        writeAll(bytes, to: output)
        drawn = .now
    }

    // MARK: Reading

    /// libedit's read function: 1 and a character, or -1 to end the line, with the reason in `ending`.
    private func nextCharacter(_ result: UnsafeMutablePointer<wchar_t>?) -> Int32 {
        if engine.takeBell() { needsBell = true }
        keepLongLine()
        recoverPaste()
        while true {
            if isStopped.exchange(false, ordering: .acquiring) { return end(.stopped) }
            if let event = parser.pop(complete: isInputComplete) {
                isInputComplete = false
                guard let character = take(event) else {
                    if ending != nil { return -1 }
                    continue
                }
                UnsafeMutableRawPointer(result)?.storeBytes(of: character, as: UInt32.self)
                return 1
            }
            render()
            guard wait() else { return end(.endOfInput) }
        }
    }

    private func end(_ reason: Ending) -> Int32 {
        ending = reason
        return -1
    }

    /// The character that libedit is to get for an event; nil when it is dealt with, or ends the line.
    private func take(_ event: InputParser.Event) -> UInt32? {
        switch event {
        case .paste(let bytes):
            guard bytes.count <= Self.longestPaste else {
                let text = "A paste of \(bytes.count) bytes is longer than a line may be (\(Self.longestPaste)); nothing was inserted.\n"
                printAbove(Array(text.utf8))
                needsBell = true
                return nil
            }
            pasted = EditBuffer.normalizePaste(bytes)
            isPasteQuoted = isQuoting
            isQuoting = false
            return LibEdit.pasteKey
        case .character(let scalar):
            defer { isQuoting = !isQuoting && scalar == 0x16 }
            if (0x80..<0xa0).contains(scalar) || scalar == 0 && isQuoting {
                needsBell = true
                return nil
            }
            return isQuoting || scalar >= 0x80 || scalar == 0 || !takeSignalKey(UInt8(truncatingIfNeeded: scalar)) ? scalar : nil
        }
    }

    /// Keys that would be signals, were the terminal not in the editor's modes: as the user has set them.
    private func takeSignalKey(_ key: UInt8) -> Bool {
        switch key {
        case TerminalModes.controlCharacter(VINTR): ending = engine.isEmpty ? .interrupt : .cleared
        case TerminalModes.controlCharacter(VSUSP): suspend()
        case TerminalModes.controlCharacter(VQUIT):
            write(display.finish())
            TerminalModes.restore()
            kill(0, SIGQUIT)
            reenter()
        default: return false
        }
        return true
    }

    /// Waits for a key or a reason to wake; false when the terminal is gone.
    private func wait() -> Bool {
        var descriptors = [
            pollfd(fd: input, events: Int16(POLLIN), revents: 0), pollfd(fd: pipe.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        // A lone ESC is a key, but the start of a paste or a character may be cut by the read.
        let ready = poll(&descriptors, 2, parser.holdsBytes ? 50 : -1)
        if ready < 0 { return errno == EINTR || errno == EAGAIN }
        isInputComplete = ready == 0
        if descriptors[1].revents != 0 { handle(pipe.drain()) }
        return descriptors[0].revents == 0 || readInput()
    }

    private func readInput() -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
            let count = read(input, buffer.baseAddress, buffer.count)
            if count > 0 { parser.push(buffer[..<count]) }
            return count > 0 || count < 0 && (errno == EINTR || errno == EAGAIN)
        }
    }

    private func handle(_ reasons: [WakePipe.Reason]) {
        if reasons.contains(.resumed) { reenter() }
        if reasons.contains(.suspend) { suspend() }
        if reasons.contains(.resized) { checkSize() }
        printer.drain(printAbove)
    }

    /// A paste whose key some command took for its argument: Ctrl-V inserted it, and the paste takes its place; a vi command has no use for it.
    private func recoverPaste() {
        guard !pasted.isEmpty else { return }
        let cursor = engine.withLine { line, cursor in cursor > 0 && line[cursor - 1] == Int32(LibEdit.pasteKey) ? cursor : 0 }
        if isPasteQuoted && cursor > 0 {
            engine.replace(cursor - 1..<cursor, with: pasted)
        } else {
            needsBell = true
        }
        pasted = ""
    }

    /// After a look at history libedit returns a line of more than 1,000 characters short, see `LibEdit.repair`.
    private func keepLongLine() {
        let (count, isWhole) = engine.withLine { line, _ in (line.count, line.count > LibEdit.shortMemory && !line.contains(0)) }
        if isWhole {
            if longLines.count >= 8 && longLines[count] == nil { longLines = [:] }
            longLines[count] = engine.withLine { line, _ in Array(line) }
        } else if let line = longLines[count] {
            engine.repair(from: line)
        }
    }

    // MARK: The screen

    private func render() {
        checkSize()
        var bytes = engine.withLine { display.update(prompt: prompt, line: $0, cursor: $1) }
        if needsBell { bytes.append(0x07) }
        needsBell = false
        write(bytes)
    }

    /// Prints `text`, which ends in a newline, and draws the line anew below it, in one write.
    private func printAbove(_ text: [UInt8]) {
        // The window may have changed since the last key; its signal comes later than its size.
        checkSize()
        let erase = display.erase()
        printer.record(text)
        write(erase + text + engine.withLine { display.update(prompt: prompt, line: $0, cursor: $1) })
    }

    /// Draws the line for the window's size. What was drawn shortly before its report may have met the new size, and rows that nobody can count: then
    /// the whole window is drawn anew.
    private func checkSize() {
        guard window.size != Window.Size(columns: display.columns, rows: display.rows) else { return }
        let isKnown = drawn.duration(to: .now) > window.reportDelay
        let size = window.settle()
        if isKnown || size.columns == display.columns {
            write(display.resize(columns: size.columns, rows: size.rows))
        } else {
            write(display.repaint(above: printer.recent, columns: size.columns, rows: size.rows))
        }
    }

    /// Ctrl-Z: the shell finds its terminal as it left it, and the line comes back half-typed.
    private func suspend() {
        write(display.finish())
        TerminalModes.restore()
        TerminalModes.stopProcessGroup(resumedOn: pipe)
        reenter()
    }

    /// Somebody else had the terminal: sets the modes again and draws the line anew where the cursor is now.
    private func reenter() {
        TerminalModes.forget()
        try? TerminalModes.enter(.editing, descriptor: input, bracketedPaste: usesEscapes)
        display.forget()
        printer.forgetRecent(followsOthers: true)
        checkSize()
        printer.drain(printAbove)
    }

    // MARK: Commands

    private func pasteCommand() -> UInt8 {
        defer { pasted = "" }
        guard !pasted.isEmpty, engine.withLine({ line, _ in line.count }) + pasted.unicodeScalars.count <= Self.longestPaste,
            engine.insert(pasted)
        else {
            return UInt8(CC_ERROR)
        }
        return UInt8(CC_REFRESH)
    }

    private func clearScreenCommand() -> UInt8 {
        guard usesEscapes else { return UInt8(CC_REFRESH) }
        write(display.erase() + Array("\u{1b}[H\u{1b}[2J".utf8))
        printer.forgetRecent(followsOthers: false)
        return UInt8(CC_REFRESH)
    }

    private func completeCommand() -> UInt8 {
        let (line, cursor) = engine.withLine { (EditBuffer.decode($0), $1) }
        guard let completion = complete?(line, cursor), !completion.candidates.isEmpty else { return UInt8(CC_ERROR) }
        let common = completion.commonPrefix
        let scalars = Array(line.unicodeScalars)
        let replaced = scalars[completion.range.clamped(to: 0..<scalars.count)]
        if completion.candidates.count == 1 || common.unicodeScalars.count > replaced.count {
            engine.replace(completion.range, with: common)
            guard completion.candidates.count > 1 else { return UInt8(CC_REFRESH) }
            ambiguous = engine.withLine { (EditBuffer.decode($0), $1) }
            return UInt8(CC_REFRESH_BEEP)
        }
        if let ambiguous, ambiguous == (line, cursor) {
            printAbove(Array(completion.listing(width: display.columns).utf8))
            return UInt8(CC_REFRESH)
        }
        ambiguous = (line, cursor)
        return UInt8(CC_ERROR)
    }
}
