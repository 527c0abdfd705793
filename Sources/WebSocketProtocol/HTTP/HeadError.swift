/// Why bytes are no HTTP head, and where.
public struct HTTPHeadError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case version, statusCode, reasonPhrase, method, target
        case fieldName
        /// A line without a name: it starts with its colon.
        case emptyFieldName
        case blankBeforeColon
        /// A line's end came before its colon.
        case missingColon
        /// A line that starts with a blank: a folded field, obsolete and refused (RFC 9112, section 5.2).
        case foldedLine
        case fieldValue
        /// CR without LF.
        case bareCarriageReturn
        /// LF without CR. RFC 9112, section 2.2, would let a recipient take it; wsline doesn't.
        case bareLineFeed
        case headTooLarge(limit: Int)
        case lineTooLong(limit: Int)
        case tooManyFields(limit: Int)
        /// The bytes ended inside the head.
        case truncated
    }

    public var reason: Reason
    /// Where the wrong byte stands, or where one is missing, counted from 0 at the head's first byte; the description counts from 1.
    public var offset: Int
    /// The wrong byte; none for ``Reason/truncated``.
    public var byte: UInt8?

    public var description: String {
        let found = byte.map { "found \($0.quoted) at byte \(offset + 1)" } ?? "after \(offset) bytes"
        return switch reason {
        case .version: "the HTTP version is wrong: expected HTTP/ and a version such as 1.1, \(found)"
        case .statusCode: "the status code is wrong: expected three digits from 100, \(found)"
        case .reasonPhrase: "the reason phrase is wrong: \(found)"
        case .method: "the method is wrong: expected a token such as GET, \(found)"
        case .target: "the request target is wrong: expected visible ASCII, \(found)"
        case .fieldName: "a header name is wrong: \(found)"
        case .emptyFieldName: "a header line starts with its colon at byte \(offset + 1)"
        case .blankBeforeColon: "a header name is followed by a blank at byte \(offset + 1), where only a colon may stand"
        case .missingColon: "a header line ends at byte \(offset + 1) without a colon"
        case .foldedLine: "a header line starts with a blank at byte \(offset + 1): folded headers are obsolete and refused"
        case .fieldValue: "a header value is wrong: \(found)"
        case .bareCarriageReturn: "a carriage return is not followed by a line feed: \(found)"
        case .bareLineFeed: "a line ends in a line feed alone at byte \(offset + 1), where CR LF is required"
        case .headTooLarge(let limit): "the HTTP head is larger than \(limit) bytes"
        case .lineTooLong(let limit): "a line of the HTTP head is longer than \(limit) bytes, up to byte \(offset + 1)"
        case .tooManyFields(let limit): "the HTTP head has more than \(limit) headers"
        case .truncated where offset == 0: "the connection was closed before an HTTP head came"
        case .truncated: "the connection was closed inside the HTTP head, after \(offset) bytes"
        }
    }

    /// What a first byte that no HTTP peer sends gives away.
    public var hint: String? {
        switch (reason, offset, byte) {
        case (.method, 0, 0x16): "the client speaks TLS, and this port does not"
        case (.version, 0, _): "this port does not speak HTTP"
        default: nil
        }
    }
}
