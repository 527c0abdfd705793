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

    private typealias Text = Substring.UnicodeScalarView

    /// Resolves a Location field against this URL (RFC 9110, section 10.2.2; RFC 3986, section 5.2). Only ws, wss, http and https are followed, so
    /// that a server can't point us at a local socket. A fragment is dropped.
    public func resolve(location: String) throws(ParseError) -> Redirect {
        var rest = location[...].unicodeScalars.prefix { $0 != "#" }
        try WebSocketURLParser.checkCharacters(rest)
        var isSecure = isSecure
        // A colon before all slashes ends a scheme (RFC 3986, section 4.1).
        if let end = rest.firstIndex(where: { ":/?".unicodeScalars.contains($0) }), rest[end] == ":", end != rest.startIndex {
            let scheme = Substring(rest[..<end]).asciiLowercased
            guard let isSecureScheme = WebSocketURLParser.isSecure(scheme: scheme) else { throw .redirectScheme(scheme) }
            isSecure = isSecureScheme
            rest = rest[end...].dropFirst()
            guard rest.starts(with: "//".unicodeScalars) else { throw .missingSlashes(scheme: scheme) }
        }
        guard rest.starts(with: "//".unicodeScalars) else {
            let target = try WebSocketURLParser.target(Self.merge(rest, into: target))
            return redirect(to: WebSocketURL(endpoint: endpoint, isSecure: isSecure, target: target, credentials: nil))
        }
        var parser = WebSocketURLParser(rest.dropFirst(2))
        let url = try parser.afterSlashes(isSecure: isSecure)
        let target = String(Self.withoutDotSegments(url.target[...].unicodeScalars))
        return redirect(to: WebSocketURL(endpoint: url.endpoint, isSecure: isSecure, target: target, credentials: url.credentials))
    }

    private func redirect(to other: WebSocketURL) -> Redirect {
        let changesOrigin = other.endpoint != endpoint || other.isSecure != isSecure
        let url = other.credentials == nil && !changesOrigin ? other.with(credentials: credentials) : other
        return Redirect(url: url, changesOrigin: changesOrigin, dropsTLS: isSecure && !other.isSecure)
    }

    /// Path and query of a reference without authority (RFC 3986, section 5.2.2).
    private static func merge(_ reference: Text, into base: String) -> Text {
        let base = base[...].unicodeScalars
        let basePath = base.prefix { $0 != "?" }
        switch reference.first {
        case nil: return base
        case "?": return (String(basePath) + String(reference))[...].unicodeScalars
        case "/": return withoutDotSegments(reference)
        default:
            let directory = basePath.lastIndex(of: "/").map { basePath[...$0] } ?? basePath
            return withoutDotSegments((String(directory) + String(reference))[...].unicodeScalars)
        }
    }

    /// RFC 3986, section 5.2.4, on the path; the query stays as it is.
    private static func withoutDotSegments(_ target: Text) -> Text {
        let path = target.prefix { $0 != "?" }
        var output: [String] = []
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        for (index, segment) in segments.enumerated() {
            if segment == ".." { _ = output.popLast() }
            if segment != "." && segment != ".." {
                output.append(segment)
            } else if index == segments.count - 1 {
                output.append("")
            }
        }
        return (output.map { "/" + $0 }.joined() + String(target[path.endIndex...]))[...].unicodeScalars
    }
}
