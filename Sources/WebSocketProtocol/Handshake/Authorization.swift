/// How a request authenticates itself in its Authorization field.
public enum Authorization: Hashable, Sendable {
    case basic(BasicAuth)
    /// RFC 6750, section 2.1.
    case bearer(BearerToken)

    var fieldValue: Secret {
        switch self {
        case .basic(let credentials): credentials.fieldValue
        case .bearer(let token): Secret("Bearer " + token.secret.revealed)
        }
    }
}

/// A token of one or more visible ASCII characters. Never printed.
public struct BearerToken: Hashable, Sendable {
    public let secret: Secret

    /// `nil` if the token is empty or holds anything but visible ASCII, a line end for one.
    public init?(_ secret: Secret) {
        let bytes = secret.revealed.utf8
        guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        self.secret = secret
    }
}
