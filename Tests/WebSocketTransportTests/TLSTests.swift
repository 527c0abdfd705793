import COpenSSL
import TestSupport
import Testing

@testable import WebSocketTransport

@Suite(.eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct TLSTests {
    private let tls: TestTLS

    init() throws { tls = try TestTLS() }

    /// A handshake with a server that shows `certificate`, by a client that trusts `authority`.
    private func handshake(
        _ certificate: Certificate, trusting authority: Certificate? = nil, host: String = "127.0.0.1",
        serverName: String? = "localhost", configure: (inout TLSContext.ClientOptions) -> Void = { _ in }
    ) async throws -> Result<DialedStream, TransportError> {
        var options = TLSContext.ClientOptions()
        options.caFile = (authority ?? tls.authority).certificateFile
        configure(&options)
        let listener = try TestListener(tls: try TLSContext.server(.init(identity: certificate.identity)))
        var dialing = DialOptions()
        dialing.tls = try TLSContext.client(options)
        dialing.serverName = serverName
        return await dial(.host(host, port: listener.port), dialing)
    }

    private func make(_ name: String, names: [String] = ["DNS:localhost"], change: (inout Certificate.Template) -> Void = { _ in }) throws
        -> Certificate
    {
        var template = Certificate.Template(name, names: names)
        change(&template)
        return try Certificate(template, issuer: tls.authority, in: tls.directory, as: "made")
    }

    @Test("the right certificate is accepted, and what was settled is told")
    func accepted() async throws {
        let dialed = try await handshake(tls.certificate).get()
        let info = try #require(dialed.stream.tlsInfo)
        #expect(info.version == "TLSv1.3")
        #expect(info.cipher.hasPrefix("TLS_"))
        #expect(info.applicationProtocol == "http/1.1")
        #expect(info.verified)
        #expect(info.certificate?.subject == "CN=localhost")
        #expect(info.certificate?.issuer == "CN=wsline test CA")
        #expect(info.certificate?.names == ["DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"])
        #expect(info.certificate?.notAfter.hasSuffix("GMT") == true)
        #expect(dialed.timings.tls ?? -1 > 0)
        dialed.stream.close()
    }

    @Test("an IP literal is held against the certificate's addresses", arguments: ["127.0.0.1", "::1"])
    func addressAccepted(host: String) async throws {
        let dialed = try await handshake(tls.certificate, host: host, serverName: nil).get()
        dialed.stream.close()
    }

    @Test("an address that only stands among the DNS names, or not at all, is refused")
    func addressRefused() async throws {
        let certificate = try make("127.0.0.1", names: ["DNS:127.0.0.1"])
        let error = try await handshake(certificate, serverName: nil).error
        #expect(error?.kind == .certificate)
        #expect(error?.message == "the certificate is for 127.0.0.1, not 127.0.0.1")
    }

    @Test("a certificate for another name is refused, with both names")
    func wrongName() async throws {
        let certificate = try make("other", names: ["DNS:other.example", "DNS:*.more.example"])
        let error = try await handshake(certificate).error
        #expect(error?.stage == .tls)
        #expect(error?.kind == .certificate)
        #expect(error?.message == "the certificate is for other.example, *.more.example, not localhost")
        #expect(error?.hint?.contains("-k") == true)
    }

    @Test("a wildcard stands for a whole label, not for part of one", arguments: [("*.wild.example", true), ("a*.wild.example", false)])
    func wildcard(name: String, isAccepted: Bool) async throws {
        let result = try await handshake(try make("wild", names: ["DNS:\(name)"]), serverName: "abc.wild.example")
        #expect((result.error == nil) == isAccepted)
        if case .success(let dialed) = result { dialed.stream.close() }
    }

    @Test("an expired certificate is refused with its date")
    func expired() async throws {
        let error = try await handshake(try make("localhost") { $0.notAfter = -1 }).error
        #expect(error?.kind == .certificate)
        #expect(error?.message.hasPrefix("the certificate of \"localhost\" has expired on ") == true)
        #expect(error?.message.hasSuffix(" GMT") == true)
    }

    @Test("a certificate of the future is refused with its date")
    func notYetValid() async throws {
        let error = try await handshake(try make("localhost") { $0.notBefore = 1 }).error
        #expect(error?.message.hasPrefix("the certificate of \"localhost\" is not valid before ") == true)
    }

    @Test("a self-signed certificate is refused, and accepted once it is trusted itself")
    func selfSigned() async throws {
        let certificate = try Certificate.localhost(issuer: nil, in: tls.directory, as: "self")
        let error = try await handshake(certificate).error
        #expect(error?.message == "the certificate of \"localhost\" is self-signed")
        #expect(error?.hint == "trust it with --ca FILE, or go without the check with -k")
        let dialed = try await handshake(certificate, trusting: certificate).get()
        dialed.stream.close()
    }

    @Test("another CA's certificate is refused with the issuer's name")
    func wrongAuthority() async throws {
        let other = try Certificate.authority("other CA", in: tls.directory, as: "other")
        let error = try await handshake(tls.certificate, trusting: other).error
        #expect(error?.kind == .certificate)
        #expect(error?.message == "the certificate of \"localhost\" has an unknown issuer \"CN=wsline test CA\"")
        #expect(error?.hint?.contains("--ca FILE") == true)
    }

    @Test("without the check anything goes, and is told to be unverified")
    func insecure() async throws {
        let certificate = try Certificate.localhost(issuer: nil, in: tls.directory, as: "self")
        let dialed = try await handshake(certificate, serverName: "wrong.example") { $0.insecure = true }.get()
        #expect(dialed.stream.tlsInfo?.verified == false)
        dialed.stream.close()
    }

    @Test("a name in a certificate can't drive the terminal")
    func hostileName() async throws {
        let error = try await handshake(try make("\u{1b}[2Jevil\u{202e}", names: [])).error
        let message = try #require(error?.message)
        #expect(!message.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E })
        #expect(message.contains("evil"))
    }

    @Test("SSL_CERT_FILE and SSL_CERT_DIR say whom to trust", arguments: [false, true])
    func environmentStore(asDirectory: Bool) async throws {
        let other = try Certificate.authority("other CA", in: tls.directory, as: "other")
        let store = try TemporaryDirectory()
        let hash = try #require(subjectHash(tls.authority.certificateFile))
        try store.write(try #require(readFile(tls.authority.certificateFile)).text, to: hash + ".0")
        let variables = asDirectory ? ["SSL_CERT_DIR": store.path] : ["SSL_CERT_FILE": store.file(hash + ".0")]
        var client = TLSContext.ClientOptions()
        client.caFile = other.certificateFile
        let context = try TLSContext.client(client)
        try context.trustSystem { variables[$0] }
        let listener = try TestListener(tls: tls.server)
        var options = DialOptions()
        options.tls = context
        let dialed = try await dial(.host("127.0.0.1", port: listener.port), options).get()
        dialed.stream.close()
    }

    @Test("an SSL_CERT_FILE that can't be read is named with the reason")
    func badEnvironmentStore() {
        #expect {
            try tls.client.trustSystem { $0 == "SSL_CERT_FILE" ? "/nowhere/store.pem" : nil }
        } throws: { error in
            (error as? TransportError)?.message
                == "can't read the file that SSL_CERT_FILE names, \"/nowhere/store.pem\": no such file or directory"
        }
    }

    @Test("a server of TLS 1.1 alone is refused")
    func oldServer() async throws {
        let server = try TLSContext.server(.init(identity: tls.certificate.identity))
        // OpenSSL's security level 1 refuses TLS 1.1 by itself.
        SSL_CTX_set_security_level(server.raw, 0)
        #expect(SSL_CTX_ctrl(server.raw, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_1_VERSION), nil) == 1)
        #expect(SSL_CTX_ctrl(server.raw, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_1_VERSION), nil) == 1)
        let listener = try TestListener(tls: server)
        var options = DialOptions()
        options.tls = tls.client
        let error = await dial(.host("127.0.0.1", port: listener.port), options).error
        #expect(error?.stage == .tls)
        #expect(error?.kind == .protocolFailure)
        #expect(error?.hint == "the two sides share no TLS version; TLS 1.2 is the least")
    }

    @Test("TLS 1.2 serves unless 1.3 is demanded", arguments: [(TLSVersion.v12, true), (.v13, false)])
    func minimum(version: TLSVersion, isAccepted: Bool) async throws {
        let server = try TLSContext.server(.init(identity: tls.certificate.identity))
        #expect(SSL_CTX_ctrl(server.raw, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil) == 1)
        var client = TLSContext.ClientOptions()
        client.caFile = tls.authority.certificateFile
        client.minimumVersion = version
        let listener = try TestListener(tls: server)
        var options = DialOptions()
        options.tls = try TLSContext.client(client)
        let result = await dial(.host("127.0.0.1", port: listener.port), options)
        #expect((result.error == nil) == isAccepted)
        if case .success(let dialed) = result {
            #expect(dialed.stream.tlsInfo?.version == "TLSv1.2")
            dialed.stream.close()
        }
    }

    @Test("a server that does not speak TLS is told so, with a hint at ws://")
    func plainServer() async throws {
        let server = try LoopbackServer { connection in
            _ = try connection.receive()
            try connection.send("HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        var options = DialOptions()
        options.tls = tls.client
        let error = await dial(.host("127.0.0.1", port: server.port), options).error
        #expect(error?.stage == .tls)
        #expect(error?.hint == "the server does not speak TLS on this port: try ws://")
    }

    @Test("a server that hangs up within the handshake is told so", arguments: [false, true])
    func hangUp(reset: Bool) async throws {
        let server = try LoopbackServer { connection in
            _ = try connection.receive()
            if reset { connection.resetOnClose() }
        }
        var options = DialOptions()
        options.tls = tls.client
        let error = await dial(.host("127.0.0.1", port: server.port), options).error
        #expect(error?.stage == .tls)
        #expect(error?.kind == (reset ? .reset : .truncated))
    }

    @Test("a server that demands a client certificate gets one, or tells of it")
    func clientCertificate() async throws {
        var server = TLSContext.ServerOptions(identity: tls.certificate.identity)
        server.clientCAFile = tls.authority.certificateFile
        let listener = try TestListener(tls: try TLSContext.server(server))
        let mine = try make("client", names: [])
        var client = TLSContext.ClientOptions()
        client.caFile = tls.authority.certificateFile
        client.identity = mine.identity
        var options = DialOptions()
        options.tls = try TLSContext.client(client)
        let dialed = try await dial(.host("127.0.0.1", port: listener.port), options).get()
        let accepted = try await listener.accept()
        #expect(accepted.tlsInfo?.certificate?.subject == "CN=client")
        dialed.stream.close()
        accepted.close()

        // Under TLS 1.3 a client learns only when it reads that its missing certificate was not accepted.
        options.tls = tls.client
        let bare = try await dial(.host("127.0.0.1", port: listener.port), options).get()
        let failure = await bare.stream.collect().failure
        #expect(failure?.stage == .tls)
        #expect(failure?.message == "\"127.0.0.1\" sent the alert \"certificate required\"")
        #expect(failure?.hint == "the server wants a client certificate: give --cert")
        #expect(try await listener.refusal().kind == .protocolFailure)
        bare.stream.close()

        // The reset that a write then meets doesn't hide what came before it.
        let late = try await dial(.host("127.0.0.1", port: listener.port), options).get()
        _ = try await listener.refusal()
        var lost: TransportError?
        for _ in 0..<1000 where lost == nil { lost = await late.stream.send([0x61]) }
        #expect(lost?.kind == .reset)
        #expect(await late.stream.collect().failure == failure)
        late.stream.close()
    }

    @Test("under TLS 1.2 a missing certificate fails the handshake, with an alert that doesn't name it and a hint that does")
    func clientCertificateEarlier() async throws {
        var demanding = TLSContext.ServerOptions(identity: tls.certificate.identity)
        demanding.clientCAFile = tls.authority.certificateFile
        let server = try TLSContext.server(demanding)
        #expect(SSL_CTX_ctrl(server.raw, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil) == 1)
        let listener = try TestListener(tls: server)
        var options = DialOptions()
        options.tls = tls.client
        let error = await dial(.host("127.0.0.1", port: listener.port), options).error
        #expect(error?.stage == .tls)
        #expect(error?.message == "\"127.0.0.1\" sent the alert \"handshake failure\"")
        #expect(error?.hint == "the server wants a client certificate: give --cert")
    }

    @Test("a client that takes too long for the handshake is refused")
    func slowClient() async throws {
        let listener = try TestListener(tls: tls.server, handshakeTimeout: 0.05)
        let dialed = try await dial(.host("127.0.0.1", port: listener.port)).get()
        #expect(try await listener.refusal().kind == .timedOut)
        #expect(await dialed.stream.collect().endedCleanly)
        dialed.stream.close()
    }

    @Test("the sessions' secrets are appended to the key log, which is the user's alone")
    func keyLog() async throws {
        let path = tls.directory.file("keys.log")
        let dialed = try await handshake(tls.certificate) { $0.keyLogFile = path }.get()
        dialed.stream.close()
        let text = try #require(readFile(path))
        #expect(text.text.contains("CLIENT_HANDSHAKE_TRAFFIC_SECRET "))
        #expect(text.text.hasSuffix("\n"))
        #expect(text.mode & 0o777 == 0o600)
    }

    @Test("a key log that can't be written is told of and keeps nobody from connecting")
    func keyLogFails() throws {
        var options = TLSContext.ClientOptions()
        options.insecure = true
        options.keyLogFile = "/nowhere/keys.log"
        let context = try TLSContext.client(options)
        #expect(context.keyLogError?.message == "can't write the key log \"/nowhere/keys.log\": no such file or directory")
    }
}

/// The name under which OpenSSL looks a certificate up in a directory, less its number.
private func subjectHash(_ file: String) -> String? {
    let bio = BIO_new_file(file, "r")
    defer { BIO_free(bio) }
    guard let certificate = PEM_read_bio_X509(bio, nil, nil, nil) else { return nil }
    defer { X509_free(certificate) }
    let hash = String(X509_NAME_hash_ex(X509_get_subject_name(certificate), nil, nil, nil), radix: 16)
    return String(repeating: "0", count: 8 - hash.count) + hash
}
