import Dispatch
import CPosix

/// A raw TCP server on 127.0.0.1, port 0: each connection runs the script, with blocking calls on a thread of its own.
///
/// It ends when the value goes, or at ``stop()``: connections still open are shut down, so no script waits for ever.
public final class LoopbackServer: Sendable {
    public let port: UInt16
    private let descriptor: Int32
    private let shared: Shared

    /// One accepted connection. Every call blocks, at most ten seconds, and throws at the connection's end.
    public struct Connection: Sendable {
        public let descriptor: Int32

        public func send(_ bytes: some Sequence<UInt8>) throws {
            let bytes = Array(bytes)
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes { systemSend(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else { throw TestFailure("send: errno \(errno)") }
                sent += count
            }
        }

        public func send(_ text: String) throws { try send(Array(text.utf8)) }

        /// What comes next, at most `limit` bytes; empty at the end.
        public func receive(atMost limit: Int = 65536) throws -> [UInt8] {
            var buffer = [UInt8](repeating: 0, count: limit)
            let count = recv(descriptor, &buffer, limit, 0)
            guard count >= 0 else { throw TestFailure("recv: errno \(errno)") }
            return Array(buffer.prefix(count))
        }

        /// Exactly `count` bytes.
        public func receive(exactly count: Int) throws -> [UInt8] {
            var bytes: [UInt8] = []
            while bytes.count < count {
                let more = try receive(atMost: count - bytes.count)
                guard !more.isEmpty else { throw TestFailure("the connection ended after \(bytes.count) of \(count) bytes") }
                bytes += more
            }
            return bytes
        }

        /// Everything up to and including `mark`, byte by byte.
        public func receive(through mark: String) throws -> [UInt8] {
            var bytes: [UInt8] = []
            while !bytes.suffix(mark.utf8.count).elementsEqual(mark.utf8) { bytes += try receive(exactly: 1) }
            return bytes
        }

        /// Everything up to the peer's end.
        public func receiveToEnd() throws -> [UInt8] {
            var bytes: [UInt8] = []
            while case let more = try receive(), !more.isEmpty { bytes += more }
            return bytes
        }

        /// Sends a FIN, and can still receive.
        public func shutdownWrite() { shutdown(descriptor, Int32(SHUT_WR)) }

        /// The close at the script's end will be a reset.
        public func resetOnClose() {
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        }

        /// Waits until the peer ends the connection or the server stops.
        public func hang() { while let bytes = try? receive(), !bytes.isEmpty {} }
    }

    /// Starts at once. An error that a script throws ends its connection, and is among ``errors``.
    public init(script: @escaping @Sendable (Connection) throws -> Void) throws {
        (descriptor, port) = try listenOnLoopback()
        shared = Shared()
        let (descriptor, shared) = (descriptor, shared)
        // A private serial queue has a thread of its own, which may block.
        DispatchQueue(label: "wsline.loopback.accept").async {
            while case let accepted = accept(descriptor, nil, nil), accepted >= 0 {
                guard shared.add(accepted) else { break }
                DispatchQueue(label: "wsline.loopback.connection").async {
                    do {
                        try script(Connection(descriptor: accepted))
                    } catch {
                        shared.note(error)
                    }
                    shared.remove(accepted)
                }
            }
            close(descriptor)
        }
    }

    /// What the scripts threw so far.
    public var errors: [any Error] { shared.errors }

    public func stop() {
        shared.stop()
        // Wakes the accepting thread, which closes the descriptor.
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    deinit { stop() }

    private final class Shared: @unchecked Sendable {
        // Invariant: touched within `lock` only.
        private let lock = DispatchSemaphore(value: 1)
        private var open: Set<Int32> = []
        private var isStopped = false
        private var thrown: [any Error] = []

        var errors: [any Error] { locked { thrown } }

        func add(_ descriptor: Int32) -> Bool {
            var timeout = timeval(tv_sec: 10 * Int(Sanitizer.slowness), tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            return locked {
                guard !isStopped else {
                    close(descriptor)
                    return false
                }
                open.insert(descriptor)
                return true
            }
        }

        func remove(_ descriptor: Int32) {
            locked {
                open.remove(descriptor)
                close(descriptor)
            }
        }

        func note(_ error: any Error) { locked { thrown.append(error) } }

        func stop() {
            locked {
                isStopped = true
                open.forEach { shutdown($0, Int32(SHUT_RDWR)) }
            }
        }

        private func locked<Result>(_ body: () -> Result) -> Result {
            lock.wait()
            defer { lock.signal() }
            return body()
        }
    }
}

private func listenOnLoopback() throws -> (Int32, UInt16) {
    let descriptor = socket(AF_INET, streamSocket, 0)
    guard descriptor >= 0 else { throw TestFailure("socket: errno \(errno)") }
    var address = sockaddr_in(address: 0x7F00_0001, port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let outcome = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { system in
            bind(descriptor, system, length) == 0 && listen(descriptor, 16) == 0 && getsockname(descriptor, system, &length) == 0
        }
    }
    guard outcome else {
        defer { close(descriptor) }
        throw TestFailure("listen: errno \(errno)")
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
}
