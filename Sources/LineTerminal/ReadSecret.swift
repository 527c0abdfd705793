import CPosix

/// Asks for a passphrase on `/dev/tty`, whatever stdin and stdout are, and shows nothing of it. The modes come back on every way out.
/// - Returns: the line without its newline; nil when the input ends before one.
/// - Throws: `LineTerminalError.noTerminal` when the process has no terminal.
public func readSecret(prompt: String) throws(LineTerminalError) -> String? {
    let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
    guard terminal >= 0 else { throw .noTerminal }
    defer { close(terminal) }
    // An editor's modes don't serve here; it sets them again when it next reads.
    TerminalModes.restore()
    try TerminalModes.enter(.secret, descriptor: terminal)
    defer { TerminalModes.restore() }
    writeAll(prompt.utf8, to: terminal)
    var secret: [UInt8] = []
    defer { for index in secret.indices { secret[index] = 0 } }
    while true {
        var byte: UInt8 = 0
        let count = read(terminal, &byte, 1)
        if count < 0 && errno == EINTR { continue }
        guard count == 1 else {
            writeAll("\n".utf8, to: terminal)
            return nil
        }
        if byte == 0x0a { return String(decoding: secret, as: UTF8.self) }
        secret.append(byte)
    }
}
