import WebSocketProtocol
import WebSocketTransport
import CPosix

/// Carries out the lines of somebody who may use slash commands, at a terminal or in a pipe.
///
/// The owner passes on the events that commands wait for.
@EventLoop
final class SlashInterpreter {
    /// The answer to a command, whole lines with no newline after the last.
    var reply: (String) -> Void = { _ in }
    /// Why a command could not be carried out to its end, after `run` had returned.
    var failed: (String) -> Void = { _ in }
    /// Close and quit.
    var quit: () -> Void = {}
    /// Save binary messages to a path from now on; nil shows them.
    var save: (String?) throws(FileError) -> Void = { (_: String?) throws(FileError) in }
    /// What made `run` give false is over.
    var onIdle: () -> Void = {}

    private var url: WebSocketURL
    private let encoding: InputOptions.Encoding
    private let showsPings: Bool
    private var openedAt: Instant?
    private var file: FileSender?
    /// Payloads of our pings whose pongs are awaited.
    private var awaited: [[UInt8]] = []
    private var lastRoundTrip: UInt64?

    /// - Parameters:
    ///   - encoding: how a line that is no command becomes a message.
    ///   - showsPings: whether pongs are shown anyway, and need no answer of ours.
    init(url: WebSocketURL, encoding: InputOptions.Encoding, showsPings: Bool) {
        self.url = url
        self.encoding = encoding
        self.showsPings = showsPings
    }

    /// Sends a line, or carries out the command that it is.
    ///
    /// - Returns: whether the next line may follow at once; if not, it may from `onIdle` on.
    /// - Throws: what was wrong; nothing was sent then.
    @discardableResult
    func run(_ line: String, on socket: WebSocket?) throws(SlashFailure) -> Bool {
        switch SlashCommand.parse(line) {
        case .message(let text):
            try send(on: socket) { socket in try encoding.send(text, on: socket) }
        case .command(let command): try run(command, on: socket)
        case .wrong(let failure): throw failure
        }
        return !isBusy
    }

    private func run(_ command: SlashCommand, on socket: WebSocket?) throws(SlashFailure) {
        switch command {
        case .help: reply(Self.help)
        case .ping(let text): try ping(text, on: socket)
        case .pong(let text): try use(socket) { try $0.pong(Array(text.utf8)) }
        case .close(let code, let reason): try use(socket) { try $0.close(code, reason: reason) }
        case .text(let text): try send(on: socket) { try $0.send(text) }
        case .binary(let bytes): try send(on: socket) { socket in try bytes.withUnsafeBytes { try socket.send(.binary, $0) } }
        case .file(let path, let kind): try send(path, as: kind, on: socket)
        case .save(let path): try save(to: path)
        case .status: reply(status(of: socket))
        case .quit: quit()
        }
    }

    /// Whether a command isn't done yet: the next line has to wait for `onIdle`.
    var isBusy: Bool { file != nil }

    // MARK: Events

    func opened(at url: WebSocketURL) {
        self.url = url
        openedAt = monotonicNow()
        lastRoundTrip = nil
        awaited = []
    }

    func receivedPong(_ payload: RawSpan, roundTrip: UInt64?) {
        guard let roundTrip else { return }
        lastRoundTrip = roundTrip
        let bytes = payload.withUnsafeBytes { Array($0) }
        guard let index = awaited.firstIndex(of: bytes) else { return }
        // A pong answers the latest ping it knows of: earlier ones need none any more (RFC 6455, section 5.5.3).
        awaited.removeSubrange(...index)
        if !showsPings { reply("pong after \(milliseconds(roundTrip))") }
    }

    func drained() { file?.resume() }

    /// The connection is over, and with it what was being sent.
    ///
    /// - Returns: what was not sent whole, in words.
    func closed() -> String? {
        openedAt = nil
        guard let file else { return nil }
        let cut = "the connection closed before \(file.shownPath) was sent whole: \(file.progress)"
        file.cancel()
        fileEnded()
        return cut
    }

    // MARK: Sending

    private func use(_ socket: WebSocket?, _ body: (WebSocket) throws -> Void) throws(SlashFailure) {
        guard let socket else { throw SlashFailure("\(UsageError.notOpen(.closed))") }
        do {
            try body(socket)
        } catch {
            throw SlashFailure("\(error)")
        }
    }

    private func send(on socket: WebSocket?, _ body: (WebSocket) throws -> Void) throws(SlashFailure) {
        if let file {
            throw SlashFailure(
                "\(file.shownPath) is still being sent (\(file.progress)), and nothing can go between its fragments: try again then")
        }
        try use(socket, body)
    }

    private func ping(_ text: String?, on socket: WebSocket?) throws(SlashFailure) {
        try use(socket) { socket in
            let payload = text.map { Array($0.utf8) } ?? socket.nextPingPayload()
            try socket.ping(payload)
            // A server that never answers must not make this grow.
            if awaited.count == Self.mostAwaited { awaited.removeFirst() }
            awaited.append(payload)
        }
    }

    private static let mostAwaited = 64

    private func send(_ path: String, as kind: MessageKind, on socket: WebSocket?) throws(SlashFailure) {
        try send(on: socket) { socket in
            guard socket.readyState == .open else { throw UsageError.notOpen(socket.readyState) }
            let file = try FileSender(expandingTilde(path), as: kind, on: socket)
            file.onEnd = { [unowned self] in fileEnded($0) }
            self.file = file
            file.resume()
        }
    }

    private func fileEnded(_ result: Result<String, SlashFailure>) {
        switch result {
        case .success(let text): reply(text)
        case .failure(let failure): failed("\(failure)")
        }
        fileEnded()
    }

    private func fileEnded() {
        file = nil
        onIdle()
    }

    private func save(to path: String?) throws(SlashFailure) {
        do throws(FileError) {
            try save(path.map(expandingTilde))
        } catch {
            throw SlashFailure(error.description)
        }
        reply(path.map { "binary messages are saved to \($0)" } ?? "binary messages are shown")
    }

    // MARK: Answers

    private static let help: String = {
        let width = SlashCommand.Name.allCases.map(\.usage.count).max() ?? 0
        let lines = SlashCommand.Name.allCases.map { name in
            name.usage + String(repeating: " ", count: width - name.usage.count + 2) + name.summary
        }
        return lines.joined(separator: "\n") + "\nA message that begins with / is typed with two: //text sends /text."
    }()

    private func status(of socket: WebSocket?) -> String {
        let statistics = socket?.statistics ?? Statistics()
        let extensions = socket?.extensions.map(\.description) ?? []
        let rows = [
            ("state", "\(socket?.readyState ?? .closed)"),
            ("URL", "\(url)"),
            ("subprotocol", socket?.subprotocol ?? "none"),
            ("extensions", extensions.isEmpty ? "none" : extensions.joined(separator: ", ")),
            ("sent", Self.count(statistics.messagesSent, statistics.bytesSent, wire: statistics.wireBytesSent)),
            ("received", Self.count(statistics.messagesReceived, statistics.bytesReceived, wire: statistics.wireBytesReceived)),
            ("buffered", counted(UInt64(socket?.bufferedAmount ?? 0), "byte")),
            ("round trip", lastRoundTrip.map(milliseconds) ?? "unknown: /ping measures it"),
            ("uptime", openedAt.map { seconds(Double(monotonicNow() &- $0) / 1e9) } ?? "none: not connected"),
        ]
        return rows.map { name, value in name + String(repeating: " ", count: 13 - name.count) + value }.joined(separator: "\n")
    }

    private static func count(_ messages: UInt64, _ bytes: UInt64, wire: UInt64) -> String {
        "\(counted(messages, "message")), \(counted(bytes, "byte")) (\(wire) on the wire)"
    }
}

/// The path with a `~` or `~/` at its start replaced by `$HOME`, as a shell does; another user's home isn't looked up.
func expandingTilde(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/"), let home = environmentVariable("HOME"), !home.isEmpty else { return path }
    return home + path.dropFirst()
}
