import CPosix

/// A stream socket's descriptor and the calls on it: non-blocking, closed on exec, never a SIGPIPE. It owns nothing; whoever made it closes it.
struct Socket: Sendable {
    let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// A new socket of the address's family.
    init(for address: SocketAddress) throws(SystemError) {
        descriptor = socket(address.family, streamSocket, 0)
        guard descriptor >= 0 else { throw .last }
        prepare()
    }

    /// What every stream wants, whether we made it or accepted it.
    private func prepare() {
        ignoreBrokenPipeSignal
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        ignoreBrokenPipe(descriptor)
    }

    func set(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Small messages must not wait for the acknowledgement of the last one. Means nothing, and fails harmlessly, on a UNIX socket.
    func setNoDelay() { set(Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

    /// Starts to connect.
    ///
    /// - Returns: whether the connection already stands; if not, the socket gets writable once ``pendingError()`` has the outcome.
    func connect(to address: SocketAddress) throws(SystemError) -> Bool {
        let outcome = try address.withSystemAddress { CPosix.connect(descriptor, $0, $1) }
        if outcome == 0 { return true }
        // An interrupted connect goes on by itself (POSIX connect(), EINTR).
        guard errno == EINPROGRESS || errno == EINTR else { throw .last }
        return false
    }

    /// The outcome of a connect that had to wait: `nil` when the connection stands.
    func pendingError() -> SystemError? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return .last }
        return code == 0 ? nil : SystemError(code)
    }

    func bind(to address: SocketAddress) throws(SystemError) {
        let outcome = try address.withSystemAddress { CPosix.bind(descriptor, $0, $1) }
        guard outcome == 0 else { throw .last }
    }

    func startListening() throws(SystemError) { guard listen(descriptor, SOMAXCONN) == 0 else { throw .last } }

    /// The next connection in the queue, `nil` when there is none.
    func acceptNext() throws(SystemError) -> Socket? {
        while true {
            let accepted = accept(descriptor, nil, nil)
            if accepted >= 0 {
                let socket = Socket(descriptor: accepted)
                socket.prepare()
                return socket
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EAGAIN, EWOULDBLOCK: return nil
            default: throw .last
            }
        }
    }

    var localAddress: SocketAddress? { address(getsockname) }

    var peerAddress: SocketAddress? { address(getpeername) }

    private func address(_ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let outcome = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, &length) }
        }
        return outcome == 0 ? SocketAddress(storage) : nil
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count >= 0 { return count }
            guard errno == EINTR else { throw .last }
        }
    }

    func send(_ buffer: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        while true {
            let count = systemSend(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            guard errno == EINTR else { throw .last }
        }
    }

    func shutdownWrite() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    func close() { CPosix.close(descriptor) }
}

/// Ignores SIGPIPE in the whole process, once, before the first socket is used. `send` has MSG_NOSIGNAL, but OpenSSL writes to its socket with
/// plain `write`, where a peer that is gone would kill the process instead of failing the call with EPIPE.
let ignoreBrokenPipeSignal: Void = {
    _ = signal(SIGPIPE, SIG_IGN)
}()
