/// Why an opening handshake failed, with what the peer said.
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
    init(_ reason: Reason, response: HTTPResponseHead? = nil) {
        self.reason = reason
        self.response = response
    }

    /// - Parameter answer: what came in place of a response, from the head's first byte on.
    init(_ error: HTTPHeadError, in answer: [UInt8]) {
        self.init(.head(error))
        bodyOffset = error.offset < Self.shownBodySize ? 0 : error.offset - Self.shownBodySize / 2
        body = Array(answer[bodyOffset...].prefix(Self.shownBodySize + 1))
    }

    /// How much of a body is kept; bytes.
    public static let shownBodySize = 4096
}

extension Refusal {
    /// The verdict, in one line.
    public var description: String {
        switch reason {
        case .handshake(let error): error.description
        case .head(let error): error.description
        case .request(let error): error.description
        }
    }

    /// What to try, if there is something to try.
    public var hint: String? {
        switch reason {
        case .handshake(let error): error.hint
        case .head(let error): error.hint
        case .request: nil
        }
    }
}
