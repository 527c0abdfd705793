@testable import WebSocketProtocol

/// The input is header values of Sec-WebSocket-Extensions, a line each.
func fuzzExtensions(_ bytes: UnsafeRawBufferPointer) {
    let values = bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    for value in values { checkSettings(value) }
    let extensions: [WebSocketExtension]
    do throws(ExtensionHeader.ParseError) {
        extensions = try ExtensionHeader.parse(values)
    } catch {
        return require(error.description.utf8.count < 2000, "a flood of an error")
    }
    if !extensions.isEmpty {
        let again = try? ExtensionHeader.parse([ExtensionHeader.serialize(extensions)])
        requireEqual(again, extensions, "extensions, written and read")
    }
    // As a server's answer to our offers: an agreement or an error.
    for offer in [PermessageDeflateParameters.defaultOffer, PermessageDeflateParameters()] {
        _ = try? offer.agreement(withAnswer: extensions)
    }
    for wishes in wishes { negotiate(extensions, wishes) }
}

private let wishes: [PermessageDeflateParameters] = {
    var all: [PermessageDeflateParameters] = []
    for bits in [nil, 8, 11, 15] {
        let window = bits.flatMap { PermessageDeflateParameters.WindowBits($0) }
        for resets in [false, true] {
            all.append(
                PermessageDeflateParameters(
                    serverNoContextTakeover: resets, clientNoContextTakeover: resets, serverMaxWindowBits: window,
                    clientMaxWindowBits: window.map { .limit($0) }))
        }
    }
    return all
}()

/// What a server of ours answers to an offer, the client that made the offer takes, and both read it alike.
private func negotiate(_ offers: [WebSocketExtension], _ wishes: PermessageDeflateParameters) {
    for offer in offers {
        guard let answer = wishes.answer(toOffers: [offer]) else { continue }
        do throws(PermessageDeflateError) {
            let client = try PermessageDeflateParameters(offer, as: .offer)
            let agreement = try client.agreement(withAnswer: [answer.headerExtension])
            requireEqual(agreement, answer, "what was agreed on")
        } catch {
            fail("the client refuses \(answer.headerExtension) for its offer \(offer): \(error)")
        }
    }
}

/// The same text as a user's settings.
private func checkSettings(_ text: String) {
    guard let settings = try? PermessageDeflateSettings(parsing: text) else { return }
    require((0...9).contains(settings.level ?? 0) && (settings.threshold ?? 0) >= 0, "settings out of range: \(settings)")
    let offer = try? PermessageDeflateParameters(settings.parameters.headerExtension, as: .offer)
    requireEqual(offer, settings.parameters, "an offer, written and read")
}
