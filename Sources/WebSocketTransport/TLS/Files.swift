import COpenSSL
import WebSocketProtocol
import CPosix

extension TLSContext {
    /// Bundles that systems keep where an OpenSSL built elsewhere, or linked statically, does not look.
    private static let knownStores = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
    ]

    /// Trusts what the system trusts: `SSL_CERT_FILE` and `SSL_CERT_DIR`, else OpenSSL's own places, else the usual ones.
    func trustSystem(_ environment: (String) -> String? = environment) throws(TransportError) {
        let chosenFile = environment("SSL_CERT_FILE")
        let chosenDirectory = environment("SSL_CERT_DIR")
        if let chosenFile {
            // OpenSSL would skip it silently, and every certificate would have an unknown issuer.
            try checkReadable(chosenFile, "the file that SSL_CERT_FILE names,")
        }
        let directory = chosenDirectory ?? String(cString: X509_get_default_cert_dir())
        let file = chosenFile ?? String(cString: X509_get_default_cert_file())
        ERR_clear_error()
        defer { ERR_clear_error() }
        if chosenFile == nil, isHashedDirectory(directory) {
            // The issuers are looked up by hash when they are needed: parsing the whole bundle first would cost tens of milliseconds.
            guard SSL_CTX_load_verify_dir(raw, directory) == 1 else { throw noStore([directory]) }
            return
        }
        let candidates = chosenFile == nil && chosenDirectory == nil ? [file] + Self.knownStores : [file]
        guard let store = candidates.first(where: { access($0, R_OK) == 0 }) else { throw noStore([directory] + candidates) }
        if let chosenDirectory { _ = SSL_CTX_load_verify_dir(raw, chosenDirectory) }
        guard SSL_CTX_load_verify_file(raw, store) == 1 else {
            throw TransportError(.tls, .file, "the certificate store \(store.quoted) can't be used: \(drainOpenSSLErrors())")
        }
    }

    private func noStore(_ tried: [String]) -> TransportError {
        TransportError(
            .tls, .file, "there is no certificate store: neither \(tried.map { $0.quoted }.joined(separator: " nor ")) can be used",
            hint: "install the system's CA certificates, set SSL_CERT_FILE, or name them with --ca FILE")
    }
}

/// Whether certificates can be found in a directory by the hash of their subject (`1a2b3c4d.0`), as `openssl rehash` lays them out.
private func isHashedDirectory(_ path: String) -> Bool {
    guard let directory = opendir(path) else { return false }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
        let isLink = withUnsafeBytes(of: entry.pointee.d_name) { name in
            let name = name.prefix { $0 != 0 }
            return name.count == 10 && name[8] == UInt8(ascii: ".") && name[9] == UInt8(ascii: "0")
        }
        if isLink { return true }
    }
    return false
}

/// Refuses a file that can't be opened, with the system's reason: OpenSSL's own text hides it.
func checkReadable(_ path: String, _ purpose: String) throws(TransportError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw TransportError(.tls, .file, "can't read \(purpose) \(path.quoted): \(SystemError.last)") }
    close(descriptor)
}

/// Reads a PEM key; the caller frees it.
func readPrivateKey(_ file: String, _ passphrase: Secret?) throws(TransportError) -> OpaquePointer {
    try checkReadable(file, "the key file")
    ERR_clear_error()
    guard let bio = BIO_new_file(file, "r") else {
        throw TransportError(.tls, .file, "can't read the key file \(file.quoted): \(drainOpenSSLErrors())")
    }
    defer { BIO_free(bio) }
    var request = PassphraseRequest(passphrase: passphrase)
    let key = withUnsafeMutablePointer(to: &request) { PEM_read_bio_PrivateKey(bio, nil, givePassphrase, $0) }
    guard let key else {
        let reason = drainOpenSSLErrors()
        guard request.wasAsked else {
            throw TransportError(.tls, .file, "the key file \(file.quoted) has no PEM private key: \(reason)")
        }
        guard passphrase != nil else {
            throw TransportError(.tls, .file, "the key in \(file.quoted) is encrypted", hint: "give its passphrase with --passphrase")
        }
        throw TransportError(.tls, .file, "the passphrase for the key in \(file.quoted) is wrong")
    }
    return key
}

private struct PassphraseRequest {
    let passphrase: Secret?
    var wasAsked = false
}

/// Answers OpenSSL's question for the passphrase; with none to give, the read fails instead of asking on the terminal.
private func givePassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int32, _ isForWriting: Int32, _ user: UnsafeMutableRawPointer?
) -> Int32 {
    guard let buffer, let request = user?.assumingMemoryBound(to: PassphraseRequest.self) else { return -1 }
    request.pointee.wasAsked = true
    guard let bytes = request.pointee.passphrase?.revealed.utf8, bytes.count <= Int(capacity) else { return -1 }
    UnsafeMutableRawBufferPointer(start: buffer, count: Int(capacity)).copyBytes(from: bytes)
    return Int32(bytes.count)
}

/// Empties this thread's OpenSSL error stack into one text, the cause first.
func drainOpenSSLErrors() -> String {
    var texts: [String] = []
    while case let code = ERR_get_error(), code != 0 {
        let text = ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(String(code, radix: 16))"
        if !texts.contains(text), texts.count < 4 { texts.append(text) }
    }
    return texts.isEmpty ? "no reason given" : texts.joined(separator: "; ")
}
