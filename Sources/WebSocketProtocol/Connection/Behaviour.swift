/// How a connection treats its peer, as far as that may change at any time.
public struct Behaviour: Equatable, Sendable {
    /// Whether pings are answered, as RFC 6455, section 5.5.2 demands.
    public var answersPings = true
    /// Whether a breach of the protocol by the peer fails the connection. If not, it is shown to whoever observes the frames, and reading goes on,
    /// unless that made framing or memory unsafe.
    public var isStrict = true
    /// The most bytes of payload that a frame of a message gets, compressed if it is; nil leaves a message whole.
    public var fragmentSize: Int?

    public init() {}
}
