/// Why a server's response completes no handshake. ``description`` is the verdict in one line, ``hint`` what to try.
public enum HandshakeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Anything but 101, in answer to a request of this version.
    case status(HTTPResponseHead, HandshakeVersion)
    /// Nothing but interim responses (RFC 9110, section 15.2), more of them than the limit.
    case tooManyInterim(limit: Int, last: Int)
    case httpVersion(HTTPVersion)
    case missing(field: String, expected: String)
    case wrong(field: String, value: String, expected: String)
    /// A field that may stand once with one value.
    case repeated(field: String, values: [String])
    case subprotocolNotOffered(String, offered: [String])
    case extensionNotOffered(String)
    case invalidExtensions(ExtensionHeader.ParseError)
    /// The server's answer to an extension's offer breaks that extension's rules.
    case deflate(PermessageDeflateError)

    public var description: String {
        switch self {
        case .status(let response, let version): "HTTP \(response.status): \(explain(response, version).reason)"
        case .tooManyInterim(let limit, let last):
            "the server sent more than \(limit) interim responses (1xx, the last HTTP \(last)) and no final one"
        case .httpVersion(let version): "the server answered in \(version), expected HTTP/1.1"
        case .missing(let field, let expected): "\(field) is missing, expected \(expected)"
        case .wrong(let field, let value, let expected): "\(field) is \(value.isEmpty ? "empty" : value.quoted), expected \(expected)"
        case .repeated(let field, let values):
            "\(field) has more than one value (\(values.prefix(8).map(\.quoted).joined(separator: ", "))), expected one"
        case .subprotocolNotOffered(let name, let offered):
            "the server chose subprotocol \(name.quoted), which was not offered"
                + (offered.isEmpty ? "" : " (offered: \(offered.joined(separator: ", ")))")
        case .extensionNotOffered(let name): "the server chose the extension \(name.quoted), which was not offered"
        case .invalidExtensions(let error): error.description
        case .deflate(let error): error.description
        }
    }

    /// What to try, if there is something to try.
    public var hint: String? {
        switch self {
        case .status(let response, let version): explain(response, version).hint
        case .subprotocolNotOffered(let name, _) where name.isHTTPToken: "try -s \(name)"
        case .deflate: "try --no-deflate"
        default: nil
        }
    }
}

/// What a status other than 101 says in response to a handshake, and what to try.
private func explain(_ response: HTTPResponseHead, _ version: HandshakeVersion) -> (reason: String, hint: String?) {
    let headers = response.headers
    let standing = response.reason.isEmpty ? "the server refused the handshake" : response.reason.escaped
    let schemes = headers.authenticationSchemes(in: "WWW-Authenticate")
    return switch response.status {
    case 300...399 where headers.contains("Location"):
        ("the server redirects to \((headers["Location"] ?? "").quoted)", "try -L")
    case 401:
        ("the server wants authentication" + (schemes.isEmpty ? "" : " (\(schemes.joined(separator: ", ")))"), authenticationHint(schemes))
    case 200...299:
        ("the server answered as to a plain request and did not switch to WebSocket", "check the path: there may be no WebSocket here")
    case 400: (standing, versionHint(headers, version) ?? "the server may demand a subprotocol (-s) or an origin (-o)")
    case 403: (standing, "the server may check the origin (-o) or want credentials (--auth, --bearer)")
    case 404: (standing, "check the path: there is no WebSocket here")
    case 407: ("a proxy wants authentication", "try --proxy http://user:pass@host:port")
    case 426: ("the server wants another protocol" + wanted(headers), versionHint(headers, version))
    case 429, 503: (standing, headers["Retry-After"].map { "the server asks to wait: Retry-After \($0.quoted)" })
    case 502, 504: (standing, "a gateway answered, and the server behind it did not")
    default: (standing, nil)
    }
}

private func authenticationHint(_ schemes: [String]) -> String? {
    let offers = [("basic", "--auth"), ("bearer", "--bearer")].filter { offer in
        schemes.contains { $0.equalsIgnoringASCIICase(offer.0) }
    }
    return offers.isEmpty ? nil : "try " + offers.map(\.1).joined(separator: " or ")
}

private func wanted(_ headers: HTTPHeaders) -> String {
    if let versions = headers[HandshakeField.version] { return " version: \(HandshakeField.version) \(versions.quoted)" }
    return headers[HandshakeField.upgrade].map { ": Upgrade \($0.quoted)" } ?? ""
}

/// A server that doesn't speak the version lists those it does (RFC 6455, section 4.4), or should; few speak the draft's.
private func versionHint(_ headers: HTTPHeaders, _ version: HandshakeVersion) -> String? {
    let versions = headers.values(of: HandshakeField.version).flatMap(\.listElements)
    let spoken = HandshakeVersion.allCases.map { String($0.rawValue) }.filter(versions.contains)
    if spoken.isEmpty { return version == .draft8 ? "few servers speak version 8: try -p 13" : nil }
    return "try " + spoken.reversed().map { "-p \($0)" }.joined(separator: " or ")
}
