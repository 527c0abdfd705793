extension Connection {
    /// Sends a whole message. The bytes of a text are the caller's to have checked as UTF-8: `String` is, and a reader of input
    /// that names line and byte of an error has done it.
    ///
    /// If there is no memory for it to wait in, the connection is failed (`failure`), and the message is not sent.
    ///
    /// - Throws: `notOpen`, or `messageUnfinished` while another is being sent in fragments.
    public mutating func send(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer) throws(UsageError) {
        try requireOpen()
        guard sending == nil else { throw .messageUnfinished }
        let isCompressed = compression.map { payload.count >= $0.threshold } ?? false
        _ = try appendPart(Opcode(kind), payload, isCompressed: isCompressed, isFinal: true)
    }

    /// Sends many messages at once; the same as one after the other, for less.
    public mutating func send(_ messages: UnsafeBufferPointer<BorrowedMessage>) throws(UsageError) {
        guard deflater == nil, watch == nil, behaviour.fragmentSize == nil else {
            for message in messages { try send(message.kind, message.bytes) }
            return
        }
        try requireOpen()
        guard sending == nil else { throw .messageUnfinished }
        let payloadBytes = messages.reduce(0) { $0 &+ $1.bytes.count }
        if !makesRoom(for: payloadBytes) { return }
        let room = outbox.spare(atLeast: payloadBytes + messages.count * FrameHeader.maximumSize)
        guard let base = room.baseAddress else { return }
        var position = 0
        for message in messages {
            let header = FrameHeader(
                opcode: Opcode(message.kind), maskKey: role == .client ? masks.next() : nil, payloadLength: UInt64(message.bytes.count))
            position &+= FrameEncoder.write(header, message.bytes, to: base + position)
        }
        outbox.commit(position)
        statistics.messagesSent &+= UInt64(messages.count)
        statistics.bytesSent &+= UInt64(payloadBytes)
        statistics.wireBytesSent &+= UInt64(position)
    }

    /// Sends a message in fragments of the caller's cutting (RFC 6455, section 5.4): the first call begins it, `isFinal` ends it.
    /// A text may be cut anywhere.
    public mutating func sendFragment(_ kind: MessageKind, _ payload: UnsafeRawBufferPointer, isFinal: Bool) throws(UsageError) {
        try requireOpen()
        let isCompressed = sending?.isCompressed ?? (deflater != nil)
        guard sending == nil || sending?.kind == kind else { throw .messageUnfinished }
        let opcode = sending == nil ? Opcode(kind) : .continuation
        guard try appendPart(opcode, payload, isCompressed: isCompressed, isFinal: isFinal) else { return }
        sending = isFinal ? nil : (kind, isCompressed)
        outgoing.isInMessage = !isFinal
    }

    /// Appends a part of a message, deflated if `isCompressed`, in one frame or as many as `behaviour` asks for; returns false if there is no memory for it, which fails the connection.
    private mutating func appendPart(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, isCompressed: Bool, isFinal: Bool
    ) throws(UsageError) -> Bool {
        if isCompressed {
            scratch.removeAll()
            try deflater?.deflate(payload, isFinal: isFinal, to: &scratch)
            guard makesRoom(for: scratch.count) else { return false }
            let reserved = opcode == .continuation ? 0 : FrameHeader.reserved1
            appendFrames(opcode, UnsafeRawBufferPointer(scratch.bytes), isFinal: isFinal, reserved: reserved, plain: payload)
            scratch.removeAll(keepingCapacityUpTo: keptCapacity)
        } else {
            guard makesRoom(for: payload.count) else { return false }
            appendFrames(opcode, payload, isFinal: isFinal)
        }
        if isFinal { statistics.messagesSent &+= 1 }
        statistics.bytesSent &+= UInt64(payload.count)
        return true
    }

    private mutating func appendFrames(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, isFinal: Bool, reserved: UInt8 = 0, plain: UnsafeRawBufferPointer? = nil
    ) {
        guard let size = behaviour.fragmentSize, payload.count > size else {
            return appendFrame(opcode, payload, isFinal: isFinal, reserved: reserved, plain: plain)
        }
        for start in stride(from: 0, to: payload.count, by: size) {
            let piece = UnsafeRawBufferPointer(rebasing: payload[start..<min(start + size, payload.count)])
            let isFirst = start == 0
            appendFrame(
                isFirst ? opcode : .continuation, piece, isFinal: isFinal && start + size >= payload.count,
                reserved: isFirst ? reserved : 0, plain: isFirst ? plain : nil)
        }
    }

    /// Sends a ping (RFC 6455, section 5.5.2); its pong sets `lastRoundTrip`.
    public mutating func ping(_ payload: [UInt8], at now: Instant) throws(UsageError) {
        try sendControl(.ping, payload)
        keepAlive.sent(payload, at: now)
    }

    /// Returns a payload for a ping that no other ping has, those of the connection's own included, so that its pong is known.
    public mutating func nextPingPayload() -> [UInt8] { keepAlive.nextMark() }

    /// Sends a pong that nobody asked for (RFC 6455, section 5.5.3).
    public mutating func pong(_ payload: [UInt8]) throws(UsageError) { try sendControl(.pong, payload) }

    private mutating func sendControl(_ opcode: Opcode, _ payload: [UInt8]) throws(UsageError) {
        try requireOpen()
        guard payload.count <= FrameHeader.maximumControlPayload else { throw .controlPayloadTooLong(bytes: payload.count) }
        payload.withUnsafeBytes { appendControl(opcode, $0) }
    }

    /// Appends a ping or pong.
    mutating func appendControl(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer) {
        if opcode == .ping { statistics.pingsSent &+= 1 } else { statistics.pongsSent &+= 1 }
        appendFrame(opcode, payload)
    }

    /// Whether there is memory for so much more output, which for little there always is; else the connection is failed.
    private mutating func makesRoom(for byteCount: Int) -> Bool {
        let frameCount = behaviour.fragmentSize.map { byteCount / $0 + 1 } ?? 1
        let size = byteCount + frameCount * FrameHeader.maximumSize
        guard size >= Self.smallOutput else { return true }
        do {
            try outbox.reserve(size)
            return true
        } catch {
            fail(error)
            return false
        }
    }

    private static let smallOutput = 64 << 10

    private func requireOpen() throws(UsageError) {
        guard phase == .open else { throw .notOpen(readyState) }
    }

    @inline(__always)
    mutating func appendFrame(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, isFinal: Bool = true, reserved: UInt8 = 0,
        plain: UnsafeRawBufferPointer? = nil
    ) {
        let header = FrameHeader(
            isFinal: isFinal, reserved: reserved, opcode: opcode, maskKey: role == .client ? masks.next() : nil,
            payloadLength: UInt64(payload.count))
        let before = outbox.count
        FrameEncoder.append(header, payload, to: &outbox)
        statistics.wireBytesSent &+= UInt64(outbox.count - before)
        watch?.sent(header, payload, plain: plain)
    }
}
