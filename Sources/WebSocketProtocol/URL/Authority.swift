/// `[userinfo@]host[:port]` (RFC 3986, section 3.2).
struct WebSocketURLAuthority {
    typealias ParseError = WebSocketURL.ParseError
    typealias Text = Substring.UnicodeScalarView

    private let text: Text
    private let isSecure: Bool

    init(_ text: Text, isSecure: Bool) {
        self.text = text
        self.isSecure = isSecure
    }

    func parse() throws(ParseError) -> (WebSocketURL.Endpoint, BasicAuth?) {
        var hostAndPort = text
        var credentials: BasicAuth?
        if let at = text.lastIndex(of: "@") {
            credentials = try Self.credentials(text[..<at])
            hostAndPort = text[text.index(after: at)...]
        }
        let (host, port) = hostAndPort.first == "[" ? try Self.bracketed(hostAndPort) : try Self.plain(hostAndPort)
        let number = try port.map { (text) throws(ParseError) in try Self.port(text) } ?? WebSocketURL.defaultPort(isSecure: isSecure)
        return (.tcp(host, port: number), credentials)
    }

    /// `user:password`, each percent-decoded. Nothing of it may get into an error.
    private static func credentials(_ userinfo: Text) throws(ParseError) -> BasicAuth? {
        guard !userinfo.isEmpty else { return nil }
        let user = userinfo.prefix { $0 != ":" }
        let password = userinfo[user.endIndex...].dropFirst()
        guard let user = PercentEncoding.decode(Substring(user)), let password = PercentEncoding.decode(Substring(password)) else {
            throw .userinfoEncoding
        }
        do throws(BasicAuth.InvalidError) {
            return try BasicAuth(user: user, password: Secret(password))
        } catch {
            throw .userinfo(error)
        }
    }

    private static func bracketed(_ text: Text) throws(ParseError) -> (WebSocketURL.Host, Text?) {
        guard let end = text.firstIndex(of: "]") else { throw .unclosedBracket(String(text)) }
        let inside = text[text.index(after: text.startIndex)..<end]
        let after = text[text.index(after: end)...]
        guard after.isEmpty || after.first == ":" else { throw .afterBracket(String(after)) }
        let port = after.isEmpty ? nil : after.dropFirst()
        let address = inside.prefix { $0 != "%" }
        guard IPAddressText.isIPv6(Substring(address)) else { throw .invalidIPv6(String(inside)) }
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
        if let port, port.contains(":"), IPAddressText.isIPv6(Substring(text)) { throw .unbracketedIPv6(String(text)) }
        return (try host(String(name)), port)
    }

    private static func host(_ text: String) throws(ParseError) -> WebSocketURL.Host {
        guard !text.isEmpty else { throw .missingHost }
        if !text.utf8.allSatisfy({ $0 < 0x80 }) { throw .nonASCIIHost(text) }
        let lowercased = text.asciiLowercased
        let labels = lowercased.split(separator: ".", omittingEmptySubsequences: false)
        let significant = labels.last?.isEmpty == true ? labels.dropLast() : labels[...]
        if let last = significant.last, IPAddressText.isNumber(last) {
            // A resolver would read 127.1, 010.0.0.1 or 2130706433 as some address or other.
            guard IPAddressText.isIPv4(lowercased) else { throw .invalidIPv4(text) }
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
}

/// Addresses as text.
enum IPAddressText {
    /// Four decimal numbers from 0 to 255 without leading zeros (RFC 3986, section 3.2.2, `IPv4address`).
    static func isIPv4(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && part.utf8.allSatisfy(\.isASCIIDigit) && UInt8(part) != nil
                    && (part.utf8.count == 1 || !part.hasPrefix("0"))
            }
    }

    /// Eight groups of one to four hexadecimal digits, one run of zero groups left out as `::`, the last two perhaps an IPv4 address
    /// (RFC 4291, section 2.2).
    static func isIPv6(_ text: some StringProtocol) -> Bool {
        var bytes = Array(text.utf8)
        guard bytes.count <= 45 else { return false }
        if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), bytes[colon...].contains(UInt8(ascii: ".")) {
            guard isIPv4(String(decoding: bytes[(colon + 1)...], as: UTF8.self)) else { return false }
            bytes.replaceSubrange((colon + 1)..., with: "0:0".utf8)
        }
        let halves = String(decoding: bytes, as: UTF8.self).components(separatedBy: "::")
        let groups = halves.flatMap { $0.isEmpty ? [] : $0.split(separator: ":", omittingEmptySubsequences: false) }
        guard groups.allSatisfy({ (1...4).contains($0.utf8.count) && $0.utf8.allSatisfy { Hex.value(of: $0) != nil } }) else {
            return false
        }
        return switch halves.count {
        case 1: groups.count == 8
        case 2: groups.count <= 7
        default: false
        }
    }

    /// A decimal or `0x` number, which makes a host an IPv4 address to many resolvers.
    static func isNumber(_ label: Substring) -> Bool {
        if label.hasPrefix("0x") { return label.utf8.dropFirst(2).allSatisfy { Hex.value(of: $0) != nil } }
        return !label.isEmpty && label.utf8.allSatisfy(\.isASCIIDigit)
    }
}

extension String {
    /// The pieces between the occurrences of a separator.
    fileprivate func components(separatedBy separator: String) -> [Substring] {
        split(separator: separator, omittingEmptySubsequences: false)
    }
}
