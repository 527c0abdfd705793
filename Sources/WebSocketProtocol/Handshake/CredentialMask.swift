/// Puts `***` in the place of credentials in what is shown of a handshake and of URLs: where a field's or a query parameter's name says that its
/// value is one, and where a server repeats it, in a header, a reason phrase or a body.
///
/// A secret is the whole value of a field that carries credentials, and of 6 bytes or more also each part that is secret by itself: a cookie's
/// value, a token, a password, a query's value.
public struct CredentialMask: Hashable, Sendable {
    private let secrets: Set<Secret>
    /// Whether everything is shown as it is.
    private let isLifted: Bool

    /// In bytes. Shorter parts would also be found in words that have nothing to do with them.
    private static let shortestPart = 6

    /// - Parameters:
    ///   - fields: of a request and its response; those that carry no credentials are left alone.
    ///   - targets: of the request, and where the response leads.
    init(_ fields: [HTTPHeaders.Field], targets: [String] = [], isLifted: Bool = false) {
        self.isLifted = isLifted
        var secrets: Set<Secret> = []
        var parts = targets.flatMap(QueryCredentials.values)
        for field in fields where field.isSensitive && !field.value.isEmpty {
            secrets.insert(Secret(field.value))
            parts += Self.parts(of: field)
        }
        secrets.formUnion(parts.filter { $0.utf8.count >= Self.shortestPart }.map { Secret($0) })
        self.secrets = secrets
    }

    /// Masks what names itself, and what these heads hold wherever it stands.
    ///
    /// - Parameter isLifted: whether everything is shown as it is.
    public init(_ request: HTTPRequestHead? = nil, _ response: HTTPResponseHead? = nil, isLifted: Bool = false) {
        let fields = (request?.headers.fields ?? []) + (response?.headers.fields ?? [])
        self.init(fields, targets: [request?.target, response?.headers["Location"]].compactMap(\.self), isLifted: isLifted)
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
        Array(repeats(in: bytes, isCut: isCut).ranges)
    }

    private func repeats(in bytes: [UInt8], isCut: Bool = false) -> RangeSet<Int> {
        var ranges = RangeSet<Int>()
        guard !isLifted else { return ranges }
        for secret in secrets {
            let secret = Array(secret.revealed.utf8)
            for start in bytes.indices where bytes[start] == secret[0] {
                let rest = bytes[start...].prefix(secret.count)
                let isWhole = rest.count == secret.count
                guard isWhole || isCut && rest.count >= Self.shortestPart, rest.elementsEqual(secret.prefix(rest.count)) else { continue }
                ranges.insert(contentsOf: rest.indices)
            }
        }
        return ranges
    }

    /// A body, or what came in place of a head, for printing.
    func masked(_ bytes: [UInt8], isCut: Bool = false) -> [UInt8] { Self.replacing(repeats(in: bytes, isCut: isCut), in: bytes) }

    private static func replacing(_ ranges: RangeSet<Int>, in bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for range in ranges.ranges.reversed() { bytes.replaceSubrange(range, with: "***".utf8) }
        return bytes
    }

    /// What one line of a head, or a message about it, holds: a URL in it is masked too.
    private func maskedLine(_ bytes: [UInt8]) -> [UInt8] {
        guard !isLifted else { return bytes }
        var ranges = repeats(in: bytes)
        for range in QueryCredentials.ranges(in: bytes) { ranges.insert(contentsOf: range) }
        return Self.replacing(ranges, in: bytes)
    }

    /// A line of text for printing, in which URLs may stand.
    public func masked(_ text: String) -> String { String(decoding: maskedLine(Array(text.utf8)), as: UTF8.self) }

    /// A URL for printing, with its user and password only if nothing is masked.
    public func masked(_ url: WebSocketURL) -> String { isLifted ? url.revealed : masked(url.description) }

    /// The same fields for printing: credentials are `***`, by their field's name and wherever they are repeated.
    public func masked(_ headers: HTTPHeaders) -> HTTPHeaders {
        let shown = isLifted ? headers : headers.redacted
        return HTTPHeaders(shown.fields.map { HTTPHeaders.Field(trustedName: $0.name, rawValue: maskedLine($0.rawValue)) })
    }

    public func masked(_ head: HTTPRequestHead) -> HTTPRequestHead {
        HTTPRequestHead(method: head.method, target: masked(head.target), version: head.version, headers: masked(head.headers))
    }

    public func masked(_ head: HTTPResponseHead) -> HTTPResponseHead {
        HTTPResponseHead(version: head.version, status: head.status, reason: masked(head.reason), headers: masked(head.headers))
    }
}
