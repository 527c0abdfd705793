import TestSupport
import Testing

@testable import WebSocketTransport
import WebSocketProtocol
import CPosix

@Suite struct TLSFilesTests {
    private let directory: TemporaryDirectory
    private let authority: Certificate

    init() throws {
        directory = try TemporaryDirectory()
        authority = try Certificate.authority(in: directory)
    }

    private func error(_ configure: (inout TLSContext.ClientOptions) -> Void) -> TransportError? {
        var options = TLSContext.ClientOptions()
        options.insecure = true
        configure(&options)
        do {
            _ = try TLSContext.client(options)
            return nil
        } catch {
            return error
        }
    }

    @Test("a CA file that is missing, or holds no certificate, is named with the reason")
    func badCA() throws {
        let missing = error { $0.caFile = "/nowhere/ca.pem" }
        #expect(missing?.message == "can't read the CA file \"/nowhere/ca.pem\": no such file or directory")
        #expect(missing?.stage == .tls)
        #expect(missing?.kind == .file)
        let text = try directory.write("hello\n", to: "text.pem")
        #expect(error { $0.caFile = text }?.message.hasPrefix("the CA file \"\(text)\" has no PEM certificate: ") == true)
        #expect(error { $0.caFile = directory.path }?.kind == .file)
    }

    @Test("a file that may not be read is named with the reason", .enabled(if: geteuid() != 0, "the superuser may read everything"))
    func unreadable() {
        chmod(authority.certificateFile, 0)
        #expect(error { $0.caFile = authority.certificateFile }?.message.hasSuffix(": permission denied") == true)
    }

    @Test("a certificate file that is missing, or holds none, is named with the reason")
    func badCertificate() throws {
        let missing = error { $0.identity = TLSIdentity(certificateFile: "/nowhere/c.pem") }
        #expect(missing?.message == "can't read the certificate file \"/nowhere/c.pem\": no such file or directory")
        let key = authority.keyFile
        #expect(
            error { $0.identity = TLSIdentity(certificateFile: key) }?.message
                .hasPrefix("the certificate file \"\(key)\" has no PEM certificate: ") == true)
    }

    @Test("a key file that is missing, holds no key, or another certificate's, is named with the reason")
    func badKey() throws {
        let file = authority.certificateFile
        let missing = error { $0.identity = TLSIdentity(certificateFile: file, keyFile: "/nowhere/k.pem") }
        #expect(missing?.message == "can't read the key file \"/nowhere/k.pem\": no such file or directory")
        let none = error { $0.identity = TLSIdentity(certificateFile: file) }
        #expect(none?.message.hasPrefix("the key file \"\(file)\" has no PEM private key: ") == true)
        let other = try Certificate.localhost(issuer: nil, in: directory)
        let mismatch = error { $0.identity = TLSIdentity(certificateFile: file, keyFile: other.keyFile) }
        #expect(mismatch?.message == "the key in \"\(other.keyFile)\" does not belong to the certificate in \"\(file)\"")
    }

    @Test("an encrypted key wants its passphrase, and the right one")
    func passphrase() throws {
        var template = Certificate.Template("locked")
        template.passphrase = "open sesame"
        let locked = try Certificate(template, in: directory, as: "locked")
        var identity = locked.identity
        let none = error { $0.identity = identity }
        #expect(none?.message == "the key in \"\(locked.keyFile)\" is encrypted")
        #expect(none?.hint == "give its passphrase with --passphrase")
        for wrong in ["abracadabra", "", String(repeating: "x", count: 5000)] {
            identity.passphrase = Secret(wrong)
            let refused = error { $0.identity = identity }
            #expect(refused?.message == "the passphrase for the key in \"\(locked.keyFile)\" is wrong")
        }
        identity.passphrase = Secret("open sesame")
        #expect(error { $0.identity = identity } == nil)
    }

    @Test("a secret shows as asterisks, however it is printed")
    func secret() {
        let identity = TLSIdentity(certificateFile: "c", passphrase: Secret("hunter2"))
        var dumped = ""
        dump(identity, to: &dumped)
        #expect(!"\(identity)\(String(reflecting: identity))\(dumped)".contains("hunter2"))
    }
}

/// A file's text and mode.
func readFile(_ path: String) -> (text: String, mode: UInt32)? {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    fstat(descriptor, &status)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(descriptor, &buffer, buffer.count)
    return (String(decoding: buffer.prefix(max(0, count)), as: UTF8.self), UInt32(status.st_mode))
}
