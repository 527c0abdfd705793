import Synchronization
import TestSupport
import WebSocketProtocol
import WebSocketTransport
import CPosix

/// A WebSocket server in this process, on 127.0.0.1 and port 0; by default it answers each message with itself.
final class TerminalServer: Sendable {
    typealias Handler = @EventLoop @Sendable (WebSocket, MessageKind, [UInt8]) throws -> Void

    struct Message: Equatable {
        var kind: MessageKind
        var bytes: [UInt8]
    }

    private struct State {
        var sockets: [WebSocket] = []
        var received: [Message] = []
    }

    let url: String
    private let listener: Listener
    private let state: Box

    private final class Box: Sendable {
        let state = Mutex(State())
        let closures = Gathered<Closure>()
    }

    static let echo: Handler = { socket, kind, bytes in try bytes.withUnsafeBytes { try socket.send(kind, $0) } }

    /// - Parameters:
    ///   - handler: answers a message.
    ///   - onOpen: called when a connection is open.
    init(handler: @escaping Handler = TerminalServer.echo, onOpen: @escaping @EventLoop @Sendable (WebSocket) -> Void = { _ in }) throws {
        let state = Box()
        (listener, url) = try TestLoop.sync {
            let listener = try Listener(on: .host("127.0.0.1", port: 0)) { event in
                guard case .accepted(let stream, _) = event else { return }
                let socket = WebSocket(accepted: stream)
                state.state.withLock { $0.sockets.append(socket) }
                socket.onRequest = { [unowned socket] _ in socket.accept() }
                socket.onOpen = { [unowned socket] in onOpen(socket) }
                socket.onMessage = { [unowned socket] kind, payload in
                    let bytes = payload.withUnsafeBytes { Array($0) }
                    state.state.withLock { $0.received.append(Message(kind: kind, bytes: bytes)) }
                    try? handler(socket, kind, bytes)
                }
                socket.onClose = { state.closures.append($0) }
                socket.start(timeout: 10)
            }
            return (listener, "ws://127.0.0.1:\(listener.addresses.first?.port ?? 0)/")
        }
        self.state = state
    }

    deinit {
        EventLoop.enter { [listener, state] in
            listener.close()
            for socket in state.state.withLock({ $0.sockets }) { socket.abort() }
        }
    }

    /// Closes every connection.
    func close() {
        EventLoop.enter { [state] in
            for socket in state.state.withLock({ $0.sockets }) { try? socket.close(.normal) }
        }
    }

    /// Sends a message to all.
    func send(_ text: String) {
        EventLoop.enter { [state] in
            for socket in state.state.withLock({ $0.sockets }) { try? socket.send(text) }
        }
    }

    /// What came, in order.
    var received: [Message] { state.state.withLock { $0.received } }

    /// How the first `count` connections ended, once they have: a client may be gone before we know.
    func closures(_ count: Int) throws -> [Closure] { try state.closures.first(count) }

    /// What came as text.
    var texts: [String] { received.filter { $0.kind == .text }.map { String(decoding: $0.bytes, as: UTF8.self) } }
}

extension PseudoTerminal {
    /// wsline on a terminal, connected; history is off unless `history` names its file.
    static func wsline(
        _ arguments: [String], history: String? = nil, environment: [String: String] = [:], columns: Int = 80, rows: Int = 24,
        connects: Bool = true
    ) throws -> PseudoTerminal {
        let terminal = try PseudoTerminal(
            try builtProduct("wsline"), (history.map { ["--history", $0] } ?? ["--no-history"]) + arguments,
            environment: standardEnvironment.merging(environment) { $1 }, columns: columns, rows: rows)
        terminal.patience = 30
        if connects { try terminal.wait { $0.everything.contains("Connected (press CTRL+C to quit)") && $0.rows.contains(">") } }
        return terminal
    }

    /// Types a line and waits until a row that the condition holds for stands below it.
    func enter(_ line: String, until condition: (String) -> Bool) throws {
        type(line + "\r")
        try wait { screen in
            let rows = screen.everything
            guard let typed = rows.lastIndex(of: "> " + line) else { return false }
            return rows[(typed + 1)...].contains(where: condition)
        }
    }

    func enter(_ line: String, until row: String) throws { try enter(line) { $0 == row } }
}

extension TemporaryDirectory {
    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw TestFailure("open \(file(name)): errno \(errno)") }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { CPosix.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw TestFailure("write \(file(name)): errno \(errno)") }
            written += count
        }
        return file(name)
    }

    func read(_ name: String) -> [UInt8]? {
        let descriptor = open(file(name), O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = buffer.withUnsafeMutableBytes({ CPosix.read(descriptor, $0.baseAddress, $0.count) }), count > 0 {
            bytes += buffer[..<count]
        }
        return bytes
    }
}
