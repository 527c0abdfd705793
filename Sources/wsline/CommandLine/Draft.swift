import WebSocketProtocol
import WebSocketTransport

/// A configuration in the making: options change it one after the other, then ``configuration(environment:)`` checks the whole.
struct Draft {
    /// `-c`, and operands.
    var urls: [String] = []
    var listen: ListenTarget?
    var isDemo = false
    var connection = ConnectionOptions()
    var input = InputOptions()
    var stop = StopOptions()
    var output = OutputOptions()
    var terminal = TerminalOptions()
    var echo = false
    var followsRedirects = false
    var maxRedirects = 10
    var maxMemory: Int?
    var identity = Identity()

    /// Our certificate, until it's known to which side of TLS it belongs.
    struct Identity {
        var certificateFile: String?
        var keyFile: String?
        /// Empty where it is to be asked for.
        var passphrase: String?
    }

    /// Applies each option that was given. They must have passed ``Rules``.
    init(_ given: Given) throws(UsageFailure) {
        connection.handshake.userAgent = Help.userAgent
        connection.deflate = PermessageDeflateSettings()
        for argument in given.options {
            do {
                try argument.option.apply(&self, argument)
            } catch let failure as UsageFailure {
                throw failure
            } catch {
                throw UsageFailure("\(argument.spelling): \(error)")
            }
        }
        urls += given.operands
    }

    func configuration(environment: [String: String]) throws(UsageFailure) -> Configuration {
        var configuration = Configuration(mode: try mode())
        configuration.connection = connection
        configuration.connection.limits.memory = MemoryBudget(
            limit: maxMemory ?? max(512 << 20, Int(clamping: connection.limits.maxMessageSize)))
        configuration.connection.redirects = followsRedirects ? maxRedirects : 0
        configuration.connection.tls.keyLogFile = environment["SSLKEYLOGFILE"].flatMap { $0.isEmpty ? nil : $0 }
        configuration.connection.tls.identity = identity.certificateFile.map { certificate in
            let passphrase = identity.passphrase.flatMap { $0.isEmpty ? nil : $0 }
            return TLSIdentity(certificateFile: certificate, keyFile: identity.keyFile, passphrase: passphrase.map { .init($0) })
        }
        if case .listen = configuration.mode { configuration.listening = ListenOptions(configuration.connection) }
        configuration.input = input
        configuration.stop = stop
        configuration.output = output
        configuration.terminal = terminal
        configuration.echo = echo
        configuration.asksPassphrase = identity.passphrase == ""
        try check(connection.handshake, in: configuration.mode)
        return configuration
    }

    // MARK: Where to

    private func mode() throws(UsageFailure) -> Configuration.Mode {
        guard urls.count <= 1 else { throw Self.twoURLs(urls) }
        switch (listen, urls.first) {
        case (let target?, nil): return .listen(target)
        case (nil, _?) where isDemo: throw UsageFailure("--demo and a URL contradict each other: give one of them")
        case (nil, let text?):
            do throws(WebSocketURL.ParseError) {
                return .connect(try WebSocketURL(text))
            } catch {
                throw UsageFailure(error.description)
            }
        case (nil, nil) where isDemo: return .demo
        case (nil, nil): throw UsageFailure("no URL: give one, as in \"wsline wss://example.org/\"")
        case (_?, _?): throw UsageFailure("-l and a URL can't go together: wsline either listens or connects")
        }
    }

    /// A word that isn't quoted is the usual reason. Nothing with an @ is shown, since it may be a password.
    private static func twoURLs(_ urls: [String]) -> UsageFailure {
        let shown = urls.prefix(2).map { $0.contains("@") ? "one with a user" : $0.quoted }.joined(separator: " and ")
        return UsageFailure("more than one URL, \(shown): give one, and put quotes round a value that holds blanks")
    }

    /// Makes the request that will be made, with another key, so that no option is found wrong once the connection stands. The URL adds only
    /// what it has checked itself.
    private func check(_ options: ClientHandshake.Options, in mode: Configuration.Mode) throws(UsageFailure) {
        let url = if case .connect(let url) = mode { url } else { try? WebSocketURL("ws://localhost") }
        guard let url, let key = HandshakeKey([UInt8](repeating: 0, count: 16)) else { return }
        do throws(ClientHandshake.OptionsError) {
            _ = try ClientHandshake(url: url, key: key, options: options)
        } catch {
            throw UsageFailure(error.description, status: error == .sha1Unavailable ? .failure : .usage)
        }
    }
}

extension ListenOptions {
    /// The listener's share of what the options say about TLS and subprotocols.
    fileprivate init(_ connection: ConnectionOptions) {
        self.init(
            identity: connection.tls.identity, clientCAFile: connection.tls.caFile,
            minimumTLSVersion: connection.tls.minimumVersion, subprotocols: connection.handshake.subprotocols)
    }
}

extension TransportError {
    /// The message, with the hint after it.
    var oneLine: String { hint.map { "\(message) (\($0))" } ?? message }
}
