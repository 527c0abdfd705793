import CPosix

/// What a read came to.
public enum ReadOutcome: Sendable {
    case bytes(Int)
    /// Nothing more for now; ``ByteStream/onReadable`` reports when there is.
    case wouldBlock
    /// The peer is done: FIN, under TLS its close_notify.
    case end
    /// The connection is lost: a reset, or under TLS an end with no close_notify (`truncated`).
    indirect case failed(TransportError)
}

/// What a write came to.
public enum WriteOutcome: Sendable {
    /// So many were taken, which may be fewer than were offered.
    case bytes(Int)
    /// Nothing was taken. ``ByteStream/onWritable`` reports when to offer the same bytes again, with or without more after them.
    case wouldBlock
    indirect case failed(TransportError)
}

/// One connected stream, plain or TLS. Non-blocking; the caller's memory is read and written directly.
@EventLoop
public final class ByteStream {
    /// Called while reading is resumed and there may be something to read. Reading until ``ReadOutcome/wouldBlock`` is best, but not a must:
    /// it's called again for what was left.
    public var onReadable: (() -> Void)?
    /// Called once after ``WriteOutcome/wouldBlock``.
    public var onWritable: (() -> Void)?
    /// What the TLS handshake settled; `nil` on a plain stream.
    public private(set) var tlsInfo: TLSInfo?

    private enum Phase {
        case open
        case handshaking((Result<TLSInfo, TransportError>) -> Void)
        case closed
    }

    private enum WriteSide {
        case open
        /// close_notify waits for the socket.
        case closing
        case closed
    }

    let socket: Socket
    private let watch: DescriptorWatch
    private var tls: TLSSession?
    private var phase = Phase.open
    private var writeSide = WriteSide.open
    private var isReading = false
    private var wantsWritable = false
    /// Whether TLS can read, or shake hands, only once the socket is writable, and the reverse.
    private var readNeedsWrite = false
    private var writeNeedsRead = false
    /// The end, or the error that ended the stream: returned again by each further read.
    private var ending: ReadOutcome?
    /// The last read stopped before TLS had nothing left, so the socket may never get readable for what OpenSSL holds.
    private var mayHoldInput = false
    private var isInReadHandler = false
    private var isWakeScheduled = false

    /// Takes a connected, non-blocking socket over; it's closed with the stream.
    convenience init(_ socket: Socket) {
        self.init(DescriptorLease(socket))
    }

    init(_ lease: DescriptorLease) {
        ignoreBrokenPipeSignal
        socket = lease.socket
        watch = DescriptorWatch(lease)
        socket.setNoDelay()
        watch.onReadable = { [weak self] in self?.socketIsReadable() }
        watch.onWritable = { [weak self] in self?.socketIsWritable() }
    }

    /// This end's address, if the socket still has one.
    public var localAddress: SocketAddress? { isClosed ? nil : socket.localAddress }

    /// The other end's address, if the socket still has one.
    public var peerAddress: SocketAddress? { isClosed ? nil : socket.peerAddress }

    public var isClosed: Bool { if case .closed = phase { true } else { false } }

    /// Whether TLS holds input that a read can take with no need of the socket. False on a plain stream, and after
    /// ``ReadOutcome/wouldBlock``.
    public var hasBufferedInput: Bool { mayHoldInput && tls?.hasPending == true }

    isolated deinit { watch.cancel() }

    // MARK: Reading and writing

    /// Fills `buffer` with what is there, several TLS records if they have come.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        if let ending { return ending }
        guard case .open = phase else { return .failed(notOpen) }
        guard buffer.count > 0 else { return .bytes(0) }
        return tls.map { readRecords($0, buffer) } ?? readSocket(buffer)
    }

    /// Takes bytes from the front of `buffer`, as many as fit the socket's buffer.
    ///
    /// After ``WriteOutcome/wouldBlock`` the next write must begin with the same bytes, at least as many: under TLS they are encrypted already.
    public func write(_ buffer: UnsafeRawBufferPointer) -> WriteOutcome {
        guard case .open = phase, case .open = writeSide else { return .failed(notOpen) }
        guard buffer.count > 0 else { return .bytes(0) }
        return tls.map { writeRecords($0, buffer) } ?? writeSocket(buffer)
    }

    private func readSocket(_ buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        do {
            let count = try socket.receive(into: buffer)
            return count > 0 ? .bytes(count) : finishReading(.end)
        } catch {
            return error.isWouldBlock ? .wouldBlock : finishReading(.failed(lost(error)))
        }
    }

    private func readRecords(_ tls: TLSSession, _ buffer: UnsafeMutableRawBufferPointer) -> ReadOutcome {
        var filled = 0
        readNeedsWrite = false
        repeat {
            mayHoldInput = false
            switch tls.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])) {
            case .done(let count):
                filled += count
                mayHoldInput = tls.hasPending
            case .needsRead: return filled > 0 ? .bytes(filled) : .wouldBlock
            case .needsWrite:
                readNeedsWrite = true
                updateWatch()
                return filled > 0 ? .bytes(filled) : .wouldBlock
            case .end: return afterBytes(filled, .end)
            case .failed(let error): return afterBytes(filled, .failed(error))
            }
        } while mayHoldInput && filled < buffer.count
        scheduleWake()
        return .bytes(filled)
    }

    /// What came before the end is handed on first; the next read returns the end.
    private func afterBytes(_ filled: Int, _ outcome: ReadOutcome) -> ReadOutcome {
        guard filled > 0 else { return finishReading(outcome) }
        ending = outcome
        // The socket stays readable at its end, so the next event comes by itself; a TLS end that came with the bytes has none of its own.
        scheduleWake()
        return .bytes(filled)
    }

    private func finishReading(_ outcome: ReadOutcome) -> ReadOutcome {
        ending = outcome
        // A socket at its end is readable for ever; there is nothing more to report.
        isReading = false
        updateWatch()
        return outcome
    }

    private func writeSocket(_ buffer: UnsafeRawBufferPointer) -> WriteOutcome {
        do {
            return .bytes(try socket.send(buffer))
        } catch {
            if error.isWouldBlock { return waitForWrite() }
            return .failed(lost(error))
        }
    }

    private func writeRecords(_ tls: TLSSession, _ buffer: UnsafeRawBufferPointer) -> WriteOutcome {
        var taken = 0
        writeNeedsRead = false
        while taken < buffer.count {
            switch tls.write(UnsafeRawBufferPointer(rebasing: buffer[taken...])) {
            case .done(let count):
                taken += count
            case .needsWrite where taken > 0, .needsRead where taken > 0:
                return .bytes(taken)
            case .needsWrite:
                return waitForWrite()
            case .needsRead:
                writeNeedsRead = true
                return waitForWrite()
            case .failed(let error):
                // What was taken before is lost with the rest.
                return .failed(error)
            case .end:
                return .failed(notOpen)
            }
        }
        return .bytes(taken)
    }

    private func waitForWrite() -> WriteOutcome {
        wantsWritable = true
        updateWatch()
        return .wouldBlock
    }

    // MARK: Interest and events

    /// Lets ``onReadable`` be called, until ``pauseReading()`` or the end.
    public func resumeReading() {
        guard !isClosed, !isReading else { return }
        isReading = true
        scheduleWake()
        updateWatch()
    }

    /// Stops ``onReadable``: the peer's data stays in the socket, and in time the peer has to wait.
    public func pauseReading() {
        isReading = false
        updateWatch()
    }

    private func updateWatch() {
        switch phase {
        case .open:
            let isEnded = ending != nil
            watch.arm(
                reading: (isReading && !readNeedsWrite && !isEnded) || (wantsWritable && writeNeedsRead),
                writing: (wantsWritable && !writeNeedsRead) || (isReading && readNeedsWrite) || writeSide == .closing)
        case .handshaking:
            watch.arm(reading: !readNeedsWrite, writing: readNeedsWrite)
        case .closed:
            break
        }
    }

    private func socketIsReadable() {
        if case .handshaking = phase { return continueHandshake() }
        if writeNeedsRead { wakeWriter() }
        wakeReader()
        updateWatch()
    }

    private func socketIsWritable() {
        if case .handshaking = phase { return continueHandshake() }
        if writeSide == .closing { finishWriteSide() }
        if readNeedsWrite {
            readNeedsWrite = false
            wakeReader()
        }
        if !writeNeedsRead { wakeWriter() }
        updateWatch()
    }

    private func wakeWriter() {
        guard wantsWritable else { return }
        wantsWritable = false
        writeNeedsRead = false
        onWritable?()
    }

    private func wakeReader() {
        guard isReading, !isClosed else { return }
        isInReadHandler = true
        onReadable?()
        isInReadHandler = false
        scheduleWake()
    }

    private var hasInputWithoutEvent: Bool { hasBufferedInput || ending != nil }

    /// Reports what TLS holds, or an end that came with the last bytes, although no event comes for it.
    private func scheduleWake() {
        guard isReading, !isInReadHandler, !isWakeScheduled, hasInputWithoutEvent else { return }
        isWakeScheduled = true
        EventLoop.later { [weak self] in
            guard let self else { return }
            isWakeScheduled = false
            guard hasInputWithoutEvent else { return }
            wakeReader()
        }
    }

    // MARK: TLS

    /// Starts TLS on the stream, within the TLS that it may have already. Nothing may have been read ahead of it.
    ///
    /// `completion` is called once, unless the stream is closed first; the caller bounds the time.
    func startTLS(_ context: TLSContext, _ role: TLSSession.Role, completion: @escaping (Result<TLSInfo, TransportError>) -> Void) {
        guard case .open = phase else { return completion(.failure(notOpen)) }
        do {
            tls = try TLSSession(context, role, descriptor: socket.descriptor, carrier: tls)
        } catch {
            return completion(.failure(error))
        }
        isReading = false
        mayHoldInput = false
        phase = .handshaking(completion)
        continueHandshake()
    }

    private func continueHandshake() {
        guard case .handshaking(let completion) = phase, let tls else { return }
        switch tls.handshake() {
        case .done:
            phase = .open
            readNeedsWrite = false
            // The first records may have come along with the handshake's last.
            mayHoldInput = true
            let info = tls.info
            tlsInfo = info
            updateWatch()
            completion(.success(info))
        case .needsRead:
            readNeedsWrite = false
            updateWatch()
        case .needsWrite:
            readNeedsWrite = true
            updateWatch()
        case .end:
            fail(completion, TransportError(.tls, .protocolFailure, "the peer ended TLS within the handshake"))
        case .failed(let error):
            fail(completion, error)
        }
    }

    private func fail(_ completion: (Result<TLSInfo, TransportError>) -> Void, _ error: TransportError) {
        close()
        completion(.failure(error))
    }

    // MARK: Ending

    /// Ends this direction (close_notify under TLS, then FIN); reading goes on.
    public func shutdownWrite() {
        guard case .open = phase, case .open = writeSide else { return }
        wantsWritable = false
        finishWriteSide()
        updateWatch()
    }

    private func finishWriteSide() {
        writeSide = .closing
        var session = tls
        while let current = session {
            if case .needsWrite = current.shutdown() { return }
            session = current.carrier
        }
        writeSide = .closed
        socket.shutdownWrite()
    }

    /// Closes both directions; under TLS with close_notify if it can leave at once. No handler is called after it. May be repeated.
    ///
    /// What the peer has sent and nobody has read makes the kernel reset the connection, which may cost the peer what we wrote last: to be
    /// sure that it arrives, ``shutdownWrite()`` and read to the end first.
    public func close() {
        guard !isClosed else { return }
        if case .open = phase, writeSide != .closed { finishWriteSide() }
        phase = .closed
        isReading = false
        wantsWritable = false
        onReadable = nil
        onWritable = nil
        tls = nil
        watch.cancel()
    }

    private func lost(_ error: SystemError) -> TransportError {
        let peer = socket.peerAddress.map { " with \($0)" } ?? ""
        return TransportError(.stream, "the connection\(peer) was lost", system: error)
    }

    private var notOpen: TransportError { TransportError(.stream, .closed, "the connection is closed on this side") }
}

extension SystemError {
    var isWouldBlock: Bool { code == EAGAIN || code == EWOULDBLOCK }
}
