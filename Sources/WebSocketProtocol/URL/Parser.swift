/// Reads a URL from left to right. Works on scalars: `"/\u{301}"` is one `Character` and still begins with a slash.
struct WebSocketURLParser {
    typealias ParseError = WebSocketURL.ParseError
    typealias Text = Substring.UnicodeScalarView

    private var rest: Text

    init(_ text: Text) { rest = text }

    mutating func url() throws(ParseError) -> WebSocketURL {
        try Self.checkCharacters(rest)
        if rest.first == " " || rest.last == " " { throw .surroundingBlank }
        let scheme = takeScheme()
        switch scheme {
        case "ws+unix": return try unixURL()
        case nil where rest.isEmpty: throw .empty
        case nil: try checkBareForm()
        case let scheme?:
            guard rest.starts(with: "//".unicodeScalars) else { throw .missingSlashes(scheme: scheme) }
            rest = rest.dropFirst(2)
        }
        guard let isSecure = Self.isSecure(scheme: scheme ?? "ws") else { throw .unknownScheme(scheme ?? "") }
        return try afterSlashes(isSecure: isSecure)
    }

    /// Authority and target, the part after `//`.
    mutating func afterSlashes(isSecure: Bool) throws(ParseError) -> WebSocketURL {
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        rest = rest[authority.endIndex...]
        do throws(ParseError) {
            let (endpoint, credentials) = try Self.authority(authority, isSecure: isSecure)
            return WebSocketURL(endpoint: endpoint, isSecure: isSecure, target: try Self.target(rest), credentials: credentials)
        } catch {
            // With an unescaped /, ? or # in the password, a piece of it was just taken for a host, port or fragment: don't quote that.
            guard rest.contains("@") else { throw error }
            if case .fragment = error { throw .fragment(nil) }
            throw .delimiterInUserinfo
        }
    }

    /// Path and query, made fit for a request line: an empty path is `/`, and what may not stand there is percent-encoded.
    static func target(_ text: Text) throws(ParseError) -> String {
        if let hash = text.firstIndex(of: "#") { throw .fragment(String(text[text.index(after: hash)...])) }
        let target = PercentEncoding.encode(Substring(text), keeping: PercentEncoding.isAllowedInTarget)
        return target.hasPrefix("/") ? target : "/" + target
    }

    static let schemes = ["ws", "wss", "http", "https", "ws+unix"]

    /// Whether a scheme stands for TLS; nil if it isn't one of those that lead to a host.
    static func isSecure(scheme: String) -> Bool? {
        switch scheme {
        case "ws", "http": false
        case "wss", "https": true
        default: nil
        }
    }

    static func checkCharacters(_ text: Text) throws(ParseError) {
        for (index, scalar) in text.enumerated() where scalar.value < 0x20 || scalar.value == 0x7f {
            throw .controlCharacter(UInt8(scalar.value), column: index + 1)
        }
    }

    /// Takes `scheme:` if a slash follows it (RFC 3986, section 3.1); without one, `localhost:8080` would be a scheme.
    mutating func takeScheme() -> String? {
        let name = rest.prefix { UInt8(exactly: $0.value).map { $0.isASCIILetter || $0.isASCIIDigit || "+-.".utf8.contains($0) } ?? false }
        let after = rest[name.endIndex...]
        guard after.starts(with: ":/".unicodeScalars), name.first.map({ !("0"..."9").contains($0) }) ?? true else { return nil }
        rest = after.dropFirst()
        return Substring(name).asciiLowercased
    }

    /// Typing errors that would otherwise pass for a host.
    private func checkBareForm() throws(ParseError) {
        if rest.starts(with: "//".unicodeScalars) { throw .missingScheme }
        let first = Substring(rest.prefix { $0 != "/" && $0 != ":" && $0 != "@" }).asciiLowercased
        guard Self.schemes.contains(first) else { return }
        let after = rest.dropFirst(first.unicodeScalars.count)
        if after.starts(with: "//".unicodeScalars) { throw .missingColon(scheme: first) }
        let port = after.dropFirst()
        guard after.first == ":", !after.contains("@"), let start = port.first, !("0"..."9").contains(start) else { return }
        throw .missingSlashes(scheme: first)
    }

    /// `///path/to.sock:/uri`; a `:` or `?` in the socket's path has to be percent-encoded.
    private mutating func unixURL() throws(ParseError) -> WebSocketURL {
        if rest.starts(with: "//".unicodeScalars) { rest = rest.dropFirst(2) }
        guard rest.first == "/" else { throw .relativeSocketPath }
        let path = rest.prefix { $0 != ":" && $0 != "?" && $0 != "#" }
        var uri = rest[path.endIndex...]
        if uri.first == ":" {
            uri = uri.dropFirst()
            guard uri.first.map({ "/?#".unicodeScalars.contains($0) }) ?? true else { throw .relativeTarget(String(uri)) }
        }
        let target = try Self.target(uri)
        guard let decoded = PercentEncoding.decode(Substring(path)), !decoded.utf8.contains(0), decoded != "/" else {
            throw .invalidSocketPath(String(path))
        }
        return WebSocketURL(endpoint: .unix(path: decoded), isSecure: false, target: target, credentials: nil)
    }
}
