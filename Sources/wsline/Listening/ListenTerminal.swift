import Dispatch
import LineTerminal
import WebSocketTransport
import CPosix

/// Where a session's messages are written: gathered in `buffer`, then flushed.
@EventLoop
protocol MessageOutput: AnyObject {
    var buffer: [UInt8] { get set }
    /// Whether the reader is slow, and nothing more should come until `onDrain`.
    var isBlocked: Bool { get }
    var onDrain: (() -> Void)? { get set }
    /// Nothing more can be written; the errno.
    var onFailure: ((Int32) -> Void)? { get set }
    func flush()
}

extension OutputDescriptor: MessageOutput {}

/// A listener's terminal: lines are typed at the prompt, and messages appear above it.
@EventLoop
final class ListenTerminal: MessageOutput {
    let style: Style
    var buffer: [UInt8] = []
    var onDrain: (() -> Void)?
    var onFailure: ((Int32) -> Void)?
    private let printer = TerminalPrinter()
    private let editor: LineEditor
    private let diagnostics: Diagnostics
    /// Entered while the editor's thread reads lines.
    private let reading = DispatchGroup()

    /// Nil where no line can be edited: then the listener does as in a pipe.
    init?(_ configuration: Configuration, diagnostics: Diagnostics) {
        let environment = environmentVariables
        style = Style(noColorOption: configuration.output.noColor, environment: environment, isTerminal: true)
        self.diagnostics = diagnostics
        let options = configuration.terminal
        let path = options.keepsHistory ? options.historyFile ?? History.defaultPath(environment: environment) : nil
        let (history, failure) = path.map(History.open(path:)) ?? (History(), nil)
        do throws(LineTerminalError) {
            editor = try LineEditor(.init(prompt: Prompt("> ", style: style), environment: environment), history: history, printer: printer)
        } catch {
            diagnostics.error("\(error)")
            return nil
        }
        if let failure { diagnostics.notice("\(failure)") }
        printer.onDrained { [weak self] in
            guard let self else { return }
            EventLoop.enter { self.onDrain?() }
        }
        if isatty(STDERR_FILENO) == 1 { diagnostics.redirect { [printer] in _ = printer.enqueue($0) } }
        // What waits to be printed is for the editor's thread alone to print.
        ExitStatus.beforeLeaving { [editor, reading] in
            editor.stop()
            _ = reading.wait(timeout: .now() + 1)
        }
    }

    /// Reads lines until the user has enough; both handlers are called on the loop. On the main thread.
    nonisolated func readLines(_ handle: @escaping @EventLoop @Sendable (String) -> Void, onEnd: @escaping @EventLoop @Sendable () -> Void)
    {
        reading.enter()
        while case .line(let line) = editor.readLine() {
            do throws(History.Failure) {
                try editor.addHistory(line)
            } catch {
                diagnostics.notice("\(error)")
            }
            EventLoop.enter { handle(line) }
        }
        editor.close()
        reading.leave()
        EventLoop.enter(onEnd)
    }

    // MARK: Output

    var isBlocked: Bool { printer.isAboveHighWater }

    func flush() {
        guard !buffer.isEmpty else { return }
        printer.enqueue(buffer)
        buffer.removeAll(keepingCapacity: true)
    }
}
