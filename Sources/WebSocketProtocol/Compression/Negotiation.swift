/// What both sides agreed on: how each of them compresses.
public struct PermessageDeflateAgreement: Hashable, Sendable {
    /// The server starts each message with an empty window (RFC 7692, section 7.1.1.1).
    public var serverNoContextTakeover: Bool
    /// The client starts each message with an empty window (RFC 7692, section 7.1.1.2).
    public var clientNoContextTakeover: Bool
    /// The largest window the server compresses with (RFC 7692, section 7.1.2.1).
    public var serverMaxWindowBits: PermessageDeflateParameters.WindowBits
    /// The largest window the client compresses with (RFC 7692, section 7.1.2.2). May be 8, which zlib's raw deflate refuses.
    public var clientMaxWindowBits: PermessageDeflateParameters.WindowBits

    public init(
        serverNoContextTakeover: Bool = false, clientNoContextTakeover: Bool = false,
        serverMaxWindowBits: PermessageDeflateParameters.WindowBits = .maximum,
        clientMaxWindowBits: PermessageDeflateParameters.WindowBits = .maximum
    ) {
        self.serverNoContextTakeover = serverNoContextTakeover
        self.clientNoContextTakeover = clientNoContextTakeover
        self.serverMaxWindowBits = serverMaxWindowBits
        self.clientMaxWindowBits = clientMaxWindowBits
    }
}

extension PermessageDeflateParameters {
    /// Holds the server's answer against this offer; `nil` if the server accepted no extension.
    ///
    /// The server may add server_no_context_takeover, client_no_context_takeover and server_max_window_bits unasked; it must repeat the first
    /// and the last if the offer has them (RFC 7692, sections 7.1.1.1 and 7.1.2.1). What the offer says of the client's own side binds us
    /// whether or not the answer repeats it.
    public func agreement(withAnswer answer: [WebSocketExtension]) throws(PermessageDeflateError) -> PermessageDeflateAgreement? {
        if let other = answer.first(where: { $0.name != Self.extensionName }) { throw .notOffered(other.name) }
        guard let element = answer.first else { return nil }
        guard answer.count == 1 else { throw .repeatedExtension }
        let answer = try PermessageDeflateParameters(element, as: .answer)

        if serverNoContextTakeover, !answer.serverNoContextTakeover {
            throw .demandIgnored(parameter: Name.serverNoContextTakeover.rawValue)
        }
        if let offered = serverMaxWindowBits {
            guard let answered = answer.serverMaxWindowBits else { throw .demandIgnored(parameter: Name.serverMaxWindowBits.rawValue) }
            guard answered <= offered else {
                throw .serverWindowTooLarge(answered: answered.rawValue, offered: offered.rawValue)
            }
        }
        if let answered = answer.clientWindowLimit, clientMaxWindowBits == nil {
            throw .clientWindowBitsNotOffered(answered: answered.rawValue)
        }
        return PermessageDeflateAgreement(
            serverNoContextTakeover: answer.serverNoContextTakeover,
            clientNoContextTakeover: answer.clientNoContextTakeover || clientNoContextTakeover,
            serverMaxWindowBits: answer.serverMaxWindowBits ?? .maximum,
            clientMaxWindowBits: min(answer.clientWindowLimit ?? .maximum, clientWindowLimit ?? .maximum))
    }

    /// What a server answers to a client's list of offers: the first that is valid and can be met, or `nil` for no compression.
    ///
    /// These parameters are the server's own wishes: its limits and demands. Limits of both sides meet at the smaller. A limit for the client's window
    /// can only be met by an offer with client_max_window_bits (RFC 7692, section 7.1.2.2); offers of other extensions are passed over.
    public func answer(
        toOffers offers: [WebSocketExtension]
    ) -> (element: WebSocketExtension, agreement: PermessageDeflateAgreement)? {
        for element in offers where element.name == Self.extensionName {
            guard let offer = try? PermessageDeflateParameters(element, as: .offer), let answer = answer(to: offer) else { continue }
            let agreement = PermessageDeflateAgreement(
                serverNoContextTakeover: answer.serverNoContextTakeover,
                clientNoContextTakeover: answer.clientNoContextTakeover,
                serverMaxWindowBits: answer.serverMaxWindowBits ?? .maximum,
                clientMaxWindowBits: answer.clientWindowLimit ?? .maximum)
            return (answer.headerExtension, agreement)
        }
        return nil
    }

    private func answer(to offer: PermessageDeflateParameters) -> PermessageDeflateParameters? {
        var answer = PermessageDeflateParameters(
            serverNoContextTakeover: serverNoContextTakeover || offer.serverNoContextTakeover,
            clientNoContextTakeover: clientNoContextTakeover || offer.clientNoContextTakeover,
            serverMaxWindowBits: [serverMaxWindowBits, offer.serverMaxWindowBits].compactMap(\.self).min())
        switch (clientWindowLimit, offer.clientMaxWindowBits) {
        case (.some, nil): return nil
        case (let limit?, .supported?): answer.clientMaxWindowBits = .limit(limit)
        case (let limit?, .limit(let hint)?): answer.clientMaxWindowBits = .limit(min(limit, hint))
        case (nil, .limit(let hint)?): answer.clientMaxWindowBits = .limit(hint)
        case (nil, .supported?), (nil, nil): break
        }
        return answer
    }

    private var clientWindowLimit: WindowBits? {
        if case .limit(let bits) = clientMaxWindowBits { bits } else { nil }
    }
}
