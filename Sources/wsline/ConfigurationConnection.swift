import WebSocketProtocol
import WebSocketTransport

extension ConfigurationBuilder {
    func connection() throws(UsageFailure) -> ConnectionOptions {
        var connection = ConnectionOptions()
        connection.handshake = try handshake()
        connection.dialing = try dialing()
        connection.unixSocket = raw.unixSocket
        connection.tls = try tls()
        connection.limits = try limits()
        connection.deflate = try deflate()
        connection.proxy = try proxy()
        if let attempts = raw.reconnect {
            connection.reconnect = .init(attempts: attempts.isEmpty ? nil : try count("--reconnect", attempts))
        }
        if raw.location { connection.redirects = try count("--max-redirects", raw.maxRedirects) ?? 10 }
        return connection
    }

    func listening(_ connection: ConnectionOptions) throws(UsageFailure) -> ListenOptions {
        guard raw.listen != nil else { return ListenOptions() }
        return ListenOptions(
            identity: connection.tls.identity, clientCAFile: connection.tls.caFile,
            minimumTLSVersion: connection.tls.minimumVersion, subprotocols: connection.handshake.subprotocols)
    }

    // MARK: The request

    private func handshake() throws(UsageFailure) -> ClientHandshake.Options {
        var options = ClientHandshake.Options()
        // No token holds a comma, so a list of them can't be mistaken.
        options.subprotocols = raw.subprotocol.flatMap { list in
            list.split(separator: ",", omittingEmptySubsequences: false).map { String($0.drop { $0 == " " }) }
        }
        for header in raw.header {
            do throws(HTTPFieldError) {
                options.headers.append(try HTTPHeaders.Field(parsing: header))
            } catch {
                throw UsageFailure(error.description)
            }
        }
        options.origin = raw.origin
        options.host = raw.host
        options.userAgent = "wsline/\(Help.programVersion)"
        if let userAgent = raw.userAgent { options.userAgent = userAgent.isEmpty ? nil : userAgent }
        options.authorization = try authorization()
        if let text = raw.protocol {
            guard let version = Int(decimal: text, in: 0...255).flatMap(HandshakeVersion.init) else {
                throw UsageFailure("--protocol \(text.quoted) is no version: give 8 or 13, and use -s to name a subprotocol")
            }
            options.version = version
        }
        return options
    }

    private func authorization() throws(UsageFailure) -> Authorization? {
        if let text = raw.auth {
            let credentials = try secret("--auth", text)
            do throws(BasicAuth.InvalidError) {
                return .basic(try BasicAuth(parsing: .init(credentials)))
            } catch {
                throw UsageFailure("--auth can't be sent: \(error)")
            }
        }
        if let text = raw.bearer {
            guard let token = BearerToken(.init(try secret("--bearer", text))) else {
                throw UsageFailure("--bearer has no token that can be sent: it must be visible ASCII, with no blanks in it")
            }
            return .bearer(token)
        }
        return nil
    }

    private func deflate() throws(UsageFailure) -> PermessageDeflateSettings? {
        guard !raw.noDeflate else { return nil }
        guard let text = raw.deflate else { return PermessageDeflateSettings() }
        do throws(PermessageDeflateSettings.ParseError) {
            return try PermessageDeflateSettings(parsing: text)
        } catch {
            throw UsageFailure("--deflate: \(error)")
        }
    }

    // MARK: The way to the server

    private func dialing() throws(UsageFailure) -> DialOptions {
        var options = DialOptions()
        if raw.ipv4 { options.families = .ipv4 }
        if raw.ipv6 { options.families = .ipv6 }
        for text in raw.resolve {
            do throws(TransportError) {
                options.overrides.append(try ResolveOverride(parsing: text))
            } catch {
                throw UsageFailure("--resolve \(error.oneLine)")
            }
        }
        options.serverName = raw.servername
        options.connectTimeout = try seconds("--connect-timeout", raw.connectTimeout, positive: true) ?? options.connectTimeout
        if raw.unixSocket == "" || (raw.unixSocket?.utf8.count ?? 0) > SocketAddress.maximumPathLength {
            throw UsageFailure("--unix-socket needs a path of 1 to \(SocketAddress.maximumPathLength) bytes")
        }
        return options
    }

    private func proxy() throws(UsageFailure) -> ConnectionOptions.ProxyChoice {
        if raw.noProxy { return .none }
        guard let text = raw.proxy else { return .environment }
        do throws(TransportError) {
            return .given(try Proxy(parsing: text))
        } catch {
            // A password with a slash in it looks like a path, which the error would quote.
            guard !text.contains("@") else {
                throw UsageFailure(
                    "--proxy can't be read: give [SCHEME://][USER:PASS@]HOST[:PORT], with /, ? and # in PASS as %2F, %3F and %23")
            }
            throw UsageFailure("--proxy \(text.quoted): \(error.oneLine)")
        }
    }

    private func limits() throws(UsageFailure) -> Connection.Configuration {
        var limits = Connection.Configuration()
        if let size = try size("--max-message", raw.maxMessage) { limits.maxMessageSize = UInt64(size) }
        if let seconds = try seconds("--close-timeout", raw.closeTimeout) { limits.closeTimeout = Self.nanoseconds(seconds) }
        if let seconds = try seconds("--ping-interval", raw.pingInterval, positive: true) {
            limits.pingInterval = Self.nanoseconds(seconds)
        }
        if let seconds = try seconds("--ping-timeout", raw.pingTimeout, positive: true) { limits.pingTimeout = Self.nanoseconds(seconds) }
        return limits
    }

    /// Seconds that were read as such are far from overflowing it.
    private static func nanoseconds(_ seconds: Double) -> Instant { Instant((seconds * 1e9).rounded()) }

    // MARK: TLS

    private func tls() throws(UsageFailure) -> TLSContext.ClientOptions {
        var options = TLSContext.ClientOptions()
        options.insecure = raw.noCheck
        options.caFile = raw.ca
        options.keyLogFile = environment["SSLKEYLOGFILE"].flatMap { $0.isEmpty ? nil : $0 }
        if let version: TLSVersion = try choice("--tls-min", raw.tlsMin) { options.minimumVersion = version }
        options.identity = raw.cert.map { certificate in
            let passphrase = raw.passphrase.flatMap { $0.isEmpty ? nil : $0 }
            return TLSIdentity(certificateFile: certificate, keyFile: raw.key, passphrase: passphrase.map { .init($0) })
        }
        return options
    }
}
