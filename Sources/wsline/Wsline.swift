import Dispatch
import LineTerminal
import WebSocketProtocol
import WebSocketTransport
import CPosix

/// Leaves this thread to others, until one of them ends the process.
func waitForSignals() -> Never {
    while true { pause() }
}

/// Who reads lines at a terminal.
protocol Conversation: Sendable {
    /// Reads lines until the process exits. On the main thread, which isn't the loop's.
    func readLines() -> Never
}

@main
enum Wsline {
    static func main() {
        openStandardDescriptors()
        Memory.onFailure.withLock { $0 = { Self.leaveWithoutMemory($0) } }
        do throws(UsageFailure) {
            switch try parseCommandLine(Array(CommandLine.arguments.dropFirst()), environment: environmentVariables) {
            case .text(let text): Diagnostics.write(Array(text.utf8), to: STDOUT_FILENO)
            case .run(let configuration): run(configuration)
            }
        } catch {
            Diagnostics().error(error.message)
            error.status.leave()
        }
    }

    /// Opens those of the descriptors 0 to 2 on `/dev/null` that are closed. The next file, pipe or socket would get their number otherwise,
    /// and be read as standard input, or written as standard output or error.
    private static func openStandardDescriptors() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest number that is free is the one that is missing.
            guard open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY) == descriptor else {
                Diagnostics().error(FileError(.open, "/dev/null").description)
                ExitStatus.localIO.leave()
            }
        }
    }

    private static func run(_ configuration: Configuration) -> Never {
        let diagnostics = makeDiagnostics(configuration.output)
        var configuration = configuration
        do throws(UsageFailure) {
            try configuration.askForPassphrase()
        } catch {
            diagnostics.error(error.message)
            error.status.leave()
        }
        do throws(Resources) {
            try Resources.check()
        } catch {
            diagnostics.error(error.description)
            ExitStatus.failure.leave()
        }
        SignalWatcher.holdSignals()
        let input = configuration.input
        let isAtTerminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
        guard isAtTerminal, !configuration.isEchoServer, input.execute.isEmpty, !input.isJSON, input.split == .line else {
            EventLoop.run { _ = begin(configuration, atTerminal: false, diagnostics) }
        }
        // This thread is the editor's: the loop is a background reader.
        DispatchQueue(label: "wsline.reader").async { EventLoop.run {} }
        let ready = configuration
        let conversation = EventLoop.sync { begin(ready, atTerminal: true, diagnostics) }
        conversation?.readLines()
        waitForSignals()
    }

    /// Begins the run; returns who reads lines at the terminal.
    @EventLoop
    private static func begin(_ configuration: Configuration, atTerminal: Bool, _ diagnostics: Diagnostics) -> (any Conversation)? {
        do {
            switch configuration.mode {
            case .connect(let url): return try connect(configuration, url, atTerminal, diagnostics)
            case .listen(let target) where configuration.echo:
                let session = EchoSession(configuration, on: target, diagnostics: diagnostics)
                running = session
                try session.start()
            case .listen(let target):
                let session = try ListenSession(configuration, on: target, atTerminal: atTerminal, diagnostics: diagnostics)
                running = session
                try session.start()
                return session
            case .demo:
                var configuration = configuration
                let url = try Demo.start(&configuration, diagnostics: diagnostics)
                return try connect(configuration, url, atTerminal, diagnostics)
            }
        } catch let error as FileError {
            diagnostics.error(error.description)
            error.exitStatus.leave()
        } catch let error as TransportError {
            diagnostics.error(error.message, hint: error.hint)
            ExitStatus(error).leave()
        } catch {
            preconditionFailure("nothing else is thrown: \(error)")
        }
        return nil
    }

    @EventLoop
    private static func connect(
        _ configuration: Configuration, _ url: WebSocketURL, _ atTerminal: Bool, _ diagnostics: Diagnostics
    ) throws(FileError) -> (any Conversation)? {
        guard atTerminal else {
            let session = try StreamSession(configuration, url: url, diagnostics: diagnostics)
            running = session
            session.start()
            return nil
        }
        let session = try TerminalSession(configuration, url: url, diagnostics: diagnostics)
        running = session
        session.start()
        return session
    }

    /// Keeps the run.
    @EventLoop private static var running: AnyObject?

    private static func leaveWithoutMemory(_ byteCount: Int) -> Never {
        TerminalModes.restore()
        Diagnostics().error("out of memory: \(byteCount) bytes can't be had")
        ExitStatus.failure.leave()
    }

    /// The voice on standard error: filtered and coloured where that is a terminal.
    private static func makeDiagnostics(_ options: OutputOptions) -> Diagnostics {
        Diagnostics(options, isTerminal: isatty(STDERR_FILENO) == 1)
    }
}

extension Diagnostics {
    /// A voice that is filtered and coloured where a terminal hears it.
    convenience init(
        _ options: OutputOptions, level: Level? = nil, isTerminal: Bool,
        write: @escaping Sink = { ErrorOutput.standard.write($0) }
    ) {
        let style = Style(noColorOption: options.noColor, environment: environmentVariables, isTerminal: isTerminal)
        let filters = isTerminal && !options.allowEscapes
        self.init(
            level: level ?? Level(options), filter: { filters ? EscapeFilter.filter($0) : $0 }, style: { style.apply(Style.Role($0), $1) },
            write: write)
    }
}

extension Style.Role {
    init(_ role: Diagnostics.Role) {
        self =
            switch role {
            case .error: .error
            case .hint, .notice: .notice
            case .detail: .detail
            case .sent: .sent
            case .received: .incoming
            }
    }
}

/// The environment that the program was started in; read once, at its first use.
let environmentVariables: [String: String] = {
    var variables: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
        let pair = String(cString: text)
        if let equals = pair.firstIndex(of: "=") { variables[String(pair[..<equals])] = String(pair[pair.index(after: equals)...]) }
        entry += 1
    }
    return variables
}()
