import WebSocketProtocol
import WebSocketTransport

/// What `-v` shows: the way to the server, both heads, what was agreed on, how long each step took, the close and the totals.
@EventLoop
final class VerboseLog {
    private let diagnostics: Diagnostics
    private var handshake: ClientHandshake?
    private var connectedAt: Instant = 0
    private var openedAt: Instant = 0

    init(_ diagnostics: Diagnostics) { self.diagnostics = diagnostics }

    func willSend(_ handshake: ClientHandshake) { self.handshake = handshake }

    func progress(_ event: DialEvent) {
        switch event {
        case .resolving(let host): diagnostics.detail("looking up \(host)")
        case .resolved(let host, let addresses, let time):
            diagnostics.detail("\(host) is \(addresses.map(\.description).joined(separator: ", ")) (\(milliseconds(time)))")
        case .trying(let address): diagnostics.detail("trying \(address)")
        case .failed(let address, let error): diagnostics.detail("\(address): \(error.message)")
        case .connected(let address, let local): diagnostics.detail("connected to \(address)" + (local.map { " from \($0)" } ?? ""))
        case .securedProxy(let info): show(info, with: "the proxy")
        case .tunnelled(let proxy): diagnostics.detail("\(proxy) has connected to the server")
        case .secured(let info): show(info, with: "the server")
        }
    }

    /// The request leaves.
    func connected() {
        connectedAt = monotonicNow()
        guard let request = handshake?.shownRequest else { return }
        diagnostics.show(request.startLine, request.headers, as: .sent)
    }

    func opened(_ socket: WebSocket) {
        openedAt = monotonicNow()
        if let response = socket.handshakeResult?.shownResponse { diagnostics.show(response) }
        let extensions = socket.extensions.map(\.description)
        diagnostics.detail(
            "subprotocol: \(socket.subprotocol ?? "none"); extensions: \(extensions.isEmpty ? "none" : extensions.joined(separator: ", "))")
        timing(socket)
    }

    func refused(_ refusal: Refusal, _ socket: WebSocket?) {
        if let response = refusal.shownResponse { diagnostics.show(response) }
        if let socket { timing(socket) }
    }

    private func timing(_ socket: WebSocket) {
        guard let timings = socket.timings else { return }
        let steps: [(String, Double?)] = [
            ("name", timings.name), ("connect", timings.connect), ("proxy", timings.proxy), ("TLS", timings.tls),
            ("handshake", Double(monotonicNow() &- connectedAt) / 1e9),
        ]
        diagnostics.detail("time: " + steps.compactMap { step in step.1.map { "\(step.0) \(milliseconds($0))" } }.joined(separator: ", "))
    }

    func closed(_ closure: Closure, _ totals: [String]) {
        let who = closure.isByUs ? "us" : "the server"
        let reason = closure.reason.isEmpty ? "" : ", reason \"\(onOneLine(closure.reason))\""
        let how =
            closure.code == .abnormal
            ? "ended with no Close from the server, not clean"
            : "closed by \(who): \(describe(closure.code))\(reason), \(closure.wasClean ? "clean" : "not clean")"
        diagnostics.detail("\(how), after \(seconds(Double(monotonicNow() &- openedAt) / 1e9))")
        for line in totals { diagnostics.detail(line) }
    }

    private func show(_ info: TLSInfo, with peer: String) {
        let alpn = info.applicationProtocol.map { ", ALPN \($0)" } ?? ""
        diagnostics.detail("\(info.version) with \(peer), \(info.cipher)\(alpn)")
        guard let certificate = info.certificate else { return }
        diagnostics.detail(
            "certificate: \(certificate.subject), issued by \(certificate.issuer), \(info.verified ? "verified" : "NOT VERIFIED")")
        diagnostics.detail(
            "valid from \(certificate.notBefore) to \(certificate.notAfter), for \(onOneLine(certificate.names.joined(separator: ", ")))")
    }

    private func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
}
