import TestSupport
import Testing

@testable import WebSocketProtocol

@Suite struct HTTPHeadParserTests {
    static let response =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-Empty:\r\nX-Blank: \t \r\nX-Pad:\t a  b \t\r\nx-empty: again\r\n\r\n"
    static let rest: [UInt8] = [0x81, 0x05, 0x0d, 0x0a, 0x00]

    private func parse<Head: HTTPHead>(
        _ bytes: [UInt8], with parser: HTTPHeadParser<Head>, cuts: [Int] = []
    ) throws(HTTPHeadError) -> (head: Head, consumed: Int)? {
        var parser = parser
        var start = 0
        for end in cuts + [bytes.count] {
            let piece = Array(bytes[start..<end])
            if case .complete(let head, let consumed) = try parser.consume(piece.span.bytes) { return (head, start + consumed) }
            start = end
        }
        return nil
    }

    private func parse(
        _ bytes: [UInt8], limits: HTTPHeadLimits = .init(), cuts: [Int] = []
    ) throws(HTTPHeadError) -> (head: HTTPResponseHead, consumed: Int)? {
        try parse(bytes, with: HTTPHeadParser(limits: limits), cuts: cuts)
    }

    private func failure(_ text: String) -> HTTPHeadError? { failure(text, of: HTTPHeadParser<HTTPResponseHead>()) }

    private func failure(_ text: String, of parser: HTTPHeadParser<some HTTPHead>) -> HTTPHeadError? {
        do throws(HTTPHeadError) {
            _ = try parse(Array(text.utf8), with: parser)
            return nil
        } catch {
            return error
        }
    }

    @Test("a response head is read whole, and what follows it is left (RFC 9112, section 4)")
    func whole() throws {
        let (head, consumed) = try #require(try parse(Array(Self.response.utf8) + Self.rest))
        #expect(consumed == Self.response.utf8.count)
        #expect(head.status == 101 && head.reason == "Switching Protocols" && head.version == .http1_1)
        #expect(head.headers.fields.map(\.name) == ["Upgrade", "X-Empty", "X-Blank", "X-Pad", "x-empty"])
        #expect(head.headers.values(of: "X-EMPTY") == ["", "again"])
        #expect(head.headers["x-blank"] == "")
        #expect(head.headers["x-pad"] == "a  b")
    }

    @Test("every cut of a head gives the same result: byte by byte, at each place, and at random ones")
    func cuts() throws {
        let bytes = Array(Self.response.utf8) + Self.rest
        let expected = try #require(try parse(bytes))
        var generator = SeededGenerator(seed: 1)
        var cuts = (0...bytes.count).map { [$0] } + [Array(1..<bytes.count)]
        for _ in 0..<200 {
            cuts.append(
                (0..<Int.random(in: 1...12, using: &generator)).map { _ in Int.random(in: 0...bytes.count, using: &generator) }.sorted())
        }
        for cut in cuts {
            let result = try #require(try parse(bytes, cuts: cut))
            #expect(result.head == expected.head && result.consumed == expected.consumed, "cut at \(cut)")
        }
    }

    @Test("every cut of a wrong head gives the same error at the same byte")
    func cutsOfAnError() throws {
        let bytes = Array("HTTP/1.1 101 x\r\nUpgrade : websocket\r\n\r\n".utf8)
        let expected = HTTPHeadError(reason: .blankBeforeColon, offset: 23, byte: 0x20)
        for cut in 0...bytes.count {
            #expect(throws: expected) { try parse(bytes, cuts: [cut]) }
        }
        #expect(throws: expected) { try parse(bytes, cuts: Array(1..<bytes.count)) }
    }

    @Test("a proper prefix of a head needs more, and its end is an error that says where")
    func prefixes() throws {
        let bytes = Array(Self.response.utf8)
        for count in 0..<bytes.count {
            var parser = HTTPHeadParser<HTTPResponseHead>()
            let progress = try parser.consume(Array(bytes[..<count]).span.bytes)
            #expect(progress == .needsMore)
            #expect(parser.endOfInput() == HTTPHeadError(reason: .truncated, offset: count, byte: nil))
        }
    }

    @Test("a request head is read (RFC 9112, section 3)")
    func request() throws {
        let text = "GET /chat?x=%20 HTTP/1.1\r\nHost: example.com\r\n\r\n"
        let (head, consumed) = try #require(try parse(Array(text.utf8), with: HTTPHeadParser<HTTPRequestHead>()))
        #expect(consumed == text.utf8.count)
        #expect(head.method == "GET" && head.target == "/chat?x=%20" && head.headers["host"] == "example.com")
        #expect(head.bytes == Array(text.utf8))
    }

    @Test("a head after an interim one is read by the same parser (RFC 9110, section 15.2)")
    func interim() throws {
        let first = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        let bytes = Array((first + Self.response).utf8)
        var parser = HTTPHeadParser<HTTPResponseHead>()
        guard case .complete(let hints, let consumed) = try parser.consume(bytes.span.bytes) else {
            Issue.record("the interim head is incomplete")
            return
        }
        #expect(hints.isInterim && consumed == first.utf8.count)
        guard case .complete(let head, _) = try parser.consume(Array(bytes[consumed...]).span.bytes) else {
            Issue.record("the final head is incomplete")
            return
        }
        #expect(!head.isInterim && head.status == 101 && head.headers["Link"] == nil)
    }

    @Test(
        "a wrong response head is refused at its first wrong byte (RFC 9112, sections 2 to 5)",
        arguments: [
            ("SSH-2.0-OpenSSH\r\n", HTTPHeadError.Reason.version, 0),
            ("\u{15}\u{3}\u{1}", .version, 0),
            ("\r\nHTTP/1.1 101 x\r\n", .version, 0),
            ("http/1.1", .version, 0),
            ("HTTP/11.1", .version, 6),
            ("HTTP/1.x", .version, 7),
            ("HTTP/1.1\t101", .version, 8),
            ("HTTP/1.1\r\n", .version, 8),
            ("HTTP/1.1  101", .statusCode, 9),
            ("HTTP/1.1 099", .statusCode, 9),
            ("HTTP/1.1 10 x", .statusCode, 11),
            ("HTTP/1.1 1010", .statusCode, 12),
            ("HTTP/1.1 101\n", .bareLineFeed, 12),
            ("HTTP/1.1 101 a\u{0}", .reasonPhrase, 14),
            ("HTTP/1.1 101 OK\n", .bareLineFeed, 15),
            ("HTTP/1.1 101 OK\r\r", .bareCarriageReturn, 16),
            ("HTTP/1.1 101 OK\r\n: x", .emptyFieldName, 17),
            ("HTTP/1.1 101 OK\r\n x", .foldedLine, 17),
            ("HTTP/1.1 101 OK\r\nA: b\r\n\tc", .foldedLine, 23),
            ("HTTP/1.1 101 OK\r\nA : b", .blankBeforeColon, 18),
            ("HTTP/1.1 101 OK\r\nA\r\n", .missingColon, 18),
            ("HTTP/1.1 101 OK\r\nA\n", .bareLineFeed, 18),
            ("HTTP/1.1 101 OK\r\nA(: b", .fieldName, 18),
            ("HTTP/1.1 101 OK\r\né: b", .fieldName, 17),
            ("HTTP/1.1 101 OK\r\nA: b\u{0}", .fieldValue, 21),
            ("HTTP/1.1 101 OK\r\nA: b\u{7f}", .fieldValue, 21),
            ("HTTP/1.1 101 OK\r\nA: b\u{1b}", .fieldValue, 21),
            ("HTTP/1.1 101 OK\r\nA: b\n", .bareLineFeed, 21),
            ("HTTP/1.1 101 OK\r\nA: b\rc", .bareCarriageReturn, 22),
            ("HTTP/1.1 101 OK\r\n\rX", .bareCarriageReturn, 18),
            ("HTTP/1.1 101 OK\r\n\n", .bareLineFeed, 17),
        ])
    func refusedResponse(text: String, reason: HTTPHeadError.Reason, offset: Int) {
        let error = failure(text)
        #expect(error?.reason == reason && error?.offset == offset, "\(String(describing: error))")
    }

    @Test(
        "a wrong request head is refused at its first wrong byte (RFC 9112, section 3)",
        arguments: [
            ("\u{16}\u{3}\u{1}", HTTPHeadError.Reason.method, 0),
            (" GET", .method, 0),
            ("G(T", .method, 1),
            ("GET  /", .target, 4),
            ("GET /\r\n", .target, 5),
            ("GET /é", .target, 5),
            ("GET / \r\n", .version, 6),
            ("GET / HTTP/1.1 ", .version, 14),
            ("GET / HTTP/1.1\n", .bareLineFeed, 14),
        ])
    func refusedRequest(text: String, reason: HTTPHeadError.Reason, offset: Int) {
        let error = failure(text, of: HTTPHeadParser<HTTPRequestHead>())
        #expect(error?.reason == reason && error?.offset == offset, "\(String(describing: error))")
    }

    @Test("a status line may end after its code, with and without the space")
    func noReason() throws {
        for line in ["HTTP/1.1 101\r\n\r\n", "HTTP/1.1 101 \r\n\r\n"] {
            let result = try #require(try parse(Array(line.utf8)))
            #expect(result.head.status == 101 && result.head.reason.isEmpty)
        }
    }

    @Test("obs-text keeps its bytes, as text UTF-8 or else Latin-1 (RFC 9110, section 5.5)")
    func obsText() throws {
        let bytes = Array("HTTP/1.1 200 \u{e9}\r\nU: \u{e9}\r\nL: ".utf8) + [0xe9, 0xff] + Array("\r\n\r\n".utf8)
        let head = try #require(try parse(bytes)).head
        #expect(head.reason == "é")
        #expect(head.headers["U"] == "é")
        #expect(head.headers["L"] == "\u{e9}\u{ff}")
        #expect(head.headers.fields.last?.rawValue == [0xe9, 0xff])
        #expect(head.bytes == bytes)
    }

    @Test("an error repeats on each later call")
    func sticky() {
        var parser = HTTPHeadParser<HTTPResponseHead>()
        let expected = HTTPHeadError(reason: .version, offset: 0, byte: 0x58)
        #expect(throws: expected) { try parser.consume([0x58].span.bytes) }
        #expect(throws: expected) { try parser.consume(Array(Self.response.utf8).span.bytes) }
        #expect(parser.endOfInput() == expected)
    }

    @Test("a head of exactly the limit passes and one byte more is refused")
    func headSize() throws {
        let bytes = Array(Self.response.utf8)
        _ = try #require(try parse(bytes, limits: .init(headSize: bytes.count)))
        #expect(throws: HTTPHeadError(reason: .headTooLarge(limit: bytes.count - 1), offset: bytes.count - 1, byte: 0x0a)) {
            try parse(bytes, limits: .init(headSize: bytes.count - 1))
        }
    }

    @Test("a line of exactly the limit passes and one byte more is refused")
    func lineLength() throws {
        let bytes = Array("HTTP/1.1 200 ok\r\nA: 78901234567890\r\n\r\n".utf8)
        _ = try #require(try parse(bytes, limits: .init(lineLength: 17)))
        #expect(throws: HTTPHeadError(reason: .lineTooLong(limit: 16), offset: 33, byte: 0x30)) {
            try parse(bytes, limits: .init(lineLength: 16))
        }
    }

    @Test("as many headers as the limit pass and one more is refused")
    func fieldCount() throws {
        func head(_ count: Int) -> [UInt8] { Array(("HTTP/1.1 200 OK\r\n" + String(repeating: "A:\r\n", count: count) + "\r\n").utf8) }
        #expect(try parse(head(128))?.head.headers.fields.count == 128)
        #expect(failure(String(decoding: head(129), as: UTF8.self))?.reason == .tooManyFields(limit: 128))
    }

    @Test(
        "a head that never ends is refused by the default limits, whatever it is made of",
        arguments: ["A", "A:\r\n", "A: b", " ", "\t", "é"])
    func endless(piece: String) throws {
        var parser = HTTPHeadParser<HTTPResponseHead>()
        _ = try parser.consume(Array("HTTP/1.1 200 OK\r\nX: ".utf8).span.bytes)
        let flood = Array(String(repeating: piece, count: 1 + 1_000_000 / piece.utf8.count).utf8)
        let error = #expect(throws: HTTPHeadError.self) { try parser.consume(flood.span.bytes) }
        #expect((error?.offset ?? .max) <= 65_536)
    }

    @Test("random bytes and mutated heads give a head, a wait or an error, never a trap")
    func fuzz() {
        var generator = SeededGenerator(seed: 42)
        var outcomes: Set<String> = []
        for _ in 0..<5_000 {
            var bytes = Array(Self.response.utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            do throws(HTTPHeadError) {
                outcomes.insert(try parse(bytes) == nil ? "waits" : "parsed")
            } catch {
                #expect(error.offset < bytes.count && error.byte == bytes[error.offset])
                outcomes.insert("refused")
            }
        }
        #expect(outcomes.isSuperset(of: ["parsed", "refused"]))
    }

    @Test("an error says what was found and where, counted from 1, and what a first byte gives away")
    func descriptions() {
        #expect(
            failure("\u{15}")?.description == "the HTTP version is wrong: expected HTTP/ and a version such as 1.1, found 0x15 at byte 1")
        #expect(failure("SSH")?.hint == "this port does not speak HTTP")
        #expect(failure("\u{16}\u{3}\u{1}", of: HTTPHeadParser<HTTPRequestHead>())?.hint == "the client speaks TLS, and this port does not")
    }
}
