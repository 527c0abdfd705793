import CPosix
import Dispatch
import LineTerminal
import Synchronization
import WebSocketProtocol
import WebSocketTransport

/// A conversation at a terminal: the main thread reads lines through the editor, the loop prints what arrives above them.
@EventLoop
final class TerminalConsole: Console, MessageOutput {
    var buffer: [UInt8] = []
    var onDrain: (() -> Void)?
    var onFailure: ((Int32) -> Void)?
    /// On the terminal, wherever standard error goes.
    let diagnostics: Diagnostics
    let style: Style?
    var output: any MessageOutput { self }
    private let options: TerminalOptions
    private let prompt: Prompt
    private let printer = TerminalPrinter()
    private weak var run: Run?

    /// What the two threads tell each other.
    private struct Progress {
        var editor: LineEditor?
        /// Set once the run is over.
        var status: ExitStatus?
    }

    private let progress = Mutex(Progress())
    /// Signalled when lines are to be read, and when the run is over.
    private let begun = DispatchSemaphore(value: 0)
    private var hasBegun = false

    /// - Parameter standardError: is printed above the line too if it is this terminal.
    init(_ configuration: Configuration, _ standardError: Diagnostics) {
        let printer = printer
        let style = Style(noColorOption: configuration.output.noColor, environment: environmentVariables, isTerminal: true)
        self.style = style
        options = configuration.terminal
        prompt = Prompt("> ", style: style)
        diagnostics = Diagnostics(configuration.output, level: .normal, isTerminal: true, to: printer)
        if isatty(STDERR_FILENO) == 1 { standardError.redirect(to: printer) }
        printer.onDrained { [weak self] in EventLoop.enter { self?.onDrain?() } }
    }

    func start(_ run: Run) { self.run = run }

    // MARK: The main thread

    /// Reads lines until the process exits. On the main thread, which isn't the loop's.
    nonisolated func readLines() -> Never {
        begun.wait()
        if let status = progress.withLock({ $0.status }) { status.leave() }
        do {
            read(with: try makeEditor())
        } catch {
            diagnostics.error("\(error)")
            ExitStatus.localIO.leave()
        }
    }

    private nonisolated func makeEditor() throws -> LineEditor {
        var editing = LineEditor.Configuration(prompt: prompt, environment: environmentVariables)
        editing.complete = Candidates.complete
        let editor = try LineEditor(editing, history: openHistory(), printer: printer)
        let isOver = progress.withLock { progress in
            progress.editor = editor
            return progress.status != nil
        }
        if isOver { editor.stop() }
        return editor
    }

    private nonisolated func openHistory() -> History {
        guard options.keepsHistory, let path = options.historyFile ?? History.defaultPath(environment: environmentVariables) else {
            return History()
        }
        let (history, failure) = History.open(path: path)
        if let failure { diagnostics.notice("\(failure)") }
        return history
    }

    private nonisolated func read(with editor: LineEditor) -> Never {
        while true {
            switch editor.readLine() {
            case .line(let line):
                do {
                    try editor.addHistory(line)
                } catch {
                    diagnostics.notice("\(error)")
                }
                EventLoop.sync { [self] in entered(line) }
            case .interrupt: EventLoop.sync { [self] in run?.quit() }
            case .endOfInput:
                // A terminal that is gone gives nothing else: the closing handshake has its time all the same.
                if isRunEnding {
                    _ = begun.wait(timeout: .now() + .milliseconds(100))
                } else {
                    EventLoop.sync { [self] in run?.quit() }
                }
            case .stopped: leave(editor)
            }
            if progress.withLock({ $0.status != nil }) { leave(editor) }
            // Nothing can be said any more: no prompt asks for it.
            if isRunEnding { editor.prompt = Prompt("") }
        }
    }

    private nonisolated var isRunEnding: Bool { EventLoop.sync { [self] in run?.isEnding ?? true } }

    private nonisolated func leave(_ editor: LineEditor) -> Never {
        editor.close()
        printer.flush()
        (progress.withLock { $0.status } ?? .failure).leave()
    }

    // MARK: Input

    func attach(_ peer: any Peer) {
        if !hasBegun { begun.signal() }
        hasBegun = true
    }

    private func entered(_ line: String) {
        // Enter by mistake, or to set off what comes from what came. `/text` sends an empty message.
        guard !line.isEmpty else { return }
        do throws(CommandFailure) {
            try run?.commands.run(line)
        } catch {
            diagnostics.error("\(error)")
        }
    }

    func commandFailed(_ why: String) { diagnostics.error(why) }

    // Lines come one at a time, whenever somebody types them.
    func resumeInput() {}
    func suspendInput() {}
    func cancelInput() {}

    // MARK: Output

    var isBlocked: Bool { printer.isAboveHighWater }

    func flush() {
        guard !buffer.isEmpty else { return }
        // The printer copies it, and takes it apart.
        Memory.require(buffer.count * 3)
        printer.enqueue(buffer)
        buffer.removeAll(keepingCapacity: buffer.capacity <= Self.keptCapacity)
    }

    private static let keptCapacity = 512 << 10

    /// The run is over: the main thread writes what the printer still has, and leaves.
    func leave(_ status: ExitStatus) {
        let editor = progress.withLock { progress in
            if progress.status == nil { progress.status = status }
            return progress.editor
        }
        editor?.stop()
        begun.signal()
    }
}
