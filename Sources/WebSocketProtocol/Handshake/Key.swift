import COpenSSL

/// The 16 random bytes of Sec-WebSocket-Key (RFC 6455, section 4.1).
public struct HandshakeKey: Hashable, Sendable {
    /// The field's value: the bytes in base64.
    public let fieldValue: String

    /// `nil` unless there are 16 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        fieldValue = Base64.encode(bytes)
    }

    /// Reads a peer's field value; `nil` unless it is the base64 of 16 bytes.
    init?(fieldValue: String) {
        guard let bytes = try? Base64.decode(fieldValue) else { return nil }
        self.init(bytes)
    }

    /// What Sec-WebSocket-Accept must be: base64 of the SHA-1 of the key's text and a fixed GUID (RFC 6455, section 4.2.2).
    /// `nil` if OpenSSL is configured to refuse SHA-1.
    public var acceptValue: String? { Self.sha1(Array((fieldValue + Self.guid).utf8)).map(Base64.encode) }

    /// What a server did whose Sec-WebSocket-Accept is this, if it is one of the usual mistakes.
    func mistake(in accept: String) -> String? {
        guard accept != fieldValue else { return "the server sent the key back as it was" }
        let text = Array(fieldValue.utf8)
        let guid = Array(Self.guid.utf8)
        if Self.sha1(text).map(Base64.encode) == accept { return "the server hashed the key without the GUID \(Self.guid)" }
        if Self.sha1(text + Array(Self.guid.lowercased().utf8)).map(Base64.encode) == accept {
            return "the server hashed the GUID in lower case, it is \(Self.guid)"
        }
        if let bytes = try? Base64.decode(fieldValue), Self.sha1(bytes + guid).map(Base64.encode) == accept {
            return "the server decoded the key before it hashed it, it is hashed as text"
        }
        guard let digest = Self.sha1(text + guid) else { return nil }
        let hexadecimal = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let isHexadecimal = [hexadecimal, Base64.encode(Array(hexadecimal.utf8))].contains { $0.equalsIgnoringASCIICase(accept) }
        return isHexadecimal ? "the server wrote the digest in hexadecimal, it is the digest's bytes that are encoded in base64" : nil
    }

    private static let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    private static func sha1(_ input: [UInt8]) -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        return wsline_SHA1(input, input.count, &digest) == 1 ? digest : nil
    }
}

/// The version of the protocol that a handshake speaks. Both frame alike (version 8 is draft-ietf-hybi-thewebsocketprotocol-10).
public enum HandshakeVersion: Int, Hashable, Sendable, CaseIterable {
    /// The origin goes in Sec-WebSocket-Origin.
    case draft8 = 8
    /// RFC 6455.
    case rfc6455 = 13

    /// Where a client names its origin.
    public var originFieldName: String { self == .draft8 ? "Sec-WebSocket-Origin" : "Origin" }
}

/// The fields that a handshake is made of.
enum HandshakeField {
    static let accept = "Sec-WebSocket-Accept"
    static let connection = "Connection"
    static let extensions = "Sec-WebSocket-Extensions"
    static let host = "Host"
    static let key = "Sec-WebSocket-Key"
    static let origin = "Origin"
    static let subprotocol = "Sec-WebSocket-Protocol"
    static let upgrade = "Upgrade"
    static let version = "Sec-WebSocket-Version"
}
