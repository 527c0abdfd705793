import CPosix

/// Binds every address of `target`; the caller owns the sockets.
func bind(_ target: ListenTarget) throws(TransportError) -> [Socket] {
    switch target {
    case .loopback(let port): try bindLoopback(port)
    case .host(let host, let port): try bindHost(host, port)
    case .unix(let path): [try listeningSocket(.unix(path: path))]
    }
}

private let loopback4 = SocketAddress.ipv4(0x7F00_0001, port: 0)
private let loopback6 = SocketAddress.ipv6(1, port: 0)

/// Both loopback addresses: a client that is told "localhost" tries ::1 first, and must not reach another program there.
private func bindLoopback(_ port: UInt16) throws(TransportError) -> [Socket] {
    // The port that the system picks for one family can be taken in the other: then another is picked.
    for _ in 0..<16 {
        let first = try listeningSocket(loopback4.with(port: port))
        let picked = first.localAddress?.port ?? port
        do {
            return [first, try listeningSocket(loopback6.with(port: picked))]
        } catch {
            if error.kind == .unreachable { return [first] }
            first.close()
            guard port == 0, error.kind == .addressInUse else { throw error }
        }
    }
    throw TransportError(.listen, .addressInUse, "can't find a port that is free on both 127.0.0.1 and ::1")
}

private func bindHost(_ host: String, _ port: UInt16) throws(TransportError) -> [Socket] {
    var sockets: [Socket] = []
    var port = port
    do {
        for address in try lookUpToListen(host, port) {
            let socket = try listeningSocket(address.with(port: port))
            sockets.append(socket)
            if port == 0 { port = socket.localAddress?.port ?? 0 }
        }
    } catch {
        sockets.forEach { $0.close() }
        throw error
    }
    return sockets
}

private func lookUpToListen(_ host: String, _ port: UInt16) throws(TransportError) -> [SocketAddress] {
    if let literal = Resolver.literal(host, port: port) { return [literal] }
    var found: [SocketAddress] = []
    var reason = "it has no address"
    for family in AddressFamilies.any.each {
        switch Resolver.lookUp(host, port: port, family: family) {
        case .success(let addresses): found += addresses.filter { !found.contains($0) }
        case .failure(let failure): reason = failure.description
        }
    }
    guard !found.isEmpty else { throw TransportError(.listen, .notFound, "can't resolve \(host.quoted) to listen on it: \(reason)") }
    return found
}

/// A socket that listens on `address`.
private func listeningSocket(_ address: SocketAddress) throws(TransportError) -> Socket {
    var opened: Socket?
    do throws(SystemError) {
        let socket = try Socket(for: address)
        opened = socket
        if case .unix(let path) = address {
            try bindFile(path, address, socket)
        } else {
            // Connections of an earlier run that linger in TIME_WAIT must not keep the port.
            socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
            if address.isIPv6 { socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
            try socket.bind(to: address)
        }
        try socket.startListening()
        return socket
    } catch {
        opened?.close()
        let hint: String? =
            switch (address, error.code) {
            case (.unix(let path), ENAMETOOLONG):
                "a socket's path has at most \(SocketAddress.maximumPathLength) bytes; this has \(path.utf8.count)"
            case (.ipv4, EACCES), (.ipv6, EACCES): "ports below 1024 are the superuser's"
            default: nil
            }
        throw TransportError(.listen, "can't listen on \(address)", system: error, hint: hint)
    }
}

/// Binds a socket file of mode 0600: who may connect is who may write it. A file that an earlier run left, with nobody listening, is replaced.
private func bindFile(_ path: String, _ address: SocketAddress, _ socket: Socket) throws(SystemError) {
    // The mask is the whole process's, for these two calls: with chmod afterwards the file would be open to others for a moment.
    let mask = umask(0o177)
    defer { umask(mask) }
    do {
        try socket.bind(to: address)
    } catch {
        guard error.code == EADDRINUSE, isStale(address, path) else { throw error }
        unlink(path)
        try socket.bind(to: address)
    }
}

/// Whether `path` is a socket on which nobody listens.
private func isStale(_ address: SocketAddress, _ path: String) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK, let probe = try? Socket(for: address) else { return false }
    defer { probe.close() }
    do {
        _ = try probe.connect(to: address)
        return false
    } catch {
        return error.code == ECONNREFUSED
    }
}

/// The file of a bound UNIX socket, as distinct from one that another program has put in its place.
struct OwnedSocketFile: Sendable {
    private let path: String
    private let identity: (device: dev_t, inode: ino_t)

    init?(_ path: String) {
        guard let identity = Self.identity(of: path) else { return nil }
        (self.path, self.identity) = (path, identity)
    }

    func remove() {
        guard let now = Self.identity(of: path), now == identity else { return }
        unlink(path)
    }

    private static func identity(of path: String) -> (device: dev_t, inode: ino_t)? {
        var status = stat()
        return lstat(path, &status) == 0 ? (status.st_dev, status.st_ino) : nil
    }
}
