/// Reads frame headers, strictly (RFC 6455, section 5.2), and refuses a wrong one at its first wrong byte.
struct FrameDecoder {
    /// Whose frames are read: the peer of a client is a server.
    let role: Role
    /// Whether an extension gives RSV1 a meaning on the first frame of a message (RFC 7692, section 6).
    var allowsCompression = false

    /// The header at the front of `bytes` with its size, or nil while it isn't whole.
    ///
    /// - Parameter isInMessage: whether a fragmented message is under way, which decides what opcodes may come.
    func decode(_ bytes: UnsafeRawBufferPointer, isInMessage: Bool) throws(ProtocolError) -> (header: FrameHeader, size: Int)? {
        guard let base = bytes.baseAddress, bytes.count >= 1 else { return nil }
        let first = base.load(fromByteOffset: 0, as: UInt8.self)
        let opcode = try opcode(of: first, isInMessage: isInMessage)
        guard bytes.count >= 2 else { return nil }
        let second = base.load(fromByteOffset: 1, as: UInt8.self)
        let isMasked = second & 0x80 != 0
        guard isMasked == (role == .server) else { throw isMasked ? .maskedFromServer : .unmaskedFromClient }

        var length = UInt64(second & 0x7F)
        var size = 2
        if length >= 126 {
            if opcode.isControl { throw .controlTooLong(opcode) }
            guard let extended = try extendedLength(length, base, bytes.count) else { return nil }
            size = length == 126 ? 4 : 10
            length = extended
        }
        var key: UInt32?
        if isMasked {
            guard bytes.count >= size &+ 4 else { return nil }
            key = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: size, as: UInt32.self))
            size &+= 4
        }
        let header = FrameHeader(
            isFinal: first & 0x80 != 0, reserved: (first &>> 4) & 0x7, opcode: opcode, maskKey: key, payloadLength: length)
        return (header, size)
    }

    /// Checks all that the first byte says: reserved bits, opcode, and whether such a frame may come now (sections 5.2, 5.4 and 5.5).
    @inline(__always)
    private func opcode(of first: UInt8, isInMessage: Bool) throws(ProtocolError) -> Opcode {
        guard let opcode = Opcode(rawValue: first & 0x0F) else { throw .reservedOpcode(first & 0x0F) }
        let reserved = (first &>> 4) & 0x7
        if reserved != 0 { try check(reserved: reserved, opcode: opcode) }
        if opcode.isControl {
            guard first & 0x80 != 0 else { throw .controlFragmented(opcode) }
        } else if isInMessage != (opcode == .continuation) {
            throw isInMessage ? .messageInterrupted(by: opcode) : .continuationOfNothing
        }
        return opcode
    }

    private func check(reserved: UInt8, opcode: Opcode) throws(ProtocolError) {
        guard allowsCompression, reserved == FrameHeader.reserved1, !opcode.isControl else { throw .reservedBits(reserved) }
        if opcode == .continuation { throw .compressedContinuation }
    }

    /// The 16- or 64-bit length after the first two bytes, or nil while it isn't whole.
    @inline(__always)
    private func extendedLength(_ marker: UInt64, _ base: UnsafeRawPointer, _ count: Int) throws(ProtocolError) -> UInt64? {
        if marker == 126 {
            guard count >= 4 else { return nil }
            let length = UInt64(UInt16(bigEndian: base.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            guard length > 125 else { throw .lengthNotMinimal(length) }
            return length
        }
        guard count >= 10 else { return nil }
        let length = UInt64(bigEndian: base.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
        guard length &>> 63 == 0 else { throw .lengthTooLarge(length) }
        guard length > UInt64(UInt16.max) else { throw .lengthNotMinimal(length) }
        return length
    }
}
