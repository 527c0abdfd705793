/// The version in a start line: one digit each (RFC 9112, section 2.3).
public struct HTTPVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let major: UInt8
    public let minor: UInt8

    public init(major: UInt8, minor: UInt8) {
        self.major = major
        self.minor = minor
    }

    public static let http1_0 = HTTPVersion(major: 1, minor: 0)
    public static let http1_1 = HTTPVersion(major: 1, minor: 1)

    public static func < (left: HTTPVersion, right: HTTPVersion) -> Bool { (left.major, left.minor) < (right.major, right.minor) }
    public var description: String { "HTTP/\(major).\(minor)" }
}

/// A request's head: request line and fields (RFC 9112, section 3).
public struct HTTPRequestHead: Hashable, Sendable {
    public var method: String
    /// The request target as it is on the wire, visible ASCII.
    public var target: String
    public var version: HTTPVersion
    public var headers: HTTPHeaders

    public init(method: String, target: String, version: HTTPVersion = .http1_1, headers: HTTPHeaders) {
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
    }

    /// `GET /chat HTTP/1.1`
    public var requestLine: String { "\(method) \(target) \(version)" }

    /// The head as it goes on the wire, with the empty line at its end.
    public var bytes: [UInt8] {
        var bytes = Array("\(requestLine)\r\n".utf8)
        headers.write(to: &bytes)
        bytes += "\r\n".utf8
        return bytes
    }
}

/// A response's head: status line and fields (RFC 9112, section 4).
public struct HTTPResponseHead: Hashable, Sendable {
    public var version: HTTPVersion
    /// 100 to 999.
    public var status: Int
    /// As UTF-8 if it is valid UTF-8, else byte for byte as Latin-1. May be empty.
    public var reason: String
    public var headers: HTTPHeaders

    public init(version: HTTPVersion = .http1_1, status: Int, reason: String, headers: HTTPHeaders) {
        self.version = version
        self.status = status
        self.reason = reason
        self.headers = headers
    }

    /// `HTTP/1.1 101 Switching Protocols`
    public var statusLine: String { "\(version) \(status)" + (reason.isEmpty ? "" : " \(reason)") }

    /// Whether another head follows this one: a 1xx status other than 101 (RFC 9110, section 15.2).
    public var isInterim: Bool { (100...199).contains(status) && status != 101 }

    /// How many interim responses are passed over before a final one: a peer that sent them without end would hold us for as long as it likes.
    package static let mostInterimResponses = 20

    /// The head as it goes on the wire, with the empty line at its end.
    public var bytes: [UInt8] {
        var bytes = Array("\(version) \(status) \(reason)\r\n".utf8)
        headers.write(to: &bytes)
        bytes += "\r\n".utf8
        return bytes
    }
}

/// What ``HTTPHeadParser`` can read: a request's or a response's head.
public protocol HTTPHead: Sendable, Equatable {
    /// How the start line is laid out.
    static var startLineForm: HTTPStartLineForm { get }
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

extension HTTPRequestHead: HTTPHead {
    public static var startLineForm: HTTPStartLineForm { .request }
    public init(_ parts: HTTPHeadParts) {
        self.init(method: parts.method, target: parts.target, version: parts.version, headers: parts.headers)
    }
}

extension HTTPResponseHead: HTTPHead {
    public static var startLineForm: HTTPStartLineForm { .status }
    public init(_ parts: HTTPHeadParts) {
        self.init(version: parts.version, status: parts.status, reason: parts.reason, headers: parts.headers)
    }
}
