import Dispatch
import LineTerminal
import WebSocketProtocol
import WebSocketTransport
import CPosix

extension Configuration {
    /// Whether a person at a terminal types the messages.
    fileprivate var isConversation: Bool {
        isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && !isEchoServer && input.execute.isEmpty && !input.isJSON
            && input.split == .line
    }
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
        guard configuration.isConversation else {
            EventLoop.run { begin(configuration, PipeConsole(configuration, diagnostics), diagnostics) }
        }
        // This thread is the editor's: the loop is a background reader.
        DispatchQueue(label: "wsline.reader").async { EventLoop.run {} }
        let ready = configuration
        let console = EventLoop.sync {
            let console = TerminalConsole(ready, diagnostics)
            begin(ready, console, diagnostics)
            return console
        }
        console.readLines()
    }

    @EventLoop
    private static func begin(_ configuration: Configuration, _ console: any Console, _ diagnostics: Diagnostics) {
        var configuration = configuration
        do {
            var demo: WebSocketURL?
            if case .demo = configuration.mode { demo = try Demo.start(&configuration, diagnostics: diagnostics) }
            let run = try Run(configuration, console: console, diagnostics: diagnostics)
            running = run
            run.watchSignals()
            switch configuration.mode {
            case .connect(let url): try run.start(ClientRole(url, run))
            case .listen(let target): try run.start(ListenerRole(target, run))
            case .demo: if let demo { try run.start(ClientRole(demo, run)) }
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
    }

    /// Keeps the run.
    @EventLoop private static var running: Run?

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

func environmentVariable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

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
