/// The parameters of permessage-deflate as an offer or an answer names them (RFC 7692, section 7.1).
public struct PermessageDeflateParameters: Hashable, Sendable {
    static let extensionName = "permessage-deflate"

    /// The base-2 logarithm of an LZ77 window's size: 8 to 15.
    struct WindowBits: Hashable, Comparable, Sendable {
        let rawValue: Int

        /// `nil` outside 8…15.
        init?(_ rawValue: Int) {
            guard (8...15).contains(rawValue) else { return nil }
            self.rawValue = rawValue
        }

        static func < (left: WindowBits, right: WindowBits) -> Bool { left.rawValue < right.rawValue }
    }

    /// What client_max_window_bits says. An offer may name it without a value; an answer always has one.
    enum ClientWindowBits: Hashable, Sendable {
        /// Offered without a value: the server may set a limit.
        case supported
        case limit(WindowBits)
    }

    /// Whether the server starts each message with an empty window (RFC 7692, section 7.1.1.1).
    var serverNoContextTakeover = false
    /// Whether the client starts each message with an empty window (RFC 7692, section 7.1.1.2).
    var clientNoContextTakeover = false
    /// The largest window the server compresses with (RFC 7692, section 7.1.2.1).
    var serverMaxWindowBits: WindowBits?
    /// The largest window the client compresses with (RFC 7692, section 7.1.2.2). May be 8, which zlib's raw deflate refuses.
    var clientMaxWindowBits: ClientWindowBits?

    /// What wsline offers unless told otherwise: no demands, and a server may limit our window.
    static let defaultOffer = PermessageDeflateParameters(clientMaxWindowBits: .supported)

    /// The extension as Sec-WebSocket-Extensions names it.
    public var headerExtension: WebSocketExtension {
        var parameters: [WebSocketExtension.Parameter] = []
        if serverNoContextTakeover { parameters.append(.init(Name.serverNoContextTakeover.rawValue)) }
        if clientNoContextTakeover { parameters.append(.init(Name.clientNoContextTakeover.rawValue)) }
        if let bits = serverMaxWindowBits { parameters.append(.init(Name.serverMaxWindowBits.rawValue, String(bits.rawValue))) }
        switch clientMaxWindowBits {
        case .supported: parameters.append(.init(Name.clientMaxWindowBits.rawValue))
        case .limit(let bits): parameters.append(.init(Name.clientMaxWindowBits.rawValue, String(bits.rawValue)))
        case nil: break
        }
        return WebSocketExtension(Self.extensionName, parameters)
    }

    enum Name: String, CaseIterable {
        case serverNoContextTakeover = "server_no_context_takeover"
        case clientNoContextTakeover = "client_no_context_takeover"
        case serverMaxWindowBits = "server_max_window_bits"
        case clientMaxWindowBits = "client_max_window_bits"
    }

    /// Which of the two sides' elements is read: an answer's client_max_window_bits needs a value.
    enum Role { case offer, answer }
}

extension PermessageDeflateParameters {
    /// Reads an extension element by the rules of RFC 7692, section 7.1: known parameters, each at most once, with a value where one is due.
    init(_ element: WebSocketExtension, as role: Role) throws(PermessageDeflateError) {
        self.init()
        guard element.name == Self.extensionName else { throw .notOffered(element.name) }
        var seen: Set<Name> = []
        for parameter in element.parameters {
            guard let name = Name(rawValue: parameter.name) else { throw .unknownParameter(parameter.name) }
            guard seen.insert(name).inserted else { throw .repeatedParameter(parameter.name) }
            try set(name, parameter.value, as: role)
        }
    }

    mutating func set(_ name: Name, _ value: String?, as role: Role) throws(PermessageDeflateError) {
        switch (name, value) {
        case (.serverNoContextTakeover, nil): serverNoContextTakeover = true
        case (.clientNoContextTakeover, nil): clientNoContextTakeover = true
        case (.serverNoContextTakeover, let value?), (.clientNoContextTakeover, let value?):
            throw .unexpectedValue(parameter: name.rawValue, value: value)
        case (.clientMaxWindowBits, nil) where role == .offer: clientMaxWindowBits = .supported
        case (.serverMaxWindowBits, nil), (.clientMaxWindowBits, nil): throw .missingValue(parameter: name.rawValue)
        case (.serverMaxWindowBits, let value?): serverMaxWindowBits = try Self.bits(name, value)
        case (.clientMaxWindowBits, let value?): clientMaxWindowBits = .limit(try Self.bits(name, value))
        }
    }

    /// Reads a decimal number without leading zeros (RFC 7692, section 7.1.2.1).
    private static func bits(_ name: Name, _ value: String) throws(PermessageDeflateError) -> WindowBits {
        guard value.utf8.allSatisfy(\.isASCIIDigit), !value.hasPrefix("0"), let bits = Int(value).flatMap({ WindowBits($0) }) else {
            throw .invalidWindowBits(parameter: name.rawValue, value: value)
        }
        return bits
    }
}

/// Why a permessage-deflate element, or a server's answer to an offer, is refused (RFC 7692, sections 5.1 and 7.1).
public enum PermessageDeflateError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The server chose an extension that was not offered.
    case notOffered(String)
    case repeatedExtension
    case unknownParameter(String)
    case repeatedParameter(String)
    case unexpectedValue(parameter: String, value: String)
    case missingValue(parameter: String)
    /// Not 8 to 15 in decimal without leading zeros.
    case invalidWindowBits(parameter: String, value: String)
    /// The answer's server_max_window_bits is larger than the offer's.
    case serverWindowTooLarge(answered: Int, offered: Int)
    /// The answer limits our window, and the offer didn't say that we can.
    case clientWindowBitsNotOffered(answered: Int)
    /// The answer lacks a parameter that accepting the offer calls for.
    case demandIgnored(parameter: String)

    public var description: String {
        switch self {
        case .notOffered(let name): "the server chose the extension \(name.quoted), which was not offered"
        case .repeatedExtension: "the server accepted permessage-deflate twice"
        case .unknownParameter(let name): "permessage-deflate has no parameter \(name.quoted)"
        case .repeatedParameter(let name): "permessage-deflate names \(name) twice"
        case .unexpectedValue(let name, let value): "permessage-deflate gives \(name) the value \(value.quoted), and it takes none"
        case .missingValue(let name): "permessage-deflate names \(name) without a value, expected 8 to 15"
        case .invalidWindowBits(let name, let value):
            "permessage-deflate gives \(name) the value \(value.quoted), expected 8 to 15 without leading zeros"
        case .serverWindowTooLarge(let answered, let offered):
            "the server answered server_max_window_bits=\(answered), expected at most \(offered), as offered"
        case .clientWindowBitsNotOffered(let answered):
            "the server answered client_max_window_bits=\(answered), which was not offered"
        case .demandIgnored(let name): "the server accepted permessage-deflate without \(name), which the offer demands"
        }
    }
}
