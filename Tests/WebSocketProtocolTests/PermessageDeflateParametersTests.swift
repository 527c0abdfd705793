import Testing

@testable import WebSocketProtocol

@Suite struct PermessageDeflateParametersTests {
    private func offer(_ text: String) throws -> PermessageDeflateParameters {
        try PermessageDeflateParameters(try #require(try ExtensionHeader.parse([text]).first), as: .offer)
    }

    private static let plain = "permessage-deflate"
    private static let bare = "permessage-deflate; client_max_window_bits"

    @Test(
        "an offer reads back as it was written (RFC 7692, section 7.1)",
        arguments: [
            plain, bare,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=15",
        ])
    func offers(text: String) throws {
        #expect(try offer(text).headerExtension.description == text)
    }

    @Test("the default offer lets the server limit our window (RFC 7692, section 7.1.2.2)")
    func defaultOffer() {
        #expect(PermessageDeflateParameters.defaultOffer.headerExtension.description == Self.bare)
    }

    @Test(
        "an answer that meets the offer gives what both sides do (RFC 7692, section 7.1)",
        arguments: [
            (plain, plain, false, false, 15, 15),
            (bare, plain, false, false, 15, 15),
            (bare, "permessage-deflate; client_max_window_bits=8", false, false, 15, 8),
            (bare, "permessage-deflate; client_max_window_bits=\"10\"", false, false, 15, 10),
            (
                plain, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9", true, true,
                9, 15
            ),
            ("permessage-deflate; client_no_context_takeover", plain, false, true, 15, 15),
            ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10", false, false, 10, 15),
            ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=8", false, false, 8, 15),
            ("permessage-deflate; client_max_window_bits=9", plain, false, false, 15, 9),
            ("permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=12", false, false, 15, 9),
        ])
    func agreed(offered: String, answered: String, serverReset: Bool, clientReset: Bool, serverBits: Int, clientBits: Int) throws {
        let agreement = try #require(try offer(offered).agreement(withAnswer: try ExtensionHeader.parse([answered])))
        let client = CompressionSettings(agreement, role: .client, nil)
        #expect(client.sendWindowBits == clientBits && client.sendResets == clientReset && client.receiveResets == serverReset)
        let server = CompressionSettings(agreement, role: .server, nil)
        #expect(server.sendWindowBits == serverBits && server.sendResets == serverReset && server.receiveResets == clientReset)
    }

    @Test("no answer is no compression (RFC 7692, section 5.1)")
    func declined() throws {
        #expect(try PermessageDeflateParameters.defaultOffer.agreement(withAnswer: []) == nil)
    }

    @Test(
        "an answer that breaks RFC 7692, sections 5.1 and 7.1, is refused with its reason",
        arguments: [
            (bare, "x-webkit-deflate-frame", PermessageDeflateError.notOffered("x-webkit-deflate-frame")),
            (bare, "permessage-deflate, permessage-deflate", .repeatedExtension),
            (bare, "permessage-deflate; mystery", .unknownParameter("mystery")),
            (
                bare, "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                .repeatedParameter("server_no_context_takeover")
            ),
            (bare, "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9", .repeatedParameter("client_max_window_bits")),
            (
                bare, "permessage-deflate; server_no_context_takeover=1",
                .unexpectedValue(parameter: "server_no_context_takeover", value: "1")
            ),
            (
                bare, "permessage-deflate; client_no_context_takeover=true",
                .unexpectedValue(parameter: "client_no_context_takeover", value: "true")
            ),
            (bare, "permessage-deflate; server_max_window_bits", .missingValue(parameter: "server_max_window_bits")),
            (bare, "permessage-deflate; client_max_window_bits", .missingValue(parameter: "client_max_window_bits")),
            (bare, "permessage-deflate; server_max_window_bits=7", .invalidWindowBits(parameter: "server_max_window_bits", value: "7")),
            (bare, "permessage-deflate; server_max_window_bits=16", .invalidWindowBits(parameter: "server_max_window_bits", value: "16")),
            (bare, "permessage-deflate; client_max_window_bits=08", .invalidWindowBits(parameter: "client_max_window_bits", value: "08")),
            (bare, "permessage-deflate; client_max_window_bits=+9", .invalidWindowBits(parameter: "client_max_window_bits", value: "+9")),
            (
                bare, "permessage-deflate; client_max_window_bits=99999999999999999999",
                .invalidWindowBits(parameter: "client_max_window_bits", value: "99999999999999999999")
            ),
            (plain, "permessage-deflate; client_max_window_bits=15", .clientWindowBitsNotOffered(answered: 15)),
            (
                "permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=11",
                .serverWindowTooLarge(answered: 11, offered: 10)
            ),
            ("permessage-deflate; server_max_window_bits=10", plain, .demandIgnored(parameter: "server_max_window_bits")),
            ("permessage-deflate; server_no_context_takeover", plain, .demandIgnored(parameter: "server_no_context_takeover")),
        ])
    func refused(offered: String, answered: String, error: PermessageDeflateError) throws {
        let offer = try offer(offered)
        let answer = try ExtensionHeader.parse([answered])
        #expect(throws: error) { try offer.agreement(withAnswer: answer) }
    }

    @Test(
        "a server accepts the first offer it can meet and declines the others (RFC 7692, sections 5 and 7.1)",
        arguments: [
            ("", "permessage-deflate", "permessage-deflate"),
            ("", "permessage-deflate; client_max_window_bits", "permessage-deflate"),
            ("", "permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
            (
                "", "permessage-deflate; mystery, permessage-deflate; server_max_window_bits=9",
                "permessage-deflate; server_max_window_bits=9"
            ),
            ("", "permessage-deflate; server_max_window_bits, foo", nil),
            ("", "foo, permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
            ("; client_max_window_bits=9", "permessage-deflate", nil),
            (
                "; client_max_window_bits=9", "permessage-deflate, permessage-deflate; client_max_window_bits",
                "permessage-deflate; client_max_window_bits=9"
            ),
            (
                "; client_max_window_bits=12", "permessage-deflate; client_max_window_bits=10",
                "permessage-deflate; client_max_window_bits=10"
            ),
            (
                "; server_max_window_bits=12", "permessage-deflate; server_max_window_bits=10",
                "permessage-deflate; server_max_window_bits=10"
            ),
            ("; server_max_window_bits=8", "permessage-deflate", "permessage-deflate; server_max_window_bits=8"),
            ("; client_no_context_takeover", "permessage-deflate", "permessage-deflate; client_no_context_takeover"),
        ])
    func answers(wishes: String, offers: String, expected: String?) throws {
        let server = try offer("permessage-deflate" + wishes)
        let result = server.answer(toOffers: try ExtensionHeader.parse([offers]))
        #expect(result?.headerExtension.description == expected)
    }

    @Test("a client that made the offer agrees with each answer a server of ours gives")
    func bothSides() throws {
        let bits = [nil, 8, 9, 15].map { $0.flatMap(PermessageDeflateParameters.WindowBits.init) }
        var all: [PermessageDeflateParameters] = []
        for server in bits {
            for client in bits.map({ $0.map(PermessageDeflateParameters.ClientWindowBits.limit) }) + [.supported] {
                for flags in 0..<4 {
                    all.append(
                        PermessageDeflateParameters(
                            serverNoContextTakeover: flags & 1 != 0, clientNoContextTakeover: flags & 2 != 0,
                            serverMaxWindowBits: server, clientMaxWindowBits: client))
                }
            }
        }
        var met = 0
        for offer in all {
            for server in all {
                guard let answer = server.answer(toOffers: [offer.headerExtension]) else { continue }
                met += 1
                #expect(try offer.agreement(withAnswer: [answer.headerExtension]) == answer, "\(offer) \(server)")
            }
        }
        #expect(met > all.count)
    }

    @Test(
        "--deflate's text becomes an offer, a level and a threshold",
        arguments: [
            ("server_no_context_takeover", "permessage-deflate; server_no_context_takeover", nil, nil),
            (
                "client_no_context_takeover, server_max_window_bits=10;client_max_window_bits=9 level=0",
                "permessage-deflate; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9", 0, nil
            ),
            ("client_max_window_bits", bare, nil, nil),
            ("level=9,threshold=1024", bare, 9, 1024),
            ("LEVEL=1", bare, 1, nil),
        ] as [(String, String, Int?, Int?)])
    func settings(text: String, offer: String, level: Int?, threshold: Int?) throws {
        let settings = try PermessageDeflateSettings(parsing: text)
        #expect(settings.parameters.headerExtension.description == offer)
        #expect(settings.level == level && settings.threshold == threshold)
    }

    @Test(
        "wrong --deflate text is refused with what was expected",
        arguments: [
            ("", PermessageDeflateSettings.ParseError.empty), (" , ;", .empty),
            ("levle=1", .unknownParameter("levle")), ("=1", .unknownParameter("")),
            ("level=1,level=2", .repeatedParameter("level")),
            ("level", .missingValue("level", expected: "0 to 9")), ("level=", .invalidValue("level", value: "", expected: "0 to 9")),
            ("level=10", .invalidValue("level", value: "10", expected: "0 to 9")),
            ("level=-1", .invalidValue("level", value: "-1", expected: "0 to 9")),
            ("threshold=99999999999999999999", .invalidValue("threshold", value: "99999999999999999999", expected: "a number of bytes")),
            ("server_max_window_bits", .missingValue("server_max_window_bits", expected: "8 to 15")),
            ("server_max_window_bits=7", .invalidValue("server_max_window_bits", value: "7", expected: "8 to 15")),
            ("client_max_window_bits=16", .invalidValue("client_max_window_bits", value: "16", expected: "8 to 15")),
            ("server_no_context_takeover=1", .unexpectedValue("server_no_context_takeover", value: "1")),
        ])
    func settingsRefused(text: String, error: PermessageDeflateSettings.ParseError) {
        #expect(throws: error) { try PermessageDeflateSettings(parsing: text) }
    }
}
