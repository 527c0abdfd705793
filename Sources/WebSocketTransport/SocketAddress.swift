import CPosix

/// Where a stream socket can connect to or listen: a value, compared and printed without asking the system.
public enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address in host byte order.
    case ipv4(UInt32, port: UInt16)
    /// The address in host byte order; `scope` is the interface's index, for link-local addresses.
    case ipv6(UInt128, port: UInt16, scope: UInt32 = 0)
    case unix(path: String)

    /// The longest path, in bytes, that fits `sockaddr_un` with its final NUL.
    public static let maximumPathLength = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// The port of an IP address, `nil` for a UNIX socket.
    public var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port, _): port
        case .unix: nil
        }
    }

    /// The address with no port, as it stands in a list of failed attempts.
    public var host: String {
        if case .unix(let path) = self { return "unix:" + path.escaped }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
            let code = try? withSystemAddress { getnameinfo($0, $1, text.baseAddress, socklen_t(text.count), nil, 0, NI_NUMERICHOST) }
            return code == 0 ? text.baseAddress.map { String(cString: $0) } ?? "?" : "?"
        }
    }

    func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let address, _): .ipv4(address, port: port)
        case .ipv6(let address, _, let scope): .ipv6(address, port: port, scope: scope)
        case .unix: self
        }
    }

    var isIPv6: Bool { if case .ipv6 = self { true } else { false } }

    var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// `127.0.0.1:80`, `[::1]:80` or `unix:/path`.
    public var description: String {
        switch self {
        case .ipv4(_, let port): "\(host):\(port)"
        case .ipv6(_, let port, _): "[\(host)]:\(port)"
        case .unix: host
        }
    }

    /// Reads what the system wrote; `nil` for another family.
    init?(_ storage: sockaddr_storage) {
        let address: SocketAddress? = withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let inet = bytes.load(as: sockaddr_in.self)
                return .ipv4(UInt32(bigEndian: inet.sin_addr.s_addr), port: UInt16(bigEndian: inet.sin_port))
            case AF_INET6:
                let inet = bytes.load(as: sockaddr_in6.self)
                let value = withUnsafeBytes(of: inet.sin6_addr) { UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) }
                return .ipv6(value, port: UInt16(bigEndian: inet.sin6_port), scope: inet.sin6_scope_id)
            case AF_UNIX:
                let unix = bytes.load(as: sockaddr_un.self)
                return .unix(path: withUnsafeBytes(of: unix.sun_path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
            default:
                return nil
            }
        }
        guard let address else { return nil }
        self = address
    }

    /// Runs `body` on the system's form of the address.
    ///
    /// - Throws: `ENAMETOOLONG` for a path that doesn't fit.
    func withSystemAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) throws(SystemError) -> Result {
        switch self {
        case .ipv4(let address, let port):
            return rebound(sockaddr_in(address: address, port: port), body)
        case .ipv6(let address, let port, let scope):
            return rebound(sockaddr_in6(address: address, port: port, scope: scope), body)
        case .unix(let path):
            guard path.utf8.count <= Self.maximumPathLength, !path.utf8.contains(0) else { throw SystemError(ENAMETOOLONG) }
            return rebound(sockaddr_un(path: path), body)
        }
    }
}

private func rebound<Address, Result>(_ address: Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
    }
}
