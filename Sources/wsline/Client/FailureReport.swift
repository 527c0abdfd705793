import LineTerminal
import WebSocketProtocol
import WebSocketTransport

extension WebSocketError {
    /// Why the connection failed, in one line (`Docs/usage.md`): the stage, what happened, and what to try.
    var verdict: String {
        switch self {
        case .transport(let error): Self.line(error.stage.words, error.message, error.hint)
        case .openingTimedOut: Self.line("HTTP", "the server did not finish the handshake in time", "--connect-timeout allows more")
        case .refused(let refusal): Self.line(refusal.isFromTLSServer ? "TLS" : "HTTP", refusal.description, refusal.hint)
        case .breach(let error): "\(error): closed with \(describe(error.closeCode))" + (error.hint.map { ": \($0)" } ?? "")
        case .lost(let cause): "the connection was lost with no Close" + (cause.map { " (\($0.message))" } ?? "")
        case .closingTimedOut: "the server did not answer the Close in time: --close-timeout allows more"
        }
    }

    private static func line(_ stage: String, _ message: String, _ hint: String?) -> String {
        "\(stage) failed: \(message)" + (hint.map { ": \($0)" } ?? "")
    }

    /// Reports what the server said, then the verdict.
    ///
    /// - Parameter showsResponse: false if the response's head has been shown already.
    func report(on diagnostics: Diagnostics, showsResponse: Bool) {
        if case .refused(let refusal) = self {
            if let response = refusal.shownResponse {
                if showsResponse { diagnostics.show(response, from: .normal) }
                diagnostics.show(bodyOf: refusal)
            } else {
                MalformedAnswer.show(refusal, on: diagnostics)
            }
        }
        diagnostics.error(verdict)
    }
}

extension Stage {
    fileprivate var words: String {
        switch self {
        case .name: "name lookup"
        case .connect: "connect"
        case .proxy: "proxy"
        case .tls: "TLS"
        case .stream: "the connection"
        case .listen: "listening"
        }
    }
}

extension Diagnostics {
    /// Shows a response's head, from which credentials have been taken.
    func show(_ response: HTTPResponseHead, from minimum: Level = .verbose) {
        show(response.statusLine, response.headers, as: .incoming, from: minimum)
    }

    /// Shows a head, from which credentials have been taken.
    func show(_ startLine: String, _ headers: HTTPHeaders, as role: Style.Role, from minimum: Level = .verbose) {
        detail(startLine, as: role, from: minimum)
        for field in headers.fields { detail("\(field.name): \(field.value)", as: role, from: minimum) }
    }

    fileprivate func show(bodyOf refusal: Refusal) {
        guard !refusal.body.isEmpty else { return }
        detail("\n" + String(decoding: refusal.shownBody, as: UTF8.self), as: .incoming, from: .normal)
        if refusal.bodyIsCut { detail("… (only the first \(Refusal.shownBodySize) bytes are shown)", from: .normal) }
    }

    /// Reports what is wrong with a TLS context that is used all the same.
    func notice(of context: TLSContext) {
        if let error = context.keyLogError { notice("wsline: \(error.message)") }
    }
}

extension ProtocolError {
    /// What to do about it, if something can be done on this side.
    var hint: String? { if case .outOfMemory(.some) = self { "--max-memory allows more" } else { nil } }
}
