import LineTerminal
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

/// Collects what is written, a string for each call.
final class LineRecorder: LineSink {
    private let calls = Mutex<[String]>([])
    private let fullness = Mutex(false)

    var writes: [String] { calls.withLock { $0 } }
    var text: String { writes.joined() }
    /// Whether its reader is slow.
    var isFull: Bool {
        get { fullness.withLock { $0 } }
        set { fullness.withLock { $0 = newValue } }
    }

    func write(_ lines: [UInt8]) { calls.withLock { $0.append(String(decoding: lines, as: UTF8.self)) } }
}

/// A role that connects nobody: a test says who is there, and reads what was asked for.
@EventLoop
final class RecordingRole: wsline.Role {
    var peer: (any Peer)?
    var isConnecting = false
    var patience: Double?
    var status: [(String, String)] = [("state", "open"), ("URL", "ws://localhost/")]
    var handshakes: [OpeningHeads] = []
    var lostPings = 0
    /// How often the configuration changed.
    private(set) var adopted = 0
    private(set) var pauses: PauseReasons = []
    private(set) var streamsBinary: [Bool] = []
    private(set) var ends: [CloseFrame] = []
    private(set) var inputEnds = 0

    func start() {}
    func pauseReading(because reason: PauseReasons) { pauses.insert(reason) }
    func resumeReading(because reason: PauseReasons) { pauses.remove(reason) }
    func streamBinary(_ isStreamed: Bool) { streamsBinary.append(isStreamed) }
    func inputEnded() { inputEnds += 1 }
    func end(_ code: CloseCode?, reason: String) { ends.append(CloseFrame(code: code, reason: reason)) }
    func conclusion() -> wsline.ExitStatus { .success }
    func adopt(_ configuration: Configuration) { adopted += 1 }
}

/// A console that shows nobody anything, and keeps what it was to show.
@EventLoop
final class RecordingConsole: Console, MessageOutput {
    var output: any MessageOutput { self }
    let diagnostics: Diagnostics
    let style: Style? = nil
    var buffer: [UInt8] = []
    var isBlocked = false
    var onDrain: (() -> Void)?
    var onFailure: ((Int32) -> Void)?

    private(set) var attached: [any Peer] = []
    private(set) var suspends = 0
    private(set) var resumes = 0
    private(set) var isCancelled = false
    private(set) var commandFailures: [String] = []
    private(set) var status: wsline.ExitStatus?
    /// What was written to standard output.
    private(set) var written: [UInt8] = []
    let spoken = LineRecorder()

    init() { diagnostics = Diagnostics(to: spoken) }

    /// The lines of answers and errors so far.
    var lines: [String] {
        spoken.text.split(separator: "\n").map(String.init)
    }

    func start(_ run: Run) {}
    func attach(_ peer: any Peer) { attached.append(peer) }
    func resumeInput() { resumes += 1 }
    func suspendInput() { suspends += 1 }
    func cancelInput() { isCancelled = true }
    func commandFailed(_ why: String) { commandFailures.append(why) }
    func leave(_ status: wsline.ExitStatus) { self.status = status }

    func flush() {
        written += buffer
        buffer = []
    }
}

/// A run among doubles.
@EventLoop
struct TestRun {
    let run: Run
    let role = RecordingRole()
    let console = RecordingConsole()
    let peer = RecordingPeer()

    /// - Parameter isAttached: whether ``peer`` is there from the start.
    init(_ arguments: String..., listens: Bool = false, isAttached: Bool = true) throws {
        try self.init(arguments, listens: listens, isAttached: isAttached)
    }

    init(_ arguments: [String], listens: Bool = false, isAttached: Bool = true) throws {
        let configuration = try configuration(arguments + (listens ? ["-l", "0"] : ["ws://localhost/"]))
        run = try Run(configuration, console: console, diagnostics: console.diagnostics)
        try run.start(role)
        if isAttached { attach(peer) }
    }

    var commands: Interpreter { run.commands }

    func attach(_ peer: RecordingPeer) {
        role.peer = peer
        run.attached(peer)
    }

    func detach() {
        (role.peer as? RecordingPeer)?.readyState = .closed
        role.peer = nil
        run.detached()
    }

    /// Enters a line; returns whether the next may follow at once.
    @discardableResult
    func enter(_ line: String) throws(CommandFailure) -> Bool { try commands.run(line) }

    func receivePong(_ payload: [UInt8], after roundTrip: UInt64?, from client: Int? = nil) {
        payload.withUnsafeBytes { run.receivedPong(RawSpan(_unsafeBytes: $0), roundTrip: roundTrip, from: client) }
    }

    /// Receives a message as a connection hands it on: in parts, where the run asked for that.
    func receive(_ kind: MessageKind, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            if kind == .binary, role.streamsBinary.last == true {
                for part in [MessagePart.began(kind), .bytes(kind, bytes), .ended(kind)] { run.received(part) }
            } else {
                let message = BorrowedMessage(kind: kind, bytes: bytes)
                withUnsafePointer(to: message) { run.received(UnsafeBufferPointer(start: $0, count: 1)) }
            }
        }
        run.batchEnded()
    }
}
