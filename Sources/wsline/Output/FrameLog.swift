import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// Shows the frames of connections on standard error (`-vv`, `--frames`).
@EventLoop
final class FrameLog {
    /// So many lines wait that no more should come for now, until `isFull` is false.
    var onFull: (() -> Void)?

    private let diagnostics: Diagnostics
    private var lines: FrameLines
    private var line: [UInt8] = []

    init(_ diagnostics: Diagnostics) {
        self.diagnostics = diagnostics
        lines = FrameLines(style: diagnostics.style)
    }

    var isFull: Bool { diagnostics.isFull }

    /// Shows each frame of a connection from now on.
    func watch(_ socket: WebSocket) { socket.observeFrames { [unowned self] in show($0) } }

    /// Shows each frame of a client's connection from now on; it gets its number before its first frame.
    func watch(_ client: ServedClient) {
        client.socket.observeFrames { [unowned self, unowned client] in show($0, from: client.number) }
    }

    private func show(_ frame: ObservedFrame, from client: Int? = nil) {
        line.removeAll(keepingCapacity: true)
        lines.append(frame, client: client, to: &line)
        if !diagnostics.gather(line) { onFull?() }
    }
}
