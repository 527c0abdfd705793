import WebSocketProtocol
import WebSocketTransport

/// Tells on standard error why a connection failed: the stage, what the server said, and one line of verdict (`Docs/usage.md`).
struct FailureReport {
    private let error: WebSocketError

    init(_ error: WebSocketError) { self.error = error }

    /// The verdict in one line, with what to try after it.
    var verdict: String {
        switch error {
        case .transport(let error): Self.line(Self.stage(error.stage), error.message, error.hint)
        case .openingTimedOut: Self.line("HTTP", "the server did not finish the handshake in time", "--connect-timeout allows more")
        case .refused(let refusal): Self.line(refusal.isFromTLSServer ? "TLS" : "HTTP", refusal.description, refusal.hint)
        case .breach(let error): "\(error): closed with \(describe(error.closeCode))" + (error.hint.map { ": \($0)" } ?? "")
        case .lost(let cause): "the connection was lost with no Close" + (cause.map { " (\($0.message))" } ?? "")
        }
    }

    /// - Parameter showsResponse: false where the response's head has been shown already.
    func write(to diagnostics: Diagnostics, showsResponse: Bool) {
        if case .refused(let refusal) = error {
            if let response = refusal.shownResponse {
                if showsResponse { diagnostics.show(response, from: .normal) }
                Self.show(body: refusal, on: diagnostics)
            } else {
                MalformedAnswer(refusal)?.show(on: diagnostics)
            }
        }
        diagnostics.error(verdict)
    }

    private static func line(_ stage: String, _ message: String, _ hint: String?) -> String {
        "\(stage) failed: \(message)" + (hint.map { ": \($0)" } ?? "")
    }

    private static func stage(_ stage: Stage) -> String {
        switch stage {
        case .name: "name lookup"
        case .connect: "connect"
        case .proxy: "proxy"
        case .tls: "TLS"
        case .stream: "the connection"
        case .listen: "listening"
        }
    }

    private static func show(body refusal: Refusal, on diagnostics: Diagnostics) {
        guard !refusal.body.isEmpty else { return }
        diagnostics.detail("", as: .received, from: .normal)
        diagnostics.detail(String(decoding: refusal.shownBody, as: UTF8.self), as: .received, from: .normal)
        if refusal.bodyIsCut { diagnostics.detail("… (only the first \(Refusal.shownBodySize) bytes are shown)", from: .normal) }
    }
}

extension Diagnostics {
    /// Shows a response's head, from which credentials have been taken.
    func show(_ response: HTTPResponseHead, from minimum: Level = .verbose) {
        detail(response.statusLine, as: .received, from: minimum)
        for field in response.headers.fields { detail("\(field.name): \(field.value)", as: .received, from: minimum) }
    }

    /// Reports what is wrong with a TLS context that is used all the same.
    func notice(of context: TLSContext) {
        if let error = context.keyLogError { notice("wsline: \(error.message)") }
    }
}

extension ProtocolError {
    /// What to do about it, where something can be done on this side.
    var hint: String? { if case .outOfMemory(.some) = self { "--max-memory allows more" } else { nil } }
}
