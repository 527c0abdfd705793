import WebSocketProtocol
import WebSocketTransport

/// All of a listener's open connections, as one place to send to.
///
/// The slowest of them sets the pace, since nothing is to be lost and nothing to pile up; but one that takes (almost) nothing for a while is
/// dropped, so that it can't hold the others up for ever.
@EventLoop
final class Broadcast: Peer {
    /// There is room for messages again, or may be.
    var onRoom: (() -> Void)?
    /// A client took too little for too long.
    var onStall: ((ServedClient) -> Void)?

    private struct Member {
        let client: ServedClient
        /// When it was found to lag behind; nil while it keeps up.
        var lagsSince: Instant?
    }

    /// Seconds in which a client has to take what waits for it.
    let patience: Double

    /// By the client's number.
    private var members: [Int: Member] = [:]
    /// Whose sockets are in the batch under way.
    private var batched: [ServedClient] = []
    /// Who gets the rest of the message that is being sent in fragments: those who got its beginning.
    private var fragmentReceivers: [ServedClient]?

    init(patience: Double = 10) { self.patience = patience }

    var isEmpty: Bool { members.isEmpty }
    var clients: [ServedClient] { members.values.map(\.client) }

    func add(_ client: ServedClient) { members[client.number] = Member(client: client) }

    func remove(_ client: ServedClient) {
        members[client.number] = nil
        // Nobody is left to send the rest to, and whoever sends it gives it up.
        if isEmpty { fragmentReceivers = nil }
        onRoom?()
    }

    /// A client has taken most of what waited for it.
    func drained(_ client: ServedClient) {
        members[client.number]?.lagsSince = nil
        onRoom?()
    }

    // MARK: Sending

    private var openClients: [ServedClient] { clients.filter { $0.socket.readyState == .open } }

    var readyState: ReadyState { openClients.isEmpty ? .closed : .open }
    var isCongested: Bool { openClients.contains { $0.socket.isCongested } }

    func send(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer) throws(UsageError) {
        for client in openClients { try client.socket.send(kind, bytes) }
        if batched.isEmpty { clients.forEach(watch) }
    }

    func ping(_ payload: [UInt8]?) throws(UsageError) -> [SentPing] {
        var sent: [SentPing] = []
        for client in openClients {
            for ping in try client.socket.ping(payload) { sent.append(SentPing(client: client.number, payload: ping.payload)) }
        }
        return sent
    }

    func pong(_ payload: [UInt8]) throws(UsageError) {
        for client in openClients { try client.socket.pong(payload) }
    }

    func close(_ code: CloseCode?, reason: String) throws(UsageError) {
        for client in openClients { try client.socket.close(code, reason: reason) }
    }

    func send(_ frame: HandMadeFrame) throws(UsageError) -> [SentFrame] {
        var sent: [SentFrame] = []
        for client in openClients {
            for one in try client.socket.send(frame) { sent.append(SentFrame(client: client.number, frame: one.frame)) }
        }
        return sent
    }

    func sendRaw(_ bytes: [UInt8]) throws(UsageError) -> [Int?] {
        let receivers = openClients
        for client in receivers { _ = try client.socket.sendRaw(bytes) }
        return receivers.map(\.number)
    }

    var messageBreach: String? { openClients.lazy.compactMap(\.socket.messageBreach).first }
    var isInStep: Bool { openClients.allSatisfy(\.socket.isInStep) }

    func sendFragment(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, isFinal: Bool) throws(UsageError) {
        let receivers = fragmentReceivers ?? openClients
        fragmentReceivers = isFinal ? nil : receivers
        for client in receivers where client.socket.readyState == .open {
            try client.socket.sendFragment(kind, bytes, isFinal: isFinal)
        }
        if batched.isEmpty { clients.forEach(watch) }
    }

    func beginBatch() {
        batched = clients
        for client in batched { client.socket.beginBatch() }
    }

    func endBatch() {
        let ended = batched
        batched = []
        for client in ended {
            client.socket.endBatch()
            watch(client)
        }
    }

    private func watch(_ client: ServedClient) {
        guard client.socket.isCongested, let member = members[client.number], member.lagsSince == nil else { return }
        let since = monotonicNow()
        members[client.number]?.lagsSince = since
        Timer(after: patience) { [weak self, weak client] in
            guard let self, let client, members[client.number]?.lagsSince == since else { return }
            onStall?(client)
        }
    }
}
