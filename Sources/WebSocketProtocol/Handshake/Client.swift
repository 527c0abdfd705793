/// The client's half of the opening handshake (RFC 6455, section 4.1): the request, and what the response is held against.
public struct ClientHandshake: Sendable {
    public struct Options: Sendable {
        /// In order of preference.
        public var subprotocols: [String] = []
        /// Sent after ours, in order, repeated ones kept. A Host, User-Agent, Origin or Authorization among them takes the place of ours.
        public var headers: [HTTPHeaders.Field] = []
        public var origin: String?
        /// In place of the URL's host and port.
        public var host: String?
        /// `nil` sends no User-Agent.
        public var userAgent: String? = "wsline"
        public var version = HandshakeVersion.rfc6455
        /// Goes before the URL's credentials.
        public var authorization: Authorization?
        public var extensionOffers: [WebSocketExtension] = []
        /// Whether what is for printing has credentials as they are.
        public var showsCredentials = false

        public init() {}
    }

    /// Why no request can be made of the options.
    public enum OptionsError: Error, Hashable, Sendable, CustomStringConvertible {
        case invalidSubprotocol(String)
        case repeatedSubprotocol(String)
        /// A header that the handshake itself sets, or that would give the request a body.
        case reservedHeader(String)
        case repeatedHeader(String)
        case invalidHeader(HTTPFieldError)
        /// OpenSSL is configured to refuse SHA-1, without which no handshake can be checked.
        case sha1Unavailable

        public var description: String {
            switch self {
            case .invalidSubprotocol(let name):
                "the subprotocol \(name.quoted) is not a token: letters, digits and any of !#$%&'*+-.^_`|~ may be in it"
            case .repeatedSubprotocol(let name): "the subprotocol \(name.quoted) is given twice"
            case .reservedHeader(let name): "the header \(name.quoted) belongs to the handshake and can't be given"
            case .repeatedHeader(let name): "the header \(name.quoted) is given twice, and may stand only once"
            case .invalidHeader(let error): error.description
            case .sha1Unavailable: "OpenSSL refuses SHA-1, which the WebSocket handshake is made with: check its configuration"
            }
        }
    }

    public let request: HTTPRequestHead
    /// Whether it goes out over TLS.
    let isSecure: Bool
    let expectedAccept: String
    private let options: Options

    public init(url: WebSocketURL, key: HandshakeKey, options: Options = Options()) throws(OptionsError) {
        try Self.check(options)
        guard let accept = key.acceptValue else { throw .sha1Unavailable }
        expectedAccept = accept
        self.options = options
        isSecure = url.isSecure
        request = HTTPRequestHead(method: "GET", target: url.target, headers: try Self.headers(url: url, key: key, options: options))
    }

    /// The request for printing: credentials are `***`.
    public var shownRequest: HTTPRequestHead { mask().masked(request) }

    /// What masks the request, and the response to it.
    func mask(with response: HTTPResponseHead? = nil) -> CredentialMask {
        CredentialMask(request, response, isLifted: options.showsCredentials)
    }

    private static func check(_ options: Options) throws(OptionsError) {
        var seen: Set<String> = []
        for name in options.subprotocols {
            guard name.isHTTPToken else { throw .invalidSubprotocol(name) }
            guard seen.insert(name).inserted else { throw .repeatedSubprotocol(name) }
        }
        let reserved = [
            HandshakeField.upgrade, HandshakeField.connection, HandshakeField.key, HandshakeField.version, HandshakeField.accept,
            HandshakeField.subprotocol, HandshakeField.extensions, "Content-Length", "Transfer-Encoding",
        ]
        for field in options.headers where reserved.contains(where: field.isNamed) { throw .reservedHeader(field.name) }
        for name in [HandshakeField.host, "Authorization"] where options.headers.count(where: { $0.isNamed(name) }) > 1 {
            throw .repeatedHeader(name)
        }
    }

    private static func headers(url: WebSocketURL, key: HandshakeKey, options: Options) throws(OptionsError) -> HTTPHeaders {
        let given = HTTPHeaders(options.headers)
        let originName = options.version.originFieldName
        let authorization = options.authorization ?? url.credentials
        let fields: [(String, String?)] = [
            (HandshakeField.host, given.contains(HandshakeField.host) ? nil : options.host ?? url.hostField),
            ("User-Agent", given.contains("User-Agent") ? nil : options.userAgent),
            (HandshakeField.upgrade, "websocket"),
            (HandshakeField.connection, "Upgrade"),
            (HandshakeField.key, key.fieldValue),
            (HandshakeField.version, String(options.version.rawValue)),
            (originName, given.contains(originName) || given.contains(HandshakeField.origin) ? nil : options.origin),
            (HandshakeField.subprotocol, options.subprotocols.isEmpty ? nil : options.subprotocols.joined(separator: ", ")),
            (HandshakeField.extensions, options.extensionOffers.isEmpty ? nil : ExtensionHeader.serialize(options.extensionOffers)),
            ("Authorization", given.contains("Authorization") ? nil : authorization?.fieldValue.revealed),
        ]
        var headers = HTTPHeaders()
        if let host = given.fields.first(where: { $0.isNamed(HandshakeField.host) }) { headers.append(host) }
        for case (let name, let value?) in fields {
            do throws(HTTPFieldError) {
                headers.append(try HTTPHeaders.Field(name: name, value: value))
            } catch {
                throw .invalidHeader(error)
            }
        }
        for field in given.fields where !field.isNamed(HandshakeField.host) { headers.append(field) }
        return headers
    }
}

/// What a handshake agreed on.
public struct HandshakeResult: Hashable, Sendable {
    /// `nil` if the server chose none, which it may even if some were offered (RFC 6455, section 4.1).
    public let subprotocol: String?
    /// In the server's order. Each was offered; their parameters are each extension's own to check.
    public let extensions: [WebSocketExtension]
    public let response: HTTPResponseHead
    /// The response for printing: credentials are `***`, the request's too where it repeats them.
    public let shownResponse: HTTPResponseHead
}

extension ClientHandshake {
    /// Holds the response against every MUST of RFC 6455, section 4.1, in that section's order. Interim responses
    /// (``HTTPResponseHead/isInterim``) are the caller's to pass over.
    public func check(_ response: HTTPResponseHead) throws(HandshakeError) -> HandshakeResult {
        guard response.status == 101 else { throw .status(response, options.version) }
        // HTTP/1.0 has no Upgrade (RFC 9110, section 7.8), HTTP/2 and 3 no 101 (RFC 9113, section 8.6; RFC 9114, section 4.5).
        guard response.version == .http1_1 else { throw .httpVersion(response.version) }
        let headers = response.headers
        try checkUpgrade(headers)
        try checkAccept(headers)
        return HandshakeResult(
            subprotocol: try subprotocol(headers), extensions: try extensions(headers), response: response,
            shownResponse: mask(with: response).masked(response))
    }

    private func checkUpgrade(_ headers: HTTPHeaders) throws(HandshakeError) {
        let upgrade = headers.values(of: HandshakeField.upgrade)
        guard !upgrade.isEmpty else { throw .missing(field: HandshakeField.upgrade, expected: "websocket") }
        guard upgrade.flatMap(\.listElements).map(\.asciiLowercased) == ["websocket"] else {
            throw .wrong(field: HandshakeField.upgrade, value: upgrade.joined(separator: ", "), expected: "websocket")
        }
        let connection = headers.values(of: HandshakeField.connection)
        guard !connection.isEmpty else { throw .missing(field: HandshakeField.connection, expected: "Upgrade") }
        guard headers.contains(token: "upgrade", in: HandshakeField.connection) else {
            throw .wrong(field: HandshakeField.connection, value: connection.joined(separator: ", "), expected: "Upgrade")
        }
    }

    private func checkAccept(_ headers: HTTPHeaders) throws(HandshakeError) {
        let values = headers.values(of: HandshakeField.accept)
        guard let value = values.first else { throw .missing(field: HandshakeField.accept, expected: expectedAccept) }
        guard values.count == 1 else { throw .repeated(field: HandshakeField.accept, values: values) }
        guard value == expectedAccept else {
            let mistake = request.headers[HandshakeField.key].flatMap(HandshakeKey.init(fieldValue:))?.mistake(in: value)
            throw .wrong(field: HandshakeField.accept, value: value, expected: expectedAccept + (mistake.map { ": \($0)" } ?? ""))
        }
    }

    private func subprotocol(_ headers: HTTPHeaders) throws(HandshakeError) -> String? {
        let values = headers.values(of: HandshakeField.subprotocol)
        guard let value = values.first else { return nil }
        guard values.count == 1, value.listElements.count <= 1 else { throw .repeated(field: HandshakeField.subprotocol, values: values) }
        guard options.subprotocols.contains(value) else { throw .subprotocolNotOffered(value, offered: options.subprotocols) }
        return value
    }

    private func extensions(_ headers: HTTPHeaders) throws(HandshakeError) -> [WebSocketExtension] {
        let extensions: [WebSocketExtension]
        do throws(ExtensionHeader.ParseError) {
            extensions = try ExtensionHeader.parse(headers.values(of: HandshakeField.extensions))
        } catch {
            throw .invalidExtensions(error)
        }
        for accepted in extensions where !options.extensionOffers.contains(where: { $0.name == accepted.name }) {
            throw .extensionNotOffered(accepted.name)
        }
        return extensions
    }
}
