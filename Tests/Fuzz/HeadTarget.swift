@testable import WebSocketProtocol

/// The input is what a peer sends first: it is read as a response and as a request, by the parsers and by whole connections.
func fuzzHead(_ bytes: UnsafeRawBufferPointer) {
    checkParser(HTTPHeadParser<HTTPResponseHead>(limits: limits), bytes) { $0.bytes }
    checkParser(HTTPHeadParser<HTTPRequestHead>(limits: limits), bytes) { $0.bytes }
    checkParser(HTTPHeadParser<HTTPResponseHead>(limits: limits, acceptsBareLineFeed: true), bytes) { $0.bytes }
    requireEqual(client(bytes, cuts: nil), client(bytes, cuts: Cuts(of: bytes)), "a client, whole and in cuts")
    requireEqual(server(bytes, cuts: nil), server(bytes, cuts: Cuts(of: bytes)), "a server, whole and in cuts")
}

private let limits = HTTPHeadLimits(headSize: 500, lineLength: 120, fieldCount: 12)

private enum Outcome<Head: Equatable>: Equatable {
    case needsMore
    case complete(Head, at: Int)
    case failed(HTTPHeadError)
}

private func checkParser<Head: HTTPHead>(_ parser: HTTPHeadParser<Head>, _ bytes: UnsafeRawBufferPointer, serialize: (Head) -> [UInt8]) {
    let whole = parse(parser, bytes, cuts: nil)
    requireEqual(whole, parse(parser, bytes, cuts: Cuts(of: bytes)), "a head, whole and in cuts")
    switch whole {
    case .needsMore: require(bytes.count <= limits.headSize, "a head past its limit")
    case .failed(let error):
        require(error.offset < bytes.count, "an error behind the input")
        require(error.description.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, "an error that isn't printable: \(error)")
    case .complete(let head, let end):
        require(end <= limits.headSize, "a head past its limit")
        // Written and read again it is the same. Blanks that were dropped only make it shorter, but for one behind each colon.
        let roomy = HTTPHeadParser<Head>(limits: HTTPHeadLimits(headSize: 4000, lineLength: 1000, fieldCount: 12))
        let text = serialize(head)
        // But for the first line: a reason phrase in Latin-1 is written as UTF-8.
        let longest = text.split(separator: UInt8(ascii: "\n")).dropFirst().map(\.count).max() ?? 0
        require(longest <= limits.lineLength + 2, "a line of \(longest) bytes, its CR and the blank behind its colon included")
        text.withUnsafeBytes { requireEqual(parse(roomy, $0, cuts: nil), .complete(head, at: text.count), "a head, written and read") }
    }
}

private func parse<Head: HTTPHead>(_ start: HTTPHeadParser<Head>, _ bytes: UnsafeRawBufferPointer, cuts: Cuts?) -> Outcome<Head> {
    var parser = start
    var cuts = cuts
    var position = 0
    while position < bytes.count {
        let count = min(bytes.count - position, cuts?.size() ?? .max)
        let piece = UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
        do throws(HTTPHeadError) {
            if case .complete(let head, let consumed) = try parser.consume(RawSpan(_unsafeBytes: piece)) {
                return .complete(head, at: position + consumed)
            }
        } catch {
            return .failed(error)
        }
        position += count
    }
    return .needsMore
}

private var configuration: Connection.Configuration {
    var configuration = Connection.Configuration()
    configuration.headLimits = limits
    configuration.inputBufferSize = 4096
    configuration.maxMessageSize = 1000
    return configuration
}

/// How a handshake ended, and what came behind it.
private struct Handshake: Equatable {
    var notes: [Note]
    var refusal: Refusal?
    var subprotocol: String?
    var extensions: [WebSocketExtension]
}

/// The key of RFC 6455, section 1.3: the RFC's own response opens this client's connection.
private let handshake: ClientHandshake = {
    do {
        guard let key = HandshakeKey(fieldValue: "dGhlIHNhbXBsZSBub25jZQ==") else { fail("the key is wrong") }
        var options = ClientHandshake.Options()
        options.subprotocols = ["chat", "superchat"]
        options.extensionOffers = [PermessageDeflateParameters.defaultOffer.headerExtension]
        return try ClientHandshake(
            url: WebSocketURL("ws://server.example.com/chat"), key: key,
            options: options)
    } catch {
        fail("\(error)")
    }
}()

private func client(_ bytes: UnsafeRawBufferPointer, cuts: Cuts?) -> Handshake {
    let connection = Connection(
        client: handshake, deflate: PermessageDeflateSettings(), configuration: configuration, random: Watched.knownRandom)
    var peer = Watched(connection, limit: 1000)
    peer.receive(bytes, cuts: cuts)
    if peer.connection.readyState == .connecting {
        peer.connection.receivedEnd()
        peer.drain()
        require(peer.notes.contains(.refused), "the stream ended within the handshake, and nothing was refused")
    }
    require((peer.connection.refusal?.body.count ?? 0) <= Refusal.shownBodySize, "more of a body is kept than is shown")
    if let refusal = peer.connection.refusal {
        requireClean(refusal.description + (refusal.hint ?? "") + (refusal.shownResponse?.statusLine.escaped ?? ""), "a verdict")
        require(refusal.shownBody.count <= 3 * Refusal.shownBodySize, "a body that grows where it is masked")
        if case .head(let error) = refusal.reason {
            let isShown = (refusal.bodyOffset...refusal.bodyOffset + refusal.body.count).contains(error.offset)
            require(isShown, "the wrong byte is not among those that are shown")
        }
    }
    return Handshake(
        notes: peer.notes, refusal: peer.connection.refusal, subprotocol: peer.connection.acceptedSubprotocol,
        extensions: peer.connection.acceptedExtensions)
}

private func server(_ bytes: UnsafeRawBufferPointer, cuts: Cuts?) -> Handshake {
    var peer = Watched(Connection(server: configuration, random: Watched.knownRandom), limit: 1000)
    peer.receive(bytes, cuts: cuts)
    if let request = peer.connection.request, peer.connection.readyState == .connecting {
        peer.connection.accept(subprotocol: request.offeredSubprotocols.first, deflate: PermessageDeflateSettings())
        peer.drain()
        require(peer.connection.readyState != .connecting, "an accepted connection isn't open")
    }
    if let refusal = peer.connection.refusal { requireClean(refusal.description, "a verdict") }
    if !peer.written.isEmpty {
        let answer = peer.written.withUnsafeBytes { parse(HTTPHeadParser<HTTPResponseHead>(), $0, cuts: nil) }
        guard case .complete(let head, _) = answer else { fail("a server's answer is no HTTP head: \(answer)") }
        require((head.status == 101) == (peer.connection.refusal == nil), "the answer \(head.status) doesn't fit")
    }
    return Handshake(
        notes: peer.notes, refusal: peer.connection.refusal, subprotocol: peer.connection.acceptedSubprotocol,
        extensions: peer.connection.acceptedExtensions)
}
