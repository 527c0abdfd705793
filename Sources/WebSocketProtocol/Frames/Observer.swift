/// A frame as it went over the wire, in either direction, for somebody who watches (`Connection.observeFrames`).
///
/// The bytes are borrowed for the length of the call.
public struct ObservedFrame {
    public enum Direction: Sendable { case sent, received }

    public var direction: Direction
    public var isFinal: Bool
    /// RSV1, RSV2 and RSV3 as bits 2, 1 and 0.
    public var reserved: UInt8
    /// As it stands in the header, known or not (RFC 6455, section 5.2).
    public var opcode: UInt8
    /// The masking key, its first byte lowest; nil if the frame isn't masked.
    public var maskKey: UInt32?
    /// Bytes of payload that the header announces.
    public var length: UInt64
    /// Bytes that the payload is when inflated; nil if it isn't compressed.
    public var inflatedLength: UInt64?
    /// The frame's place in its message, from 1; nil for control frames.
    public var place: Int?
    /// What the message carries that the frame is part of; nil for other frames.
    public var kind: MessageKind?
    /// The first bytes of the payload, unmasked and inflated; at most `Connection.observedBytes`.
    public var payload = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The rule that the peer broke with it.
    public var breach: ProtocolError?
    /// With a breach: the frame as it came, or as much of it as there is, and at most `Connection.observedBytes`.
    public var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
}

/// Puts together what an observer is shown of each frame.
///
/// A connection that nobody watches has none, and does no work for it.
final class FrameWatch {
    private let observer: (ObservedFrame) -> Void
    /// The header of the frame that is being received.
    private var header: FrameHeader?
    /// The first bytes of that frame as they came, except that the payload is unmasked.
    private var bytes: [UInt8] = []
    private var headerSize = 0
    /// The first bytes of its payload, inflated.
    private var payload: [UInt8] = []
    private var inflatedLength: UInt64 = 0
    private var isInflating = false
    /// What is wrong with the next frame to be shown, and tolerated, with its first byte as it came.
    private var tolerated: (error: ProtocolError, first: UInt8)?
    private var received = Position()
    private var sent = Position()

    /// Where one direction is within its messages.
    private struct Position {
        var place = 0
        var kind: MessageKind?
        var isCompressed = false

        /// Takes the next frame's opcode; returns its place and kind, which control frames have not.
        mutating func advance(_ opcode: UInt8, _ reserved: UInt8) -> (place: Int?, kind: MessageKind?) {
            guard opcode & 0x8 == 0 else { return (nil, nil) }
            if opcode == Opcode.continuation.rawValue {
                place &+= 1
            } else {
                (place, kind) = (1, MessageKind(rawValue: opcode))
                isCompressed = reserved & FrameHeader.reserved1 != 0
            }
            return (place, kind)
        }
    }

    init(_ observer: @escaping (ObservedFrame) -> Void) {
        self.observer = observer
        payload.reserveCapacity(Connection.observedBytes)
        bytes.reserveCapacity(Connection.observedBytes)
    }

    // MARK: Received

    func began(_ header: FrameHeader, _ headerBytes: UnsafeRawBufferPointer, isInflating: Bool) {
        self.header = header
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: headerBytes)
        headerSize = headerBytes.count
        payload.removeAll(keepingCapacity: true)
        inflatedLength = 0
        self.isInflating = isInflating
    }

    /// Payload of the frame under way, unmasked, and not inflated yet.
    func receivedWire(_ chunk: UnsafeRawBufferPointer) { bytes.append(contentsOf: chunk.prefix(Connection.observedBytes - bytes.count)) }

    /// Payload of the frame under way, unmasked and inflated.
    func received(_ chunk: UnsafeRawBufferPointer) {
        inflatedLength &+= UInt64(chunk.count)
        payload.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk.prefix(Connection.observedBytes - payload.count)))
    }

    /// The frame under way is whole.
    ///
    /// - Parameter breach: the rule that it breaks, and that is tolerated.
    func ended(_ breach: ProtocolError? = nil) {
        guard let header else { return }
        self.header = nil
        show(header, breach: breach)
    }

    /// The frame that comes next breaks a rule, and is taken all the same.
    ///
    /// - Parameter first: its first byte as it came.
    func tolerate(_ error: ProtocolError, _ first: UInt8) { tolerated = (error, first) }

    /// What was received breaks a rule: the frame under way, or the one that `input` begins with.
    func broke(_ error: ProtocolError, _ input: UnsafeRawBufferPointer) {
        if let header {
            self.header = nil
            return show(header, breach: error)
        }
        guard !input.isEmpty else { return }
        let header = UncheckedHeader(input)
        let size = header.length.addingReportingOverflow(UInt64(header.size))
        let shown = min(Connection.observedBytes, size.overflow ? .max : Int(clamping: size.partialValue))
        let bytes = UnsafeRawBufferPointer(rebasing: input.prefix(shown))
        observer(
            ObservedFrame(
                direction: .received, isFinal: header.isFinal, reserved: header.reserved, opcode: header.opcode, maskKey: header.maskKey,
                length: header.length, breach: error, bytes: bytes))
    }

    private func show(_ header: FrameHeader, breach: ProtocolError?) {
        let position = received.advance(header.opcode.rawValue, header.reserved)
        var frame = ObservedFrame(.received, header, position)
        frame.inflatedLength = isInflating ? inflatedLength : nil
        var breach = breach
        if let tolerated {
            self.tolerated = nil
            breach = breach ?? tolerated.error
            (frame.isFinal, frame.reserved, frame.opcode) = (
                tolerated.first & 0x80 != 0, tolerated.first >> 4 & 0x7, tolerated.first & 0xF
            )
        }
        if breach != nil { restoreBytes(header) }
        payload.withUnsafeBytes { payload in
            bytes.withUnsafeBytes { bytes in
                frame.payload = payload
                if let breach {
                    frame.breach = breach
                    frame.bytes = bytes
                }
                observer(frame)
            }
        }
    }

    /// Makes of `bytes` what was on the wire.
    private func restoreBytes(_ header: FrameHeader) {
        if !isInflating { bytes.append(contentsOf: payload.prefix(Connection.observedBytes - bytes.count)) }
        guard let key = header.maskKey else { return }
        bytes.withUnsafeMutableBytes { Masking.apply(key, to: UnsafeMutableRawBufferPointer(rebasing: $0[headerSize...])) }
    }

    // MARK: Sent

    /// - Parameter plain: the payload before it was compressed; nil if it wasn't.
    func sent(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, plain: UnsafeRawBufferPointer?) {
        var frame = ObservedFrame(.sent, header, sent.advance(header.opcode.rawValue, header.reserved))
        frame.inflatedLength = plain.map { UInt64($0.count) }
        // A message that was compressed, and then cut, is shown with its first frame.
        let isRest = header.opcode == .continuation && sent.isCompressed && plain == nil
        if !isRest { frame.payload = UnsafeRawBufferPointer(rebasing: (plain ?? payload).prefix(Connection.observedBytes)) }
        observer(frame)
    }

    func sent(_ frame: RawFrame) {
        let position = sent.advance(frame.opcode & 0xF, frame.reserved)
        frame.observed {
            var shown = $0
            (shown.place, shown.kind) = position
            observer(shown)
        }
    }
}

extension ObservedFrame {
    fileprivate init(_ direction: Direction, _ header: FrameHeader, _ position: (place: Int?, kind: MessageKind?)) {
        self.init(
            direction: direction, isFinal: header.isFinal, reserved: header.reserved, opcode: header.opcode.rawValue,
            maskKey: header.maskKey, length: header.payloadLength, place: position.place, kind: position.kind)
    }
}

extension Connection {
    /// How much of a payload an observer is shown; bytes.
    public static let observedBytes = 64

    /// Whether somebody observes the frames.
    public var isObserved: Bool { watch != nil }

    /// Has `observer` called with each frame that is sent or received from now on, in order: with one that is received once it is whole, or at its
    /// breach of the rules. nil ends that.
    public mutating func observeFrames(_ observer: ((ObservedFrame) -> Void)?) { watch = observer.map(FrameWatch.init) }
}
