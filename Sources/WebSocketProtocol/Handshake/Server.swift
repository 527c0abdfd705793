/// The server's half of the opening handshake (RFC 6455, section 4.2): a request that passed every check, ready to be accepted.
public struct ServerHandshake: Sendable {
    public let request: HTTPRequestHead
    public let version: HandshakeVersion
    /// In the client's order of preference.
    public let offeredSubprotocols: [String]
    public let offeredExtensions: [WebSocketExtension]
    private let acceptValue: String

    /// Holds the request against RFC 6455, section 4.2.1.
    public init(_ request: HTTPRequestHead) throws(ServerHandshakeError) {
        let headers = request.headers
        guard request.method == "GET" else { throw .method(request.method) }
        guard request.version >= .http1_1 else { throw .httpVersion(request.version) }
        guard headers.values(of: HandshakeField.host).count == 1 else { throw .host }
        guard headers.contains(token: "websocket", in: HandshakeField.upgrade) else { throw .upgrade }
        guard headers.contains(token: "upgrade", in: HandshakeField.connection) else { throw .connection }
        version = try Self.version(headers)
        let key = try Self.key(headers)
        // Bytes of a body would be taken for frames.
        guard !headers.contains("Transfer-Encoding"), headers.values(of: "Content-Length").allSatisfy({ $0 == "0" }) else { throw .body }
        offeredSubprotocols = try Self.subprotocols(headers)
        offeredExtensions = try Self.extensions(headers)
        guard let accept = key.acceptValue else { throw .sha1Unavailable }
        acceptValue = accept
        self.request = request
    }

    /// The Origin that a browser sent, under the version's name for it.
    public var origin: String? { request.headers[version.originFieldName] }

    /// The first of the server's own subprotocols, in its order of preference, that the client offered too.
    public func selectSubprotocol(from supported: [String]) -> String? { supported.first(where: offeredSubprotocols.contains) }

    /// The response that opens the connection (RFC 6455, section 4.2.2). The caller chooses among what was offered.
    public func response(
        subprotocol: String? = nil, extensions: [WebSocketExtension] = [], headers: [HTTPHeaders.Field] = []
    ) -> HTTPResponseHead {
        precondition(subprotocol.map(offeredSubprotocols.contains) ?? true, "the subprotocol was not offered")
        let ours = HTTPHeaders(trusted: [
            (HandshakeField.upgrade, "websocket"), (HandshakeField.connection, "Upgrade"), (HandshakeField.accept, acceptValue),
            (HandshakeField.subprotocol, subprotocol),
            (HandshakeField.extensions, extensions.isEmpty ? nil : ExtensionHeader.serialize(extensions)),
        ])
        return HTTPResponseHead(status: 101, reason: "Switching Protocols", headers: HTTPHeaders(ours.fields + headers))
    }

    /// ``response(subprotocol:extensions:headers:)`` as it goes on the wire.
    public func accept(subprotocol: String? = nil, extensions: [WebSocketExtension] = [], headers: [HTTPHeaders.Field] = []) -> [UInt8] {
        response(subprotocol: subprotocol, extensions: extensions, headers: headers).bytes
    }

    /// A whole response that refuses the request and ends the connection. `reason` is a fixed phrase; `body` is plain text.
    public static func reject(status: Int, reason: StaticString, headers: [HTTPHeaders.Field] = [], body: String) -> [UInt8] {
        // A sender of Upgrade also names it in Connection (RFC 9110, section 7.8).
        let sendsUpgrade = headers.contains { $0.isNamed(HandshakeField.upgrade) }
        let ours = HTTPHeaders(trusted: [
            (HandshakeField.connection, sendsUpgrade ? "close, Upgrade" : "close"), ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", String(body.utf8.count)),
        ])
        let head = HTTPResponseHead(status: status, reason: reason.description, headers: HTTPHeaders(ours.fields + headers))
        return head.bytes + Array(body.utf8)
    }

    private static func version(_ headers: HTTPHeaders) throws(ServerHandshakeError) -> HandshakeVersion {
        let values = headers.values(of: HandshakeField.version)
        guard values.count == 1, let version = HandshakeVersion.allCases.first(where: { values == [String($0.rawValue)] }) else {
            throw .version(values)
        }
        return version
    }

    private static func key(_ headers: HTTPHeaders) throws(ServerHandshakeError) -> HandshakeKey {
        let values = headers.values(of: HandshakeField.key)
        guard values.count == 1, let value = values.first, let key = HandshakeKey(fieldValue: value) else { throw .key(values) }
        return key
    }

    private static func subprotocols(_ headers: HTTPHeaders) throws(ServerHandshakeError) -> [String] {
        guard headers.contains(HandshakeField.subprotocol) else { return [] }
        guard let names = headers.tokens(of: HandshakeField.subprotocol), !names.isEmpty, Set(names).count == names.count else {
            throw .subprotocols(headers.values(of: HandshakeField.subprotocol))
        }
        return names
    }

    private static func extensions(_ headers: HTTPHeaders) throws(ServerHandshakeError) -> [WebSocketExtension] {
        do throws(ExtensionHeader.ParseError) {
            return try ExtensionHeader.parse(headers.values(of: HandshakeField.extensions))
        } catch {
            throw .extensions(error)
        }
    }
}

/// Why a request opens no WebSocket connection, and the response that says so.
public enum ServerHandshakeError: Error, Hashable, Sendable, CustomStringConvertible {
    case method(String)
    case httpVersion(HTTPVersion)
    /// Missing, or more than one.
    case host
    case upgrade
    case connection
    case key([String])
    case version([String])
    case body
    case subprotocols([String])
    case extensions(ExtensionHeader.ParseError)
    /// More than a little came after the request, before it was answered.
    case dataBeforeAnswer
    /// OpenSSL is configured to refuse SHA-1.
    case sha1Unavailable

    public var description: String {
        switch self {
        case .method(let method): "the method is \(method.quoted), expected GET"
        case .httpVersion(let version): "the request is in \(version), expected HTTP/1.1"
        case .host: "expected one Host header"
        case .upgrade: "the Upgrade header lacks websocket: this is a WebSocket server"
        case .connection: "the Connection header lacks Upgrade"
        case .key(let values): "Sec-WebSocket-Key is \(Self.seen(values)), expected one value, the base64 of 16 bytes"
        case .version(let values): "Sec-WebSocket-Version is \(Self.seen(values)), expected 13 or 8"
        case .body: "the request has a body, which a handshake can't have"
        case .subprotocols(let values): "Sec-WebSocket-Protocol is \(Self.seen(values)), expected tokens, each once"
        case .extensions(let error): error.description
        case .dataBeforeAnswer: "the client sent data before its request was answered"
        case .sha1Unavailable: "OpenSSL refuses SHA-1, which the WebSocket handshake is made with"
        }
    }

    private static func seen(_ values: [String]) -> String {
        values.isEmpty ? "missing" : values.prefix(8).map(\.quoted).joined(separator: " and ")
    }

    /// The whole response: 405 names GET (RFC 9110, section 15.5.6), 426 names WebSocket and its versions (RFC 9110, section 15.5.22, and
    /// RFC 6455, section 4.4).
    public var response: [UInt8] {
        let (status, reason, fields): (Int, StaticString, [(String, String?)]) =
            switch self {
            case .method: (405, "Method Not Allowed", [("Allow", "GET")])
            case .httpVersion: (505, "HTTP Version Not Supported", [])
            case .upgrade, .version:
                (426, "Upgrade Required", [(HandshakeField.upgrade, "websocket"), (HandshakeField.version, "13, 8")])
            case .sha1Unavailable: (500, "Internal Server Error", [])
            case .host, .connection, .key, .body, .subprotocols, .extensions, .dataBeforeAnswer: (400, "Bad Request", [])
            }
        let headers = HTTPHeaders(trusted: fields).fields
        return ServerHandshake.reject(status: status, reason: reason, headers: headers, body: description + "\n")
    }
}
