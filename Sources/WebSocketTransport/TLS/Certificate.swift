import COpenSSL

/// What a certificate says of itself, as text that can't drive a terminal.
public struct CertificateInfo: Sendable, Equatable {
    public let subject: String
    public let issuer: String
    /// As OpenSSL prints times: `Nov 22 16:27:06 2026 GMT`.
    public let notBefore: String
    public let notAfter: String
    /// The subject's alternative names: `DNS:example.com`, `IP Address:127.0.0.1`.
    public let names: [String]

    init(_ certificate: OpaquePointer) {
        subject = printed { _ = wsline_X509_NAME_print($0, X509_get_subject_name(certificate)) }
        issuer = printed { _ = wsline_X509_NAME_print($0, X509_get_issuer_name(certificate)) }
        notBefore = printed { _ = ASN1_TIME_print($0, X509_get0_notBefore(certificate)) }
        notAfter = printed { _ = ASN1_TIME_print($0, X509_get0_notAfter(certificate)) }
        names = alternativeNames(certificate)
    }

    /// The names that the certificate stands for, for an error: at most four of them.
    var namesForPeople: String {
        let bare = names.map { name in
            name.hasPrefix("DNS:") ? String(name.dropFirst(4)) : name.hasPrefix("IP Address:") ? String(name.dropFirst(11)) : name
        }
        guard !bare.isEmpty else { return subject.isEmpty ? "nobody" : subject }
        return bare.prefix(4).joined(separator: ", ") + (bare.count > 4 ? " and \(bare.count - 4) more" : "")
    }
}

private func alternativeNames(_ certificate: OpaquePointer) -> [String] {
    guard let raw = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return [] }
    let names = OpaquePointer(raw)
    defer { GENERAL_NAMES_free(names) }
    return (0..<max(0, wsline_GENERAL_NAMES_count(names))).compactMap { index in
        guard let name = wsline_GENERAL_NAMES_get(names, index) else { return nil }
        return printed { _ = GENERAL_NAME_print($0, name) }
    }
}

/// What `body` prints into a memory BIO.
private func printed(_ body: (OpaquePointer) -> Void) -> String {
    guard let bio = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(bio) }
    body(bio)
    var data: UnsafeMutablePointer<CChar>?
    let count = wsline_BIO_get_mem_data(bio, &data)
    guard let data, count > 0 else { return "" }
    return String(decoding: UnsafeRawBufferPointer(start: data, count: count), as: UTF8.self).escaped
}

/// Why a certificate chain was not accepted: OpenSSL's verdict at the first certificate that failed.
struct CertificateFault: Sendable {
    let code: Int32
    /// 0 for the peer's own certificate, more for its issuers.
    let depth: Int32
    let certificate: CertificateInfo?

    /// Reads the verdict within a verify callback.
    init(_ store: OpaquePointer) {
        code = X509_STORE_CTX_get_error(store)
        depth = X509_STORE_CTX_get_error_depth(store)
        certificate = X509_STORE_CTX_get_current_cert(store).map(CertificateInfo.init)
    }

    /// One sentence, and for a client what can be done.
    func error(_ role: TLSSession.Role) -> TransportError {
        let own = "the certificate of \(role.peer.quoted)"
        let whose = depth == 0 ? own : "the issuer certificate \(named(\.subject).quoted)"
        let trust = "trust its issuer with --ca FILE, or go without the check with -k"
        let (text, hint) =
            switch code {
            case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
                ("the certificate is for \(certificate?.namesForPeople ?? "another name"), not \(role.peer)", wrongNameHint(role))
            case X509_V_ERR_CERT_HAS_EXPIRED: ("\(whose) has expired on \(named(\.notAfter))", "go without the check with -k")
            case X509_V_ERR_CERT_NOT_YET_VALID: ("\(whose) is not valid before \(named(\.notBefore))", "check this machine's clock")
            case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
                ("\(whose) is self-signed", "trust it with --ca FILE, or go without the check with -k")
            case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: ("\(own) has an unknown issuer \(named(\.subject).quoted)", trust)
            case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
                ("\(own) has an unknown issuer \(named(\.issuer).quoted)", trust)
            default: ("\(whose) was not accepted: \(String(cString: X509_verify_cert_error_string(Int(code))))", trust)
            }
        return TransportError(.tls, .certificate, text, hint: role.isServer ? nil : hint)
    }

    private func named(_ field: KeyPath<CertificateInfo, String>) -> String { certificate?[keyPath: field] ?? "?" }

    private func wrongNameHint(_ role: TLSSession.Role) -> String {
        if case .client = role { return "check the address, name the server with --servername NAME, or go without the check with -k" }
        return "check the address, or go without the check with -k"
    }
}
