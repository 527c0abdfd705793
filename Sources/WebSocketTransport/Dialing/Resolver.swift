import Dispatch
import CPosix

/// IP versions: those that may be used, or a single one.
public struct AddressFamilies: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let ipv4 = AddressFamilies(rawValue: 1)
    public static let ipv6 = AddressFamilies(rawValue: 2)
    public static let any: AddressFamilies = [.ipv4, .ipv6]

    var each: [AddressFamilies] { [.ipv4, .ipv6].filter(contains) }
}

/// One `HOST:PORT:ADDR`: connections to HOST and PORT go to ADDR, and no name is looked up.
public struct ResolveOverride: Sendable, Equatable {
    public let host: String
    public let port: UInt16
    public let addresses: [SocketAddress]

    /// Reads `HOST:PORT:ADDR[,ADDR]…`; an IPv6 literal stands in brackets as HOST and with or without them as ADDR.
    ///
    /// - Throws: a ``TransportError`` at the name stage that quotes what can't be read.
    public init(parsing text: String) throws(TransportError) {
        func refuse(_ why: String) -> TransportError {
            TransportError(.name, .notFound, "\(text.quoted) is not HOST:PORT:ADDR: \(why)", hint: "for example example.com:443:127.0.0.1")
        }
        var rest = text[...]
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw refuse("the bracket is not closed") }
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
        } else {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            host = String(rest[..<end])
            rest = rest[end...]
        }
        guard !host.isEmpty, rest.first == ":" else { throw refuse("HOST is missing") }
        rest.removeFirst()
        guard let colon = rest.firstIndex(of: ":") else { throw refuse("ADDR is missing") }
        guard let port = UInt16(rest[..<colon]), port > 0 else { throw refuse("\(rest[..<colon].quoted) is not a port") }
        self.port = port
        var addresses: [SocketAddress] = []
        for item in rest[rest.index(after: colon)...].split(separator: ",", omittingEmptySubsequences: false) {
            let bare = item.first == "[" && item.last == "]" ? item.dropFirst().dropLast() : item
            guard let address = Resolver.literal(String(bare), port: port) else { throw refuse("\(item.quoted) is not an IP address") }
            addresses.append(address)
        }
        self.addresses = addresses
    }
}

/// Why a name has no address, in `getaddrinfo`'s words.
struct ResolveFailure: Error, Equatable, CustomStringConvertible { let description: String }

/// Looks names up with `getaddrinfo`, which blocks, on the global concurrent queue.
enum Resolver {
    /// The address that `host` is, if it is an IP literal; nobody is asked.
    static func literal(_ host: String, port: UInt16) -> SocketAddress? {
        // getaddrinfo takes "1" and "0x7f.1" for addresses as inet_aton does; only a literal as RFC 3986 §3.2.2 spells it skips the resolver.
        var inet = in_addr()
        guard host.contains(":") || inet_pton(AF_INET, host, &inet) == 1 else { return nil }
        return (try? lookUp(host, port: port, family: AF_UNSPEC, flags: AI_NUMERICHOST).get())?.first
    }

    /// The addresses that an override has for `host` and `port`, names compared as DNS does.
    static func override(_ host: String, port: UInt16, in overrides: [ResolveOverride]) -> [SocketAddress]? {
        overrides.first { $0.port == port && $0.host.lowercased() == host.lowercased() }?.addresses
    }

    /// Looks `host` up in one family and hands the outcome over to the loop. It can't be stopped: a caller that no longer cares ignores the outcome.
    static func resolve(
        _ host: String, port: UInt16, family: AddressFamilies,
        completion: @escaping @EventLoop @Sendable (Result<[SocketAddress], ResolveFailure>) -> Void
    ) {
        DispatchQueue.global().async {
            let outcome = lookUp(host, port: port, family: family)
            EventLoop.enter { completion(outcome) }
        }
    }

    /// Looks `host` up in one family, and blocks meanwhile.
    static func lookUp(_ host: String, port: UInt16, family: AddressFamilies) -> Result<[SocketAddress], ResolveFailure> {
        lookUp(host, port: port, family: family == .ipv4 ? AF_INET : AF_INET6, flags: 0)
    }

    private static func lookUp(_ host: String, port: UInt16, family: Int32, flags: Int32) -> Result<[SocketAddress], ResolveFailure> {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_flags = flags
        hints.ai_socktype = streamSocket
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else {
            let text = code == EAI_SYSTEM ? SystemError.last.description : String(cString: gai_strerror(code))
            return .failure(ResolveFailure(description: text.prefix(1).lowercased() + text.dropFirst()))
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let info = next {
            next = info.pointee.ai_next
            let bytes = UnsafeRawBufferPointer(start: info.pointee.ai_addr, count: Int(info.pointee.ai_addrlen))
            var storage = sockaddr_storage()
            withUnsafeMutableBytes(of: &storage) { $0.copyBytes(from: bytes.prefix($0.count)) }
            if let address = SocketAddress(storage)?.with(port: port) { addresses.append(address) }
        }
        return .success(addresses)
    }
}
