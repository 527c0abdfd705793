extension Connection {
    /// Goes on after a breach by the peer, where it isn't to fail the connection (``Behaviour/isStrict``).
    ///
    /// - Returns: what came of it; nil to go on with what follows.
    /// - Throws: what fails the connection all the same.
    mutating func tolerate(_ error: ProtocolError) throws(ProtocolError) -> Event? {
        guard !behaviour.isStrict, phase == .open || phase == .closing else { throw error }
        switch error {
        case .reservedBits, .reservedOpcode, .unmaskedFromClient, .maskedFromServer, .lengthNotMinimal, .controlFragmented, .controlTooLong,
            .continuationOfNothing, .messageInterrupted, .compressedContinuation:
            return try takeWrongFrame(error)
        case .invalidCompressedData:
            return skipMessage(error)
        // Wrong texts and Close frames are taken where they are found.
        case .invalidText, .truncatedText, .closePayloadOfOneByte, .closeCodeNotAllowed, .closeReasonNotText: throw error
        case .lengthTooLarge, .messageTooBig, .outOfMemory, .policy, .keepAliveTimeout: throw error
        }
    }

    /// Takes the frame at the front of the input, whose header breaks a rule, or passes over it.
    private mutating func takeWrongFrame(_ error: ProtocolError) throws(ProtocolError) -> Event? {
        let bytes = UnsafeRawBufferPointer(input.bytes)
        let header = UncheckedHeader(bytes)
        guard header.isWhole else { return .needsInput }
        guard header.length >> 63 == 0 else { throw .lengthTooLarge(header.length) }
        guard var opcode = Opcode(rawValue: header.opcode) else { return skip(header, error) }
        if opcode.isControl { return try takeWrongControlFrame(header, opcode, error) }
        watch?.tolerate(error, bytes[0])
        if opcode != .continuation, assembler.isInMessage { return try endInterruptedMessage() }
        // Nobody says what it continues: bytes are always right.
        if opcode == .continuation, !assembler.isInMessage { opcode = .binary }
        let reserved = decoder.allowsCompression && opcode != .continuation ? header.reserved & FrameHeader.reserved1 : 0
        return try dataFrame(
            FrameHeader(
                isFinal: header.isFinal, reserved: reserved, opcode: opcode, maskKey: header.maskKey, payloadLength: header.length),
            header.size)
    }

    /// Hands on what has come of a message that another frame interrupts, which is then looked at again.
    private mutating func endInterruptedMessage() throws(ProtocolError) -> Event? {
        guard assembler.isCompressed else { return try endMessage() }
        decoding = .tail(position: 0)
        return nil
    }

    private mutating func takeWrongControlFrame(
        _ header: UncheckedHeader, _ opcode: Opcode, _ error: ProtocolError
    ) throws(ProtocolError) -> Event? {
        let bytes = UnsafeRawBufferPointer(input.bytes)
        let isTooLong = header.length > UInt64(FrameHeader.maximumControlPayload)
        // A pong can't have the payload of such a ping.
        if isTooLong, opcode != .close { return skip(header, error) }
        let length = isTooLong ? FrameHeader.maximumControlPayload : Int(header.length)
        guard bytes.count - header.size >= length else { return .needsInput }
        watch?.tolerate(error, bytes[0])
        return try controlFrame(FrameHeader(opcode: opcode, maskKey: header.maskKey, payloadLength: UInt64(length)), header.size)
    }

    private mutating func skip(_ header: UncheckedHeader, _ error: ProtocolError) -> Event? {
        watch?.broke(error, UnsafeRawBufferPointer(input.bytes))
        input.consume(header.size)
        decoding = .skipping(remaining: header.length)
        return nil
    }

    /// Passes over the rest of a frame that can't be inflated, and gives up its message; the next one has nothing to refer to.
    private mutating func skipMessage(_ error: ProtocolError) -> Event? {
        watch?.broke(error, UnsafeRawBufferPointer(input.bytes))
        if case .payload(_, let remaining, _) = decoding { decoding = .skipping(remaining: remaining) } else { decoding = .header }
        let ended: Event? = assembler.isStreamed ? assembler.kind.map { .messageEnded($0) } : nil
        assembler.abandon()
        inflater = compression.map { Inflater($0) }
        return ended
    }
}

extension CloseFrame {
    /// Reads a Close frame's payload whatever it is.
    init(tolerating payload: UnsafeRawBufferPointer) {
        guard payload.count >= 2 else {
            self.init(code: nil)
            return
        }
        let code = CloseCode(UInt16(payload[0]) << 8 | UInt16(payload[1]))
        self.init(code: code, reason: String(decoding: payload[2...], as: UTF8.self))
    }
}
