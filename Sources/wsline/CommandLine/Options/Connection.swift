import WebSocketProtocol
import WebSocketTransport

extension OptionGroup {
    static let connection = OptionGroup(title: "Connection", topic: "connection", options: request + way + limits)

    // MARK: The request

    private static let request: [Option] = [
        .value(
            "NAME", "-s", "--subprotocol", does: "Offer a subprotocol, or support it with -l; can be repeated",
            details:
                "Names may also be listed with commas, in order of preference. Of a listener's, the first that the client offers is chosen."
        ) { configuration, argument in
            // No token holds a comma, so a list of them can't be mistaken.
            let names = argument.text.split(separator: ",", omittingEmptySubsequences: false)
            configuration.connection.handshake.subprotocols += names.map { String($0.drop { $0 == " " }) }
        },
        .value(
            "'Name: value'", "-H", "--header", does: "Send a header; can be repeated", details: "Repeated names are kept, in their order.",
            in: .client
        ) { $0.connection.handshake.headers.append(try HTTPHeaders.Field(parsing: $1.text)) },
        .value(
            "USER:PASS", "--auth", does: "Send Basic authentication; @FILE takes it from a file", details: inFile, in: .client,
            rules: [.contradicts("--bearer")], elsewhere: ["-u", "--user", "--basic-auth"]
        ) { $0.connection.handshake.authorization = try Authorization(parsing: $1.secret()) },
        .value(
            "TOKEN", "--bearer", does: "Send a bearer token; @FILE takes it from a file", details: inFile, in: .client,
            elsewhere: ["--oauth2-bearer"]
        ) { configuration, argument in
            guard let authorization = Authorization(bearer: try argument.secret()) else {
                throw UsageFailure("--bearer has no token that can be sent: it must be visible ASCII, with no blanks in it")
            }
            configuration.connection.handshake.authorization = authorization
        },
        .value(
            "ORIGIN", "-o", "--origin", does: "Send an Origin", details: "A browser sends the page's, and servers may check it.",
            in: .client
        ) { $0.connection.handshake.origin = $1.text },
        .value("HOST", "--host", does: "Send HOST in place of the URL's", in: .client) { $0.connection.handshake.host = $1.text },
        .value("TEXT", "--user-agent", does: "Send TEXT as the User-Agent; '' sends none", in: .client, elsewhere: ["-A"]) {
            $0.connection.handshake.userAgent = $1.text.isEmpty ? nil : $1.text
        },
        .value(
            "VERSION", "-p", "--protocol", does: "Speak version 8 or 13 of the protocol (13)",
            details: "13 is RFC 6455; 8 is an older draft that few servers still speak.", in: .client
        ) { configuration, argument in
            guard let version = Int(decimal: argument.text, in: 0...255).flatMap(HandshakeVersion.init) else {
                throw argument.invalid("version", "give 8 or 13, and use -s to name a subprotocol")
            }
            configuration.connection.handshake.version = version
        },
        .flag(
            "-L", "--location", does: "Follow redirects", details: "Never from wss to ws; credentials and cookies stay with their server.",
            in: .connect
        ) { $0.connection.followsRedirects = true },
        .value(
            "N", "--max-redirects", does: "Follow at most N of them (10)", in: .connect,
            rules: [.needs("--location", because: "no redirect is followed without it")]
        ) { $0.connection.maxRedirects = try $1.count() },
        .value(
            "PARAMS", "--deflate", does: "Compress with these parameters, e.g. client_max_window_bits=10,level=9",
            details: """
                PARAMS are those of permessage-deflate (RFC 7692, section 7.1), listed with commas, and level=0 to level=9. With -l they limit what a client may \
                negotiate.
                """,
            rules: [.contradicts("--no-deflate")]
        ) { $0.connection.deflate = try PermessageDeflateSettings(parsing: $1.text) },
        .flag("--no-deflate", does: "Don't compress") { $0.connection.deflate = nil },
    ]

    private static let inFile = "@FILE keeps the secret out of the shell's history and the list of processes. It is never shown."

    // MARK: The way to the server

    private static let way: [Option] = [
        .flag("-4", does: "Use IPv4 only", in: .connect, rules: [.contradicts("-6")]) { $0.connection.dialing.families = .ipv4 },
        .flag("-6", does: "Use IPv6 only", in: .connect) { $0.connection.dialing.families = .ipv6 },
        .value(
            "HOST:PORT:ADDR", "--resolve", does: "Connect to ADDR for HOST and PORT; can be repeated",
            details: "ADDR may be several, listed with commas.", in: .connect
        ) { configuration, argument in
            do throws(TransportError) {
                configuration.connection.dialing.overrides.append(try ResolveOverride(parsing: argument.text))
            } catch {
                throw UsageFailure("--resolve \(error.oneLine)")
            }
        },
        .value("PATH", "--unix-socket", does: "Connect to a socket file in place of the URL's host", in: .connect) {
            configuration, argument in
            guard (1...SocketAddress.maximumPathLength).contains(argument.text.utf8.count) else {
                throw UsageFailure("--unix-socket needs a path of 1 to \(SocketAddress.maximumPathLength) bytes")
            }
            configuration.connection.unixSocket = argument.text
        },
        .value(
            "PROXY", "--proxy",
            does: """
                Go through [SCHEME://][USER:PASS@]HOST[:PORT] by http, https, socks5 or socks5h, in place of what https_proxy, http_proxy and all_proxy say
                """,
            details: "socks5 looks the server's name up here, socks5h lets the proxy do it.", in: .connect,
            rules: [.contradicts("--no-proxy")]
        ) { configuration, argument in
            do throws(TransportError) {
                configuration.connection.proxy = .given(try Proxy(parsing: argument.text))
            } catch {
                // A password with a slash in it looks like a path, which the error would quote.
                guard !argument.text.contains("@") else {
                    throw UsageFailure(
                        "--proxy can't be read: give [SCHEME://][USER:PASS@]HOST[:PORT], with /, ? and # in PASS as %2F, %3F and %23")
                }
                throw UsageFailure("--proxy \(argument.text.quoted): \(error.oneLine)")
            }
        },
        .flag("--no-proxy", does: "Use no proxy, whatever the environment says", in: .connect) { $0.connection.proxy = .none },
    ]

    // MARK: Limits

    private static let limits: [Option] = [
        .value(
            "SECS", "--connect-timeout", does: "Give up connecting after that long (10)",
            details: "It covers all that comes before the connection is open.", in: .client
        ) { $0.connection.dialing.connectTimeout = try $1.seconds(positive: true) },
        .value(
            "SECS", "--close-timeout", does: "Wait that long for the answer to a close (5)",
            live: .value { Live.seconds($0.connection.limits.closeTimeout) }
        ) { $0.connection.limits.closeTimeout = try $1.nanoseconds() },
        .value(
            "SIZE", "--max-message", does: "Refuse messages larger than that (64M)",
            details: "Those that --save streams to files may have any size.",
            live: .value { Live.size($0.connection.limits.maxMessageSize) }
        ) { $0.connection.limits.maxMessageSize = UInt64(try $1.size()) },
        .value(
            "SIZE", "--max-memory", does: "Let the messages of all connections hold at most that (512M)",
            details: "Whoever would need more is closed with 1013. The default is --max-message where that is more than 512M."
        ) { $0.connection.maxMemory = try $1.size() },
        .value(
            "SECS", "--ping-interval", does: "Send a ping that often",
            details: "It keeps proxies from closing a connection that is silent for long.",
            live: .time({ $0.pingInterval }) { $0.pingInterval = 0 }
        ) { $0.connection.limits.pingInterval = try $1.nanoseconds(positive: true) },
        .value(
            "SECS", "--ping-timeout", does: "Give up if a ping has no answer for that long", details: "The exit status is then 8.",
            rules: [.needs("--ping-interval", because: "no ping would be sent to wait for")],
            live: .time({ $0.pingTimeout }) { $0.pingTimeout = 0 }
        ) { $0.connection.limits.pingTimeout = try $1.nanoseconds(positive: true) },
        .value(
            .optionalCount, "--reconnect", does: "Connect again when the connection is lost, at most N times in a row",
            details: """
                Also when it could not be made, or was closed with 1001, 1011, 1012, 1013 or 1014. Attempts begin a quarter of a second apart and then take twice \
                as long each time, up to 30 seconds. -x messages are sent again on each connection.
                """,
            in: .connect
        ) { configuration, argument in
            configuration.connection.reconnectAttempts = argument.text.isEmpty ? .max : try argument.count()
        },
    ]
}
