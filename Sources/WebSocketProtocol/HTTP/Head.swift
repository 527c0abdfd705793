/// The version in a start line: one digit each (RFC 9112, section 2.3).
public struct HTTPVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let major: UInt8
    public let minor: UInt8

    public static let http1_1 = HTTPVersion(major: 1, minor: 1)

    public static func < (left: HTTPVersion, right: HTTPVersion) -> Bool { (left.major, left.minor) < (right.major, right.minor) }
    public var description: String { "HTTP/\(major).\(minor)" }
}

/// A request's or a response's head, which ``HTTPHeadParser`` reads.
public protocol HTTPHead: Sendable, Equatable {
    static var startLineForm: HTTPStartLineForm { get }
    /// As it goes on the wire, without its end.
    var startLine: String { get }
    var headers: HTTPHeaders { get }
    init(_ parts: HTTPHeadParts)
}

public enum HTTPStartLineForm: Sendable {
    /// method SP target SP version
    case request
    /// version SP status SP reason
    case status
}

/// What a parsed head is made of; a request has no status and reason, a response no method and target.
public struct HTTPHeadParts: Sendable {
    var version = HTTPVersion.http1_1
    var method = ""
    var target = ""
    var status = 0
    var reason = ""
    var headers = HTTPHeaders()
}

extension HTTPHead {
    /// The head as it goes on the wire, credentials included, with the empty line at its end.
    public var bytes: [UInt8] {
        var bytes = Array("\(startLine)\r\n".utf8)
        for field in headers.fields { bytes += "\(field.name): ".utf8 + field.rawValue + "\r\n".utf8 }
        return bytes + "\r\n".utf8
    }
}

/// A request's head: request line and fields (RFC 9112, section 3).
public struct HTTPRequestHead: Hashable, Sendable {
    public var method: String
    /// The request target as it is on the wire, visible ASCII.
    public var target: String
    public var version = HTTPVersion.http1_1
    public var headers: HTTPHeaders
}

extension HTTPRequestHead: HTTPHead {
    public static var startLineForm: HTTPStartLineForm { .request }

    public init(_ parts: HTTPHeadParts) {
        self.init(method: parts.method, target: parts.target, version: parts.version, headers: parts.headers)
    }

    /// `GET /chat HTTP/1.1`
    public var startLine: String { "\(method) \(target) \(version)" }
}

/// A response's head: status line and fields (RFC 9112, section 4).
public struct HTTPResponseHead: Hashable, Sendable {
    public var version = HTTPVersion.http1_1
    /// 100 to 999.
    public var status: Int
    /// As UTF-8 if it is valid UTF-8, else byte for byte as Latin-1. May be empty.
    public var reason: String
    public var headers: HTTPHeaders

    /// `HTTP/1.1 101 Switching Protocols`, for printing.
    public var statusLine: String { "\(version) \(status)" + (reason.isEmpty ? "" : " \(reason)") }

    /// Whether another head follows this one: a 1xx status other than 101 (RFC 9110, section 15.2).
    public var isInterim: Bool { (100...199).contains(status) && status != 101 }

    /// How many interim responses are passed over before a final one: a peer that sent them without end would hold us for as long as it likes.
    package static let mostInterimResponses = 20
}

extension HTTPResponseHead: HTTPHead {
    public static var startLineForm: HTTPStartLineForm { .status }

    public init(_ parts: HTTPHeadParts) {
        self.init(version: parts.version, status: parts.status, reason: parts.reason, headers: parts.headers)
    }

    /// The space after the status is due even without a reason phrase (RFC 9112, section 4).
    public var startLine: String { "\(version) \(status) \(reason)" }
}
