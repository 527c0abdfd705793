import WebSocketProtocol

/// Makes one connection: name, address, proxy, TLS.
@EventLoop
final class Dialer {
    private enum State {
        case idle
        case racing(HappyEyeballs, [SocketAddress: ConnectAttempt])
        /// The socket is connected; proxy and TLS work on the stream.
        case handshaking(ByteStream)
        case finished
    }

    private let target: Target
    private let options: DialOptions
    private let onProgress: (DialEvent) -> Void
    private let completion: (Result<DialedStream, TransportError>) -> Void

    private var state = State.idle
    private var stage = Stage.name
    private lazy var raceTimer = Timer { [weak self] in self?.race { $0.timerFired(now: $1) } }
    private var deadline: PeerTimer?
    /// Set by `start()`: that the loop was busy until then is no step's time.
    private var began: Instant = 0
    private var stepBegan: Double = 0
    private var timings = Timings()

    /// Begins to connect. Nothing is called before this returns.
    ///
    /// - Parameters:
    ///   - onProgress: called for each step, for `-v`.
    ///   - completion: called once, unless ``cancel()`` comes first. Its error's stage is the step that failed; its kind is `timedOut`, whatever
    ///     the stage, when the time ran out.
    init(
        to target: Target, options: DialOptions = DialOptions(), onProgress: @escaping (DialEvent) -> Void = { _ in },
        completion: @escaping (Result<DialedStream, TransportError>) -> Void
    ) {
        self.target = target
        self.options = options
        self.onProgress = onProgress
        self.completion = completion
        EventLoop.later { self.start() }
    }

    /// Gives up. Nothing is called after it.
    func cancel() { tearDown(keeping: nil) }

    // MARK: Name and address

    /// The proxy in use: a UNIX socket is reached with none.
    private var proxy: Proxy? { if case .host = target { options.proxy } else { nil } }

    private func start() {
        guard case .idle = state else { return }
        began = monotonicNow()
        deadline = options.connectTimeout.map { timeout in PeerTimer(seconds: timeout) { [self] in fail(timedOut(timeout)) } }
        state = .racing(HappyEyeballs(options.families), [:])
        switch proxy.map({ Target.host($0.host, port: $0.port) }) ?? target {
        case .unix(let path):
            guard path.utf8.count <= SocketAddress.maximumPathLength else {
                let text = "the socket path \(path.quoted) has \(path.utf8.count) bytes: at most \(SocketAddress.maximumPathLength) fit"
                return fail(TransportError(.connect, .notFound, text))
            }
            race { $0.known([.unix(path: path)], now: $1) }
        case .host(let host, let port):
            resolve(host, port)
        }
    }

    private func resolve(_ host: String, _ port: UInt16) {
        let literal = Resolver.literal(host, port: port).map { [$0] }
        if let addresses = Resolver.override(host, port: port, in: options.overrides) ?? literal {
            let allowed = addresses.filter { options.families.contains($0.isIPv6 ? .ipv6 : .ipv4) }
            guard !allowed.isEmpty else {
                let only = options.families == .ipv4 ? "IPv4 (-4)" : "IPv6 (-6)"
                let listed = addresses.map(\.host).joined(separator: ", ")
                return fail(TransportError(.name, .notFound, "can't use \(listed) for \(host.quoted): only \(only) is allowed"))
            }
            return race { $0.known(allowed, now: $1) }
        }
        onProgress(.resolving(host: host))
        for family in options.families.each {
            Resolver.resolve(host, port: port, family: family) { [self] result in
                guard case .racing = state else { return }
                if case .success(let addresses) = result { onProgress(.resolved(host: host, addresses, seconds: elapsed)) }
                race { $0.resolved(family, result, now: $1) }
            }
        }
    }

    /// Hands the race an input and performs what it asks for.
    private func race(_ input: (inout HappyEyeballs, Duration) -> [HappyEyeballs.Action]) {
        guard case .racing(var race, let attempts) = state else { return }
        let actions = input(&race, .seconds(elapsed))
        state = .racing(race, attempts)
        actions.forEach(perform)
    }

    private func perform(_ action: HappyEyeballs.Action) {
        guard case .racing(let race, var attempts) = state else { return }
        switch action {
        case .start(let address):
            if attempts.isEmpty, stage == .name {
                stage = .connect
                timings.name = elapsed
                stepBegan = elapsed
            }
            let attempt = ConnectAttempt()
            attempts[address] = attempt
            state = .racing(race, attempts)
            onProgress(.trying(address))
            guard case .racing = state else { return }
            attempt.start(address) { [self] in attempted(address, $0) }
        case .armTimer(let time): raceTimer.arm(at: began &+ nanoseconds(time.asSeconds))
        case .disarmTimer: raceTimer.disarm()
        case .cancel(let address):
            attempts.removeValue(forKey: address)?.cancel()
            state = .racing(race, attempts)
        case .fail(let failure): fail(describe(failure))
        }
    }

    private func attempted(_ address: SocketAddress, _ outcome: ConnectAttempt.Outcome) {
        guard case .racing = state else { return }
        switch outcome {
        case .failure(let error):
            let failure = TransportError(.connect, error.kind, error.description)
            onProgress(.failed(address, failure))
            race { $0.failed(address, failure, now: $1) }
        case .success(let lease):
            race { race, _ in race.succeeded(address) }
            timings.connect = elapsed - stepBegan
            let stream = ByteStream(lease)
            state = .handshaking(stream)
            onProgress(.connected(address, local: stream.localAddress))
            connected(stream)
        }
    }

    // MARK: Proxy and TLS

    private func connected(_ stream: ByteStream) {
        guard case .handshaking = state else { return }
        stepBegan = elapsed
        guard let proxy else { return secure(stream) }
        stage = .proxy
        guard proxy.scheme == .https else { return lookUpForProxy(proxy, stream) }
        let context: TLSContext
        do {
            if let given = options.proxyTLS { context = given } else { context = try TLSContext.client() }
        } catch {
            return fail(error.at(.proxy))
        }
        stream.startTLS(context, .proxyClient(peer: proxy.host)) { [self] result in
            switch result {
            case .success(let info):
                onProgress(.securedProxy(info))
                lookUpForProxy(proxy, stream)
            case .failure(let error):
                fail(error.at(.proxy))
            }
        }
    }

    /// `socks5` alone wants the target's address from here.
    private func lookUpForProxy(_ proxy: Proxy, _ stream: ByteStream) {
        guard case .handshaking = state, case .host(let host, let port) = target else { return }
        if let known = Resolver.override(host, port: port, in: options.overrides)?.first ?? Resolver.literal(host, port: port) {
            return tunnel(proxy, known.host, port, stream)
        }
        guard proxy.scheme == .socks5 else { return tunnel(proxy, host, port, stream) }
        lookUp(options.families.each[...], []) { [self] in tunnel(proxy, $0.host, port, stream) }
    }

    /// Looks the target up in one family after the other: IPv4 first, which more proxies reach.
    private func lookUp(_ families: ArraySlice<AddressFamilies>, _ failures: [ResolveFailure], _ found: @escaping (SocketAddress) -> Void) {
        guard case .host(let host, let port) = target else { return }
        guard let family = families.first else { return fail(unresolved(host, failures, .name)) }
        Resolver.resolve(host, port: port, family: family) { [self] result in
            guard case .handshaking = state else { return }
            switch result {
            case .success(let addresses):
                if let address = addresses.first { found(address) } else { lookUp(families.dropFirst(), failures, found) }
            case .failure(let failure): lookUp(families.dropFirst(), failures + [failure], found)
            }
        }
    }

    private func tunnel(_ proxy: Proxy, _ host: String, _ port: UInt16, _ stream: ByteStream) {
        let dialogue: ProxyDialogue
        do {
            dialogue = ProxyDialogue(try proxy.handshake(to: host, port: port), stream)
        } catch {
            return fail(error)
        }
        dialogue.run { [self] error in
            if let error { return fail(error) }
            timings.proxy = elapsed - stepBegan
            onProgress(.tunnelled(proxy))
            secure(stream)
        }
    }

    private func secure(_ stream: ByteStream) {
        guard case .handshaking = state else { return }
        guard let context = options.tls else { return succeed(stream) }
        stage = .tls
        stepBegan = elapsed
        stream.startTLS(context, .client(peer: serverName)) { [self] result in
            switch result {
            case .success(let info):
                timings.tls = elapsed - stepBegan
                onProgress(.secured(info))
                succeed(stream)
            case .failure(let error):
                fail(error)
            }
        }
    }

    private var serverName: String {
        if let name = options.serverName { return name }
        if case .host(let host, _) = target { return host }
        return "localhost"
    }

    // MARK: The end

    private var elapsed: Double { Double(monotonicNow() &- began) / 1e9 }

    private func succeed(_ stream: ByteStream) {
        guard case .handshaking = state else { return }
        let dialed = DialedStream(stream: stream, timings: timings, deadline: deadline?.handOver())
        tearDown(keeping: stream)
        completion(.success(dialed))
    }

    private func fail(_ error: TransportError) {
        if case .finished = state { return }
        tearDown(keeping: nil)
        completion(.failure(error))
    }

    private func tearDown(keeping kept: ByteStream?) {
        switch state {
        case .racing(_, let attempts): attempts.values.forEach { $0.cancel() }
        case .handshaking(let stream) where kept == nil: stream.close()
        case .handshaking, .idle, .finished: break
        }
        state = .finished
        raceTimer.disarm()
        deadline?.cancel()
        deadline = nil
    }

    private func timedOut(_ timeout: Double) -> TransportError {
        let limit = "within \(formatted(timeout)) s"
        let text =
            switch stage {
            case .name: "can't resolve \(peerHost.quoted) \(limit)"
            case .proxy: "the proxy \(proxy?.description ?? "") did not connect to \(target) \(limit)"
            case .tls: "\(target) did not finish the TLS handshake \(limit)"
            case .connect, .stream, .listen: "can't connect to \(proxy?.description ?? target.description) \(limit)"
            }
        return TransportError(stage, .timedOut, text, hint: "give it longer with --connect-timeout SECS")
    }

    /// The host that is looked up and connected to.
    private var peerHost: String {
        if let proxy { return proxy.host }
        if case .host(let host, _) = target { return host }
        return target.description
    }

    private func unresolved(_ name: String, _ failures: [ResolveFailure], _ stage: Stage) -> TransportError {
        var reasons: [String] = []
        for failure in failures where !reasons.contains(failure.description) { reasons.append(failure.description) }
        let why = reasons.isEmpty ? "it has no address" : reasons.joined(separator: "; ")
        let what = stage == .proxy ? "the proxy's name \(name.quoted)" : name.quoted
        return TransportError(stage, .notFound, "can't resolve \(what): \(why)")
    }

    private func describe(_ failure: HappyEyeballs.Failure) -> TransportError {
        switch failure {
        case .unresolved(let failures): return unresolved(peerHost, failures, proxy == nil ? .name : .proxy)
        case .unreachable(let failed):
            let what = proxy.map { "the proxy \($0)" } ?? target.description
            let why =
                failed.count == 1 && what == failed[0].address.description
                ? ": \(failed[0].error)" : " (" + failed.map { "\($0.address.host): \($0.error)" }.joined(separator: "; ") + ")"
            let isOneKind = failed.allSatisfy { $0.error.kind == failed[0].error.kind }
            return TransportError(
                proxy == nil ? .connect : .proxy, isOneKind ? failed[0].error.kind : .unreachable, "can't connect to \(what)\(why)")
        }
    }
}
