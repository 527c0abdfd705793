@testable import WebSocketProtocol

/// The input is a byte of settings and then compressed data in pieces: a byte that says how long each is, how it begins and whether it
/// ends a message, and its data. The harness makes frames of them, so that mutations reach zlib.
func fuzzDeflate(_ bytes: UnsafeRawBufferPointer) {
    guard let first = bytes.first else { return }
    var settings = CompressionSettings()
    settings.sendWindowBits = 8 + Int(first & 7)
    settings.sendResets = first & 8 != 0
    settings.receiveResets = first & 8 != 0
    settings.threshold = 0
    let limit = first & 0x10 == 0 ? 300_000 : 1000
    let data = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())

    let frames = frames(of: data)
    frames.withUnsafeBytes { frames in
        let whole = received(frames, settings, limit, streams: false, cuts: nil)
        for streams in [false, true] {
            requireSame(received(frames, settings, limit, streams: streams, cuts: Cuts(of: data)), whole, "streams \(streams), in cuts")
        }
        requireSame(received(frames, settings, limit, streams: true, cuts: nil), whole, "streamed")
    }
    roundTrip(data, settings)
}

private func received(
    _ frames: UnsafeRawBufferPointer, _ settings: CompressionSettings, _ limit: Int, streams: Bool, cuts: Cuts?
) -> [Note] {
    var peer = Watched(.client, compression: settings, limit: limit, streams: streams)
    peer.receive(frames, cuts: cuts)
    peer.checkOutput()
    return peer.notes
}

/// Bit 7 of a piece's first byte: the message goes on. Bit 6: it is binary. The rest is the length.
private func frames(of data: UnsafeRawBufferPointer) -> [UInt8] {
    var frames: [UInt8] = []
    var rest = data[...]
    var isInMessage = false
    while let head = rest.popFirst() {
        let payload = rest.prefix(Int(head & 0x3F))
        rest = rest.dropFirst(payload.count)
        let opcode: UInt8 = isInMessage ? 0 : (head & 0x40 == 0 ? 0x41 : 0x42)
        isInMessage = head & 0x80 != 0
        frames.append(opcode | (isInMessage ? 0 : 0x80))
        frames.append(UInt8(payload.count))
        frames += payload
    }
    return frames
}

/// What one side compresses, whole and in fragments, the other inflates to the same bytes.
private func roundTrip(_ data: UnsafeRawBufferPointer, _ settings: CompressionSettings) {
    var sender = Watched(.server, compression: settings, limit: 300_000, streams: false)
    var receiver = Watched(.client, compression: settings, limit: 300_000, streams: false)
    let half = UnsafeRawBufferPointer(rebasing: data.prefix(data.count / 2))
    let rest = UnsafeRawBufferPointer(rebasing: data.dropFirst(data.count / 2))
    do throws(UsageError) {
        try sender.connection.send(.binary, data)
        try sender.connection.sendFragment(.binary, half, isFinal: false)
        try sender.connection.sendFragment(.binary, rest, isFinal: true)
        try sender.connection.send(.binary, data)
    } catch {
        fail("\(error)")
    }
    sender.drain()
    sender.written.withUnsafeBytes { receiver.receive($0, cuts: nil) }
    let message = Note.message(.binary, Array(data))
    requireEqual(receiver.notes, [message, message, message], "what was sent and received")
}
