import COpenSSL
import WebSocketProtocol
import CPosix

public enum TLSVersion: String, Sendable, Equatable, CaseIterable {
    case v12 = "1.2"
    case v13 = "1.3"

    var wire: Int32 { self == .v12 ? TLS1_2_VERSION : TLS1_3_VERSION }
}

/// A certificate to show, and its private key.
public struct TLSIdentity: Sendable {
    /// A PEM file: the certificate, then its intermediates.
    public var certificateFile: String
    /// A PEM file; `nil` when the key stands in the certificate's file.
    public var keyFile: String?
    public var passphrase: Secret?

    public init(certificateFile: String, keyFile: String? = nil, passphrase: Secret? = nil) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.passphrase = passphrase
    }
}

/// What TLS sessions of one kind have in common: versions, trust, the own certificate. Made once, used for any number of sessions.
public final class TLSContext: @unchecked Sendable {
    public struct ClientOptions: Sendable {
        public var minimumVersion = TLSVersion.v12
        /// PEM certificates to trust **in place of** the system's, as curl's `--cacert`. Any of them is an anchor, a root or not.
        public var caFile: String?
        /// No check of the certificate at all.
        public var insecure = false
        public var identity: TLSIdentity?
        /// Where the sessions' secrets are appended, in NSS key log format; by default what `SSLKEYLOGFILE` names.
        public var keyLogFile: String? = environment("SSLKEYLOGFILE")

        public init() {}
    }

    public struct ServerOptions: Sendable {
        public var minimumVersion = TLSVersion.v12
        public var identity: TLSIdentity
        /// PEM certificates of the issuers that a client's certificate must come from; `nil` demands none.
        public var clientCAFile: String?
        public var keyLogFile: String? = environment("SSLKEYLOGFILE")

        public init(identity: TLSIdentity) { self.identity = identity }
    }

    // Invariant: the SSL_CTX is changed only in the initialiser; SSL_new on a finished one is thread-safe (OpenSSL's threads(7)).
    let raw: OpaquePointer
    let isServer: Bool
    let verifies: Bool
    /// Why the key log can't be written. The connection does not suffer from it.
    public let keyLogError: TransportError?
    private let keyLog: Int32

    /// How much a read from the socket may take in at once: several TLS records of 16 KiB, so that a flood does not cost two calls a record.
    private static let readAhead = 128 * 1024

    private init(isServer: Bool, verifies: Bool, minimum: TLSVersion, keyLogFile: String?) throws(TransportError) {
        ignoreBrokenPipeSignal
        guard let context = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw TransportError(.tls, .system, "can't set TLS up: \(drainOpenSSLErrors())")
        }
        raw = context
        self.isServer = isServer
        self.verifies = verifies
        (keyLog, keyLogError) = openKeyLog(keyLogFile)
        // A server may hold many idle connections, whose read-ahead buffers would add up; a client has one, and keeps it.
        let modes = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY
        wsline_SSL_CTX_set_up(context, minimum.wire, Int(isServer ? modes | SSL_MODE_RELEASE_BUFFERS : modes), isServer ? 0 : 1)
        SSL_CTX_set_default_read_buffer_len(context, Self.readAhead)
        SSL_CTX_set_verify(context, verifies ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE, recordVerdict)
        if keyLog >= 0 { SSL_CTX_set_keylog_callback(context, writeKeyLog) }
    }

    deinit {
        SSL_CTX_free(raw)
        if keyLog >= 0 { Socket(descriptor: keyLog).close() }
    }

    /// A context for connecting.
    ///
    /// - Throws: a ``TransportError`` at the TLS stage that names the file at fault and why.
    public static func client(_ options: ClientOptions = ClientOptions()) throws(TransportError) -> TLSContext {
        let context = try TLSContext(
            isServer: false, verifies: !options.insecure, minimum: options.minimumVersion, keyLogFile: options.keyLogFile)
        _ = SSL_CTX_set_alpn_protos(context.raw, webSocketProtocols, UInt32(webSocketProtocols.count))
        if let file = options.caFile {
            try context.trust(file)
        } else if !options.insecure {
            try context.trustSystem()
        }
        if let identity = options.identity { try context.use(identity) }
        SSL_CTX_set_client_cert_cb(context.raw, noteMissingCertificate)
        return context
    }

    /// A context for accepting.
    ///
    /// - Throws: a ``TransportError`` at the TLS stage that names the file at fault and why.
    public static func server(_ options: ServerOptions) throws(TransportError) -> TLSContext {
        let context = try TLSContext(
            isServer: true, verifies: options.clientCAFile != nil, minimum: options.minimumVersion, keyLogFile: options.keyLogFile)
        // Tickets would be written after the handshake, to a client that may be gone, for a resumption that nobody asks for.
        _ = SSL_CTX_set_num_tickets(context.raw, 0)
        SSL_CTX_set_alpn_select_cb(context.raw, chooseProtocol, nil)
        try context.use(options.identity)
        if let file = options.clientCAFile {
            try context.trust(file)
            SSL_CTX_set_client_CA_list(context.raw, SSL_load_client_CA_file(file))
        }
        return context
    }

    func log(_ line: UnsafePointer<CChar>) {
        // One write a line: O_APPEND keeps lines whole when several processes share the file.
        let text = String(cString: line) + "\n"
        _ = text.utf8.withContiguousStorageIfAvailable { write(keyLog, $0.baseAddress, $0.count) }
    }

    private func trust(_ file: String) throws(TransportError) {
        try checkReadable(file, "the CA file")
        ERR_clear_error()
        guard SSL_CTX_load_verify_file(raw, file) == 1 else {
            throw TransportError(.tls, .file, "the CA file \(file.quoted) has no PEM certificate: \(drainOpenSSLErrors())")
        }
        _ = X509_STORE_set_flags(SSL_CTX_get_cert_store(raw), UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    private func use(_ identity: TLSIdentity) throws(TransportError) {
        let certificate = identity.certificateFile
        try checkReadable(certificate, "the certificate file")
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(raw, certificate) == 1 else {
            throw TransportError(.tls, .file, "the certificate file \(certificate.quoted) has no PEM certificate: \(drainOpenSSLErrors())")
        }
        let file = identity.keyFile ?? certificate
        let key = try readPrivateKey(file, identity.passphrase)
        defer { EVP_PKEY_free(key) }
        guard SSL_CTX_use_PrivateKey(raw, key) == 1, SSL_CTX_check_private_key(raw) == 1 else {
            _ = drainOpenSSLErrors()
            throw TransportError(.tls, .file, "the key in \(file.quoted) does not belong to the certificate in \(certificate.quoted)")
        }
    }
}

/// ALPN's wire form of the one protocol that a WebSocket handshake runs on (RFC 7301 §3.1).
private let webSocketProtocols: [UInt8] = [8] + Array("http/1.1".utf8)

/// Chooses http/1.1 if the client offers it; otherwise goes on with no ALPN, as a server that does not know it.
private func chooseProtocol(
    _ ssl: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ chosenCount: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafePointer<UInt8>?, _ offeredCount: UInt32, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    // What is found lies in the first list, which has to outlive this call.
    var found: UnsafeMutablePointer<UInt8>?
    let ours = webSocketProtocols
    guard SSL_select_next_proto(&found, chosenCount, offered, offeredCount, ours, UInt32(ours.count)) == OPENSSL_NPN_NEGOTIATED else {
        return SSL_TLSEXT_ERR_NOACK
    }
    chosen?.pointee = UnsafePointer(found)
    return SSL_TLSEXT_ERR_OK
}

/// Notes the verdict at the first certificate that fails: after the handshake OpenSSL has only its code.
private func recordVerdict(_ accepted: Int32, _ store: OpaquePointer?) -> Int32 {
    guard accepted == 0, let store, let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()) else {
        return accepted
    }
    let session = TLSSession.of(OpaquePointer(ssl))
    // Without the check it is asked all the same, and the handshake goes on: what fails later has another reason.
    if session?.context.verifies == true { session?.fault = CertificateFault(store) }
    return 0
}

/// Notes that the server asks for a certificate, where there is none to show, and goes on without.
private func noteMissingCertificate(
    _ ssl: OpaquePointer?, _ certificate: UnsafeMutablePointer<OpaquePointer?>?, _ key: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    ssl.flatMap(TLSSession.of)?.lacksCertificate = true
    return 0
}

private func writeKeyLog(_ ssl: OpaquePointer?, _ line: UnsafePointer<CChar>?) {
    guard let ssl, let line else { return }
    TLSSession.of(ssl)?.context.log(line)
}

private func openKeyLog(_ path: String?) -> (Int32, TransportError?) {
    guard let path, !path.isEmpty else { return (-1, nil) }
    // A pipe without a reader, or with a slow one, must not hold the connection up.
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o600)
    guard descriptor < 0 else { return (descriptor, nil) }
    return (-1, TransportError(.tls, "can't write the key log \(path.quoted)", system: .last))
}

/// The value of an environment variable, `nil` when it is unset or empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}
