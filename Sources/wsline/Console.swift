import LineTerminal
import WebSocketTransport

/// Where a person or a pipe meets a run: messages in, and what arrives out.
@EventLoop
protocol Console: AnyObject {
    var output: any MessageOutput { get }
    /// For answers to commands, and for errors in what was typed.
    var diagnostics: Diagnostics { get }
    /// How a conversation marks what comes in; nil for payloads alone.
    var style: Style? { get }
    /// Called once, before anything else.
    func start(_ run: Run)
    /// Input has somewhere to go from now on, or somewhere else.
    func attach(_ peer: any Peer)
    /// Goes on with the input, if there is room and nothing that it asked for before is still to be done.
    func resumeInput()
    func suspendInput()
    /// Gives up the rest of the input.
    func cancelInput()
    /// Why a command failed after it seemed done.
    func commandFailed(_ why: String)
    /// Ends the process.
    func leave(_ status: ExitStatus)
}

/// Where messages are written: gathered in `buffer`, then flushed.
@EventLoop
protocol MessageOutput: AnyObject {
    var buffer: [UInt8] { get set }
    /// Whether the reader is slow, and nothing more should come until `onDrain`.
    var isBlocked: Bool { get }
    var onDrain: (() -> Void)? { get set }
    /// Nothing more can be written; the errno.
    var onFailure: ((Int32) -> Void)? { get set }
    func flush()
}

extension OutputDescriptor: MessageOutput {}
