/// How large a head may be.
public struct HTTPHeadLimits: Hashable, Sendable {
    /// Of the whole head, line ends included, in bytes.
    public var headSize: Int
    /// Of one line without its end, in bytes.
    public var lineLength: Int
    public var fieldCount: Int

    public init(headSize: Int = 65_536, lineLength: Int = 32_768, fieldCount: Int = 128) {
        self.headSize = headSize
        self.lineLength = lineLength
        self.fieldCount = fieldCount
    }
}

/// Reads an HTTP/1 head from bytes that come in arbitrary cuts.
///
/// The grammar is RFC 9112's and strict: a line ends in CR LF, never in LF alone unless asked for; no blank before a colon; no folded lines; no
/// control characters. One leniency: a status line may lack the space after its code when it has no reason phrase, which many servers send. The error
/// comes at the first byte that is wrong, so a peer that speaks something else is found out at once. A byte that would pass a limit is refused before
/// it is stored.
public struct HTTPHeadParser<Head: HTTPHead>: Sendable {
    public enum Progress: Equatable, Sendable {
        /// All of the input belongs to the head, which is not complete.
        case needsMore
        /// The head ends after the first `consumed` bytes of this input; the rest belongs to what follows it. The parser is ready for
        /// another head, as after an interim response.
        case complete(Head, consumed: Int)
    }

    /// What the next byte is part of. `text` holds what has been read of that part.
    private enum State {
        case method, target
        /// The version, of which this many bytes have been read.
        case version(Int)
        case afterVersion
        case statusCode
        case afterStatusCode
        case reason
        case lineStart
        case fieldName
        case beforeValue
        case value
        /// The LF that ends a line, or the head.
        case lineFeed(isLast: Bool)
        case failed(HTTPHeadError)
    }

    private let limits: HTTPHeadLimits
    private let acceptsBareLineFeed: Bool
    private var state: State
    private var parts = HTTPHeadParts()
    private var text: [UInt8] = []
    private var fieldName = ""
    private var offset = 0
    private var lineLength = 0

    /// - Parameter acceptsBareLineFeed: whether a line may end in LF alone, as RFC 9112, section 2.2, allows a recipient to take it.
    public init(limits: HTTPHeadLimits = HTTPHeadLimits(), acceptsBareLineFeed: Bool = false) {
        self.limits = limits
        self.acceptsBareLineFeed = acceptsBareLineFeed
        state = Head.startLineForm == .request ? .method : .version(0)
    }

    /// Takes the next bytes, in any cut. Throws at the first byte that is wrong, and the same again on each later call.
    public mutating func consume(_ bytes: RawSpan) throws(HTTPHeadError) -> Progress {
        try bytes.withUnsafeBytes { (buffer) throws(HTTPHeadError) in
            for (index, byte) in buffer.enumerated() {
                guard try accept(byte) else { continue }
                let head = Head(parts)
                self = HTTPHeadParser(limits: limits, acceptsBareLineFeed: acceptsBareLineFeed)
                return .complete(head, consumed: index + 1)
            }
            return .needsMore
        }
    }

    /// The error of an input that ends here, inside the head.
    public func endOfInput() -> HTTPHeadError {
        if case .failed(let error) = state { return error }
        return HTTPHeadError(reason: .truncated, offset: offset, byte: nil)
    }

    /// Takes one byte; true if it is the head's last.
    private mutating func accept(_ byte: UInt8) throws(HTTPHeadError) -> Bool {
        if case .failed(let error) = state { throw error }
        do throws(HTTPHeadError) {
            if acceptsBareLineFeed, byte == .lf, !isAfterCarriageReturn {
                do throws(HTTPHeadError) { _ = try step(.cr) } catch { throw self.error(error.reason, byte) }
            }
            let isComplete = try step(byte)
            offset += 1
            return isComplete
        } catch {
            state = .failed(error)
            text = []
            throw error
        }
    }

    private var isAfterCarriageReturn: Bool { if case .lineFeed = state { true } else { false } }

    private mutating func step(_ byte: UInt8) throws(HTTPHeadError) -> Bool {
        guard offset < limits.headSize else { throw error(.headTooLarge(limit: limits.headSize), byte) }
        if !isAfterCarriageReturn {
            guard byte == .cr || lineLength < limits.lineLength else { throw error(.lineTooLong(limit: limits.lineLength), byte) }
            lineLength += 1
        }
        switch state {
        case .method, .target, .version, .afterVersion, .statusCode, .afterStatusCode, .reason: try advanceStartLine(byte)
        case .lineStart, .fieldName, .beforeValue, .value: try advanceField(byte)
        case .lineFeed(let isLast):
            guard byte == .lf else { throw error(.bareCarriageReturn, byte) }
            state = .lineStart
            lineLength = 0
            return isLast
        case .failed(let error): throw error
        }
        return false
    }

    private mutating func advanceStartLine(_ byte: UInt8) throws(HTTPHeadError) {
        switch (state, byte) {
        case (.method, .space) where !text.isEmpty:
            parts.method = takeText()
            state = .target
        case (.method, _):
            guard byte.isHTTPTokenCharacter else { throw error(.method, byte) }
            text.append(byte)
        case (.target, .space) where !text.isEmpty:
            parts.target = takeText()
            state = .version(0)
        case (.target, _):
            guard (0x21...0x7e).contains(byte) else { throw error(.target, byte) }
            text.append(byte)
        case (.version(let count), _): try advanceVersion(byte, count)
        case (.afterVersion, .space) where Head.startLineForm == .status: state = .statusCode
        case (.afterVersion, .cr) where Head.startLineForm == .request: state = .lineFeed(isLast: false)
        case (.afterVersion, _): throw lineError(.version, byte)
        case (.statusCode, _):
            guard byte.isASCIIDigit, parts.status > 0 || byte != UInt8(ascii: "0") else { throw lineError(.statusCode, byte) }
            parts.status = parts.status * 10 + Int(byte - UInt8(ascii: "0"))
            if parts.status >= 100 { state = .afterStatusCode }
        case (.afterStatusCode, .space): state = .reason
        case (.afterStatusCode, .cr): state = .lineFeed(isLast: false)
        case (.afterStatusCode, _): throw lineError(.statusCode, byte)
        case (.reason, .cr):
            parts.reason = HTTPHeaders.Field(trustedName: "", rawValue: text).value
            text = []
            state = .lineFeed(isLast: false)
        default:
            guard byte.isHTTPFieldContent else { throw lineError(.reasonPhrase, byte) }
            text.append(byte)
        }
    }

    private mutating func advanceVersion(_ byte: UInt8, _ count: Int) throws(HTTPHeadError) {
        let pattern = Array("HTTP/#.#".utf8)
        let isValid = pattern[count] == UInt8(ascii: "#") ? byte.isASCIIDigit : byte == pattern[count]
        guard isValid else { throw lineError(.version, byte) }
        text.append(byte)
        state = .version(count + 1)
        guard text.count == pattern.count else { return }
        parts.version = HTTPVersion(major: text[5] - UInt8(ascii: "0"), minor: text[7] - UInt8(ascii: "0"))
        text = []
        state = .afterVersion
    }

    private mutating func advanceField(_ byte: UInt8) throws(HTTPHeadError) {
        switch (state, byte) {
        case (.lineStart, .cr): state = .lineFeed(isLast: true)
        case (.lineStart, _):
            if byte.isHTTPBlank { throw error(.foldedLine, byte) }
            if byte == .colon { throw error(.emptyFieldName, byte) }
            guard byte.isHTTPTokenCharacter else { throw lineError(.fieldName, byte) }
            guard parts.headers.fields.count < limits.fieldCount else { throw error(.tooManyFields(limit: limits.fieldCount), byte) }
            text.append(byte)
            state = .fieldName
        case (.fieldName, .colon):
            fieldName = takeText()
            state = .beforeValue
        case (.fieldName, _):
            if byte.isHTTPBlank { throw error(.blankBeforeColon, byte) }
            if byte == .cr { throw error(.missingColon, byte) }
            guard byte.isHTTPTokenCharacter else { throw lineError(.fieldName, byte) }
            text.append(byte)
        case (_, .cr):
            while text.last?.isHTTPBlank == true { text.removeLast() }
            parts.headers.append(HTTPHeaders.Field(trustedName: fieldName, rawValue: text))
            text = []
            state = .lineFeed(isLast: false)
        case (.beforeValue, _) where byte.isHTTPBlank: break
        default:
            guard byte.isHTTPFieldContent else { throw lineError(.fieldValue, byte) }
            text.append(byte)
            state = .value
        }
    }

    private mutating func takeText() -> String {
        defer { text = [] }
        return String(decoding: text, as: UTF8.self)
    }

    private func error(_ reason: HTTPHeadError.Reason, _ byte: UInt8) -> HTTPHeadError {
        HTTPHeadError(reason: reason, offset: offset, byte: byte)
    }

    /// A line feed in a wrong place is most of all a line end without its carriage return.
    private func lineError(_ reason: HTTPHeadError.Reason, _ byte: UInt8) -> HTTPHeadError {
        error(byte == .lf && offset > 0 ? .bareLineFeed : reason, byte)
    }
}
