import COpenSSL
import CPosix

/// What a finished TLS handshake settled.
public struct TLSInfo: Sendable, Equatable {
    /// `TLSv1.3`
    public let version: String
    public let cipher: String
    /// The protocol agreed on by ALPN, if any.
    public let applicationProtocol: String?
    public let certificate: CertificateInfo?
    /// Whether the peer's certificate was checked (and passed).
    public let verified: Bool
}

/// One TLS connection, over a socket or inside another TLS connection. Like the stream that has it, it belongs to one queue.
final class TLSSession {
    enum Role {
        /// The peer's name or address, for SNI and the certificate's check.
        case client(peer: String)
        /// The same, of a proxy on the way to the server.
        case proxyClient(peer: String)
        case server(peer: String)

        /// The name that errors have, and certificates: it ends in no dot.
        var peer: String {
            switch self {
            case .client(let name), .proxyClient(let name): name.hasSuffix(".") ? String(name.dropLast()) : name
            case .server(let name): name
            }
        }

        var isServer: Bool { if case .server = self { true } else { false } }
    }

    /// What a step came to. Both waits can come from either direction: TLS reads to write, and writes to read.
    enum Step {
        case done(Int)
        case needsRead
        case needsWrite
        /// The peer's close_notify.
        case end
        indirect case failed(TransportError)
    }

    let context: TLSContext
    let carrier: TLSSession?
    /// The verify callback's verdict; set while ``handshake()`` runs, on its thread.
    var fault: CertificateFault?
    /// Whether the peer has asked for our certificate and we had none; set while ``handshake()`` runs.
    var lacksCertificate = false
    private let ssl: OpaquePointer
    private let role: Role
    private var peer: String { role.peer }
    /// After a fatal error OpenSSL forbids every further call except SSL_free (SSL_get_error(3)).
    private var isDead = false
    /// The socket takes no more. What came before can still be read: a peer that refuses us says why, then resets the connection.
    private var isWriteDead = false

    init(_ context: TLSContext, _ role: Role, descriptor: Int32, carrier: TLSSession?) throws(TransportError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.raw) else { throw TransportError(.tls, .system, "can't start TLS: \(drainOpenSSLErrors())") }
        self.ssl = ssl
        self.context = context
        self.carrier = carrier
        self.role = role
        if role.isServer { SSL_set_accept_state(ssl) } else { SSL_set_connect_state(ssl) }
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        if !role.isServer { try name(peer) }
        try attach(descriptor)
    }

    deinit { SSL_free(ssl) }

    /// The session that OpenSSL's pointer stands for, within a callback.
    static func of(_ ssl: OpaquePointer) -> TLSSession? {
        SSL_get_ex_data(ssl, 0).map { Unmanaged.fromOpaque($0).takeUnretainedValue() }
    }

    /// Sets what the certificate is held against, and SNI, which an IP literal must not have (RFC 6066 §3).
    private func name(_ peer: String) throws(TransportError) {
        let parameters = SSL_get0_param(ssl)
        if Resolver.literal(peer, port: 0) != nil {
            // A zone ("%eth0") means something on this machine alone, so no certificate has it.
            let bare = String(peer.prefix { $0 != "%" })
            guard X509_VERIFY_PARAM_set1_ip_asc(parameters, bare) == 1 else { throw invalidName(peer) }
            return
        }
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard !peer.isEmpty, X509_VERIFY_PARAM_set1_host(parameters, peer, peer.utf8.count) == 1,
            wsline_SSL_set_tlsext_host_name(ssl, peer) == 1
        else { throw invalidName(peer) }
    }

    private func invalidName(_ peer: String) -> TransportError {
        TransportError(.tls, .certificate, "\(peer.quoted) is not a name that a certificate can have: \(drainOpenSSLErrors())")
    }

    private func attach(_ descriptor: Int32) throws(TransportError) {
        if let carrier, let bio = BIO_new(BIO_f_ssl()) {
            _ = wsline_BIO_set_ssl(bio, carrier.ssl)
            SSL_set_bio(ssl, bio, bio)
        } else if carrier != nil || SSL_set_fd(ssl, descriptor) != 1 {
            throw TransportError(.tls, .system, "can't start TLS: \(drainOpenSSLErrors())")
        }
    }

    /// Data has come in from the socket that ``read(into:)`` has not yet handed on. It may be part of a record, which can't be read yet.
    var hasPending: Bool { SSL_has_pending(ssl) == 1 || carrier?.hasPending == true }

    var info: TLSInfo {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        return TLSInfo(
            version: String(cString: SSL_get_version(ssl)),
            cipher: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? "none",
            applicationProtocol: name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self) },
            certificate: SSL_get0_peer_certificate(ssl).map(CertificateInfo.init),
            verified: context.verifies)
    }

    func handshake() -> Step {
        guard !isDead else { return .failed(closed) }
        prepareCall()
        let outcome = SSL_do_handshake(ssl)
        return outcome == 1 ? .done(0) : explain(outcome, .tls)
    }

    /// Fills the buffer with as much as OpenSSL has, or the socket without waiting.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Step {
        guard !isDead else { return .failed(closed) }
        prepareCall()
        var count = 0
        let outcome = SSL_read_ex(ssl, buffer.baseAddress, buffer.count, &count)
        return outcome == 1 ? .done(count) : explain(outcome, .stream)
    }

    /// Takes at most one record's worth; what waits for the socket must be offered again, with at least as many bytes (SSL_write(3)).
    func write(_ buffer: UnsafeRawBufferPointer) -> Step {
        guard !isDead, !isWriteDead else { return .failed(closed) }
        prepareCall()
        var count = 0
        let outcome = SSL_write_ex(ssl, buffer.baseAddress, buffer.count, &count)
        return outcome == 1 ? .done(count) : explain(outcome, .stream, isWriting: true)
    }

    /// Sends close_notify, once.
    func shutdown() -> Step {
        guard !isDead, !isWriteDead, SSL_is_init_finished(ssl) == 1, SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN == 0 else { return .done(0) }
        prepareCall()
        let outcome = SSL_shutdown(ssl)
        // 0: ours is sent, the peer's has not come, and nobody waits for it here.
        return outcome >= 0 ? .done(0) : explain(outcome, .stream)
    }

    /// SSL_get_error looks at the thread's error stack and errno, so both must be about this call alone.
    private func prepareCall() {
        ERR_clear_error()
        errno = 0
    }

    private func explain(_ outcome: Int32, _ stage: Stage, isWriting: Bool = false) -> Step {
        let system = errno
        switch SSL_get_error(ssl, outcome) {
        case SSL_ERROR_WANT_READ: return .needsRead
        case SSL_ERROR_WANT_WRITE: return .needsWrite
        case SSL_ERROR_ZERO_RETURN where stage != .tls: return .end
        case SSL_ERROR_ZERO_RETURN:
            isDead = true
            return .failed(TransportError(stage, .protocolFailure, "\(peer.quoted) closed the connection within the TLS handshake"))
        case SSL_ERROR_SYSCALL:
            if isWriting { isWriteDead = true } else { isDead = true }
            return .failed(system == 0 ? truncated(stage) : lost(SystemError(system), stage))
        default:
            isDead = true
            return .failed(failure(stage))
        }
    }

    private func failure(_ stage: Stage) -> TransportError {
        let code = ERR_peek_error()
        let reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0
        let text = drainOpenSSLErrors()
        if reason == SSL_R_UNEXPECTED_EOF_WHILE_READING { return truncated(stage) }
        if let fault { return fault.error(role) }
        if let alert = TLSAlert(reason: reason) {
            let hint = alert.hint(role, hasCertificate: SSL_get_certificate(ssl) != nil, lacksCertificate: lacksCertificate)
            return TransportError(.tls, .protocolFailure, "\(peer.quoted) sent the alert \(alert.name.quoted)", hint: hint)
        }
        let doing = stage == .tls ? "the TLS handshake with \(peer.quoted) failed" : "TLS with \(peer.quoted) failed"
        return TransportError(stage, .protocolFailure, "\(doing): \(text)", hint: hint(reason))
    }

    private func hint(_ reason: Int32) -> String? {
        switch reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG:
            role.isServer
                ? "the client does not speak TLS: its URL should begin with wss://"
                : "the server does not speak TLS on this port: try ws://"
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_PROTOCOLS_AVAILABLE: noCommonVersion
        default: nil
        }
    }

    private func truncated(_ stage: Stage) -> TransportError {
        let text =
            stage == .tls
            ? "\(peer.quoted) closed the connection within the TLS handshake"
            : "the TLS connection with \(peer.quoted) was cut off: it ended with no close_notify"
        return TransportError(stage, .truncated, text, hint: plainHint(stage))
    }

    private func lost(_ error: SystemError, _ stage: Stage) -> TransportError {
        TransportError(stage, "the connection with \(peer.quoted) was lost", system: error, hint: plainHint(stage))
    }

    /// A server that speaks something else may hang up on a ClientHello.
    private func plainHint(_ stage: Stage) -> String? {
        guard stage == .tls, case .client = role else { return nil }
        return lacksCertificate ? TLSAlert.certificateWanted : "the server may not speak TLS on this port: try ws://"
    }

    private var closed: TransportError { TransportError(.stream, .closed, "the TLS connection with \(peer.quoted) is over") }
}
