import WebSocketProtocol

/// A proxy to connect through, as curl's `--proxy` spells it.
public struct Proxy: Sendable, Equatable {
    public enum Scheme: String, Sendable, Equatable, CaseIterable {
        case http, https
        /// SOCKS5 with the target's name looked up here.
        case socks5
        /// SOCKS5 with the target's name looked up by the proxy.
        case socks5h
    }

    public struct Credentials: Sendable, Equatable {
        public let user: String
        public let password: Secret
    }

    public let scheme: Scheme
    public let host: String
    public let port: UInt16
    public let credentials: Credentials?

    /// Reads `[SCHEME://][USER:PASS@]HOST[:PORT]`; http and port 1080 (https: 443) where they are left out.
    ///
    /// - Throws: a ``TransportError`` at the proxy stage; the credentials are never in it.
    public init(parsing text: String) throws(TransportError) {
        func refuse(_ why: String) -> TransportError { TransportError(.proxy, .protocolFailure, why) }
        let (schemeText, rest) = split(text, at: "://")
        guard let scheme = Scheme(rawValue: schemeText?.lowercased() ?? "http") else {
            throw refuse("a proxy can't be \((schemeText ?? "").quoted): it must be http, https, socks5 or socks5h")
        }
        self.scheme = scheme
        let authority = rest.prefix { !"/?#".contains($0) }
        let path = rest.dropFirst(authority.count)
        guard ["", "/"].contains(path) else { throw refuse("the proxy has a path, \(path.quoted): it takes none") }
        var hostAndPort = authority
        if let at = authority.lastIndex(of: "@") {
            let (user, password) = split(authority[..<at], at: ":")
            // With no colon there is a user alone, and `split` has it second.
            guard let name = PercentEncoding.decode(user ?? password), let secret = PercentEncoding.decode(user == nil ? "" : password)
            else {
                throw refuse("the proxy's user or password has a bad % escape")
            }
            credentials = Credentials(user: name, password: Secret(secret))
            hostAndPort = authority[authority.index(after: at)...]
        } else {
            credentials = nil
        }
        guard let (host, port) = splitHostAndPort(hostAndPort), !host.isEmpty else {
            throw refuse("\(hostAndPort.quoted) is not a proxy's HOST[:PORT]")
        }
        self.host = host
        self.port = port ?? (scheme == .https ? 443 : 1080)
    }

    /// The proxy that the environment names for a connection: `https_proxy` under TLS, else `http_proxy`; then `all_proxy`; each in lower case
    /// first, then upper; except for the hosts in `no_proxy`. An empty value means none.
    ///
    /// - Throws: what ``init(parsing:)`` throws, with the variable's name.
    public static func fromEnvironment(
        secure: Bool, host: String, port: UInt16, _ environment: (String) -> String?
    ) throws(TransportError) -> Proxy? {
        func value(_ name: String) -> (name: String, value: String)? {
            [name, name.uppercased()].compactMap { name in environment(name).map { (name, $0) } }.first
        }
        guard let chosen = value(secure ? "https_proxy" : "http_proxy") ?? value("all_proxy"), !chosen.value.isEmpty else { return nil }
        if let exceptions = value("no_proxy"), NoProxyList(exceptions.value).contains(host: host, port: port) { return nil }
        do {
            return try Proxy(parsing: chosen.value)
        } catch {
            var named = error
            named.message = "\(chosen.name): \(error.message)"
            throw named
        }
    }
}

extension Proxy: CustomStringConvertible {
    /// `http://host:port`, with no credentials.
    public var description: String { "\(scheme.rawValue)://\(authority(host, port))" }
}

/// The hosts that `no_proxy` excepts: names with all their subdomains, addresses, CIDR blocks, each with a port or without; `*` for all.
struct NoProxyList {
    private let entries: [Substring]

    init(_ text: String) { entries = text.split { $0 == "," || $0.isWhitespace } }

    func contains(host: String, port: UInt16) -> Bool {
        let address = Resolver.literal(host, port: 0)
        let name = normalized(host[...])
        return entries.contains { entry in
            if entry == "*" { return true }
            if let address {
                if let (network, bits) = block(entry) { return address.isIn(network, bits: bits) }
                guard let (entryHost, entryPort) = splitHostAndPort(entry) else { return false }
                return (entryPort ?? port) == port && Resolver.literal(entryHost, port: 0) == address
            }
            guard let (entryHost, entryPort) = splitHostAndPort(entry), (entryPort ?? port) == port else { return false }
            let suffix = normalized(entryHost.drop { $0 == "." })
            return !suffix.isEmpty && (name == suffix || name.hasSuffix("." + suffix))
        }
    }

    private func normalized(_ name: Substring) -> String {
        let lower = name.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }

    private func block(_ entry: Substring) -> (SocketAddress, Int)? {
        let (network, bits) = split(entry, at: "/")
        guard let network, let count = Int(bits), let address = Resolver.literal(String(network), port: 0) else { return nil }
        return (address, count)
    }
}

extension SocketAddress {
    /// Whether the first `bits` bits are those of `network`.
    func isIn(_ network: SocketAddress, bits: Int) -> Bool {
        switch (self, network) {
        case (.ipv4(let address, _), .ipv4(let network, _)):
            (0...32).contains(bits) && (address ^ network) >> (32 - bits) == 0
        case (.ipv6(let address, _, _), .ipv6(let network, _, _)):
            (0...128).contains(bits) && (address ^ network) >> (128 - bits) == 0
        default: false
        }
    }
}

/// `host:port`, an IPv6 literal in brackets.
func authority(_ host: String, _ port: UInt16) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host.escaped):\(port)" }

/// Takes `HOST[:PORT]` apart; brackets, or more than one colon, make HOST an IPv6 literal. `nil` when PORT is not a port.
func splitHostAndPort(_ text: Substring) -> (host: String, port: UInt16?)? {
    var host = text
    var portText: Substring?
    if text.first == "[" {
        guard let end = text.firstIndex(of: "]") else { return nil }
        host = text[text.index(after: text.startIndex)..<end]
        let rest = text[text.index(after: end)...]
        guard rest.isEmpty || rest.first == ":" else { return nil }
        portText = rest.isEmpty ? nil : rest.dropFirst()
    } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
        host = text[..<colon]
        portText = text[text.index(after: colon)...]
    }
    guard let portText else { return (String(host), nil) }
    guard let port = UInt16(portText), port > 0 else { return nil }
    return (String(host), port)
}

/// What stands before and after the first `separator`; with none, all of it is after.
private func split(_ text: some StringProtocol, at separator: String) -> (Substring?, Substring) {
    let text = Substring(text)
    guard let range = text.firstRange(of: separator) else { return (nil, text) }
    return (text[..<range.lowerBound], text[range.upperBound...])
}
