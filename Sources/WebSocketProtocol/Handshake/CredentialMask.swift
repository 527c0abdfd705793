/// Finds the credentials of a request and its response where a server repeats them, in a header, a reason phrase or a body: what is shown of the
/// handshake has `***` in their place.
///
/// A secret is the whole value of a field that carries credentials, and of 6 bytes or more also each part that is secret by itself: a cookie's
/// value, a token, a password.
public struct CredentialMask: Hashable, Sendable {
    private let secrets: Set<Secret>

    /// In bytes. Shorter parts would also be found in words that have nothing to do with them.
    private static let shortestPart = 6

    /// - Parameter fields: of a request or a response; those that carry no credentials are left alone.
    init(_ fields: [HTTPHeaders.Field]) {
        var secrets: Set<Secret> = []
        for field in fields where field.isSensitive && !field.value.isEmpty {
            secrets.insert(Secret(field.value))
            secrets.formUnion(Self.parts(of: field).filter { $0.utf8.count >= Self.shortestPart }.map { Secret($0) })
        }
        self.secrets = secrets
    }

    private static func parts(of field: HTTPHeaders.Field) -> [String] {
        if field.isNamed("Cookie") { return field.value.split(separator: ";").map(value(ofPair:)) }
        // After the first pair come attributes, which aren't secret (RFC 6265, section 4.1.1).
        if field.isNamed("Set-Cookie") { return field.value.split(separator: ";").prefix(1).map(value(ofPair:)) }
        // A scheme, and a token or a list of parameters (RFC 9110, section 11.4).
        let credentials = field.value.drop { $0 != " " }.trimmingBlanks
        guard let bytes = try? Base64.decode(credentials), let text = String(validating: bytes, as: UTF8.self) else {
            return [credentials] + credentials.split(separator: ",").map(value(ofPair:))
        }
        // Basic's user and password (RFC 7617, section 2).
        return [credentials, text, String(text.drop { $0 != ":" }.dropFirst())]
    }

    /// What follows the first `=`, without the quotes that may stand round it; empty if there is no `=`.
    private static func value(ofPair pair: Substring) -> String {
        let value = pair.drop { $0 != "=" }.dropFirst().trimmingBlanks
        return value.count > 1 && value.hasPrefix("\"") && value.hasSuffix("\"") ? String(value.dropFirst().dropLast()) : value
    }

    /// Where secrets stand, in order; those that overlap or touch are one range.
    ///
    /// - Parameter isCut: whether more bytes followed, so that these may end within a secret; its first 6 bytes count as one then.
    public func ranges(in bytes: [UInt8], isCut: Bool = false) -> [Range<Int>] {
        guard !secrets.isEmpty else { return [] }
        var ranges = RangeSet<Int>()
        for secret in secrets {
            let secret = Array(secret.revealed.utf8)
            for start in bytes.indices where bytes[start] == secret[0] {
                let rest = bytes[start...].prefix(secret.count)
                let isWhole = rest.count == secret.count
                guard isWhole || isCut && rest.count >= Self.shortestPart, rest.elementsEqual(secret.prefix(rest.count)) else { continue }
                ranges.insert(contentsOf: rest.indices)
            }
        }
        return Array(ranges.ranges)
    }

    func masked(_ bytes: [UInt8], isCut: Bool = false) -> [UInt8] {
        var bytes = bytes
        for range in ranges(in: bytes, isCut: isCut).reversed() { bytes.replaceSubrange(range, with: "***".utf8) }
        return bytes
    }

    public func masked(_ text: String) -> String { String(decoding: masked(Array(text.utf8)), as: UTF8.self) }

    /// The same fields for printing: credentials are `***`, by their field's name and wherever they are repeated.
    func masked(_ headers: HTTPHeaders) -> HTTPHeaders {
        HTTPHeaders(headers.redacted.fields.map { HTTPHeaders.Field(trustedName: $0.name, rawValue: masked($0.rawValue)) })
    }

    func masked(_ head: HTTPResponseHead) -> HTTPResponseHead {
        HTTPResponseHead(version: head.version, status: head.status, reason: masked(head.reason), headers: masked(head.headers))
    }
}
