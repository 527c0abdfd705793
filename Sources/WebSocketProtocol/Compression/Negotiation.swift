extension PermessageDeflateParameters {
    /// Holds the server's answer against this offer; returns what both sides agreed on, nil if the server accepted no extension.
    ///
    /// The server may add server_no_context_takeover, client_no_context_takeover and server_max_window_bits unasked; it must repeat the first
    /// and the last if the offer has them (RFC 7692, sections 7.1.1.1 and 7.1.2.1).
    func agreement(withAnswer answer: [WebSocketExtension]) throws(PermessageDeflateError) -> PermessageDeflateParameters? {
        if let other = answer.first(where: { $0.name != Self.extensionName }) { throw .notOffered(other.name) }
        guard let element = answer.first else { return nil }
        guard answer.count == 1 else { throw .repeatedExtension }
        var agreement = try PermessageDeflateParameters(element, as: .answer)

        if serverNoContextTakeover, !agreement.serverNoContextTakeover {
            throw .demandIgnored(parameter: Name.serverNoContextTakeover.rawValue)
        }
        if let offered = serverMaxWindowBits {
            guard let answered = agreement.serverMaxWindowBits else { throw .demandIgnored(parameter: Name.serverMaxWindowBits.rawValue) }
            guard answered <= offered else { throw .serverWindowTooLarge(answered: answered.rawValue, offered: offered.rawValue) }
        }
        if let answered = agreement.clientWindowLimit, clientMaxWindowBits == nil {
            throw .clientWindowBitsNotOffered(answered: answered.rawValue)
        }
        // What the offer says of our own side binds us, even if the answer doesn't repeat it.
        agreement.clientNoContextTakeover = agreement.clientNoContextTakeover || clientNoContextTakeover
        agreement.clientMaxWindowBits = smallerClientWindow(agreement)
        return agreement
    }

    /// What a server answers to a client's list of offers, which is what both agree on: the first that is valid and can be met, or nil for no
    /// compression.
    ///
    /// These parameters are the server's own wishes: its limits and demands. Limits of both sides meet at the smaller. A limit for the client's window
    /// can only be met by an offer with client_max_window_bits (RFC 7692, section 7.1.2.2); offers of other extensions are passed over.
    func answer(toOffers offers: [WebSocketExtension]) -> PermessageDeflateParameters? {
        for element in offers where element.name == Self.extensionName {
            guard let offer = try? PermessageDeflateParameters(element, as: .offer) else { continue }
            if clientWindowLimit != nil, offer.clientMaxWindowBits == nil { continue }
            return PermessageDeflateParameters(
                serverNoContextTakeover: serverNoContextTakeover || offer.serverNoContextTakeover,
                clientNoContextTakeover: clientNoContextTakeover || offer.clientNoContextTakeover,
                serverMaxWindowBits: [serverMaxWindowBits, offer.serverMaxWindowBits].compactMap(\.self).min(),
                clientMaxWindowBits: smallerClientWindow(offer))
        }
        return nil
    }

    private func smallerClientWindow(_ other: PermessageDeflateParameters) -> ClientWindowBits? {
        [clientWindowLimit, other.clientWindowLimit].compactMap(\.self).min().map { .limit($0) }
    }

    fileprivate var clientWindowLimit: WindowBits? {
        if case .limit(let bits) = clientMaxWindowBits { bits } else { nil }
    }
}

extension CompressionSettings {
    /// Our side of an agreement.
    init(_ agreement: PermessageDeflateParameters, role: Role, _ settings: PermessageDeflateSettings?) {
        let (clientResets, serverResets) = (agreement.clientNoContextTakeover, agreement.serverNoContextTakeover)
        // The peer's window stays the largest. Whether zlib notices that a sender reaches beyond a smaller one depends on how the bytes
        // are cut, and some do: asked for a window of 256 bytes, zlib's own deflate has long taken one of 512 and not said so.
        let window = role == .client ? agreement.clientWindowLimit : agreement.serverMaxWindowBits
        sendWindowBits = window?.rawValue ?? sendWindowBits
        sendResets = role == .client ? clientResets : serverResets
        receiveResets = role == .client ? serverResets : clientResets
        level = settings?.level ?? level
        threshold = settings?.threshold ?? threshold
    }
}
