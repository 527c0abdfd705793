/// A user name and password for HTTP's Basic scheme (RFC 7617). Never printed.
public struct BasicAuth: Hashable, Sendable {
    /// Why a name and password can't be sent. Nothing of either is quoted.
    public enum InvalidError: Error, Hashable, Sendable, CustomStringConvertible {
        case colonInUser
        case controlCharacter

        public var description: String {
            switch self {
            case .colonInUser: "the user name holds a colon, which Basic authentication has no way to send (RFC 7617, section 2)"
            case .controlCharacter: "the user name or password holds a control character, which Basic authentication can't send"
            }
        }
    }

    public let user: String
    public let password: Secret

    /// Throws what RFC 7617, section 2, forbids: a colon in the name, a control character in either.
    public init(user: String, password: Secret) throws(InvalidError) {
        guard !user.utf8.contains(UInt8(ascii: ":")) else { throw .colonInUser }
        guard !(user + password.revealed).unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw .controlCharacter
        }
        self.user = user
        self.password = password
    }

    /// Reads `USER:PASS`; without a colon the password is empty.
    public init(parsing text: Secret) throws(InvalidError) {
        let scalars = text.revealed.unicodeScalars
        let user = scalars.prefix { $0 != ":" }
        try self.init(user: String(user), password: Secret(String(scalars[user.endIndex...].dropFirst())))
    }

    /// The value of the Authorization field: `Basic` and the base64 of `user:password` in UTF-8.
    public var fieldValue: Secret {
        Secret("Basic " + Base64.encode(Array("\(user):\(password.revealed)".utf8)))
    }
}

extension BasicAuth: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "***" }
    public var debugDescription: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
