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
    /// The first bytes of the payload, unmasked and inflated; at most `Connection.observedBytes`.
    public var payload = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The rule that the peer broke with it; the connection is failed.
    public var breach: ProtocolError?
    /// With a breach: the header as it came, or as much of it as there is.
    public var header = UnsafeRawBufferPointer(start: nil, count: 0)
}

/// Puts together what an observer is shown of each frame.
///
/// A connection that nobody watches has none, and does no work for it.
final class FrameWatch {
    private let observer: (ObservedFrame) -> Void
    /// The header of the frame that is being received.
    private var header: FrameHeader?
    private var headerBytes: [UInt8] = []
    private var payload: [UInt8] = []
    private var inflatedLength: UInt64 = 0
    private var isInflating = false
    private var placeReceived = 0
    private var placeSent = 0

    init(_ observer: @escaping (ObservedFrame) -> Void) {
        self.observer = observer
        payload.reserveCapacity(Connection.observedBytes)
    }

    // MARK: Received

    func began(_ header: FrameHeader, _ bytes: UnsafeRawBufferPointer, isInflating: Bool) {
        self.header = header
        headerBytes = Array(bytes)
        payload.removeAll(keepingCapacity: true)
        inflatedLength = 0
        self.isInflating = isInflating
    }

    /// Payload of the frame under way, unmasked and inflated.
    func received(_ bytes: UnsafeRawBufferPointer) {
        inflatedLength &+= UInt64(bytes.count)
        payload.append(contentsOf: bytes.prefix(Connection.observedBytes - payload.count))
    }

    /// The frame under way is whole, and keeps the rules.
    func ended() {
        guard let header else { return }
        self.header = nil
        show(header, breach: nil)
    }

    /// What was received breaks a rule: the frame under way, or the header that `input` begins with.
    func broke(_ error: ProtocolError, _ input: UnsafeRawBufferPointer) {
        if let header {
            self.header = nil
            return show(header, breach: error)
        }
        guard let first = input.first else { return }
        observer(
            ObservedFrame(
                direction: .received, isFinal: first & 0x80 != 0, reserved: first >> 4 & 0x7, opcode: first & 0xF,
                length: FrameHeader.announcedLength(input), breach: error,
                header: UnsafeRawBufferPointer(rebasing: input.prefix(FrameHeader.maximumSize))))
    }

    private func show(_ header: FrameHeader, breach: ProtocolError?) {
        var frame = ObservedFrame(.received, header, place: Self.place(of: header, after: &placeReceived))
        frame.inflatedLength = isInflating ? inflatedLength : nil
        frame.breach = breach
        payload.withUnsafeBytes { payload in
            headerBytes.withUnsafeBytes { bytes in
                frame.payload = payload
                if breach != nil { frame.header = bytes }
                observer(frame)
            }
        }
    }

    private static func place(of header: FrameHeader, after last: inout Int) -> Int? {
        guard !header.opcode.isControl else { return nil }
        last = header.opcode == .continuation ? last + 1 : 1
        return last
    }

    // MARK: Sent

    /// - Parameter plain: the payload before it was compressed; nil if it wasn't.
    func sent(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, plain: UnsafeRawBufferPointer?) {
        var frame = ObservedFrame(.sent, header, place: Self.place(of: header, after: &placeSent))
        frame.inflatedLength = plain.map { UInt64($0.count) }
        frame.payload = UnsafeRawBufferPointer(rebasing: (plain ?? payload).prefix(Connection.observedBytes))
        observer(frame)
    }

    func sent(_ frame: RawFrame) {
        frame.payload.withUnsafeBytes { bytes in
            observer(
                ObservedFrame(
                    direction: .sent, isFinal: frame.isFinal, reserved: frame.reserved, opcode: frame.opcode, maskKey: frame.maskKey,
                    length: frame.announcedLength, payload: UnsafeRawBufferPointer(rebasing: bytes.prefix(Connection.observedBytes))))
        }
    }
}

extension ObservedFrame {
    fileprivate init(_ direction: Direction, _ header: FrameHeader, place: Int?) {
        self.init(
            direction: direction, isFinal: header.isFinal, reserved: header.reserved, opcode: header.opcode.rawValue,
            maskKey: header.maskKey, length: header.payloadLength, place: place)
    }
}

extension Connection {
    /// How much of a payload an observer is shown; bytes.
    public static let observedBytes = 64

    /// Has `observer` called with each frame that is sent or received from now on, in order: with one that is received once it is whole, or at its
    /// breach of the rules. nil ends that.
    public mutating func observeFrames(_ observer: ((ObservedFrame) -> Void)?) { watch = observer.map(FrameWatch.init) }
}
