import Testing
import CPosix

@testable import WebSocketTransport

@Suite struct AddressTests {
    @Test(
        "an address is printed as it stands in a URL",
        arguments: [
            (SocketAddress.ipv4(0x7F00_0001, port: 80), "127.0.0.1:80"), (.ipv6(1, port: 80), "[::1]:80"),
            (.ipv6(0x2001_0db8 << 96 | 0xFF, port: 65535), "[2001:db8::ff]:65535"), (.unix(path: "/run/s\n"), "unix:/run/s\\x0a"),
        ])
    func description(address: SocketAddress, text: String) {
        #expect(address.description == text)
    }

    @Test("an address survives the way through the system's form")
    func roundTrip() throws {
        for address in [
            SocketAddress.ipv4(0x0102_0304, port: 5), .ipv6(0x2001_0db8_0000_0000_0000_0000_0000_0001, port: 443, scope: 3),
            .unix(path: "/run/socket"),
        ] {
            let back = try address.withSystemAddress { system, length in
                var storage = sockaddr_storage()
                withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: UnsafeRawBufferPointer(start: system, count: Int(length))) }
                return SocketAddress(storage)
            }
            #expect(back == address)
        }
    }

    @Test(
        "an IP literal needs no resolver, and nothing else is one",
        arguments: [
            ("127.0.0.1", SocketAddress.ipv4(0x7F00_0001, port: 7)), ("::1", .ipv6(1, port: 7)), ("localhost", nil), ("127.1", nil),
            ("1", nil), ("0x7f000001", nil), ("", nil), ("1.2.3.4.5", nil), (":::", nil), ("a:b", nil),
        ] as [(String, SocketAddress?)])
    func literal(text: String, address: SocketAddress?) {
        #expect(Resolver.literal(text, port: 7) == address)
    }

    @Test(
        "an override is read",
        arguments: [
            ("example.com:443:127.0.0.1", "example.com", [SocketAddress.ipv4(0x7F00_0001, port: 443)]),
            ("example.com:80:::1", "example.com", [.ipv6(1, port: 80)]), ("[::2]:80:[::1]", "::2", [.ipv6(1, port: 80)]),
            ("a:80:127.0.0.1,::1", "a", [.ipv4(0x7F00_0001, port: 80), .ipv6(1, port: 80)]),
        ])
    func override(text: String, host: String, addresses: [SocketAddress]) throws {
        let override = try ResolveOverride(parsing: text)
        #expect(override.host == host)
        #expect(override.addresses == addresses)
    }

    @Test(
        "what is no override is refused, quoted",
        arguments: [
            "", "a", "a:80", "a:80:", "a:80:b", "a:0:127.0.0.1", "a:65536:127.0.0.1", ":80:127.0.0.1", "[::1:80:127.0.0.1",
            "a:80:127.0.0.1,",
        ])
    func badOverride(text: String) {
        #expect {
            try ResolveOverride(parsing: text)
        } throws: { error in
            (error as? TransportError)?.message.hasPrefix("\"\(text)\" is not HOST:PORT:ADDR: ") == true
        }
    }

    @Test("an override counts for its port alone, and for its name in any case")
    func overrideMatches() throws {
        let overrides = [try ResolveOverride(parsing: "Example.com:443:127.0.0.1")]
        #expect(Resolver.override("example.COM", port: 443, in: overrides) != nil)
        #expect(Resolver.override("example.com", port: 80, in: overrides) == nil)
        #expect(Resolver.override("www.example.com", port: 443, in: overrides) == nil)
    }

    @Test(
        "an error's text can't drive a terminal",
        arguments: [("\u{1b}[2J", "\\x1b[2J"), ("\u{9b}", "\\x9b"), ("a\u{202e}b", "a\\u{202e}b"), ("\"\\", "\\\"\\\\")])
    func escaping(text: String, expected: String) {
        #expect(text.quoted == "\"\(expected)\"")
    }
}
