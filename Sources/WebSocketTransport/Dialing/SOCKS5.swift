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
                throw proxyFailure(.authentication, "SOCKS5 takes a user and a password of 1 to 255 bytes each (RFC 1929 §2)")
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
                throw proxyFailure(.protocolFailure, "\(host.quoted) is too long for SOCKS5: a name has 255 bytes at most (RFC 1928 §5)")
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
                credentials == nil
                    ? wantsAuthentication : proxyFailure(.authentication, "the proxy \(proxy) takes neither password nor none"))
        }
    }

    private mutating func authenticated() -> ProxyAction {
        guard input.count >= 2 else { return .wait }
        guard input[1] == 0 else { return .fail(proxyFailure(.authentication, "the proxy \(proxy) did not accept the user and password")) }
        input.removeFirst(2)
        return ask(request, .reply)
    }

    private mutating func replied() -> ProxyAction {
        if let version = input.first, version != 5 { return .fail(notSOCKS) }
        if input.count >= 2, input[1] != 0 {
            return .fail(proxyFailure(.protocolFailure, "the proxy \(proxy) can't connect to \(target): \(replyText(input[1]))"))
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
        guard input.count == length else {
            return .fail(proxyFailure(.protocolFailure, "the proxy \(proxy) sent data before it was asked to"))
        }
        return .finish
    }

    private mutating func ask(_ bytes: [UInt8], _ next: State) -> ProxyAction {
        guard input.isEmpty else { return .fail(proxyFailure(.protocolFailure, "the proxy \(proxy) sent data before it was asked to")) }
        state = next
        return .send(bytes)
    }

    private var notSOCKS: TransportError { proxyFailure(.protocolFailure, "the proxy \(proxy) does not speak SOCKS5") }

    private var wantsAuthentication: TransportError {
        proxyFailure(
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

private func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
