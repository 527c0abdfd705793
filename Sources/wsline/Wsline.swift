import LineTerminal
import WebSocketProtocol
import WebSocketTransport
import CPosix

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
        do throws(FileError) {
            switch configuration.mode {
            case .connect(let url): try runClient(configuration, url, diagnostics)
            case .listen(let target) where configuration.echo:
                EchoSession(configuration, on: target, diagnostics: diagnostics).run()
            case .listen(let target): try ListenSession(configuration, on: target, diagnostics: diagnostics).run()
            case .demo: try runDemo(configuration, diagnostics)
            }
        } catch {
            diagnostics.error(error.description)
            error.exitStatus.leave()
        }
    }

    private static func leaveWithoutMemory(_ byteCount: Int) -> Never {
        TerminalModes.restore()
        Diagnostics().error("out of memory: \(byteCount) bytes can't be had")
        ExitStatus.failure.leave()
    }

    private static func runClient(_ configuration: Configuration, _ url: WebSocketURL, _ diagnostics: Diagnostics) throws(FileError)
        -> Never
    {
        if TerminalSession.suits(configuration) { try TerminalSession(configuration, url: url, diagnostics: diagnostics).run() }
        try StreamSession(configuration, url: url, diagnostics: diagnostics).run()
    }

    private static func runDemo(_ configuration: Configuration, _ diagnostics: Diagnostics) throws(FileError) -> Never {
        var configuration = configuration
        let url: WebSocketURL
        do throws(TransportError) {
            url = try Demo.start(&configuration, diagnostics: diagnostics)
        } catch {
            diagnostics.error(error.message, hint: error.hint)
            ExitStatus(error).leave()
        }
        try runClient(configuration, url, diagnostics)
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
