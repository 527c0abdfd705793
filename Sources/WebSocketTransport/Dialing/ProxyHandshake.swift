import WebSocketProtocol

/// The dialogue with a proxy before the tunnel stands, sans I/O: HTTP CONNECT (RFC 9110 §9.3.6) or SOCKS5 (RFC 1928, RFC 1929).
///
/// Our side speaks first inside the tunnel, so whatever a proxy sends past its answer is its error.
protocol ProxyHandshake: Sendable {
    /// What we send first.
    var opening: [UInt8] { get }

    mutating func received(_ bytes: some Sequence<UInt8>) -> ProxyAction
}

enum ProxyAction: Equatable, Sendable {
    case send([UInt8])
    /// Nothing to do before more bytes come.
    case wait
    case finish
    case fail(TransportError)
}

extension Proxy {
    /// The dialogue that connects to `host`, a name or an IP literal.
    ///
    /// - Throws: a ``TransportError`` at the proxy stage for credentials or names that the protocol can't carry.
    func handshake(to host: String, port: UInt16) throws(TransportError) -> any ProxyHandshake {
        switch scheme {
        case .http, .https: try HTTPConnectHandshake(self, host: host, port: port)
        case .socks5, .socks5h: try SOCKS5Handshake(self, host: host, port: port)
        }
    }
}

/// One CONNECT request and its answer.
struct HTTPConnectHandshake: ProxyHandshake {
    private static let limits = HTTPHeadLimits(headSize: 16 * 1024, lineLength: 16 * 1024, fieldCount: 128)

    let opening: [UInt8]
    private let proxy: Proxy
    private let target: String
    private var parser = HTTPHeadParser<HTTPResponseHead>(limits: limits, acceptsBareLineFeed: true)
    /// What has come of a head, to be quoted if it's wrong.
    private var head: [UInt8] = []
    private var interimResponses = 0

    init(_ proxy: Proxy, host: String, port: UInt16) throws(TransportError) {
        guard !host.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw TransportError(.proxy, .protocolFailure, "\(host.quoted) is not a name of a host")
        }
        self.proxy = proxy
        target = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var text = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n"
        if let credentials = proxy.credentials {
            text += "Proxy-Authorization: Basic \(Base64.encode(Array("\(credentials.user):\(credentials.password.revealed)".utf8)))\r\n"
        }
        opening = Array((text + "\r\n").utf8)
    }

    mutating func received(_ bytes: some Sequence<UInt8>) -> ProxyAction {
        var rest = Array(bytes)
        while !rest.isEmpty {
            head += rest
            do throws(HTTPHeadError) {
                guard case .complete(let response, let consumed) = try parser.consume(rest.span.bytes) else { return .wait }
                rest.removeFirst(consumed)
                guard response.isInterim else { return judge(response, isLast: rest.isEmpty) }
                head = []
                interimResponses += 1
                guard interimResponses <= HTTPResponseHead.mostInterimResponses else { return .fail(tooManyInterim(response)) }
            } catch {
                return .fail(malformed(error))
            }
        }
        return .wait
    }

    /// - Parameter isLast: whether nothing came after the head.
    private func judge(_ response: HTTPResponseHead, isLast: Bool) -> ProxyAction {
        guard response.version.major == 1 else { return .fail(notHTTP(line(at: 0))) }
        switch response.status {
        case 200..<300:
            guard isLast else { return .fail(failure(.protocolFailure, "the proxy \(proxy) sent data before it was asked to")) }
            return .finish
        case 407:
            let schemes = response.headers.authenticationSchemes(in: "Proxy-Authenticate")
            let offered = schemes.isEmpty ? "" : " (\(schemes.joined(separator: ", ")))"
            let text =
                proxy.credentials == nil
                ? "the proxy \(proxy) wants authentication\(offered)" : "the proxy \(proxy) did not accept the user and password\(offered)"
            return .fail(failure(.authentication, text, hint: "give --proxy USER:PASS@HOST:PORT"))
        default:
            let verdict = "HTTP \(response.status)" + (response.reason.isEmpty ? "" : " \(response.reason.escaped)")
            return .fail(failure(.protocolFailure, "the proxy \(proxy) refused to connect to \(target.escaped): \(verdict)"))
        }
    }

    private func malformed(_ error: HTTPHeadError) -> TransportError {
        switch error.reason {
        case .version, .statusCode: notHTTP(line(at: error.offset))
        case .headTooLarge(let limit):
            failure(.protocolFailure, "the proxy \(proxy) answered with more than \(limit) bytes of headers")
        default:
            failure(
                .protocolFailure, "the proxy \(proxy) answered with a malformed HTTP head, in \(line(at: error.offset).quoted): \(error)")
        }
    }

    private func notHTTP(_ line: String) -> TransportError {
        failure(.protocolFailure, "the proxy \(proxy) does not speak HTTP: it answered \(line.quoted)")
    }

    private func tooManyInterim(_ last: HTTPResponseHead) -> TransportError {
        let limit = HTTPResponseHead.mostInterimResponses
        return failure(
            .protocolFailure,
            "the proxy \(proxy) sent more than \(limit) interim responses (1xx, the last HTTP \(last.status)) and no final one")
    }

    /// The line of ``head`` that holds the byte at `offset`, as far as it has come, without its end.
    private func line(at offset: Int) -> String {
        let start = head[..<offset].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let end = head[offset...].firstIndex(of: UInt8(ascii: "\n")) ?? head.endIndex
        let line = head[start..<end]
        return String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }
}

/// SOCKS5's greeting, user and password, and request.
struct SOCKS5Handshake: ProxyHandshake {
    private enum State {
        case methods, authentication, reply
    }

    private let proxy: Proxy
    private let credentials: [UInt8]?
    private let request: [UInt8]
    private let target: String
    private var state = State.methods
    private var input: [UInt8] = []

    init(_ proxy: Proxy, host: String, port: UInt16) throws(TransportError) {
        self.proxy = proxy
        if let given = proxy.credentials {
            let (user, password) = (Array(given.user.utf8), Array(given.password.revealed.utf8))
            guard (1...255).contains(user.count), (1...255).contains(password.count) else {
                throw failure(.authentication, "SOCKS5 takes a user and a password of 1 to 255 bytes each (RFC 1929 §2)")
            }
            credentials = [1, UInt8(user.count)] + user + [UInt8(password.count)] + password
        } else {
            credentials = nil
        }
        let address: [UInt8]
        switch Resolver.literal(host, port: port) {
        case .ipv4(let value, _): address = [1] + bigEndian(value)
        case .ipv6(let value, _, _): address = [4] + bigEndian(value)
        case .unix, nil:
            guard (1...255).contains(host.utf8.count) else {
                throw failure(.protocolFailure, "\(host.quoted) is too long for SOCKS5: a name has 255 bytes at most (RFC 1928 §5)")
            }
            address = [3, UInt8(host.utf8.count)] + host.utf8
        }
        request = [5, 1, 0] + address + bigEndian(port)
        target = authority(host, port)
    }

    var opening: [UInt8] { credentials == nil ? [5, 1, 0] : [5, 2, 0, 2] }

    mutating func received(_ bytes: some Sequence<UInt8>) -> ProxyAction {
        input += bytes
        switch state {
        case .methods: return choseMethod()
        case .authentication: return authenticated()
        case .reply: return replied()
        }
    }

    private mutating func choseMethod() -> ProxyAction {
        if let version = input.first, version != 5 { return .fail(notSOCKS) }
        guard input.count >= 2 else { return .wait }
        let method = input[1]
        input.removeFirst(2)
        switch method {
        case 0:
            return ask(request, .reply)
        case 2:
            guard let credentials else { return .fail(wantsAuthentication) }
            return ask(credentials, .authentication)
        default:
            return .fail(
                credentials == nil ? wantsAuthentication : failure(.authentication, "the proxy \(proxy) takes neither password nor none"))
        }
    }

    private mutating func authenticated() -> ProxyAction {
        guard input.count >= 2 else { return .wait }
        guard input[1] == 0 else { return .fail(failure(.authentication, "the proxy \(proxy) did not accept the user and password")) }
        input.removeFirst(2)
        return ask(request, .reply)
    }

    private mutating func replied() -> ProxyAction {
        if let version = input.first, version != 5 { return .fail(notSOCKS) }
        if input.count >= 2, input[1] != 0 {
            return .fail(failure(.protocolFailure, "the proxy \(proxy) can't connect to \(target): \(replyText(input[1]))"))
        }
        guard input.count >= 5 else { return .wait }
        let length: Int
        switch input[3] {
        case 1: length = 4 + 4 + 2
        case 3: length = 4 + 1 + Int(input[4]) + 2
        case 4: length = 4 + 16 + 2
        default: return .fail(notSOCKS)
        }
        if input.count < length { return .wait }
        guard input.count == length else { return .fail(failure(.protocolFailure, "the proxy \(proxy) sent data before it was asked to")) }
        return .finish
    }

    private mutating func ask(_ bytes: [UInt8], _ next: State) -> ProxyAction {
        guard input.isEmpty else { return .fail(failure(.protocolFailure, "the proxy \(proxy) sent data before it was asked to")) }
        state = next
        return .send(bytes)
    }

    private var notSOCKS: TransportError { failure(.protocolFailure, "the proxy \(proxy) does not speak SOCKS5") }

    private var wantsAuthentication: TransportError {
        failure(
            .authentication, "the proxy \(proxy) wants authentication", hint: "give --proxy \(proxy.scheme.rawValue)://USER:PASS@HOST:PORT")
    }
}

/// RFC 1928 §6.
private func replyText(_ code: UInt8) -> String {
    let texts = [
        "general failure", "not allowed by its rules", "network unreachable", "host unreachable", "connection refused", "TTL expired",
        "command not supported", "address type not supported",
    ]
    return (1...texts.count).contains(Int(code)) ? texts[Int(code) - 1] : "error \(code)"
}

private func failure(_ kind: TransportError.Kind, _ message: String, hint: String? = nil) -> TransportError {
    TransportError(.proxy, kind, message, hint: hint)
}

private func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
