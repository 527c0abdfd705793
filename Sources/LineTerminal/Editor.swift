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

    /// What stands before the line from the next key on; while a search goes on, that says what is searched.
    public var prompt: Prompt
    /// What prints above the line.
    public let printer: TerminalPrinter
    let complete: ((String, Int) -> Completion?)?
    let input: Int32
    let output: Int32
    let usesEscapes: Bool
    let engine: LibEdit
    let pipe: WakePipe
    let window: Window
    let isStopped = Atomic(false)
    var history: History
    var display: LineDisplay
    /// When the screen was last written to.
    var drawn = ContinuousClock.now
    var parser = InputParser()
    /// Whether nothing came after what the parser holds, and when it will be taken that nothing does.
    var isInputComplete = false
    var inputDeadline: ContinuousClock.Instant?
    /// Why the read is ended other than by libedit.
    var ending: Ending?
    /// What the paste command is to insert.
    var pasted = ""
    /// Whether Ctrl-V stood before the paste, and took its key for text.
    var isPasteQuoted = false
    /// Whether the next character is to be inserted whatever it is (Ctrl-V).
    var isQuoting = false
    var needsBell = false
    /// The line and cursor that Tab last left ambiguous: the second Tab lists.
    var ambiguous: HistoryWalk.Line?
    /// The search that goes on, in place of the line, which libedit keeps meanwhile.
    var search: Searching?
    /// What was searched last.
    var lastQuery = ""
    /// Where the arrows are in history, once they or a search have been there.
    var walk: HistoryWalk?
    /// Where the arrows went last, and the column they came from.
    var vertical: (cursor: Int, column: Int)?

    enum Ending { case interrupt, cleared, endOfInput, stopped }

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
        engine = try LibEdit(input: input, commands: Self.commands)
        window = Window(input: input, output: output, pipe: pipe, environment: environment, reportDelay: configuration.reportDelay)
        display = LineDisplay(isDumb: !usesEscapes, rewraps: !cutsRows, columns: window.size.columns, rows: window.size.rows)
        wsline_el_set_clientdata(engine.handle, Unmanaged.passUnretained(self).toOpaque())
        wsline_el_set_getcfn(engine.handle) { handle, character in LineEditor.of(handle)?.nextCharacter(character) ?? -1 }
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
        (ambiguous, search, walk, vertical) = (nil, nil, nil, nil)
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

    static func of(_ handle: OpaquePointer?) -> LineEditor? {
        guard let data = wsline_el_get_clientdata(handle) else { return nil }
        return Unmanaged<LineEditor>.fromOpaque(data).takeUnretainedValue()
    }

    func write(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        writeAll(bytes, to: output)
        drawn = .now
    }
}
