import LineTerminal
import Synchronization
import WebSocketProtocol
import WebSocketTransport
import CPosix

/// What the program's exit status means to scripts. The numbers are a contract (`Docs/usage.md`).
enum ExitStatus: Int32, Error, CaseIterable {
    /// Closed normally (1000, 1001, 1005), or as `--expect-close` asked.
    case success = 0
    case failure = 1
    case nameResolution = 2
    case connecting = 3
    case tls = 4
    case proxy = 5
    /// The opening handshake was refused or wrong.
    case handshake = 6
    /// The peer broke the protocol.
    case protocolBreach = 7
    /// A timeout, or what was awaited did not come.
    case timeout = 8
    /// The connection was lost with no Close (1006).
    case lost = 9
    /// The peer closed with an error code.
    case closedWithError = 10
    case usage = 64
    case badInput = 65
    case localIO = 74
    case hungUp = 129
    case interrupted = 130
    case terminated = 143
}

extension ExitStatus {
    init(_ error: TransportError) {
        if error.kind == .timedOut {
            self = .timeout
            return
        }
        switch error.stage {
        case .name: self = .nameResolution
        case .connect: self = .connecting
        case .proxy: self = .proxy
        case .tls: self = error.kind == .file ? .localIO : .tls
        case .stream: self = .lost
        case .listen: self = .localIO
        }
    }

    init(_ error: WebSocketError) {
        switch error {
        case .transport(let error): self = ExitStatus(error)
        case .openingTimedOut, .breach(.keepAliveTimeout): self = .timeout
        case .refused(let refusal): self = refusal.isFromTLSServer ? .tls : .handshake
        // A limit of ours isn't the peer's fault.
        case .breach(.messageTooBig), .breach(.outOfMemory): self = .failure
        case .breach: self = .protocolBreach
        case .lost, .closingTimedOut: self = .lost
        }
    }

    /// What a run ends with that SIGINT, SIGTERM or SIGHUP ended.
    init(signal: Int32) { self = signal == SIGINT ? .interrupted : signal == SIGTERM ? .terminated : .hungUp }

    /// What a connection's end means if no error came before it.
    init(_ closure: Closure) {
        if let failure = closure.failure {
            self = ExitStatus(.breach(failure))
        } else if closure.code == .abnormal {
            self = .lost
        } else if [.normal, .goingAway, .noStatus].contains(closure.code) || closure.isByUs && closure.code == closure.sent?.code {
            self = .success
        } else {
            self = .closedWithError
        }
    }
}

extension ExitStatus {
    /// Writes what waits for standard error, as far as it takes that within a second, restores the terminal's modes, and ends the process.
    ///
    /// No exit handlers run: other threads may still use what those would tear down. Of several threads the first decides the status.
    func leave() -> Never {
        guard !Self.isLeaving.exchange(true, ordering: .acquiringAndReleasing) else { while true { pause() } }
        ErrorOutput.standard.finish(within: 1)
        TerminalModes.restore()
        _exit(rawValue)
    }

    private static let isLeaving = Atomic(false)
}
