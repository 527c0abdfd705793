import COpenSSL

/// A fatal alert by which a peer ended TLS (RFC 8446 §6.2). Under TLS 1.3 one about a client's certificate comes after the client's side of the
/// handshake.
struct TLSAlert {
    /// As on the wire.
    let code: Int32

    /// - Returns: nil for a reason of OpenSSL's that is not an alert from the peer.
    init?(reason: Int32) {
        guard (1...255).contains(reason - SSL_AD_REASON_OFFSET) else { return nil }
        code = reason - SSL_AD_REASON_OFFSET
    }

    /// `certificate required`
    var name: String {
        switch code {
        // OpenSSL has no names for TLS 1.3's own.
        case SSL_AD_MISSING_EXTENSION: return "missing extension"
        case SSL_AD_CERTIFICATE_REQUIRED: return "certificate required"
        default:
            let name = String(cString: SSL_alert_desc_string_long(code))
            return name == "unknown" ? "number \(code)" : name
        }
    }

    /// What to do about it.
    ///
    /// - Parameters:
    ///   - hasCertificate: whether we had a certificate to show.
    ///   - lacksCertificate: whether the peer asked for one, and we had none.
    func hint(_ role: TLSSession.Role, hasCertificate: Bool, lacksCertificate: Bool) -> String? {
        if code == SSL_AD_PROTOCOL_VERSION { return noCommonVersion }
        // Certificates are for the server: a proxy is shown none.
        guard case .client = role, concernsCertificate else { return nil }
        if lacksCertificate { return Self.certificateWanted }
        return hasCertificate && code != SSL_AD_HANDSHAKE_FAILURE ? "the server does not accept the certificate that --cert names" : nil
    }

    static let certificateWanted = "the server wants a client certificate: give --cert"

    /// Whether a server may send it because of the client's certificate, or for want of one: before TLS 1.3 there was no alert of its own for that.
    private var concernsCertificate: Bool {
        switch code {
        case SSL_AD_HANDSHAKE_FAILURE, SSL_AD_BAD_CERTIFICATE...SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA, SSL_AD_ACCESS_DENIED,
            SSL_AD_DECRYPT_ERROR, SSL_AD_CERTIFICATE_REQUIRED:
            true
        default: false
        }
    }
}

let noCommonVersion = "the two sides share no TLS version; TLS 1.2 is the least"
