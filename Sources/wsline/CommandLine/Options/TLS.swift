import WebSocketProtocol
import WebSocketTransport

extension OptionGroup {
    static let tls = OptionGroup(
        title: "TLS", topic: "tls",
        options: [
            .flag(
                "-n", "-k", "--no-check", "--insecure", does: "Accept any certificate: encrypted, but to whom is anyone's guess",
                in: .connect
            ) { $0.connection.tls.insecure = true },
            .value(
                "FILE", "--ca", does: "Trust the certificates in FILE only; with -l, demand such of clients", in: networked,
                rules: [
                    .needs("--cert", in: .server, because: "clients show certificates over TLS only, so give the server's own too")
                ], elsewhere: ["--cacert"]
            ) { $0.connection.tls.caFile = $1.text },
            .value("FILE", "--cert", does: "Show the certificate in FILE; with -l, serve wss with it", in: networked, elsewhere: ["-E"]) {
                $0.connection.identity.certificateFile = $1.text
            },
            .value(
                "FILE", "--key", does: "Its private key, where the certificate's file doesn't hold both", in: networked,
                rules: [.needs("--cert", because: "give the key's certificate too")]
            ) { $0.connection.identity.keyFile = $1.text },
            .value(
                .optionalText, "--passphrase", does: "The key's passphrase; asked for if TEXT is left out", in: networked,
                rules: [.needs("--cert", because: "give the certificate whose key it unlocks")], elsewhere: ["--pass"]
            ) {
                $0.asksPassphrase = $1.text.isEmpty
                $0.connection.identity.passphrase = $1.text.isEmpty ? nil : Secret($1.text)
            },
            .value(
                "NAME", "--servername", does: "Expect a certificate for NAME", details: "It is also what the server is asked for (SNI).",
                in: .connect, elsewhere: ["--tls-domain"]
            ) { $0.connection.dialing.serverName = $1.text },
            .value("VERSION", "--tls-min", does: "Accept TLS 1.2 or 1.3 at least (1.2)", in: networked) {
                $0.connection.tls.minimumVersion = try $1.choice()
            },
        ])

    /// Where there can be TLS: the demonstration has none.
    private static let networked: Roles = [.connect, .server]
}
