import LineTerminal
import Synchronization
import WebSocketTransport

/// Where whole lines go, from any thread, none of which waits for it.
protocol LineSink: Sendable {
    func write(_ lines: [UInt8])
    /// Takes lines that are written before the loop waits, and before what is written later. Returns false if too much waits already.
    @EventLoop func gather(_ lines: [UInt8]) -> Bool
    /// Whether too much waits to be written.
    var isFull: Bool { get }
}

extension LineSink {
    @EventLoop func gather(_ lines: [UInt8]) -> Bool {
        write(lines)
        return !isFull
    }
}

/// Where lines go that nobody is to see.
struct NoLines: LineSink {
    func write(_ lines: [UInt8]) {}
    var isFull: Bool { false }
}

/// The terminal, above the line that is typed.
extension TerminalPrinter: LineSink {
    func write(_ lines: [UInt8]) { enqueue(lines) }
    var isFull: Bool { isAboveHighWater }
}

/// Reports everything that is not a message, on behalf of the whole program: errors, hints, notices, and what `-v` shows.
///
/// Each call is one write of whole lines, from any thread. Nothing here fails; what nobody can read is dropped.
final class Diagnostics: Sendable {
    enum Level: Comparable {
        /// Errors only.
        case quiet
        case normal
        /// `-v`
        case verbose

        init(_ options: OutputOptions) { self = options.quiet ? .quiet : options.verbosity > 0 ? .verbose : .normal }
    }

    private struct State {
        var level: Level
        var filters: Bool
        var sink: any LineSink
    }

    let style: Style
    /// Whether a terminal shows the lines, as far as that is known.
    private let isTerminal: Bool
    /// Whether the level is that of the options.
    private let followsOptions: Bool
    private let state: Mutex<State>

    /// - Parameters:
    ///   - filters: whether escapes are made harmless, which a peer may have sent; for a terminal.
    ///   - sink: gets one call after the other; it must not call back.
    convenience init(
        level: Level = .normal, style: Style = Style(isEnabled: false), filters: Bool = false, to sink: any LineSink = ErrorOutput.standard
    ) {
        self.init(State(level: level, filters: filters, sink: sink), style, isTerminal: filters, followsOptions: false)
    }

    private init(_ state: State, _ style: Style, isTerminal: Bool, followsOptions: Bool) {
        self.state = Mutex(state)
        self.style = style
        self.isTerminal = isTerminal
        self.followsOptions = followsOptions
    }

    /// Filters and colours the lines if a terminal shows them.
    convenience init(
        _ options: OutputOptions, level: Level? = nil, isTerminal: Bool, to sink: any LineSink = ErrorOutput.standard
    ) {
        let style = Style(noColorOption: options.noColor, environment: environmentVariables, isTerminal: isTerminal)
        self.init(
            State(level: level ?? Level(options), filters: isTerminal && !options.allowEscapes, sink: sink), style,
            isTerminal: isTerminal, followsOptions: level == nil)
    }

    var level: Level { state.withLock { $0.level } }

    /// Takes over what may have changed of the options.
    func adopt(_ options: OutputOptions) {
        state.withLock { state in
            if followsOptions { state.level = Level(options) }
            state.filters = isTerminal && !options.allowEscapes
        }
    }

    /// From now on lines go to `other`, for example the terminal's printer, which keeps the half-typed line.
    func redirect(to other: any LineSink) { state.withLock { $0.sink = other } }

    /// Writes `wsline: MESSAGE`, and below it `wsline: HINT` unless with `--quiet`. A hint is a request: `try --auth USER:PASS`.
    func error(_ message: String, hint: String? = nil) {
        var text = lines(message, .error, "wsline: ")
        if let hint, level > .quiet { text += lines(hint, .notice, "wsline: ") }
        emit(text)
    }

    /// Writes a line, unless with `--quiet`, with no prefix: `Connected (press CTRL+C to quit)`.
    func notice(_ text: @autoclosure () -> String) {
        if level > .quiet { emit(lines(text(), .notice, "")) }
    }

    /// Writes each line of the text after a mark if the level is `minimum` at least, and costs nothing otherwise.
    ///
    /// - Parameter role: `> ` marks what is `sent`, `< ` what is `incoming`, and `* ` what happens.
    func detail(_ text: @autoclosure () -> String, as role: Style.Role = .detail, from minimum: Level = .verbose) {
        if level >= minimum { emit(lines(text(), role, role == .sent ? "> " : role == .incoming ? "< " : "* ")) }
    }

    /// The text's lines (separated by LF or CR LF), each with its prefix, filtered, styled and ended.
    private func lines(_ text: String, _ role: Style.Role, _ prefix: String) -> String {
        // A Swift Character may be CR LF as one.
        var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        if lines.count > 1, lines.last?.isEmpty == true { lines.removeLast() }
        let filters = state.withLock { $0.filters }
        return lines.reduce(into: "") {
            let line = prefix + $1
            $0 += style.apply(role, filters ? EscapeFilter.filter(line) : line) + "\n"
        }
    }

    private func emit(_ text: String) {
        let bytes = Array(text.utf8)
        state.withLock { $0.sink.write(bytes) }
    }

    // MARK: Many lines

    /// Writes whole lines as they are, with others that come in the same turn of the loop. Returns false if its reader is slow: nothing more
    /// should come until ``isFull`` is false.
    @EventLoop func gather(_ lines: [UInt8]) -> Bool { state.withLock { $0.sink }.gather(lines) }

    var isFull: Bool { state.withLock { $0.sink }.isFull }
}
