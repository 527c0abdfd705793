/// Why an opening handshake failed, with what the peer said.
///
/// What is for printing (``description``, ``hint``, ``shownResponse``, ``maskedRanges``) never holds the credentials of the request.
public struct Refusal: Equatable, Sendable {
    public enum Reason: Equatable, Sendable {
        /// The response isn't an upgrade, or is a wrong one.
        case handshake(HandshakeError)
        /// What came isn't an HTTP head, or is one past its limits.
        case head(HTTPHeadError)
        /// A server's: the request isn't a handshake.
        case request(ServerHandshakeError)
    }

    public var reason: Reason
    public var response: HTTPResponseHead?
    /// The first bytes of the response's body; of an answer that isn't HTTP, the bytes around the first wrong one.
    public var body: [UInt8] = []
    /// Where `body` begins in an answer that isn't HTTP.
    public var bodyOffset = 0
    /// Whether more came than `body` holds.
    public var bodyIsCut = false
    /// Whether the request went out without TLS.
    private let isPlain: Bool
    /// Makes what is said about the refusal fit for printing.
    public let mask: CredentialMask

    /// - Parameter handshake: a client's, which was answered so.
    init(_ reason: Reason, response: HTTPResponseHead? = nil, to handshake: ClientHandshake? = nil) {
        self.reason = reason
        self.response = response
        isPlain = handshake?.isSecure == false
        mask = handshake?.mask(with: response) ?? CredentialMask(nil, response)
    }

    /// - Parameter answer: what came in place of a response, from the head's first byte on.
    init(_ error: HTTPHeadError, in answer: [UInt8], to handshake: ClientHandshake) {
        self.init(.head(error), to: handshake)
        bodyOffset = error.offset < Self.shownBodySize ? 0 : error.offset - Self.shownBodySize / 2
        body = Array(answer[bodyOffset...].prefix(Self.shownBodySize + 1))
    }

    /// How much of a body is kept; bytes.
    public static let shownBodySize = 4096
}

extension Refusal {
    /// The verdict, in one line.
    public var description: String {
        if isFromTLSServer { return "the server speaks TLS on this port" }
        return switch reason {
        case .handshake(.status(let response, let version)): HandshakeError.status(mask.masked(response), version).description
        case .handshake(let error): mask.masked(error.description)
        case .head(let error): error.description
        case .request(let error): error.description
        }
    }

    /// What to try, if there is something to try.
    public var hint: String? {
        if isFromTLSServer { return "try wss://" }
        return switch reason {
        case .handshake(.status(let response, let version)): HandshakeError.status(mask.masked(response), version).hint
        case .handshake(let error): error.hint
        // A server on OpenSSL closes the connection on a plain request, with no alert.
        case .head(let error) where error.offset == 0 && error.reason == .truncated && isPlain:
            "the server may speak TLS on this port: try wss://"
        case .head(let error): error.hint
        case .request: nil
        }
    }

    /// The response for printing.
    public var shownResponse: HTTPResponseHead? { response.map(mask.masked) }

    /// Where credentials stand in `body`, in order.
    public var maskedRanges: [Range<Int>] { mask.ranges(in: body, isCut: bodyIsCut) }

    /// `body` for printing.
    public var shownBody: [UInt8] { mask.masked(body, isCut: bodyIsCut) }

    /// Whether a server that speaks TLS was asked without.
    public var isFromTLSServer: Bool {
        guard isPlain else { return false }
        switch reason {
        // A record with an alert (RFC 8446, section 5.1).
        case .head: return bodyOffset == 0 && body.starts(with: [0x15, 0x03])
        case .handshake(.status(let response, _)) where response.status == 400:
            let text = String(decoding: body, as: UTF8.self)
            return Self.tlsServersWords.contains(where: text.contains)
        case .handshake, .request: return false
        }
    }

    /// What Go, nginx, Apache and Tomcat answer to a request without TLS.
    private static let tlsServersWords = [
        "Client sent an HTTP request to an HTTPS server", "The plain HTTP request was sent to HTTPS port",
        "speaking plain HTTP to an SSL-enabled server port", "This combination of host and port requires TLS",
    ]
}
