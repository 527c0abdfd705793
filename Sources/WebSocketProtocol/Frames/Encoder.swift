/// Writes frames, headers in their shortest form (RFC 6455, section 5.2).
enum FrameEncoder {
    /// Appends a frame to `buffer`; its payload is masked on the way if `header.maskKey` is set.
    /// The header's length is what is announced; it is the caller's to keep equal to `payload.count`.
    static func append(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        let room = buffer.spare(atLeast: FrameHeader.maximumSize + payload.count)
        guard let base = room.baseAddress else { return }
        buffer.commit(write(header, payload, to: base))
    }

    /// Writes a frame at `base`, which has room for 14 bytes more than the payload; returns its size.
    @inline(__always)
    static func write(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, to base: UnsafeMutableRawPointer) -> Int {
        let size = write(header, to: base)
        if let source = payload.baseAddress, payload.count > 0 {
            if let key = header.maskKey {
                Masking.copy(source, to: base + size, count: payload.count, key: key)
            } else {
                (base + size).copyMemory(from: source, byteCount: payload.count)
            }
        }
        return size &+ payload.count
    }

    /// Writes `header` at `base`, which has room for 14 bytes; returns its size.
    @inline(__always)
    static func write(_ header: FrameHeader, to base: UnsafeMutableRawPointer) -> Int {
        let first = (header.isFinal ? 0x80 : 0) | header.reserved &<< 4 | header.opcode.rawValue
        let mask: UInt8 = header.maskKey == nil ? 0 : 0x80
        var size = 2
        base.storeBytes(of: first, as: UInt8.self)
        switch header.payloadLength {
        case ...125:
            base.storeBytes(of: mask | UInt8(truncatingIfNeeded: header.payloadLength), toByteOffset: 1, as: UInt8.self)
        case ...UInt64(UInt16.max):
            base.storeBytes(of: mask | 126, toByteOffset: 1, as: UInt8.self)
            base.storeBytes(of: UInt16(truncatingIfNeeded: header.payloadLength).bigEndian, toByteOffset: 2, as: UInt16.self)
            size = 4
        default:
            base.storeBytes(of: mask | 127, toByteOffset: 1, as: UInt8.self)
            base.storeBytes(of: header.payloadLength.bigEndian, toByteOffset: 2, as: UInt64.self)
            size = 10
        }
        if let key = header.maskKey {
            base.storeBytes(of: key.littleEndian, toByteOffset: size, as: UInt32.self)
            size &+= 4
        }
        return size
    }
}
