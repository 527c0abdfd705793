/// Where to connect: a `ws`, `wss`, `http` (= ws), `https` (= wss) or `ws+unix` URL, or a bare `host[:port][/path]` (= ws).
///
/// See RFC 6455, section 3, for the grammar. ``description`` never shows credentials, ``revealed`` does.
public struct WebSocketURL: Hashable, Sendable {
    /// A host as it was written, in lower case.
    public enum Host: Hashable, Sendable {
        /// A name of letters, digits, hyphens, underscores and dots.
        case name(String)
        /// Four decimal numbers.
        case ipv4(String)
        /// Without brackets. The zone names an interface of this machine and never goes on the wire (RFC 6874, section 4).
        case ipv6(String, zone: String?)

        /// What the resolver takes: no brackets, and the zone after `%`.
        public var lookupName: String {
            switch self {
            case .name(let text), .ipv4(let text): text
            case .ipv6(let text, let zone): text + (zone.map { "%" + $0 } ?? "")
            }
        }

        /// As it stands in a Host field: an IPv6 address in brackets, without its zone.
        public var fieldValue: String {
            switch self {
            case .name(let text), .ipv4(let text): text
            case .ipv6(let text, _): "[\(text)]"
            }
        }
    }

    public enum Endpoint: Hashable, Sendable {
        case tcp(Host, port: UInt16)
        /// The path of a stream socket, percent-decoded.
        case unix(path: String)
    }

    public let endpoint: Endpoint
    /// Whether TLS is spoken.
    public let isSecure: Bool
    /// Path and query as the request line has them: at least `/`, visible ASCII only.
    public let target: String
    /// The userinfo, percent-decoded.
    public let credentials: Authorization?

    /// The value of the Host field: the port is left out if it is the scheme's default one (RFC 6455, section 4.1). `localhost` for a socket path.
    public var hostField: String {
        switch endpoint {
        case .tcp(let host, let port): host.fieldValue + (port == Self.defaultPort(isSecure: isSecure) ? "" : ":\(port)")
        case .unix: "localhost"
        }
    }

    static func defaultPort(isSecure: Bool) -> UInt16 { isSecure ? 443 : 80 }

    /// The same URL with other credentials, or none.
    public func with(credentials: Authorization?) -> WebSocketURL {
        WebSocketURL(endpoint: endpoint, isSecure: isSecure, target: target, credentials: credentials)
    }
}

extension WebSocketURL: CustomStringConvertible {
    /// Reads what a user types.
    public init(_ text: String) throws(ParseError) {
        var parser = WebSocketURLParser(text[...].unicodeScalars)
        self = try parser.url()
    }

    /// The URL for printing: without user and password, and with `***` in place of query values that are credentials.
    public var description: String { text("", CredentialMask().masked(target)) }

    /// The whole URL: one that leads to the same place in the same way.
    public var revealed: String { text(credentials?.userinfo.map { "\($0)@" } ?? "", target) }

    private func text(_ userinfo: String, _ target: String) -> String {
        switch endpoint {
        case .tcp(.ipv6(let address, let zone?), let port):
            "\(scheme)://\(userinfo)[\(address)%25\(zone)]" + (port == Self.defaultPort(isSecure: isSecure) ? "" : ":\(port)") + target
        case .tcp: "\(scheme)://\(userinfo)\(hostField)\(target)"
        case .unix(let path): "ws+unix://\(PercentEncoding.encode(path, keeping: PercentEncoding.isAllowedInSocketPath)):\(target)"
        }
    }

    private var scheme: String { isSecure ? "wss" : "ws" }
}

/// Percent-encoding (RFC 3986, section 2.1).
package enum PercentEncoding {
    /// What may stand in a path or query as it is: RFC 3986's `pchar`, `/`, `?`, an escape's `%`, and the brackets, which many servers expect bare.
    static func isAllowedInTarget(_ byte: UInt8) -> Bool { isUnreserved(byte) || "!$&'()*+,;=:@/?%[]".utf8.contains(byte) }

    static func isAllowedInSocketPath(_ byte: UInt8) -> Bool { isUnreserved(byte) || "!$&'()*+,;=@/".utf8.contains(byte) }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        byte.isASCIILetter || byte.isASCIIDigit || "-._~".utf8.contains(byte)
    }

    /// Every byte of the UTF-8 that isn't kept becomes `%XX`.
    static func encode(_ text: some StringProtocol, keeping isKept: (UInt8) -> Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if isKept(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `nil` if a `%` isn't followed by two digits, or the bytes aren't UTF-8.
    package static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(Hex.value), let low = rest.popFirst().flatMap(Hex.value) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
