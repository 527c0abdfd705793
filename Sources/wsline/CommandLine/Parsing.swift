import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// What a command line asks for.
enum CommandLineResult {
    case run(Configuration)
    /// Help or the version: for stdout, with exit status 0.
    case text(String)
}

/// Why a command line can't be followed.
struct UsageFailure: Error, Equatable {
    /// One line: what is wrong, the value quoted unless it may be a secret, and the likely fix.
    let message: String
    let status: ExitStatus

    init(_ message: String, status: ExitStatus = .usage) {
        self.message = message
        self.status = status
    }
}

/// Reads a command line, without the program's name, and checks all of it: what is left to fail is the network and the files of TLS.
///
/// Files named by `--auth @FILE` and `--bearer @FILE` are read. Of the environment, `SSLKEYLOGFILE` is used.
func parseCommandLine(_ arguments: [String], environment: [String: String]) throws(UsageFailure) -> CommandLineResult {
    switch try Scanner.scan(arguments) {
    case .help(let topic): return .text(try topic.map(Help.about) ?? Help.text)
    case .version: return .text(Help.version)
    case .run(let given):
        try Rules(given).check()
        return .run(try Configuration(given, environment: environment))
    }
}

extension Configuration {
    /// Applies each option that was given, all of which have passed ``Rules``, and checks the whole.
    init(_ given: Given, environment: [String: String]) throws(UsageFailure) {
        self.init(mode: try Mode(given))
        self.given = given
        connection.handshake.userAgent = Help.userAgent
        connection.tls.keyLogFile = environment["SSLKEYLOGFILE"].flatMap { $0.isEmpty ? nil : $0 }
        if case .demo = mode { connection.proxy = .none }
        for argument in given.options { try argument.apply(to: &self) }
        connection.limits.memory = MemoryBudget(
            limit: connection.maxMemory ?? max(512 << 20, Int(clamping: connection.limits.maxMessageSize)))
        try checkRequest()
    }

    /// Asks for the key's passphrase on the terminal, if `--passphrase` was given without it.
    mutating func askForPassphrase() throws(UsageFailure) {
        guard asksPassphrase, let identity = connection.tls.identity else { return }
        let file = identity.keyFile ?? identity.certificateFile
        let answer: String?
        do throws(LineTerminalError) {
            answer = try readSecret(prompt: "Passphrase for \(file.quoted): ")
        } catch {
            throw UsageFailure("can't ask for the passphrase of \(file.quoted): \(error): give it with --passphrase TEXT")
        }
        guard let answer, !answer.isEmpty else { throw UsageFailure("no passphrase was given for \(file.quoted)") }
        connection.tls.identity?.passphrase = Secret(answer)
    }

    /// Makes the request that will be made, with another key, so that no option is found wrong once the connection is open. The URL adds only
    /// what it has checked itself.
    private func checkRequest() throws(UsageFailure) {
        let url = if case .connect(let url) = mode { url } else { try? WebSocketURL("ws://localhost") }
        guard let url, let key = HandshakeKey([UInt8](repeating: 0, count: 16)) else { return }
        do throws(ClientHandshake.OptionsError) {
            _ = try ClientHandshake(url: url, key: key, options: connection.handshake)
        } catch {
            throw UsageFailure(error.description, status: error == .sha1Unavailable ? .failure : .usage)
        }
    }
}

extension Configuration.Mode {
    /// What the operands, `--connect`, `--listen` and `--demo` ask for together.
    fileprivate init(_ given: Given) throws(UsageFailure) {
        let urls = given.options.filter { $0.option.name == "--connect" }.map(\.text) + given.operands
        guard urls.count <= 1 else {
            // A word that isn't quoted is the usual reason. Nothing with an @ is shown, since it may be a password.
            let mask = CredentialMask()
            let shown = urls.prefix(2).map { $0.contains("@") ? "one with a user" : mask.masked($0).quoted }.joined(separator: " and ")
            throw UsageFailure("more than one URL, \(shown): give one, and put quotes round a value that holds blanks")
        }
        do {
            switch (given.last("--listen"), urls.first) {
            case (let listen?, nil): self = .listen(try ListenTarget(parsing: listen.text))
            case (_?, _?): throw UsageFailure("-l and a URL can't go together: wsline either listens or connects")
            case (nil, _?) where given.role == .demo: throw UsageFailure("--demo and a URL contradict each other: give one of them")
            case (nil, let url?): self = .connect(try WebSocketURL(url))
            case (nil, nil) where given.role == .demo: self = .demo
            case (nil, nil): throw UsageFailure("no URL: give one, as in \"wsline wss://example.org/\"")
            }
        } catch {
            throw UsageFailure(error, prefix: "")
        }
    }
}

extension Argument {
    func apply(to configuration: inout Configuration) throws(UsageFailure) {
        do {
            try option.apply(&configuration, self)
        } catch let error as HTTPFieldError {
            // It names the header.
            throw UsageFailure(error.description)
        } catch {
            throw UsageFailure(error, prefix: "\(spelling): ")
        }
    }
}

extension UsageFailure {
    /// - Parameter prefix: what stands before the message of another error.
    fileprivate init(_ error: any Error, prefix: String) {
        self = error as? UsageFailure ?? UsageFailure(prefix + ((error as? TransportError)?.oneLine ?? "\(error)"))
    }
}

extension TransportError {
    /// The message, with the hint after it.
    var oneLine: String { hint.map { "\(message) (\($0))" } ?? message }
}
