import CPosix

extension WebSocketURLParser {
    /// `[userinfo@]host[:port]` (RFC 3986, section 3.2).
    static func authority(_ text: Text, isSecure: Bool) throws(ParseError) -> (WebSocketURL.Endpoint, Authorization?) {
        var hostAndPort = text
        var credentials: Authorization?
        if let at = text.lastIndex(of: "@") {
            credentials = try Self.credentials(text[..<at])
            hostAndPort = text[at...].dropFirst()
        }
        let (host, port) = hostAndPort.first == "[" ? try bracketed(hostAndPort) : try plain(hostAndPort)
        let number = try port.map { (text) throws(ParseError) in try Self.port(text) } ?? WebSocketURL.defaultPort(isSecure: isSecure)
        return (.tcp(host, port: number), credentials)
    }

    /// `user:password`, each percent-decoded. Nothing of it may get into an error.
    private static func credentials(_ userinfo: Text) throws(ParseError) -> Authorization? {
        guard !userinfo.isEmpty else { return nil }
        let user = userinfo.prefix { $0 != ":" }
        let password = userinfo[user.endIndex...].dropFirst()
        guard let user = PercentEncoding.decode(Substring(user)), let password = PercentEncoding.decode(Substring(password)) else {
            throw .userinfoEncoding
        }
        do throws(Authorization.InvalidError) {
            return try Authorization(user: user, password: Secret(password))
        } catch {
            throw .userinfo(error)
        }
    }

    private static func bracketed(_ text: Text) throws(ParseError) -> (WebSocketURL.Host, Text?) {
        guard let end = text.firstIndex(of: "]") else { throw .unclosedBracket(String(text)) }
        let inside = text[..<end].dropFirst()
        let after = text[end...].dropFirst()
        guard after.isEmpty || after.first == ":" else { throw .afterBracket(String(after)) }
        let port = after.isEmpty ? nil : after.dropFirst()
        let address = inside.prefix { $0 != "%" }
        guard isIPv6(String(address)) else { throw .invalidIPv6(String(inside)) }
        let lowercased = Substring(address).asciiLowercased
        guard address.endIndex != inside.endIndex else { return (.ipv6(lowercased, zone: nil), port) }
        return (.ipv6(lowercased, zone: try zone(inside[address.endIndex...], of: inside)), port)
    }

    /// `%25eth0` as RFC 6874 writes it, or `%eth0` as everyone types it.
    private static func zone(_ text: Text, of address: Text) throws(ParseError) -> String {
        let isEscaped = text.starts(with: "%25".unicodeScalars) && text.count > 3
        let zone = Substring(text.dropFirst(isEscaped ? 3 : 1))
        guard let decoded = PercentEncoding.decode(zone), !decoded.isEmpty,
            decoded.utf8.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit || "-._~:".utf8.contains($0) })
        else { throw .invalidIPv6(String(address)) }
        return decoded
    }

    private static func plain(_ text: Text) throws(ParseError) -> (WebSocketURL.Host, Text?) {
        let name = text.prefix { $0 != ":" }
        let port: Text? = name.endIndex == text.endIndex ? nil : text[name.endIndex...].dropFirst()
        if let port, port.contains(":"), isIPv6(String(text)) { throw .unbracketedIPv6(String(text)) }
        return (try host(String(name)), port)
    }

    private static func host(_ text: String) throws(ParseError) -> WebSocketURL.Host {
        guard !text.isEmpty else { throw .missingHost }
        if !text.utf8.allSatisfy({ $0 < 0x80 }) { throw .nonASCIIHost(text) }
        let lowercased = text.asciiLowercased
        let labels = lowercased.split(separator: ".", omittingEmptySubsequences: false)
        let significant = labels.last?.isEmpty == true ? labels.dropLast() : labels[...]
        if let last = significant.last, isNumber(last) {
            // A resolver would read 127.1, 010.0.0.1 or 2130706433 as some address or other.
            guard isIPv4(lowercased) else { throw .invalidIPv4(text) }
            return .ipv4(lowercased)
        }
        let isName = significant.reduce(0) { $0 + $1.utf8.count + 1 } <= 254 && !significant.isEmpty && significant.allSatisfy(isLabel)
        guard isName else { throw .invalidHost(text) }
        return .name(lowercased)
    }

    /// 1 to 63 letters, digits, hyphens and underscores, a hyphen neither first nor last (RFC 1123, section 2.1; underscores are in use).
    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }

    private static func port(_ text: Text) throws(ParseError) -> UInt16 {
        let text = Substring(text)
        guard !text.isEmpty else { throw .emptyPort }
        guard text.utf8.allSatisfy(\.isASCIIDigit) else { throw .invalidPort(String(text)) }
        guard let port = UInt16(text), port > 0 else { throw .portOutOfRange(String(text)) }
        return port
    }

    /// Four decimal numbers from 0 to 255 without leading zeros (RFC 3986, section 3.2.2, `IPv4address`).
    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    /// An address as RFC 4291, section 2.2, has it.
    static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }

    /// A decimal or `0x` number, which makes a host an IPv4 address to many resolvers.
    private static func isNumber(_ label: Substring) -> Bool {
        if label.hasPrefix("0x") { return label.utf8.dropFirst(2).allSatisfy { Hex.value(of: $0) != nil } }
        return !label.isEmpty && label.utf8.allSatisfy(\.isASCIIDigit)
    }
}
