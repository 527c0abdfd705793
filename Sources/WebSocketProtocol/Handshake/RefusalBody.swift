/// How the body of a refusal ends (RFC 9112, section 6.3).
enum RefusalBody: Sendable {
    /// After so many more bytes.
    case length(Int)
    case chunked(ChunkedDecoder)
    case untilEnd

    init(of response: HTTPResponseHead) {
        if response.headers.contains("Transfer-Encoding") {
            let isChunked = response.headers.tokens(of: "Transfer-Encoding")?.last?.equalsIgnoringASCIICase("chunked") == true
            self = isChunked ? .chunked(ChunkedDecoder()) : .untilEnd
        } else if response.status == 204 || response.status == 304 {
            self = .length(0)
        } else if let value = response.headers["Content-Length"], let count = Int(value), count >= 0 {
            self = .length(count)
        } else {
            self = .untilEnd
        }
    }

    var isComplete: Bool {
        switch self {
        case .length(let left): left == 0
        case .chunked(let decoder): decoder.isComplete
        case .untilEnd: false
        }
    }

    /// Appends what `bytes` hold of the body, as long as that has fewer than `limit` bytes.
    mutating func append(_ bytes: UnsafeRawBufferPointer, to body: inout [UInt8], limit: Int) {
        switch self {
        case .length(let left):
            let taken = bytes.prefix(min(left, limit - body.count))
            body += taken
            self = .length(left - taken.count)
        case .chunked(var decoder):
            for byte in bytes where body.count < limit {
                if decoder.accept(byte) { body.append(byte) }
            }
            self = .chunked(decoder)
        case .untilEnd: body += bytes.prefix(limit - body.count)
        }
    }
}

/// Takes a body's content out of its chunks (RFC 9112, section 7.1). Extensions and trailers are skipped. From the first byte that breaks the
/// coding on, everything is content, since somebody wants to see it.
struct ChunkedDecoder: Sendable {
    private enum State {
        /// The size so far, and how many digits it has.
        case size(Int, digits: Int)
        case chunkExtension(Int)
        case sizeLineFeed(Int)
        /// So many bytes are left.
        case data(Int)
        case dataCarriageReturn
        case dataLineFeed
        case trailer(lineIsEmpty: Bool)
        case complete
        case broken
    }

    private var state = State.size(0, digits: 0)

    var isComplete: Bool { if case .complete = state { true } else { false } }

    /// Takes the next byte; returns whether it is content.
    mutating func accept(_ byte: UInt8) -> Bool {
        switch (state, byte) {
        case (.size(let size, let digits), _):
            if let digit = Hex.value(of: byte), digits < 15 {
                state = .size(size << 4 | Int(digit), digits: digits + 1)
            } else if digits > 0, byte == .cr {
                state = .sizeLineFeed(size)
            } else if digits > 0, byte == UInt8(ascii: ";") || byte.isHTTPBlank {
                state = .chunkExtension(size)
            } else {
                return breakOff()
            }
        case (.chunkExtension(let size), .cr): state = .sizeLineFeed(size)
        case (.chunkExtension, _) where byte != .lf: break
        case (.sizeLineFeed(let size), .lf): state = size == 0 ? .trailer(lineIsEmpty: true) : .data(size)
        case (.data(let left), _):
            state = left == 1 ? .dataCarriageReturn : .data(left - 1)
            return true
        case (.dataCarriageReturn, .cr): state = .dataLineFeed
        case (.dataLineFeed, .lf): state = .size(0, digits: 0)
        case (.trailer(let lineIsEmpty), .lf): state = lineIsEmpty ? .complete : .trailer(lineIsEmpty: true)
        case (.trailer, .cr): break
        case (.trailer, _): state = .trailer(lineIsEmpty: false)
        case (.complete, _): break
        default: return breakOff()
        }
        return false
    }

    private mutating func breakOff() -> Bool {
        state = .broken
        return true
    }
}
