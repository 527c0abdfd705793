extension Connection {
    /// Where the decoder stands in the stream of frames.
    enum Decoding {
        case header
        /// Within a data frame: `remaining` bytes of payload are to come, of which the first `ready` are in `input`, unmasked.
        case payload(DataFrame, remaining: UInt64, ready: Int)
        /// Within a frame that is passed over.
        case skipping(remaining: UInt64)
        /// After the last frame of a compressed message: what its sender stripped is fed to the inflater, from `position` on.
        case tail(position: Int)
    }

    struct DataFrame {
        var isFinal: Bool
        var maskKey: UInt32?
        var length: UInt64
    }

    /// Room for the next read, until the next call. A long message that is held whole is read into its own memory at once.
    public mutating func inputBuffer() -> UnsafeMutableRawBufferPointer {
        forgetPayload()
        readsDirectly = false
        if let remaining = directRemaining {
            let wanted = Int(min(remaining, UInt64(max(assembler.held.count, configuration.inputBufferSize))))
            // If there is no memory for it, the bytes come the long way, and fail the connection.
            if let space = try? assembler.room(atLeast: wanted) {
                readsDirectly = true
                return UnsafeMutableRawBufferPointer(rebasing: space.prefix(Int(clamping: remaining)))
            }
        }
        let space = input.spare(atLeast: max(configuration.inputBufferSize - input.count, 1))
        return UnsafeMutableRawBufferPointer(rebasing: space.prefix(configuration.inputBufferSize))
    }

    private mutating func forgetPayload() {
        payloadBytes = UnsafeRawBufferPointer(start: nil, count: 0)
        batch.removeAll()
        assembler.forget()
    }

    /// Takes in `byteCount` bytes that were read into the last `inputBuffer()`.
    public mutating func received(_ byteCount: Int, at now: Instant) {
        self.now = now
        statistics.wireBytesReceived &+= UInt64(byteCount)
        if readsDirectly {
            assembler.directCount += byteCount
        } else {
            input.commit(byteCount)
        }
    }

    /// What came of the bytes received; call until it returns `.needsInput`.
    public mutating func next() -> Event {
        // The memory that it lies in may be given back or moved below.
        forgetPayload()
        while true {
            do throws(ProtocolError) {
                switch phase {
                case .opening: return nextOpening()
                case .open, .closing:
                    let event = collectMessages() ? Event.messages : try nextFrame()
                    // The stream ended while a client waited for its answer: what it sent before has been handed on now.
                    if streamEnded, event == .needsInput { phase = .ended }
                    return event
                case .closed, .failed, .ended:
                    // Section 7.1.7: nothing after a Close, or a failure, is data.
                    assembler.abandon()
                    input.removeAll()
                    return .needsInput
                }
            } catch {
                if let event = afterBreach(error) { return event }
            }
        }
    }

    /// Fails the connection for a breach, unless that is tolerated; returns nil to go on.
    private mutating func afterBreach(_ error: ProtocolError) -> Event? {
        do throws(ProtocolError) {
            return try tolerate(error)
        } catch {
            watch?.broke(error, UnsafeRawBufferPointer(input.bytes))
            fail(error)
            return .failed
        }
    }

    /// How much has come of a message that isn't whole yet: a figure that differs whenever more has; nil if no message is under way.
    /// Asked for when `next()` has returned `.needsInput`.
    public var incompleteMessage: UInt64? {
        switch decoding {
        case .payload(let frame, let remaining, _): return assembler.size &+ (frame.length &- remaining)
        case .tail: return assembler.size
        case .skipping: return assembler.isInMessage ? assembler.size : nil
        case .header:
            // The frame whose header isn't whole belongs to a message unless it is a control frame (RFC 6455, section 5.5).
            let header = input.bytes.first.map { $0 & 0x08 == 0 ? UInt64(input.count) : 0 } ?? 0
            return assembler.isInMessage ? assembler.size &+ header : header > 0 ? header : nil
        }
    }

    /// How many bytes of the current frame can be read straight into the message's memory.
    private var directRemaining: UInt64? {
        guard case .payload(_, let remaining, _) = decoding, input.isEmpty, assembler.directCount == 0, !assembler.isCompressed,
            !assembler.isStreamed, remaining >= UInt64(configuration.inputBufferSize), phase == .open || phase == .closing
        else { return nil }
        return remaining
    }

    /// The fast path: takes the whole, unfragmented and uncompressed messages that lie at the front of the input, in place, and stops at
    /// anything else, or anything wrong, which is left for `nextFrame` to deal with.
    private mutating func collectMessages() -> Bool {
        guard case .header = decoding, !assembler.isInMessage, watch == nil else { return false }
        let bytes = input.bytes
        guard let base = bytes.baseAddress else { return false }
        let isMasked = role == .server
        let maskBit: UInt8 = isMasked ? 0x80 : 0
        let keySize = isMasked ? 4 : 0
        let longest = Int(clamping: configuration.maxMessageSize)
        var position = 0
        var total = 0
        while bytes.count &- position >= 2, !batch.isFull {
            let kind: MessageKind
            switch (base + position).load(as: UInt8.self) {
            case 0x81 where !streamsText: kind = .text
            case 0x82 where !streamsBinary: kind = .binary
            default: return finishCollecting(position, total)
            }
            var length = Int((base + position).load(fromByteOffset: 1, as: UInt8.self) ^ maskBit)
            var size = 2 &+ keySize
            if length == 126, bytes.count &- position >= 4 {
                length = Int(UInt16(bigEndian: (base + position).loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
                size &+= 2
                if length < 126 { break }
            } else if length > 125 {
                break
            }
            guard length <= longest, bytes.count &- position >= size &+ length else { break }
            let payload = UnsafeMutableRawBufferPointer(start: base + (position &+ size), count: length)
            if !accept(payload, kind, isMasked: isMasked) { break }
            batch.append(kind, UnsafeRawBufferPointer(payload))
            position &+= size &+ length
            total &+= length
        }
        return finishCollecting(position, total)
    }

    /// Unmasks a payload and checks its text; leaves it as it was if that is wrong.
    @inline(__always)
    private func accept(_ payload: UnsafeMutableRawBufferPointer, _ kind: MessageKind, isMasked: Bool) -> Bool {
        guard isMasked, let start = payload.baseAddress else {
            return kind == .binary || UTF8Validator.isValid(UnsafeRawBufferPointer(payload))
        }
        let key = UInt32(littleEndian: (start - 4).loadUnaligned(as: UInt32.self))
        Masking.apply(key, to: payload)
        if kind == .binary || UTF8Validator.isValid(UnsafeRawBufferPointer(payload)) { return true }
        Masking.apply(key, to: payload)
        return false
    }

    private mutating func finishCollecting(_ position: Int, _ total: Int) -> Bool {
        guard !batch.isEmpty else { return false }
        input.consume(position)
        statistics.messagesReceived &+= UInt64(batch.messages.count)
        statistics.bytesReceived &+= UInt64(total)
        return true
    }

    private mutating func nextFrame() throws(ProtocolError) -> Event {
        while true {
            switch decoding {
            case .header:
                let bytes = UnsafeRawBufferPointer(input.bytes)
                guard let (header, size) = try decoder.decode(bytes, isInMessage: assembler.isInMessage) else { return .needsInput }
                if header.opcode.isControl {
                    guard bytes.count - size >= Int(header.payloadLength) else { return .needsInput }
                    if let event = try controlFrame(header, size) { return event }
                } else if let event = try dataFrame(header, size) {
                    return event
                }
            case .payload(let frame, let remaining, let ready):
                if let event = try continuePayload(frame, remaining, ready) { return event }
            case .tail(let position):
                if let event = try inflateTail(from: position) { return event }
            case .skipping(let remaining):
                let count = min(UInt64(input.count), remaining)
                input.consume(Int(count))
                decoding = count == remaining ? .header : .skipping(remaining: remaining - count)
                if count < remaining { return .needsInput }
            }
        }
    }

    // MARK: Data frames

    /// Takes a data frame's header.
    mutating func dataFrame(_ header: FrameHeader, _ size: Int) throws(ProtocolError) -> Event? {
        var event: Event?
        if header.opcode != .continuation {
            let kind: MessageKind = header.opcode == .text ? .text : .binary
            let isStreamed = kind == .text ? streamsText : streamsBinary
            let isCompressed = header.reserved != 0
            let limit = isStreamed ? configuration.maxStreamedMessageSize : configuration.maxMessageSize
            assembler.begin(kind, isCompressed: isCompressed, isStreamed: isStreamed, limit: limit, isStrict: behaviour.isStrict)
            if isStreamed { event = .messageBegan(kind) }
        }
        watch?.began(header, UnsafeRawBufferPointer(rebasing: input.bytes.prefix(size)), isInflating: assembler.isCompressed)
        // A compressed frame's length says nothing of the message's, except for what zlib can't shrink below.
        if !assembler.isCompressed { try assembler.admit(header.payloadLength) }
        input.consume(size)
        let frame = DataFrame(isFinal: header.isFinal, maskKey: header.maskKey, length: header.payloadLength)
        decoding = .payload(frame, remaining: header.payloadLength, ready: 0)
        return event
    }

    /// Goes on with a data frame's payload; returns nil to be called again, or to go on with the next state.
    private mutating func continuePayload(_ frame: DataFrame, _ remaining: UInt64, _ ready: Int) throws(ProtocolError) -> Event? {
        if remaining == 0 { return try endFrame(frame) }
        if assembler.directCount > 0 {
            let fresh = assembler.takeDirect()
            unmask(fresh, frame, remaining)
            watch?.received(UnsafeRawBufferPointer(fresh))
            try assembler.check(UnsafeRawBufferPointer(fresh))
            decoding = .payload(frame, remaining: remaining - UInt64(fresh.count), ready: 0)
            return nil
        }
        var ready = ready
        if ready == 0 {
            ready = Int(min(UInt64(input.count), remaining))
            if ready == 0 { return .needsInput }
            unmask(UnsafeMutableRawBufferPointer(rebasing: input.bytes.prefix(ready)), frame, remaining)
        }
        let chunk = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(input.bytes).prefix(ready))
        if assembler.isCompressed {
            let (consumed, event) = try inflateWatched(chunk)
            input.consume(consumed)
            decoding = .payload(frame, remaining: remaining - UInt64(consumed), ready: ready - consumed)
            return event
        }
        watch?.received(chunk)
        try assembler.check(chunk)
        decoding = .payload(frame, remaining: remaining - UInt64(ready), ready: 0)
        if assembler.isStreamed {
            payloadBytes = chunk
        } else {
            try assembler.append(chunk)
        }
        input.consume(ready)
        return assembler.isStreamed ? assembler.kind.map { .messagePart($0) } : nil
    }

    private func unmask(_ bytes: UnsafeMutableRawBufferPointer, _ frame: DataFrame, _ remaining: UInt64) {
        guard let key = frame.maskKey else { return }
        Masking.apply(key, to: bytes, offset: frame.length - remaining)
    }

    private mutating func endFrame(_ frame: DataFrame) throws(ProtocolError) -> Event? {
        decoding = .header
        guard frame.isFinal else {
            watch?.ended(assembler.takeBreach())
            return nil
        }
        guard assembler.isCompressed else { return try endMessage() }
        decoding = .tail(position: 0)
        return nil
    }

    mutating func endMessage() throws(ProtocolError) -> Event {
        decoding = .header
        let kind = try assembler.finish()
        watch?.ended(assembler.takeBreach())
        statistics.messagesReceived &+= 1
        statistics.bytesReceived &+= assembler.size
        if assembler.isStreamed { return .messageEnded(kind) }
        batch.append(kind, UnsafeRawBufferPointer(assembler.held.bytes))
        return .messages
    }

    // MARK: Compressed messages

    /// Inflates what it can of `chunk`: into the message held, or as one part of a message that is streamed.
    private mutating func inflate(_ chunk: UnsafeRawBufferPointer) throws(ProtocolError) -> (consumed: Int, event: Event?) {
        var consumed = 0
        repeat {
            let rest = UnsafeRawBufferPointer(rebasing: chunk.dropFirst(consumed))
            if assembler.isStreamed { inflated.removeAll() }
            // One byte past the limit is room enough to see it broken; a bomb costs no more.
            let allowed = assembler.limit - assembler.size
            let room = Int(min(allowed == .max ? allowed : allowed + 1, UInt64(Self.inflatePiece)))
            let space = assembler.isStreamed ? inflated.spare(atLeast: room) : try assembler.room(atLeast: room)
            let piece = UnsafeMutableRawBufferPointer(rebasing: space.prefix(room))
            guard let step = try inflater?.inflate(rest, into: piece) else { throw .reservedBits(FrameHeader.reserved1) }
            consumed += step.consumed
            let produced = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(piece).prefix(step.produced))
            watch?.received(produced)
            try assembler.check(produced)
            if assembler.isStreamed {
                payloadBytes = produced
                if !produced.isEmpty { return (consumed, assembler.kind.map { .messagePart($0) }) }
            } else {
                assembler.commit(step.produced)
            }
            if step.consumed == 0, step.produced == 0 {
                guard rest.isEmpty else { throw .invalidCompressedData("the data leads nowhere") }
                break
            }
            // With all its input used up the inflater may still hold back output that did not fit.
            if consumed == chunk.count, step.produced < room { break }
        } while true
        return (consumed, nil)
    }

    private mutating func inflateWatched(_ chunk: UnsafeRawBufferPointer) throws(ProtocolError) -> (consumed: Int, event: Event?) {
        guard let watch else { return try inflate(chunk) }
        do throws(ProtocolError) {
            let (consumed, event) = try inflate(chunk)
            watch.receivedWire(UnsafeRawBufferPointer(rebasing: chunk.prefix(consumed)))
            return (consumed, event)
        } catch {
            watch.receivedWire(chunk)
            throw error
        }
    }

    static let inflatePiece = 64 << 10

    private mutating func inflateTail(from position: Int) throws(ProtocolError) -> Event? {
        let (consumed, event) = try withUnsafeBytes(of: Inflater.tail) { (tail) throws(ProtocolError) in
            try inflate(UnsafeRawBufferPointer(rebasing: tail.dropFirst(position)))
        }
        if let event {
            decoding = .tail(position: position + consumed)
            return event
        }
        try inflater?.endMessage()
        return try endMessage()
    }

    // MARK: Control frames

    mutating func controlFrame(_ header: FrameHeader, _ size: Int) throws(ProtocolError) -> Event? {
        let length = Int(header.payloadLength)
        let payload = UnsafeMutableRawBufferPointer(rebasing: input.bytes[size..<(size + length)])
        if let key = header.maskKey { Masking.apply(key, to: payload) }
        payloadBytes = UnsafeRawBufferPointer(payload)
        if let watch {
            watch.began(header, UnsafeRawBufferPointer(rebasing: input.bytes.prefix(size)), isInflating: false)
            watch.received(payloadBytes)
        }
        input.consume(size + length)
        switch header.opcode {
        case .ping:
            watch?.ended()
            statistics.pingsReceived &+= 1
            answerPing(payloadBytes)
            return .ping
        case .pong:
            watch?.ended()
            statistics.pongsReceived &+= 1
            lastRoundTrip = keepAlive.answered(payloadBytes, at: now)
            if lastRoundTrip != nil { statistics.pingsAnswered &+= 1 }
            return .pong
        case .close:
            try receiveClose(payloadBytes)
            return .closing
        case .continuation, .text, .binary: return nil
        }
    }

    /// Answers with the ping's own bytes (section 5.5.3). While much output waits only the latest ping is remembered, as that
    /// section allows: a peer that pings and doesn't read can't make us fill our memory.
    private mutating func answerPing(_ payload: UnsafeRawBufferPointer) {
        guard behaviour.answersPings else { return }
        if outbox.count > 1 << 20 {
            keepAlive.postponedPong = Array(payload)
        } else {
            appendControl(.pong, payload)
        }
    }
}
