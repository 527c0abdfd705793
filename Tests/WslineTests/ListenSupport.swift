@testable import TestSupport
import CPosix

/// `wsline -l 127.0.0.1:0 …` in pipes, and its clients.
struct Listening {
    let program: RunningProcess
    let port: UInt16
    private let scheme: String

    init(
        _ arguments: [String] = [], scheme: String = "ws", input: RunningProcess.Input = .pipe, output: RunningProcess.Output = .collected
    ) throws {
        let path = try PseudoTerminal.builtProduct("wsline")
        program = try RunningProcess(path, ["-l", "127.0.0.1:0"] + arguments, input: input, output: output)
        self.scheme = scheme
        port = try Self.port(of: program)
    }

    private static func port(of program: RunningProcess) throws -> UInt16 {
        try program.wait(for: .errors) { $0.contains("CTRL+C") }
        let text = program.errorText
        guard let range = text.firstRange(of: /:[0-9]+/), let port = UInt16(text[range].dropFirst()) else {
            throw TestFailure("no port in \(text)")
        }
        return port
    }

    var url: String { "\(scheme)://127.0.0.1:\(port)/" }

    /// A wsline that is connected to this one.
    func client(
        _ arguments: [String] = [], input: RunningProcess.Input = .pipe, output: RunningProcess.Output = .collected
    ) throws -> RunningProcess {
        try RunningProcess(try PseudoTerminal.builtProduct("wsline"), arguments + [url], input: input, output: output)
    }

    /// Waits until the listener has told of so many clients.
    func waitForClients(_ count: Int) throws {
        try program.wait(for: .errors) { $0.contains("client \(count) connected") }
    }

    /// A connection with nothing said on it yet.
    func connect() throws -> RawClient { try RawClient(port: port) }

    /// Sends `signal`, waits for the end and gives the status.
    func end(_ signal: Int32 = SIGTERM) throws -> RunningProcess.ExitStatus {
        program.send(signal: signal)
        return try program.waitForExit().status
    }
}

/// A client made of a bare socket, which can do what no good client does. Each call waits ten seconds at most.
final class RawClient {
    let connection: LoopbackServer.Connection

    init(port: UInt16) throws {
        let descriptor = socket(AF_INET, streamSocket, 0)
        connection = LoopbackServer.Connection(descriptor: descriptor)
        var limit = timeval(tv_sec: 10 * Int(Sanitizer.slowness), tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let address = sockaddr_in(address: 0x7F00_0001, port: port)
        let outcome = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                systemConnect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard outcome == 0 else { throw TestFailure("connect: \(String(cString: strerror(errno)))") }
    }

    deinit { close(connection.descriptor) }

    /// Goes away with no Close.
    func abort() { shutdown(connection.descriptor, Int32(SHUT_RDWR)) }

    /// Makes the opening handshake; gives the response's head.
    @discardableResult
    func open(_ headers: String = "") throws -> String {
        try connection.send(
            "GET /path HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\(headers)\r\n")
        return String(decoding: try connection.receive(through: "\r\n\r\n"), as: UTF8.self)
    }

    /// A masked frame, with a mask of zeros.
    static func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var head = [first]
        if payload.count < 126 {
            head.append(0x80 | UInt8(payload.count))
        } else {
            head.append(0x80 | 127)
            for shift in stride(from: 56, through: 0, by: -8) { head.append(UInt8(truncatingIfNeeded: payload.count >> shift)) }
        }
        return head + [0, 0, 0, 0] + payload
    }

    /// Sends `bytes` over and over until the other side takes none for a second, or `limit` bytes are sent; gives how many were.
    func flood(with bytes: [UInt8], upTo limit: Int) -> Int {
        var total = 0
        var offset = 0
        while total < limit {
            var entry = pollfd(fd: connection.descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 1000) == 1 else { break }
            let count = bytes[offset...].withUnsafeBytes { send(connection.descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
            guard count > 0 else { break }
            total += count
            offset = (offset + count) % bytes.count
        }
        return total
    }
}
