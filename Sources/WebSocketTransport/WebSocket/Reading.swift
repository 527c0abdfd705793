import WebSocketProtocol

extension WebSocket {
    // MARK: Connecting

    /// Begins to connect; `onOpen`, or `onError` and `onClose`, report the outcome.
    public func connect() {
        guard let dial, dialer == nil else { return }
        dialer = Dialer(
            to: dial.target, options: dial.options,
            onProgress: { [weak self] in self?.onProgress?($0) },
            completion: { [weak self] in self?.dialed($0) })
    }

    private func dialed(_ result: Result<DialedStream, TransportError>) {
        switch result {
        case .success(let dialed):
            timings = dialed.timings
            if let deadline = dialed.deadline { connection.limitOpening(until: deadline, at: monotonicNow()) }
            adopt(dialed.stream)
        case .failure(let error):
            onError?(.transport(error))
            finish()
        }
    }

    func adopt(_ stream: ByteStream) {
        self.stream = stream
        stream.onReadable = { [weak self] in self?.readable() }
        stream.onWritable = { [weak self] in self?.writable() }
        onConnected?()
        settle()
        if !isFinished, !isPaused { stream.resumeReading() }
    }

    // MARK: Reading

    /// How many reads one wake-up does before others on the queue have their turn.
    private static let mostReads = 16

    private func readable() {
        guard let stream, !isFinished else { return }
        batchDepth += 1
        var reads = 0
        while reads < Self.mostReads, !isPaused, !isFinished {
            deliver()
            guard !isPaused, !isFinished else { break }
            let buffer = connection.inputBuffer()
            let outcome = stream.read(into: buffer)
            reads += 1
            guard case .bytes(let count) = outcome else {
                streamEnded(outcome)
                break
            }
            connection.received(count, at: monotonicNow())
            deliver()
        }
        onBatchEnd?()
        batchDepth -= 1
        settleUnlessInBatch()
    }

    /// Goes on after a pause, or an answer that was waited for: the connection may hold messages that no event comes for.
    func readLater() {
        EventLoop.later { [weak self] in
            guard let self, !isPaused else { return }
            readable()
        }
    }

    private func streamEnded(_ outcome: ReadOutcome) {
        switch outcome {
        case .bytes, .wouldBlock: return
        case .end: break
        case .failed(let error): transportFailure = error
        }
        let wasConnecting = connection.readyState == .connecting
        if wasConnecting, let failure = transportFailure, failure.stage == .tls {
            // TLS was never agreed upon: under TLS 1.3 a server judges our certificate after our side's handshake.
            onError?(.transport(failure))
            return finish()
        }
        connection.receivedEnd()
        if wasConnecting { deliver() }
        onBatchEnd?()
        finish()
    }

    /// Hands on what the connection holds, until it needs input or the owner pauses.
    func deliver() {
        guard !isDelivering else { return }
        isDelivering = true
        defer { isDelivering = false }
        while !isPaused {
            let event = connection.next()
            switch event {
            case .needsInput: return
            case .messages: handOn(connection.messages)
            default:
                rare(event)
                if isFinished { return }
            }
        }
    }

    private func handOn(_ messages: UnsafeBufferPointer<BorrowedMessage>) {
        if let onMessages { return onMessages(messages) }
        guard let onMessage else { return }
        for message in messages where !isFinished { onMessage(message.kind, RawSpan(_unsafeBytes: message.bytes)) }
    }

    func rare(_ event: Connection.Event) {
        let payload = connection.payloadBytes
        switch event {
        case .needsInput, .messages: break
        case .messageBegan(let kind): onPart?(.began(kind))
        case .messagePart(let kind): onPart?(.bytes(kind, payload))
        case .messageEnded(let kind): onPart?(.ended(kind))
        case .ping: onPing?(RawSpan(_unsafeBytes: payload))
        case .pong: onPong?(RawSpan(_unsafeBytes: payload), connection.lastRoundTrip)
        case .opened: onOpen?()
        case .openingTimedOut: onError?(.openingTimedOut)
        case .requested: if let request = connection.request { onRequest?(request) }
        case .refused: if let refusal = connection.refusal { onError?(.refused(refusal)) }
        case .failed: reportFailure()
        case .closing: break
        }
    }
}
