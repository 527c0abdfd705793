import COpenSSL
import CPosix

/// A directory of its own under the system's temporary one, removed with all its files when the value goes.
public final class TemporaryDirectory: Sendable {
    public let path: String

    public init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/wsline-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
        path = template.withUnsafeBufferPointer { String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) }
    }

    public func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file and returns its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        let path = file(name)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw TestFailure("open \(path): errno \(errno)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard writeBytes(descriptor, bytes) == bytes.count else { throw TestFailure("write \(path): errno \(errno)") }
        return path
    }

    deinit {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { unlink(path + "/" + name) }
        }
        closedir(directory)
        rmdir(path)
    }
}

/// What kept a test's own machinery from working.
public struct TestFailure: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// A certificate and its key in PEM files, made for a test.
public struct Certificate: Sendable {
    public let certificateFile: String
    public let keyFile: String

    /// What to put into a certificate.
    public struct Template: Sendable {
        public var commonName: String
        /// As OpenSSL's configuration spells them: `DNS:localhost`, `IP:127.0.0.1`.
        public var names: [String] = []
        /// Days from now.
        public var notBefore = -2
        public var notAfter = 30
        public var isAuthority = false
        public var passphrase: String?

        public init(_ commonName: String, names: [String] = []) {
            self.commonName = commonName
            self.names = names
        }
    }

    /// Makes a key and a certificate, signed by `issuer` or, with none, by itself.
    public init(_ template: Template, issuer: Certificate? = nil, in directory: TemporaryDirectory, as file: String) throws {
        certificateFile = directory.file(file + ".pem")
        keyFile = directory.file(file + ".key")
        guard let key = makeKey() else { throw failure("key") }
        defer { EVP_PKEY_free(key) }
        guard let certificate = X509_new() else { throw failure("certificate") }
        defer { X509_free(certificate) }
        let signer = try issuer.map { try Signer($0) }
        try fill(certificate, template, key: key, issuer: signer?.certificate ?? certificate)
        guard X509_sign(certificate, signer?.key ?? key, EVP_sha256()) > 0 else { throw failure("signature") }
        try withFile(certificateFile) { PEM_write_bio_X509($0, certificate) }
        try withFile(keyFile) { bio in
            guard let passphrase = template.passphrase else { return PEM_write_bio_PrivateKey(bio, key, nil, nil, 0, nil, nil) }
            return Array(passphrase.utf8).withUnsafeBufferPointer {
                PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(), $0.baseAddress, Int32($0.count), nil, nil)
            }
        }
    }

    /// A root that signs others.
    public static func authority(_ name: String = "wsline test CA", in directory: TemporaryDirectory, as file: String = "ca") throws
        -> Certificate
    {
        var template = Template(name)
        template.isAuthority = true
        return try Certificate(template, in: directory, as: file)
    }

    /// The usual server's: `localhost`, 127.0.0.1 and ::1, signed by `issuer`.
    public static func localhost(issuer: Certificate?, in directory: TemporaryDirectory, as file: String = "localhost") throws
        -> Certificate
    {
        let template = Template("localhost", names: ["DNS:localhost", "IP:127.0.0.1", "IP:::1"])
        return try Certificate(template, issuer: issuer, in: directory, as: file)
    }
}

private final class Signer {
    let certificate: OpaquePointer
    let key: OpaquePointer

    init(_ issuer: Certificate) throws {
        let bio = BIO_new_file(issuer.certificateFile, "r")
        defer { BIO_free(bio) }
        let keyBIO = BIO_new_file(issuer.keyFile, "r")
        defer { BIO_free(keyBIO) }
        guard let certificate = PEM_read_bio_X509(bio, nil, nil, nil) else { throw failure("issuer") }
        self.certificate = certificate
        guard let key = PEM_read_bio_PrivateKey(keyBIO, nil, nil, nil) else {
            X509_free(certificate)
            throw failure("issuer's key")
        }
        self.key = key
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }
}

private func makeKey() -> OpaquePointer? {
    let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
    defer { EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_group_name(context, "P-256") == 1, EVP_PKEY_generate(context, &key) == 1
    else {
        return nil
    }
    return key
}

private func fill(_ certificate: OpaquePointer, _ template: Certificate.Template, key: OpaquePointer, issuer: OpaquePointer) throws {
    X509_set_version(certificate, 2)
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), UInt64.random(in: 1...UInt64(Int64.max)))
    X509_gmtime_adj(X509_getm_notBefore(certificate), template.notBefore * 86400)
    X509_gmtime_adj(X509_getm_notAfter(certificate), template.notAfter * 86400)
    let subject = X509_get_subject_name(certificate)
    let name = Array(template.commonName.utf8)
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, Int32(name.count), -1, 0)
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer))
    X509_set_pubkey(certificate, key)
    var extensions: [(Int32, String)] = []
    if template.isAuthority {
        extensions.append((NID_basic_constraints, "critical,CA:TRUE"))
        extensions.append((NID_key_usage, "critical,keyCertSign,cRLSign"))
    }
    if !template.names.isEmpty {
        extensions.append((NID_subject_alt_name, template.names.joined(separator: ",")))
    }
    for (kind, value) in extensions {
        guard let item = X509V3_EXT_conf_nid(nil, nil, kind, value) else { throw failure("extension \(value)") }
        X509_add_ext(certificate, item, -1)
        X509_EXTENSION_free(item)
    }
}

private func withFile(_ path: String, _ body: (OpaquePointer) -> Int32) throws {
    guard let bio = BIO_new_file(path, "w") else { throw failure(path) }
    defer { BIO_free(bio) }
    guard body(bio) == 1 else { throw failure(path) }
}

private func failure(_ what: String) -> TestFailure {
    let reason = ERR_reason_error_string(ERR_get_error()).map { String(cString: $0) } ?? "no reason"
    return TestFailure("making a certificate: \(what): \(reason)")
}

private func writeBytes(_ descriptor: Int32, _ bytes: [UInt8]) -> Int {
    #if canImport(Darwin)
        Darwin.write(descriptor, bytes, bytes.count)
    #elseif canImport(Musl)
        Musl.write(descriptor, bytes, bytes.count)
    #else
        Glibc.write(descriptor, bytes, bytes.count)
    #endif
}
