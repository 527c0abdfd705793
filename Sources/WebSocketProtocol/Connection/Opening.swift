extension Connection {
    /// How far the opening handshake is (RFC 6455, section 4).
    enum Opening {
        /// There is none: the connection starts open, or it is through.
        case none
        /// The request is out; its response is awaited.
        case responseAwaited(ClientHandshake, PermessageDeflateSettings?, HTTPHeadParser<HTTPResponseHead>)
        /// The response refuses, or isn't HTTP; its body, or what came in its place, is gathered, to be shown.
        case refusalGathered(Refusal, RefusalBody)
        case requestAwaited(HTTPHeadParser<HTTPRequestHead>)
        /// A client waits for `accept` or `reject`.
        case answerOwed(ServerHandshake)
    }

    /// A client's connection: its request waits to be written at once.
    ///
    /// - Parameter deflate: what `handshake` offers of permessage-deflate, and how we compress then; nil if it offers none.
    public init(
        client handshake: ClientHandshake, deflate: PermessageDeflateSettings? = nil, configuration: Configuration = Configuration(),
        random: @escaping RandomFill
    ) {
        let opening = Opening.responseAwaited(handshake, deflate, HTTPHeadParser(limits: configuration.headLimits))
        self.init(role: .client, opening: opening, configuration: configuration, random: random)
        write(handshake.request.bytes)
    }

    /// A server's connection, which waits for a client's request.
    public init(server configuration: Configuration = Configuration(), random: @escaping RandomFill) {
        let parser = HTTPHeadParser<HTTPRequestHead>(limits: configuration.headLimits)
        self.init(role: .server, opening: .requestAwaited(parser), configuration: configuration, random: random)
    }

    /// Opens the connection to the client that asked (RFC 6455, section 4.2.2).
    ///
    /// - Parameter deflate: our limits and demands if compression may be used; the first of the client's offers that can be met is taken.
    /// - Returns: whether a client waits for an answer; it may be gone or refused since it asked.
    /// - Precondition: `subprotocol` is one that the client offered.
    @discardableResult
    public mutating func accept(
        subprotocol: String? = nil, deflate: PermessageDeflateSettings? = nil, headers: [HTTPHeaders.Field] = []
    ) -> Bool {
        guard phase == .opening, case .answerOwed(let handshake) = opening else { return false }
        let answer = deflate?.parameters.answer(toOffers: handshake.offeredExtensions)
        let extensions = answer.map { [$0.headerExtension] } ?? []
        write(handshake.accept(subprotocol: subprotocol, extensions: extensions, headers: headers))
        acceptedSubprotocol = subprotocol
        acceptedExtensions = extensions
        open(compression: answer.map { CompressionSettings($0, role: .server, deflate) })
        return true
    }

    /// Refuses the client that asked, with an HTTP status; the stream ends once that is written. Does nothing if none waits for an answer.
    public mutating func reject(status: Int, reason: StaticString, headers: [HTTPHeaders.Field] = [], body: String) {
        guard phase == .opening, case .answerOwed = opening else { return }
        refuse(with: ServerHandshake.reject(status: status, reason: reason, headers: headers, body: body))
    }

    /// Bounds the opening handshake: if it isn't through at `deadline`, `tick` ends the connection.
    public mutating func limitOpening(until deadline: Instant, at now: Instant) {
        guard phase == .opening else { return }
        self.now = now
        timeLimit = TimeLimit(deadline > now ? deadline &- now : 0, from: now)
    }

    /// The time for the opening handshake, or for a refusal's body, is over.
    mutating func endOpening() -> Event {
        if case .refusalGathered = opening { return nextOpening() }
        opening = .none
        phase = .ended
        return .openingTimedOut
    }

    mutating func nextOpening() -> Event {
        switch opening {
        case .none: return .needsInput
        case .answerOwed: return waitForAnswer()
        case .responseAwaited(let handshake, let deflate, var parser): return nextResponse(handshake, deflate, &parser)
        case .refusalGathered(let refusal, let body): return gather(refusal, body)
        case .requestAwaited(var parser): return nextRequest(&parser)
        }
    }

    // MARK: Client

    private mutating func nextResponse(
        _ handshake: ClientHandshake, _ deflate: PermessageDeflateSettings?, _ parser: inout HTTPHeadParser<HTTPResponseHead>
    ) -> Event {
        while true {
            do throws(HTTPHeadError) {
                let bytes = UnsafeRawBufferPointer(input.bytes)
                answer += bytes
                guard case .complete(let response, let consumed) = try parser.consume(RawSpan(_unsafeBytes: bytes)) else {
                    input.removeAll()
                    opening = .responseAwaited(handshake, deflate, parser)
                    return streamEnded ? gather(Refusal(parser.endOfInput(), in: answer, to: handshake), .untilEnd) : .needsInput
                }
                input.consume(consumed)
                answer = []
                guard response.isInterim else { return judge(response, handshake, deflate) }
                // An interim response, such as 103, announces the real one (RFC 9110, section 15.2).
                interimResponses += 1
                guard interimResponses <= HTTPResponseHead.mostInterimResponses else {
                    let error = HandshakeError.tooManyInterim(limit: HTTPResponseHead.mostInterimResponses, last: response.status)
                    return refuse(Refusal(.handshake(error), response: response, to: handshake))
                }
            } catch {
                input.removeAll()
                timeLimit = TimeLimit(Self.malformedTimeout, from: now)
                return gather(Refusal(error, in: answer, to: handshake), .untilEnd)
            }
        }
    }

    private mutating func judge(
        _ response: HTTPResponseHead, _ handshake: ClientHandshake, _ deflate: PermessageDeflateSettings?
    ) -> Event {
        do throws(HandshakeError) {
            let result = try handshake.check(response)
            var compression: CompressionSettings?
            do throws(PermessageDeflateError) {
                let agreement = try deflate?.parameters.agreement(withAnswer: result.extensions)
                compression = agreement.map { CompressionSettings($0, role: .client, deflate) }
            } catch {
                throw .deflate(error)
            }
            opened = result
            acceptedSubprotocol = result.subprotocol
            acceptedExtensions = result.extensions
            open(compression: compression)
            return .opened
        } catch {
            let refusal = Refusal(.handshake(error), response: response, to: handshake)
            guard case .status = error else { return refuse(refusal) }
            timeLimit = TimeLimit(Self.bodyTimeout, from: now)
            return gather(refusal, RefusalBody(of: response))
        }
    }

    /// Takes up to 4 KiB of what a refusal says, to be shown, until its deadline.
    private mutating func gather(_ refusal: Refusal, _ body: RefusalBody) -> Event {
        var (refusal, body) = (refusal, body)
        // One byte more than is shown says that there is more.
        let limit = Refusal.shownBodySize + 1
        body.append(UnsafeRawBufferPointer(input.bytes), to: &refusal.body, limit: limit)
        input.removeAll()
        if refusal.body.count >= limit || body.isComplete || streamEnded || timeLimit.map({ $0.deadline <= now }) == true {
            refusal.bodyIsCut = refusal.body.count >= limit
            if refusal.bodyIsCut { refusal.body.removeLast() }
            return refuse(refusal)
        }
        opening = .refusalGathered(refusal, body)
        return .needsInput
    }

    private mutating func refuse(_ refusal: Refusal) -> Event {
        answer = []
        self.refusal = refusal
        opening = .none
        phase = .ended
        return .refused
    }

    /// How long a refusal's body may take; nanoseconds.
    private static let bodyTimeout: Instant = 1_000_000_000
    /// How long the rest of an answer that isn't HTTP may take: most peers that speak another protocol wait for us.
    private static let malformedTimeout: Instant = 250_000_000

    // MARK: Server

    private mutating func nextRequest(_ parser: inout HTTPHeadParser<HTTPRequestHead>) -> Event {
        do throws(HTTPHeadError) {
            let bytes = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(input.bytes))
            guard case .complete(let head, let consumed) = try parser.consume(bytes) else {
                input.removeAll()
                guard !streamEnded else { return refuse(Refusal(.head(parser.endOfInput()))) }
                opening = .requestAwaited(parser)
                return .needsInput
            }
            input.consume(consumed)
            do throws(ServerHandshakeError) {
                let handshake = try ServerHandshake(head)
                opening = .answerOwed(handshake)
                request = handshake
                return .requested
            } catch {
                return refuse(.request(error), with: error.response)
            }
        } catch {
            return refuse(.head(error), with: ServerHandshake.reject(status: 400, reason: "Bad Request", body: "\(error)\n"))
        }
    }

    /// A client has to wait for the answer to its request (RFC 6455, section 4.1): one that goes on sending can't fill our memory.
    private mutating func waitForAnswer() -> Event {
        guard input.count > configuration.inputBufferSize else { return .needsInput }
        let error = ServerHandshakeError.dataBeforeAnswer
        return refuse(.request(error), with: error.response)
    }

    /// - Parameter reason: nil if the caller refuses the request.
    @discardableResult
    private mutating func refuse(_ reason: Refusal.Reason? = nil, with response: [UInt8]) -> Event {
        refusal = reason.map { Refusal($0) }
        write(response)
        hasRefused = true
        unsentBeforeEnd = outbox.count
        opening = .none
        phase = .failed
        restartCloseTimeout()
        return .refused
    }

    private mutating func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { outbox.append($0) }
        statistics.wireBytesSent &+= UInt64(bytes.count)
    }
}
