extension WebSocketURL {
    /// Why a text is not a URL to connect to. Nothing that may belong to a password is carried or quoted.
    public enum ParseError: Error, Hashable, Sendable {
        case empty
        /// A control character, a line end for one, would let a URL write into the request.
        case controlCharacter(UInt8, column: Int)
        case surroundingBlank
        case unknownScheme(String)
        /// `ws:/host` or `ws:host`
        case missingSlashes(scheme: String)
        /// `wss//host`
        case missingColon(scheme: String)
        /// `//host`
        case missingScheme
        case missingHost
        case invalidHost(String)
        case nonASCIIHost(String)
        case invalidIPv4(String)
        case invalidIPv6(String)
        case unbracketedIPv6(String)
        case unclosedBracket(String)
        case afterBracket(String)
        case emptyPort
        case invalidPort(String)
        case portOutOfRange(String)
        case userinfo(Authorization.InvalidError)
        case userinfoEncoding
        /// What stands before the first `/`, `?` or `#` is not an authority, and an `@` comes after: the password may hold one of those bare.
        case delimiterInUserinfo
        /// Refused by RFC 6455, section 3. `nil` if it may hold a piece of a password.
        case fragment(String?)
        case relativeSocketPath
        case invalidSocketPath(String)
        case relativeTarget(String)
        /// A redirect may lead to ws, wss, http and https alone.
        case redirectScheme(String)
    }
}

extension WebSocketURL.ParseError: CustomStringConvertible {
    /// One line: what is wrong, and the likely fix.
    public var description: String {
        switch self {
        case .empty: "the URL is empty: expected one such as ws://localhost:8080/path"
        case .controlCharacter(let byte, let column): "the URL has a control character, \(byte.quoted), at column \(column)"
        case .surroundingBlank: "the URL begins or ends with a blank"
        case .unknownScheme(let scheme): Self.describe(scheme: scheme)
        case .missingSlashes(let scheme):
            scheme == "ws+unix"
                ? "\"ws+unix:\" lacks its slashes: write ws+unix:///path/to.sock:/uri"
                : "\"\(scheme):\" lacks its two slashes: write \(scheme)://"
        case .missingColon(let scheme): "\"\(scheme)//\" lacks its colon: write \(scheme)://"
        case .missingScheme: "the URL begins with \"//\" and has no scheme: write ws:// or wss://"
        case .missingHost: "the URL has no host: expected one such as ws://localhost:8080/path"
        case .invalidHost(let host): Self.describe(host: host)
        case .nonASCIIHost(let host): "the host \(host.quoted) isn't ASCII: write it in its xn-- form (IDNA)"
        case .invalidIPv4(let host): Self.describe(ipv4: host)
        case .invalidIPv6(let host): "\(host.quoted) in brackets is not an IPv6 address"
        case .unbracketedIPv6(let host): "the IPv6 address \(host.quoted) needs brackets: write [\(host)]"
        case .unclosedBracket(let host): "the bracket in \(host.quoted) isn't closed: write an IPv6 address as [::1]"
        case .afterBracket(let text): "\(text.quoted) follows the bracketed address, where only :PORT may"
        case .emptyPort: "the port after the colon is missing: expected 1 to 65535"
        case .invalidPort(let port): "the port \(port.quoted) is not a number: expected 1 to 65535"
        case .portOutOfRange(let port): "the port \(port.quoted) is out of range: expected 1 to 65535"
        case .userinfo(let error): "the URL's credentials can't be sent: \(error)"
        case .userinfoEncoding: "the URL's user name or password is badly percent-encoded: write a literal % as %25"
        case .delimiterInUserinfo:
            "the URL's host or port is wrong: if the user name or password holds a /, ? or #, write it as %2F, %3F or %23"
        case .fragment(let fragment):
            "the URL has a fragment" + (fragment.map { ", \(CredentialMask().masked("#" + $0).quoted)" } ?? "")
                + ", which WebSocket URLs can't have (RFC 6455, section 3): drop it, or write a literal # as %23"
        case .relativeSocketPath: "the socket's path must begin with a slash: write ws+unix:///path/to.sock:/uri"
        case .invalidSocketPath(let path): "the socket's path \(path.quoted) is not a path: write ws+unix:///path/to.sock:/uri"
        case .relativeTarget(let target):
            "\(CredentialMask().masked(target).quoted) after the socket's path must begin with a slash: write ws+unix:///path/to.sock:/uri"
        case .redirectScheme(let scheme): "the server redirects to the scheme \(scheme.quoted), expected ws, wss, http or https"
        }
    }

    private static func describe(scheme: String) -> String {
        guard !scheme.isEmpty else { return "the URL has no scheme before its colon: write ws:// or wss://" }
        let foreign = ["ftp", "tcp", "udp", "ssh", "tls", "ssl", "file"].contains(scheme)
        let closest = WebSocketURLParser.schemes.first { !foreign && slips($0, scheme) == 1 }
        let fix = closest.map { "did you mean \($0)://?" } ?? "expected ws, wss, http, https or ws+unix"
        return "the scheme \(scheme.quoted) is unknown: \(fix)"
    }

    private static func describe(host: String) -> String {
        if host.utf8.contains(UInt8(ascii: "%")) { return "the host \(host.quoted) is percent-encoded, which a host can't be" }
        if host.utf8.contains(UInt8(ascii: " ")) { return "the host \(host.quoted) holds a blank" }
        return "\(host.quoted) is not a host name: expected labels of letters, digits and hyphens, at most 63 each, between dots"
    }

    private static func describe(ipv4 host: String) -> String {
        if let port = UInt16(host), port > 0 { return "\(host.quoted) is not a host: for a port on this machine, write localhost:\(port)" }
        return "\(host.quoted) is not an IPv4 address: expected four numbers from 0 to 255, without leading zeros"
    }
}
