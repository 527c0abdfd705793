extension WebSocketURL {
    /// Where a redirect leads.
    public struct Redirect: Hashable, Sendable {
        /// With the credentials of its own userinfo, else those of the URL it came from if the origin is the same.
        public let url: WebSocketURL
        /// Whether scheme, host or port differ: credentials, cookies and Authorization must not go along.
        public let changesOrigin: Bool
        /// Whether it leads from TLS to none.
        public let dropsTLS: Bool
    }

    /// Resolves a Location field against this URL (RFC 9110, section 10.2.2; RFC 3986, section 5.2). Only ws, wss, http and https are followed, so
    /// that a server can't point us at a local socket. A fragment is dropped.
    public func resolve(location: String) throws(ParseError) -> Redirect {
        let reference = location[...].unicodeScalars.prefix { $0 != "#" }
        for (index, scalar) in reference.enumerated() where scalar.value < 0x20 || scalar.value == 0x7f {
            throw .controlCharacter(UInt8(scalar.value), column: index + 1)
        }
        if let colon = Self.schemeEnd(of: reference) {
            let scheme = Substring(reference[..<colon]).asciiLowercased
            guard ["ws", "wss", "http", "https"].contains(scheme) else { throw .redirectScheme(scheme) }
            let rest = reference[reference.index(after: colon)...]
            guard rest.starts(with: "//".unicodeScalars) else { throw .missingSlashes(scheme: scheme) }
            return redirect(to: try Self.url(after: rest.dropFirst(2), isSecure: try WebSocketURLParser.isSecure(scheme: scheme)))
        }
        if reference.starts(with: "//".unicodeScalars) {
            return redirect(to: try Self.url(after: reference.dropFirst(2), isSecure: isSecure))
        }
        let target = try WebSocketURLParser.target(Self.merge(reference, into: self.target))
        return redirect(to: WebSocketURL(endpoint: endpoint, isSecure: isSecure, target: target, credentials: nil))
    }

    private func redirect(to other: WebSocketURL) -> Redirect {
        let changesOrigin = other.endpoint != endpoint || other.isSecure != isSecure
        let url = other.credentials == nil && !changesOrigin ? other.with(credentials: credentials) : other
        return Redirect(url: url, changesOrigin: changesOrigin, dropsTLS: isSecure && !other.isSecure)
    }

    /// The colon that ends a scheme, if the reference has one (RFC 3986, section 4.1).
    private static func schemeEnd(of reference: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView.Index? {
        guard let end = reference.firstIndex(where: { ":/?".unicodeScalars.contains($0) }), reference[end] == ":",
            end != reference.startIndex
        else { return nil }
        return end
    }

    private static func url(after slashes: Substring.UnicodeScalarView, isSecure: Bool) throws(ParseError) -> WebSocketURL {
        var parser = WebSocketURLParser(String(slashes))
        let url = try parser.afterSlashes(isSecure: isSecure)
        let target = withoutDotSegments(url.target[...].unicodeScalars)
        return WebSocketURL(endpoint: url.endpoint, isSecure: isSecure, target: String(target), credentials: url.credentials)
    }

    /// Path and query of a reference without authority (RFC 3986, section 5.2.2).
    private static func merge(_ reference: Substring.UnicodeScalarView, into base: String) -> Substring.UnicodeScalarView {
        let base = base[...].unicodeScalars
        let basePath = base.prefix { $0 != "?" }
        switch reference.first {
        case nil: return base
        case "?": return String.UnicodeScalarView(Array(basePath) + Array(reference))[...]
        case "/": return withoutDotSegments(reference)
        default:
            let directory = basePath.lastIndex(of: "/").map { basePath[...$0] } ?? basePath
            return withoutDotSegments(String.UnicodeScalarView(Array(directory) + Array(reference))[...])
        }
    }

    /// RFC 3986, section 5.2.4, on the path; the query stays as it is.
    private static func withoutDotSegments(_ target: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
        let path = target.prefix { $0 != "?" }
        let query = target[path.endIndex...]
        var output: [Substring.UnicodeScalarView] = []
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            switch String(segment) {
            case ".": if isLast { output.append(Substring("").unicodeScalars) }
            case "..":
                _ = output.popLast()
                if isLast { output.append(Substring("").unicodeScalars) }
            default: output.append(segment)
            }
        }
        let joined = output.map { "/" + String($0) }.joined()
        return (joined + String(query))[...].unicodeScalars
    }
}
