import LineTerminal
import WebSocketProtocol

extension Configuration {
    /// Asks for the key's passphrase on the terminal, if `--passphrase` was given without it.
    mutating func askForPassphrase() throws(UsageFailure) {
        guard asksPassphrase, let identity = connection.tls.identity else { return }
        let file = identity.keyFile ?? identity.certificateFile
        let answer: String?
        do throws(LineTerminalError) {
            answer = try readSecret(prompt: "Passphrase for \(file.quoted): ")
        } catch {
            throw UsageFailure("can't ask for the passphrase of \(file.quoted): \(error): give it with --passphrase TEXT")
        }
        guard let answer, !answer.isEmpty else { throw UsageFailure("no passphrase was given for \(file.quoted)") }
        connection.tls.identity?.passphrase = Secret(answer)
    }
}
