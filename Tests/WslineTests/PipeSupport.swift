import Dispatch
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport
import CPosix

/// What runs the built program in pipes. One test at a time: each blocks its thread, of which tests have as many as there are cores, and other
/// suites need one to go on.
@Suite(.serialized)
enum ProgramTests {}

/// A WebSocket server inside the tests' process, on a port of 127.0.0.1 and ::1.
final class TestServer: Sendable {
    let port: UInt16
    private let listener: Listener
    private let sockets: SocketList

    var url: String { "ws://127.0.0.1:\(port)/" }

    /// - Parameters:
    ///   - accepts: whether a client's request is answered with 101 without more ado.
    ///   - behindProxy: whether a proxy's CONNECT comes first, which gets the server itself whatever it asks for.
    ///   - behave: sets the handlers of each connection.
    init(
        port: UInt16 = 0, tls: TLSContext? = nil, accepts: Bool = true, behindProxy: Bool = false,
        configuration: Connection.Configuration = .init(), _ behave: @escaping @EventLoop @Sendable (WebSocket) -> Void
    ) throws {
        var options = Listener.Options()
        options.tls = tls
        let sockets = SocketList()
        (listener, self.port) = try TestLoop.sync { [options] in
            let listener = try Listener(on: .loopback(port: port), options: options) { event in
                guard case .accepted(let stream, _) = event else { return }
                let socket = WebSocket(accepted: stream, configuration: configuration)
                if accepts { socket.onRequest = { [unowned socket] _ in socket.accept() } }
                behave(socket)
                sockets.add(socket)
                guard behindProxy else { return socket.start(timeout: 10) }
                acceptTunnel(stream) { socket.start(timeout: 10) }
            }
            guard let port = listener.addresses.first?.port else { throw TestFailure("no port") }
            return (listener, port)
        }
        self.sockets = sockets
    }

    /// Answers each message with itself.
    static func echo(port: UInt16 = 0, tls: TLSContext? = nil, behindProxy: Bool = false) throws -> TestServer {
        try TestServer(port: port, tls: tls, behindProxy: behindProxy) { socket in
            socket.onMessage = { [unowned socket] kind, payload in
                guard socket.readyState == .open else { return }
                payload.withUnsafeBytes { try? socket.send(kind, $0) }
                if socket.isCongested { socket.pauseReading(because: .echo) }
            }
            socket.onDrain = { [unowned socket] in socket.resumeReading(because: .echo) }
        }
    }

    /// Sends these texts, then waits for what the client does.
    static func feed(_ texts: [String]) throws -> TestServer {
        try TestServer { socket in
            afterOpening(socket) { socket in
                for text in texts { try? socket.send(text) }
            }
        }
    }

    /// Drops every connection with no Close.
    func abortAll() { EventLoop.enter { [sockets] in sockets.abortAll() } }

    /// Its port is free afterwards.
    func stop() {
        EventLoop.sync { [listener, sockets] in
            listener.close()
            sockets.abortAll()
        }
    }

    /// As ``stop()``, but it may be the loop itself that lets it go.
    deinit {
        EventLoop.enter { [listener, sockets] in
            listener.close()
            sockets.abortAll()
        }
    }
}

/// Reads one CONNECT request, accepts it, and leaves what follows to `next`.
@EventLoop
private func acceptTunnel(_ stream: ByteStream, _ next: @escaping () -> Void) {
    var request: [UInt8] = []
    stream.onReadable = { [unowned stream] in
        var byte: UInt8 = 0
        while case .bytes(1) = withUnsafeMutableBytes(of: &byte, { stream.read(into: $0) }) {
            request.append(byte)
            guard request.suffix(4) == Array("\r\n\r\n".utf8)[...] else { continue }
            _ = Array("HTTP/1.1 200 OK\r\n\r\n".utf8).withUnsafeBytes { stream.write($0) }
            stream.pauseReading()
            return next()
        }
    }
    stream.resumeReading()
}

/// Runs `body` when the connection is open, once the answer to the handshake is on its way.
@EventLoop
func afterOpening(_ socket: WebSocket, _ body: @escaping (WebSocket) -> Void) {
    socket.onOpen = { [unowned socket] in
        EventLoop.later { [weak socket] in
            if let socket, socket.readyState == .open { body(socket) }
        }
    }
}

@EventLoop
private final class SocketList {
    private var sockets: [WebSocket] = []

    nonisolated init() {}

    func add(_ socket: WebSocket) { sockets.append(socket) }

    func abortAll() {
        for socket in sockets { socket.abort() }
        sockets = []
    }
}

/// What handlers on other threads gathered.
final class Gathered<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    private let changed = DispatchSemaphore(value: 0)

    var all: [Element] { elements.withLock { $0 } }

    func append(_ element: Element) {
        elements.withLock { $0.append(element) }
        changed.signal()
    }

    /// The first `count` of them, or an error after `seconds`.
    @discardableResult
    func first(_ count: Int, within seconds: Double = 20) throws -> [Element] {
        let deadline = DispatchTime.now() + seconds * Sanitizer.slowness
        while true {
            let all = all
            if all.count >= count { return Array(all.prefix(count)) }
            guard changed.wait(timeout: deadline) == .success else { throw TestFailure("only \(all.count) of \(count) came: \(all)") }
        }
    }
}

/// How a run of wsline ended.
struct Finished {
    var status: Int32
    var output: String
    var bytes: [UInt8]
    var errors: String
    var peakMemory: Int
    /// Seconds.
    var duration: Double
}

/// Starts the built program.
func start(
    _ arguments: [String], environment: [String: String] = [:], input: RunningProcess.Input = .pipe,
    output: RunningProcess.Output = .collected, errors: RunningProcess.Output = .collected
) throws -> RunningProcess {
    try RunningProcess(
        try PseudoTerminal.builtProduct("wsline"), arguments,
        environment: PseudoTerminal.standardEnvironment.merging(environment) { $1 }, input: input, output: output, errors: errors)
}

/// Runs the built program to its end. Without `input` its standard input stays open and silent.
func run(
    _ arguments: [String], input: String? = nil, environment: [String: String] = [:], output: RunningProcess.Output = .collected,
    errors: RunningProcess.Output = .collected, within seconds: Double = 20
) throws -> Finished {
    try run(arguments, bytes: input.map { Array($0.utf8) }, environment: environment, output: output, errors: errors, within: seconds)
}

func run(
    _ arguments: [String], bytes: [UInt8]?, environment: [String: String] = [:], output: RunningProcess.Output = .collected,
    errors: RunningProcess.Output = .collected, within seconds: Double = 20
) throws -> Finished {
    let begin = DispatchTime.now()
    let program = try start(arguments, environment: environment, output: output, errors: errors)
    if let bytes {
        try? program.write(bytes)
        program.closeInput()
    }
    return try finish(program, since: begin, within: seconds)
}

func finish(_ program: RunningProcess, since begin: DispatchTime = .now(), within seconds: Double = 20) throws -> Finished {
    let result = try program.waitForExit(within: seconds)
    guard case .exited(let status) = result.status else { throw TestFailure("\(result.status): \(program.errorText)") }
    return Finished(
        status: status, output: program.outputText, bytes: program.outputBytes, errors: program.errorText, peakMemory: result.peakMemory,
        duration: Double(DispatchTime.now().uptimeNanoseconds - begin.uptimeNanoseconds) / 1e9)
}

extension LoopbackServer {
    var url: String { "ws://127.0.0.1:\(port)/" }
}

extension LoopbackServer.Connection {
    /// Answers a client's handshake by hand, with more header lines where they are given.
    func upgrade(_ more: String = "", accept: String? = nil) throws { try send(upgradeAnswer(more, accept: accept)) }

    /// Reads a client's handshake; returns the answer to it.
    func upgradeAnswer(_ more: String = "", accept: String? = nil) throws -> String {
        let request = String(decoding: try receive(through: "\r\n\r\n"), as: UTF8.self)
        let line = request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key:") }
        let value = line.map { $0.drop { $0 != ":" }.dropFirst().drop { $0 == " " } } ?? ""
        let key = try HandshakeKey(Base64.decode(String(value)))
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(accept ?? key?.acceptValue ?? "")\r\n\(more)\r\n"
    }

    /// The client's next frame.
    func receiveFrame() throws -> ClientFrame {
        let head = try receive(exactly: 2)
        var length = Int(head[1] & 0x7F)
        if length > 125 { length = try receive(exactly: length == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) } }
        return ClientFrame(opcode: head[0] & 0x0F, mask: try receive(exactly: 4), masked: try receive(exactly: length))
    }

    /// An unmasked frame of at most 125 bytes.
    func sendFrame(_ opcode: UInt8, _ payload: [UInt8] = []) throws { try send([0x80 | opcode, UInt8(payload.count)] + payload) }
}

/// A frame as a client sends it.
struct ClientFrame {
    var opcode: UInt8
    var mask: [UInt8]
    var masked: [UInt8]

    var payload: [UInt8] { masked.enumerated().map { $1 ^ mask[$0 % 4] } }
}

/// What a server with this certificate speaks TLS with.
func context(_ certificate: Certificate) throws -> TLSContext {
    try TLSContext.server(.init(identity: TLSIdentity(certificateFile: certificate.certificateFile, keyFile: certificate.keyFile)))
}
