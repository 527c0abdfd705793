import CZlib

/// What compression on one connection was agreed to be, from our side of it (RFC 7692, section 7.1).
struct CompressionSettings: Equatable, Sendable {
    /// Base-2 logarithm of the window that we compress with, 8…15.
    var sendWindowBits = 15
    /// Whether each message that we send starts from an empty window.
    var sendResets = false
    /// Whether each message that the peer sends starts from an empty window.
    var receiveResets = false
    /// zlib's level, 0…9.
    var level = 6
    /// Messages below this many bytes are sent as they are.
    var threshold = 64
}

/// A zlib stream, at an address that stays, as zlib asks for.
private final class ZStream {
    let pointer: UnsafeMutablePointer<z_stream>
    private let end: (UnsafeMutablePointer<z_stream>) -> Void

    init?(start: (UnsafeMutablePointer<z_stream>) -> Int32, end: @escaping (UnsafeMutablePointer<z_stream>) -> Void) {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: z_stream())
        self.end = end
        guard start(pointer) == Z_OK else {
            pointer.deallocate()
            return nil
        }
    }

    deinit {
        end(pointer)
        pointer.deallocate()
    }
}

/// Inflates the messages of one direction, piece by piece (RFC 7692, section 7.2.2). Memory is taken with the first compressed
/// message, and held between messages only where the window is carried over.
struct Inflater: ~Copyable {
    private let settings: CompressionSettings
    private var stream: ZStream?

    init(_ settings: CompressionSettings) { self.settings = settings }

    /// Inflates from `input` into `output` until one of them is used up; returns what was consumed and what was produced.
    mutating func inflate(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(ProtocolError) -> (consumed: Int, produced: Int) {
        if stream == nil {
            // Raw deflate with the largest window: a peer that compresses with a smaller one fits in it.
            stream = ZStream(start: { wsline_inflateInit2($0, -15) }, end: { _ = CZlib.inflateEnd($0) })
        }
        guard let z = stream?.pointer else { throw .invalidCompressedData("zlib has no memory") }
        let offered = min(input.count, Int(UInt32.max))
        let room = min(output.count, Int(UInt32.max))
        z.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        z.pointee.avail_in = UInt32(offered)
        z.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
        z.pointee.avail_out = UInt32(room)
        loop: while z.pointee.avail_in > 0 || z.pointee.avail_out > 0 {
            let before = (z.pointee.avail_in, z.pointee.avail_out)
            switch CZlib.inflate(z, Z_SYNC_FLUSH) {
            case Z_OK: if z.pointee.avail_out == 0 || z.pointee.avail_in == 0 { break loop }
            case Z_STREAM_END:
                // A final block ends zlib's stream, not the message (section 7.2.3.4): go on with the same window.
                guard CZlib.inflateResetKeep(z) == Z_OK else { throw .invalidCompressedData("zlib can't go on after a final block") }
                if z.pointee.avail_in == 0 { break loop }
            case Z_BUF_ERROR: break loop
            case Z_MEM_ERROR: throw .invalidCompressedData("zlib has no memory")
            default: throw .invalidCompressedData(z.pointee.msg.map { String(cString: $0) } ?? "the data is corrupt")
            }
            if before == (z.pointee.avail_in, z.pointee.avail_out) { break }
        }
        return (offered - Int(z.pointee.avail_in), room - Int(z.pointee.avail_out))
    }

    /// Ends a message, after `tail`: the window is dropped where the peer starts each message afresh.
    ///
    /// The tail ends an empty block. Where zlib isn't between two blocks now, it took the tail for data of a block that was cut off.
    mutating func endMessage() throws(ProtocolError) {
        guard let z = stream?.pointer, z.pointee.data_type & 128 != 0 else {
            throw .invalidCompressedData("the message ends within a block")
        }
        if settings.receiveResets { stream = nil }
    }

    /// What a sender strips from the end of each message (section 7.2.1): 00 00 FF FF.
    static let tail = UInt32(bigEndian: 0x0000_FFFF)
}

/// Deflates the messages of one direction (RFC 7692, section 7.2.1).
struct Deflater: ~Copyable {
    private let settings: CompressionSettings
    private var stream: ZStream?

    init(_ settings: CompressionSettings) { self.settings = settings }

    /// Appends `input`, deflated and flushed to a byte boundary, to `output`. With `isFinal` the four bytes of the empty block that the
    /// flush ends with are left out.
    mutating func deflate(_ input: UnsafeRawBufferPointer, isFinal: Bool, to output: inout ByteBuffer) throws(UsageError) {
        if stream == nil {
            // zlib can't deflate with a window of 256 bytes; with 512 it never reaches back more than 250, which such a window holds.
            let bits = Int32(-max(settings.sendWindowBits, 9))
            let level = Int32(settings.level)
            stream = ZStream(start: { wsline_deflateInit2($0, level, bits) }, end: { _ = CZlib.deflateEnd($0) })
        }
        guard let z = stream?.pointer else { throw .noMemoryToCompress }
        var rest = input
        repeat {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Int(UInt32.max)))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
            z.pointee.next_in = UnsafeMutablePointer(mutating: piece.bindMemory(to: UInt8.self).baseAddress)
            z.pointee.avail_in = UInt32(piece.count)
            repeat {
                let room = output.spare(atLeast: max(64, min(Int(z.pointee.avail_in) / 2, 1 << 20)))
                let offered = min(room.count, Int(UInt32.max))
                z.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
                z.pointee.avail_out = UInt32(offered)
                _ = CZlib.deflate(z, rest.isEmpty ? Z_SYNC_FLUSH : Z_NO_FLUSH)
                output.commit(offered - Int(z.pointee.avail_out))
            } while z.pointee.avail_out == 0
        } while !rest.isEmpty
        if isFinal { endMessage(&output) }
    }

    private mutating func endMessage(_ output: inout ByteBuffer) {
        // An empty flush emits nothing the second time round: such a message is a single zero byte (section 7.2.3.6).
        let size = MemoryLayout.size(ofValue: Inflater.tail)
        if output.count >= size, output.bytes.loadUnaligned(fromByteOffset: output.count - size, as: UInt32.self) == Inflater.tail {
            output.removeLast(size)
        }
        if output.isEmpty { withUnsafeBytes(of: UInt8(0)) { output.append($0) } }
        if settings.sendResets { stream = nil }
    }
}
