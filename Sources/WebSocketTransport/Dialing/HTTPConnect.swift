import WebSocketProtocol

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
            guard isLast else { return .fail(proxyFailure(.protocolFailure, "the proxy \(proxy) sent data before it was asked to")) }
            return .finish
        case 407:
            let schemes = response.headers.authenticationSchemes(in: "Proxy-Authenticate")
            let offered = schemes.isEmpty ? "" : " (\(schemes.joined(separator: ", ")))"
            let text =
                proxy.credentials == nil
                ? "the proxy \(proxy) wants authentication\(offered)" : "the proxy \(proxy) did not accept the user and password\(offered)"
            return .fail(proxyFailure(.authentication, text, hint: "give --proxy USER:PASS@HOST:PORT"))
        default:
            let verdict = "HTTP \(response.status)" + (response.reason.isEmpty ? "" : " \(response.reason.escaped)")
            return .fail(proxyFailure(.protocolFailure, "the proxy \(proxy) refused to connect to \(target.escaped): \(verdict)"))
        }
    }

    private func malformed(_ error: HTTPHeadError) -> TransportError {
        switch error.reason {
        case .version, .statusCode: notHTTP(line(at: error.offset))
        case .headTooLarge(let limit):
            proxyFailure(.protocolFailure, "the proxy \(proxy) answered with more than \(limit) bytes of headers")
        default:
            proxyFailure(
                .protocolFailure, "the proxy \(proxy) answered with a malformed HTTP head, in \(line(at: error.offset).quoted): \(error)")
        }
    }

    private func notHTTP(_ line: String) -> TransportError {
        proxyFailure(.protocolFailure, "the proxy \(proxy) does not speak HTTP: it answered \(line.quoted)")
    }

    private func tooManyInterim(_ last: HTTPResponseHead) -> TransportError {
        let limit = HTTPResponseHead.mostInterimResponses
        return proxyFailure(
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
