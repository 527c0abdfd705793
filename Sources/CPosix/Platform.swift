// The C library of this system, under one name: no other source asks which one it is. Where a method hides a call, it's `CPosix.write`.
#if canImport(Glibc)
    @_exported import Glibc
#elseif canImport(Musl)
    @_exported import Musl
#elseif canImport(Darwin)
    @_exported import Darwin
#endif

// MARK: What differs between C libraries

#if canImport(Glibc)
    public let streamSocket = Int32(SOCK_STREAM.rawValue)
#else
    public let streamSocket = SOCK_STREAM
#endif

// MARK: Sockets

/// Sends on a socket; a peer that is gone is an error, and no signal.
@inlinable
public func systemSend(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Darwin)
        send(descriptor, bytes, count, 0)
    #else
        send(descriptor, bytes, count, Int32(MSG_NOSIGNAL))
    #endif
}

/// Lets a socket whose peer is gone fail, and not end the process: Darwin's way, which has no flag for `send`.
public func ignoreBrokenPipe(_ descriptor: Int32) {
    #if canImport(Darwin)
        var value: Int32 = 1
        _ = setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &value, socklen_t(MemoryLayout<Int32>.size))
    #endif
}

extension sockaddr_in {
    /// - Parameters: both in the host's byte order.
    public init(address: UInt32, port: UInt16) {
        self.init()
        #if canImport(Darwin)
            sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
        #endif
        sin_family = sa_family_t(AF_INET)
        sin_port = port.bigEndian
        sin_addr = in_addr(s_addr: address.bigEndian)
    }
}

extension sockaddr_in6 {
    /// - Parameters: all in the host's byte order.
    public init(address: UInt128, port: UInt16, scope: UInt32) {
        self.init()
        #if canImport(Darwin)
            sin6_len = UInt8(MemoryLayout<sockaddr_in6>.size)
        #endif
        sin6_family = sa_family_t(AF_INET6)
        sin6_port = port.bigEndian
        sin6_scope_id = scope
        withUnsafeMutableBytes(of: &sin6_addr) { $0.storeBytes(of: address.bigEndian, as: UInt128.self) }
    }
}

extension sockaddr_un {
    /// The path must fit.
    public init(path: String) {
        self.init()
        #if canImport(Darwin)
            sun_len = UInt8(MemoryLayout<sockaddr_un>.size)
        #endif
        sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &sun_path) { $0.copyBytes(from: path.utf8) }
    }
}

// MARK: Errors

/// What an `errno` means, for the middle of a sentence: `no such file or directory`.
public func errorText(_ code: Int32) -> String {
    // strerror's buffer is per thread in glibc since 2.32; musl and Darwin return constants for every known code.
    let text = String(cString: strerror(code))
    // An initialism stays as it is: "RPC struct is bad".
    guard let second = text.dropFirst().first, second.isLowercase || second == " " else { return text }
    return text.prefix(1).lowercased() + text.dropFirst()
}

// MARK: Descriptors

/// A pipe whose ends don't block, and are closed on exec. Nil, with `errno`, when there is none to be had.
public func makePipe() -> (reads: Int32, writes: Int32)? {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends {
        _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    return (ends[0], ends[1])
}

/// Writes all of `bytes`, waiting while the descriptor takes no more. False, with `errno`, when it never will.
@discardableResult
public func writeAll(_ bytes: some Sequence<UInt8>, to descriptor: Int32) -> Bool {
    Array(bytes).withUnsafeBytes { buffer in
        var rest = buffer[...]
        while !rest.isEmpty {
            let written = write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if written >= 0 {
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&entry, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
