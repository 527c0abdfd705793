/// Carries a ``ProxyHandshake`` over a stream, and leaves the stream as it was: paused and with no handlers.
///
/// The stream's handlers keep it alive until it's done, or until the stream is closed.
@EventLoop
final class ProxyDialogue {
    private var handshake: any ProxyHandshake
    private let stream: ByteStream
    private var unsent: [UInt8] = []
    private var completion: ((TransportError?) -> Void)?

    init(_ handshake: any ProxyHandshake, _ stream: ByteStream) {
        self.handshake = handshake
        self.stream = stream
    }

    /// `completion` has `nil` when the tunnel stands. It's not called once the stream is closed.
    func run(completion: @escaping (TransportError?) -> Void) {
        self.completion = completion
        stream.onReadable = { self.receive() }
        stream.onWritable = { self.flush() }
        stream.resumeReading()
        perform(.send(handshake.opening))
    }

    private func perform(_ action: ProxyAction) {
        switch action {
        case .send(let bytes):
            unsent += bytes
            flush()
        case .wait: break
        case .finish: finish(nil)
        case .fail(let error): finish(error)
        }
    }

    private func flush() {
        while !unsent.isEmpty {
            switch unsent.withUnsafeBytes({ stream.write($0) }) {
            case .bytes(let count): unsent.removeFirst(count)
            case .wouldBlock: return
            case .failed(let error): return finish(error.at(.proxy))
            }
        }
    }

    private func receive() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while completion != nil {
            switch buffer.withUnsafeMutableBytes({ stream.read(into: $0) }) {
            case .bytes(let count): perform(handshake.received(buffer.prefix(count)))
            case .wouldBlock: return
            case .end: finish(TransportError(.proxy, .protocolFailure, "the proxy closed the connection before it answered"))
            case .failed(let error): finish(error.at(.proxy))
            }
        }
    }

    private func finish(_ error: TransportError?) {
        guard let completion else { return }
        self.completion = nil
        stream.pauseReading()
        stream.onReadable = nil
        stream.onWritable = nil
        completion(error)
    }
}
