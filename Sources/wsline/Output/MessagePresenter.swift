import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// Turns what arrives into the bytes that go to standard output.
struct MessagePresenter {
    private let options: OutputOptions
    private let diagnostics: Diagnostics
    private let binaryForm: OutputOptions.BinaryForm
    private let separator: UInt8
    private let filters: Bool
    /// Whether a text goes out as it came, with a separator behind it: by far the most common case, and the one that has to be fast.
    private let isPlain: Bool

    init(_ options: OutputOptions, isTerminal: Bool, diagnostics: Diagnostics) throws {
        self.options = options
        self.diagnostics = diagnostics
        binaryForm = options.binaryAs ?? (isTerminal ? .dump : .hex)
        separator = options.endsInNUL ? 0 : 0x0A
        filters = isTerminal && !options.allowEscapes
        isPlain = !filters && !options.isJSON && !options.timestamps
    }

    var streamsBinary: Bool { false }

    @inline(__always)
    mutating func append(_ kind: MessageKind, _ payload: RawSpan, to output: inout [UInt8]) {
        payload.withUnsafeBytes { bytes in
            if isPlain, kind == .text {
                output.append(contentsOf: bytes)
                output.append(separator)
            }
        }
    }
    mutating func append(_ part: MessagePart, to output: inout [UInt8]) throws(InputError) {}
    mutating func abandonPart() {}
    mutating func opened(_ socket: WebSocket, into output: inout [UInt8]) {}
    mutating func ping(_ payload: RawSpan, into output: inout [UInt8]) {}
    mutating func pong(_ payload: RawSpan, roundTrip: UInt64?, into output: inout [UInt8]) {}
    mutating func failed(_ error: WebSocketError, into output: inout [UInt8]) {}
    mutating func closed(_ closure: Closure, into output: inout [UInt8]) {}
}
