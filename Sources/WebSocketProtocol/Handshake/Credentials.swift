/// Text that is never printed: a password, a token, a key's passphrase.
///
/// Description and reflection are `***`, so that a secret can't slip into a log through interpolation, `dump` or a failing test. ``revealed`` is
/// the one way to the text.
public struct Secret: Hashable, Sendable {
    /// The text itself. Take it only where it leaves for the wire.
    public let revealed: String

    public init(_ text: String) { revealed = text }

    /// Compares without stopping at the first difference, so that the time taken shows a guesser nothing but the length.
    public static func == (left: Secret, right: Secret) -> Bool {
        guard left.revealed.utf8.count == right.revealed.utf8.count else { return false }
        return zip(left.revealed.utf8, right.revealed.utf8).reduce(0) { $0 | $1.0 ^ $1.1 } == 0
    }

    /// Hashes the bytes, as `==` compares them: a `String` would hash canonically equivalent texts alike.
    public func hash(into hasher: inout Hasher) {
        for byte in revealed.utf8 { hasher.combine(byte) }
    }
}

extension Secret: CustomStringConvertible, CustomReflectable {
    public var description: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}

/// The value of an Authorization field. Never printed.
public struct Authorization: Hashable, Sendable {
    /// Why a name and password can't be sent with the Basic scheme. Nothing of either is quoted.
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

    public let fieldValue: Secret

    /// HTTP's Basic scheme: the base64 of `user:password` in UTF-8 (RFC 7617, section 2).
    ///
    /// - Throws: what that section forbids: a colon in the name, a control character in either.
    public init(user: String, password: Secret) throws(InvalidError) {
        let text = "\(user):\(password.revealed)"
        guard !user.utf8.contains(.colon) else { throw .colonInUser }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { throw .controlCharacter }
        fieldValue = Secret("Basic " + Base64.encode(Array(text.utf8)))
    }

    /// Reads `USER:PASS`; without a colon the password is empty.
    public init(parsing text: Secret) throws(InvalidError) {
        let scalars = text.revealed.unicodeScalars
        let user = scalars.prefix { $0 != ":" }
        try self.init(user: String(user), password: Secret(String(scalars[user.endIndex...].dropFirst())))
    }

    /// As it stands in a URL, percent-encoded (RFC 3986, section 3.2.1); nil unless it is Basic's.
    var userinfo: String? {
        let words = fieldValue.revealed.split(separator: " ")
        guard words.count == 2, words[0] == "Basic", let bytes = try? Base64.decode(String(words[1])),
            let text = String(validating: bytes, as: UTF8.self)
        else { return nil }
        let user = text.prefix { $0 != ":" }
        return [user, text[user.endIndex...].dropFirst()].map { PercentEncoding.encode($0, keeping: PercentEncoding.isUnreserved) }
            .joined(separator: ":")
    }

    /// A bearer token (RFC 6750, section 2.1); nil if it is empty or holds anything but visible ASCII, a line end for one.
    public init?(bearer token: Secret) {
        guard !token.revealed.isEmpty, token.revealed.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        fieldValue = Secret("Bearer " + token.revealed)
    }
}
