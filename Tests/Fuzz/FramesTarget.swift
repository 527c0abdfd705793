@testable import WebSocketProtocol

/// The input is what a peer sends once the connection is open: the same in all cuts, streamed and whole, for a client and a server.
func fuzzFrames(_ bytes: UnsafeRawBufferPointer) {
    for role in [Role.client, .server] {
        for compression in [nil, CompressionSettings()] {
            let whole = received(bytes, role, compression, streams: false, cuts: nil)
            for streams in [false, true] {
                let cut = received(bytes, role, compression, streams: streams, cuts: Cuts(of: bytes))
                requireSame(cut, whole, "\(role), streams \(streams), in cuts")
            }
            requireSame(received(bytes, role, compression, streams: true, cuts: nil), whole, "\(role), streamed")
        }
    }
}

private func received(
    _ bytes: UnsafeRawBufferPointer, _ role: Role, _ compression: CompressionSettings?, streams: Bool, cuts: Cuts?
) -> [Note] {
    // Less than one piece of inflated data: a limit is found broken before any frame behind it is looked at.
    var peer = Watched(role, compression: compression, limit: 40_000, streams: streams)
    peer.receive(bytes, cuts: cuts)
    peer.checkOutput()
    return peer.notes
}

/// Equal, but for the reason of a failure within compressed data: a message may be corrupt, too long and no text at once, and what is
/// found first depends on how much of it is inflated at a time.
func requireSame(_ left: [Note], _ right: [Note], _ what: String) {
    if left == right { return }
    if case .failed(let one)? = left.last, case .failed(let other)? = right.last, isOfData(one), isOfData(other) {
        return requireEqual(Array(left.dropLast()), Array(right.dropLast()), what)
    }
    fail("\(what): \(left) is not \(right)")
}

private func isOfData(_ error: ProtocolError) -> Bool {
    switch error {
    case .invalidText, .truncatedText, .messageTooBig, .invalidCompressedData: true
    default: false
    }
}
