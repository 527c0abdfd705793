import TestSupport
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

/// A peer that keeps what is sent to it. It's as open and as congested as a test makes it, and refuses what a connection refuses.
@EventLoop
final class RecordingPeer: Peer {
    var readyState = ReadyState.open
    /// How many bytes may wait until it's congested; they wait until ``drain()``.
    var room = Int.max
    /// Whether the end of a batch makes room at once.
    var drainsAtBatchEnd = false
    /// Whom a ping goes to: nil for a client's server.
    var pinged: [Int?] = [nil]

    /// Whole messages, those that came in fragments included.
    private(set) var messages: [RecordedMessage] = []
    /// The sizes of the fragments of all messages that came in some.
    private(set) var fragments: [Int] = []
    /// The message under way.
    private(set) var partial: RecordedMessage?
    private(set) var pings: [[UInt8]] = []
    private(set) var pongs: [[UInt8]] = []
    private(set) var closes: [CloseFrame] = []
    private(set) var batchDepth = 0
    private var waiting = 0
    private var lastPing: UInt8 = 0

    var isCongested: Bool { waiting > room }

    func drain() { waiting = 0 }

    var texts: [String] { messages.map { String(decoding: $0.bytes, as: UTF8.self) } }

    private func requireOpen() throws(UsageError) {
        guard readyState == .open else { throw .notOpen(readyState) }
    }

    func send(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer) throws(UsageError) {
        try requireOpen()
        guard partial == nil else { throw .messageUnfinished }
        messages.append(RecordedMessage(kind, bytes))
        waiting += bytes.count
    }

    func sendFragment(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, isFinal: Bool) throws(UsageError) {
        try requireOpen()
        var message = partial ?? RecordedMessage(kind, [])
        guard message.kind == kind else { throw .messageUnfinished }
        message.bytes += bytes
        fragments.append(bytes.count)
        waiting += bytes.count
        partial = isFinal ? nil : message
        if isFinal { messages.append(message) }
    }

    func beginBatch() { batchDepth += 1 }

    func endBatch() {
        batchDepth -= 1
        if drainsAtBatchEnd { drain() }
    }

    func ping(_ payload: [UInt8]?) throws(UsageError) -> [SentPing] {
        try requireOpen()
        return pinged.map { client in
            lastPing += 1
            let sent = payload ?? [lastPing]
            pings.append(sent)
            return SentPing(client: client, payload: sent)
        }
    }

    func pong(_ payload: [UInt8]) throws(UsageError) {
        try requireOpen()
        pongs.append(payload)
    }

    /// Frames that were made by hand, and bytes.
    private(set) var frames: [HandMadeFrame] = []
    private(set) var raw: [[UInt8]] = []
    var messageBreach: String?
    var isInStep = true

    func send(_ frame: HandMadeFrame) throws(UsageError) -> [SentFrame] {
        try requireOpen()
        frames.append(frame)
        return pinged.map { SentFrame(client: $0, frame: frame.frame) }
    }

    func sendRaw(_ bytes: [UInt8]) throws(UsageError) -> [Int?] {
        try requireOpen()
        raw.append(bytes)
        return pinged
    }

    func close(_ code: CloseCode?, reason: String) throws(UsageError) {
        closes.append(CloseFrame(code: code, reason: reason))
        readyState = .closing
    }
}
