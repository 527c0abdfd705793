import Synchronization
import CPosix

/// The one voice of the program for whatever is not a message: errors, hints, notices, and what `-v` shows.
///
/// Each call is one write of whole lines, from any thread. Text may hold what a peer sent: where a terminal reads it, `filter` makes it
/// harmless. Nothing here fails; a standard error that is closed goes unheard.
final class Diagnostics: Sendable {
    enum Level: Int, Comparable {
        /// Errors only.
        case quiet
        case normal
        /// `-v`
        case verbose

        init(_ options: OutputOptions) {
            self = options.quiet ? .quiet : options.verbosity > 0 ? .verbose : .normal
        }

        static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// What a line is, for its colour.
    enum Role: Sendable {
        case error, hint, notice
        /// `*`: what happens.
        case detail
        /// `>`: what is sent.
        case sent
        /// `<`: what comes.
        case received

        fileprivate var prefix: String {
            switch self {
            case .error, .hint: "wsline: "
            case .notice: ""
            case .detail: "* "
            case .sent: "> "
            case .received: "< "
            }
        }
    }

    typealias Sink = @Sendable ([UInt8]) -> Void

    let level: Level
    private let filter: @Sendable (String) -> String
    private let style: @Sendable (Role, String) -> String
    private let sink: Mutex<Sink>

    /// - Parameters:
    ///   - filter: makes a line harmless for the terminal that shows it; for pipes and files, the identity.
    ///   - style: colours a line that is otherwise finished.
    ///   - write: takes whole lines, one call after the other; it must not call back.
    init(
        level: Level = .normal,
        filter: @escaping @Sendable (String) -> String = { $0 },
        style: @escaping @Sendable (Role, String) -> String = { $1 },
        write: @escaping Sink = { ErrorOutput.standard.write($0) }
    ) {
        self.level = level
        self.filter = filter
        self.style = style
        sink = Mutex(write)
    }

    /// From now on lines go to `write`, for example through the terminal's printer, which keeps the half-typed line.
    func redirect(to write: @escaping Sink) { sink.withLock { $0 = write } }

    /// `wsline: MESSAGE`, and below it `wsline: HINT` but with `--quiet`. A hint is a request: `try --auth USER:PASS`.
    func error(_ message: String, hint: String? = nil) {
        var text = lines(.error, message)
        if let hint, level > .quiet { text += lines(.hint, hint) }
        emit(text)
    }

    /// A line for everybody but with `--quiet`, with no prefix: `Connected (press CTRL+C to quit)`.
    func notice(_ text: @autoclosure () -> String) {
        if level > .quiet { emit(lines(.notice, text())) }
    }

    /// With `-v`, or with `-vv` only: each line of the text after `* `, `> ` or `< `, as `role` says. Costs nothing where it is not shown.
    func detail(_ text: @autoclosure () -> String, as role: Role = .detail, from minimum: Level = .verbose) {
        if level >= minimum { emit(lines(role, text())) }
    }

    /// The text's lines (parted by LF or CR LF), each filtered, styled and ended.
    private func lines(_ role: Role, _ text: String) -> String {
        // A Swift Character may be CR LF as one.
        var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        if lines.count > 1, lines.last?.isEmpty == true { lines.removeLast() }
        return lines.reduce(into: "") { $0 += style(role, filter(role.prefix + $1)) + "\n" }
    }

    private func emit(_ text: String) {
        let bytes = Array(text.utf8)
        sink.withLock { $0(bytes) }
    }
}

extension Diagnostics {
    /// Writes all of `bytes`, waiting where the descriptor does not block. What nobody can read is dropped, with no signal.
    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        _ = ignoresBrokenPipes
        writeAll(bytes, to: descriptor)
    }

    /// Done once: a pipe without a reader is an error of `write`, and not the end of the process.
    private static let ignoresBrokenPipes: Void = { signal(SIGPIPE, SIG_IGN) }()
}
