import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// Shows frames on standard error: all of them (`-vv`, `--frames`), or those that break a rule and are tolerated (`--lenient`), and what was made by hand.
@EventLoop
final class FrameLog {
    /// So many lines wait that no more should come for now, until `isFull` is false.
    var onFull: (() -> Void)?

    private let diagnostics: Diagnostics
    /// Whether all are shown; of a connection, from the next `watch` on.
    var showsAll: Bool
    private var lines: FrameLines
    private var line: [UInt8] = []

    init(_ diagnostics: Diagnostics, showsAll: Bool) {
        self.diagnostics = diagnostics
        self.showsAll = showsAll
        lines = FrameLines(style: diagnostics.style)
    }

    var isFull: Bool { diagnostics.isFull }

    /// Shows the frames of a connection from now on, if there is anything to show.
    func watch(_ socket: WebSocket) {
        watch(socket) { [unowned self] in show($0, from: nil) }
    }

    /// Shows the frames of a client's connection from now on; it gets its number before its first frame.
    func watch(_ client: ServedClient) {
        watch(client.socket) { [unowned self, unowned client] in show($0, from: client.number) }
    }

    private func watch(_ socket: WebSocket, _ observer: @escaping (ObservedFrame) -> Void) {
        let isWatched = showsAll || !socket.behaviour.isStrict
        if isWatched != socket.isObserved { socket.observeFrames(isWatched ? observer : nil) }
    }

    private func show(_ frame: ObservedFrame, from client: Int?) {
        guard showsAll || frame.breach != nil else { return }
        write { $0.append(frame, client: client, to: &$1) }
    }

    /// Shows a frame that was made by hand.
    func show(_ sent: SentFrame) {
        sent.frame.observed { frame in write { $0.append(frame, client: sent.client, to: &$1) } }
    }

    /// Shows bytes that were sent as they were given.
    func show(raw bytes: [UInt8], to client: Int?) {
        write { $0.append(raw: bytes, client: client, to: &$1) }
    }

    private func write(_ body: (inout FrameLines, inout [UInt8]) -> Void) {
        line.removeAll(keepingCapacity: true)
        body(&lines, &line)
        if !diagnostics.gather(line) { onFull?() }
    }
}
