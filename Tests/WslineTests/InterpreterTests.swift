import TestSupport
import Testing
import WebSocketTransport

@testable import WebSocketProtocol
@testable import wsline

@Suite("Commands: what each does to a run", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct InterpreterTests {
    // MARK: Messages

    @Test("a line is a message in the encoding that was chosen; two slashes stand for one")
    func messages() throws {
        for (option, sent) in [
            ("", RecordedMessage.text("00ff")), ("-b", .binary(Array("00ff".utf8))), ("--send-as=hex", .binary([0, 255])),
            ("--send-as=base64", .binary([0xD3, 0x47, 0xDF])),
        ] {
            let test = option.isEmpty ? try TestRun() : try TestRun(option)
            #expect(try test.enter("00ff"))
            #expect(test.peer.messages == [sent], "\(option)")
        }
        let test = try TestRun()
        try test.enter("//status")
        try test.enter("")
        try test.enter("///x")
        #expect(test.peer.texts == ["/status", "", "//x"])
        #expect(test.console.lines == [])
    }

    @Test("/text, /hex and /base64 send what they say, whatever the encoding of lines is")
    func sending() throws {
        let test = try TestRun("-b")
        try test.enter("/text /hello  you")
        try test.enter("/hex 00 01 ff")
        try test.enter("/base64 AQI=")
        #expect(test.peer.messages == [.text("/hello  you"), .binary([0, 1, 255]), .binary([1, 2])])
    }

    @Test(
        "what is wrong with a line or its arguments is said, and nothing is sent",
        arguments: [
            ("/nope", "there is no command /nope: see /help; //nope sends /nope"), ("/hex 0g", "/hex: "),
            ("/hex", "/hex: no bytes were given"),
            ("/base64 *", "/base64: "), ("/close 1005", "/close: close code 1005 can't be sent"),
            ("/close soon", #"/close: "soon" is not a close code"#),
            ("/file", "/file: no path was given"), ("/save", "/save: no path was given"),
            ("/quit now", #"/quit: takes no argument, and "now" was given"#),
            ("/ping " + String(repeating: "x", count: 126), "/ping: 126 bytes"),
        ])
    func mistakes(line: String, error: String) throws {
        let test = try TestRun()
        #expect {
            try test.enter(line)
        } throws: {
            ($0 as? CommandFailure)?.description.hasPrefix(error) == true
        }
        #expect(test.peer.messages == [])
        #expect(test.peer.pings == [])
        #expect(test.peer.closes == [])
        #expect(test.role.ends == [])
        #expect(test.console.lines == [])
        #expect(try test.enter("still here"))
    }

    @Test("a line that the encoding can't be is refused")
    func wrongEncoding() throws {
        let test = try TestRun("--send-as=hex")
        #expect(throws: CommandFailure.self) { try test.enter("0g") }
        #expect(test.peer.messages == [])
    }

    @Test(
        "a connection that isn't open, or isn't there, refuses whatever goes to it",
        arguments: ["hello", "/text x", "/hex 00", "/ping", "/pong", "/file /dev/null"])
    func notOpen(line: String) throws {
        let test = try TestRun()
        test.peer.readyState = .closing
        #expect(throws: CommandFailure("the connection is closing, not open")) { try test.enter(line) }
        test.detach()
        #expect(throws: CommandFailure("the connection is closed, not open")) { try test.enter(line) }
        #expect(test.peer.messages == [])
    }

    @Test(
        "a listener with nobody connected says so, and that is no error",
        arguments: ["hello", "/text x", "/hex 00", "/ping", "/pong", "/close", "/file /nonexistent"])
    func nobody(line: String) throws {
        let test = try TestRun(listens: true, isAttached: false)
        #expect(try test.enter(line))
        #expect(test.console.lines == ["no client is connected: nothing was sent"])
        test.attach(test.peer)
        #expect(try test.enter("and now"))
        #expect(test.peer.texts == ["and now"])
    }

    // MARK: Control frames

    @Test("/ping has a payload of its own or the one that is given, and its pong's time is told")
    func ping() throws {
        let test = try TestRun()
        try test.enter("/ping")
        try test.enter("/ping are you there")
        #expect(test.peer.pings == [[1], Array("are you there".utf8)])
        #expect(test.console.lines == [])
        test.receivePong([1], after: 1_500_000)
        test.receivePong(Array("are you there".utf8), after: 2_000_000)
        #expect(test.console.lines == ["pong after \(milliseconds(1_500_000))", "pong after \(milliseconds(2_000_000))"])
        #expect(test.run.roundTrips.last == 2_000_000)
    }

    @Test("a pong tells nothing that answers no ping of ours, a ping of the keep-alive, or one that was answered before")
    func otherPongs() throws {
        let test = try TestRun()
        try test.enter("/ping a")
        test.receivePong([0x61], after: nil)
        test.receivePong([0x62], after: 1_000_000)
        #expect(test.console.lines == [])
        // It's a round trip all the same.
        #expect(test.run.roundTrips.last == 1_000_000)
        test.receivePong([0x61], after: 2_000_000)
        test.receivePong([0x61], after: 3_000_000)
        #expect(test.console.lines == ["pong after \(milliseconds(2_000_000))"])
    }

    @Test("a pong that comes answers the pings before it too")
    func earlierPings() throws {
        let test = try TestRun()
        for text in ["a", "b", "c"] { try test.enter("/ping \(text)") }
        test.receivePong([0x62], after: 1_000_000)
        test.receivePong([0x61], after: 2_000_000)
        #expect(test.console.lines.count == 1)
        test.receivePong([0x63], after: 3_000_000)
        #expect(test.console.lines.count == 2)
    }

    @Test("each client's pong is told with the client's number, and answers no other's ping")
    func pongsOfClients() throws {
        let test = try TestRun(listens: true)
        test.peer.pinged = [1, 2]
        try test.enter("/ping x")
        test.receivePong([0x78], after: 1_000_000, from: 2)
        test.receivePong([0x78], after: 2_000_000, from: 2)
        test.receivePong([0x78], after: 3_000_000, from: 3)
        test.receivePong([0x78], after: 4_000_000, from: 1)
        #expect(
            test.console.lines == ["client 2: pong after \(milliseconds(1_000_000))", "client 1: pong after \(milliseconds(4_000_000))"])
    }

    @Test("where all pongs are shown, none is told twice")
    func shownPongs() throws {
        let test = try TestRun("--show-ping-pong")
        try test.enter("/ping x")
        test.receivePong([0x78], after: 1_000_000)
        #expect(test.console.lines == ["pong \"x\" after \(milliseconds(1_000_000))"])
    }

    @Test("another connection knows nothing of the pings and round trips of the one before")
    func anotherConnection() throws {
        let test = try TestRun()
        try test.enter("/ping a")
        test.receivePong([9], after: 1_000_000)
        test.detach()
        test.attach(RecordingPeer())
        #expect(test.run.roundTrips.last == nil)
        test.receivePong([0x61], after: 1_000_000)
        #expect(test.console.lines == [])
    }

    @Test("/pong sends a pong")
    func pong() throws {
        let test = try TestRun()
        try test.enter("/pong")
        try test.enter("/pong here I am")
        #expect(test.peer.pongs == [[], Array("here I am".utf8)])
    }

    @Test("/close closes with 1000 or what is given, and it's the peer's end that ends the run")
    func close() throws {
        for (line, frame) in [
            ("/close", CloseFrame(code: .normal)), ("/close 4000", CloseFrame(code: CloseCode(4000))),
            ("/close  1001  so  long ", CloseFrame(code: .goingAway, reason: "so  long")),
        ] {
            let test = try TestRun()
            try test.enter(line)
            #expect(test.peer.closes == [frame])
            #expect(!test.run.isEnding)
        }
    }

    // MARK: The run

    @Test("/quit ends the run: its input is given up, its connections are closed, and then it leaves with success")
    func quit() throws {
        let test = try TestRun()
        try test.enter("/quit")
        #expect(test.role.ends == [CloseFrame(code: .normal)])
        #expect(test.console.isCancelled)
        #expect(test.run.isEnding)
        #expect(test.console.status == nil)
        test.run.conclude()
        #expect(test.console.status == .success)
    }

    @Test("/help names every command with its arguments, then the keys")
    func help() throws {
        let test = try TestRun()
        try test.enter("/help")
        let lines = test.console.lines
        for (line, command) in zip(lines, Commands.all) {
            #expect(line.hasPrefix(command.briefUsage + "  "))
            #expect(line.hasSuffix(command.summary))
        }
        #expect(lines[Commands.all.count] == "A message that begins with / is typed with two: //text sends /text.")
        for (line, key) in zip(lines.dropFirst(Commands.all.count + 1), Keys.all) {
            #expect(line.hasPrefix(key.0) && line.hasSuffix(key.1))
        }
        #expect(lines.count == Commands.all.count + 1 + Keys.all.count)
        #expect(lines.allSatisfy { $0.count <= 80 }, "\(lines.filter { $0.count > 80 })")
    }

    @Test("/help COMMAND explains each command in whole sentences, with an example that can be typed", arguments: ["", "/"])
    func helpForOne(slash: String) throws {
        for command in Commands.all {
            let test = try TestRun()
            try test.enter("/help \(slash)\(command.name)")
            let text = test.console.lines.joined(separator: "\n").replacing("\n  ", with: " ")
            #expect(text.hasPrefix("\(command.usage): \(command.summary) "))
            #expect(test.console.lines.count > 1 && test.console.lines.allSatisfy { $0.count <= 80 }, "\(test.console.lines)")
            #expect(command.details.hasSuffix("."))
            guard !command.example.isEmpty else { continue }
            #expect(test.console.lines.last == "  example: \(command.example)")
            guard case .command(let read) = TypedLine(command.example) else { Issue.record("\(command.example)"); continue }
            #expect(type(of: read).name == command.name)
        }
        let test = try TestRun()
        #expect(throws: CommandFailure("/help: there is no command /nope\nusage: /help [COMMAND]")) { try test.enter("/help nope") }
    }

    @Test("/headers shows both heads with their marks, credentials as *** until they are to be shown")
    func headers() throws {
        let test = try TestRun()
        #expect(throws: CommandFailure("no request has been sent")) { try test.enter("/headers") }
        let request = HTTPRequestHead(
            method: "GET", target: "/?token=abcdefg",
            headers: HTTPHeaders([try .init(parsing: "Host: h"), try .init(parsing: "Cookie: a=bcdefgh")]))
        test.role.handshakes = [OpeningHeads(request: request)]
        try test.enter("/headers")
        let sent = ["> GET /?token=*** HTTP/1.1", "> Host: h", "> Cookie: ***"]
        #expect(test.console.lines == sent + ["no response has come"])
        let response = HTTPResponseHead(status: 101, reason: "Yes", headers: HTTPHeaders([try .init(parsing: "X: abcdefg bcdefgh")]))
        test.role.handshakes = [OpeningHeads(request: request, response: response)]
        try test.enter("/headers")
        #expect(test.console.lines.suffix(5) == sent + ["< HTTP/1.1 101 Yes", "< X: *** ***"])
        try test.enter("/set show-credentials on")
        try test.enter("/headers")
        #expect(
            test.console.lines.suffix(5) == [
                "> GET /?token=abcdefg HTTP/1.1", "> Host: h", "> Cookie: a=bcdefgh", "< HTTP/1.1 101 Yes", "< X: abcdefg bcdefgh",
            ])
        #expect(throws: CommandFailure("only a listener has clients with numbers")) { try test.enter("/headers 1") }
    }

    @Test("/headers of a listener shows each client's under its number, or one client's")
    func headersOfClients() throws {
        let test = try TestRun(listens: true)
        #expect(throws: CommandFailure("no client is connected")) { try test.enter("/headers") }
        test.role.handshakes = [2, 5].map { number in
            let request = HTTPRequestHead(method: "GET", target: "/\(number)", headers: HTTPHeaders())
            return OpeningHeads(
                client: number, request: request, response: HTTPResponseHead(status: 101, reason: "", headers: HTTPHeaders()))
        }
        try test.enter("/headers")
        #expect(
            test.console.lines == [
                "client 2:", "< GET /2 HTTP/1.1", "> HTTP/1.1 101", "client 5:", "< GET /5 HTTP/1.1", "> HTTP/1.1 101",
            ])
        try test.enter("/headers 5")
        #expect(test.console.lines.suffix(3) == ["client 5:", "< GET /5 HTTP/1.1", "> HTTP/1.1 101"])
        #expect(throws: CommandFailure("there is no client 3")) { try test.enter("/headers 3") }
    }

    @Test("/status shows the role's rows in a column of their own, and the last round trip")
    func status() throws {
        let test = try TestRun()
        test.role.status = [("state", "open"), ("a long name", "7")]
        try test.enter("/status")
        #expect(test.console.lines == ["state        open", "a long name  7", "round trip   unknown: /ping measures it"])
        test.receivePong([1], after: 12_345_678)
        try test.enter("/status")
        #expect(test.console.lines.last == "round trip   \(milliseconds(12_345_678))")
    }

    @Test("/save turns saving on, to another place and off, and the connection hands on binary messages as that needs")
    func save() async throws {
        let directory = try TemporaryDirectory()
        let (one, other) = (directory.file("one"), directory.file("other"))
        let test = try TestRun()
        test.receive(.binary, [1])
        try test.enter("/save \(one)")
        test.receive(.binary, [2, 3])
        try test.enter("/save \(other)")
        test.receive(.binary, [4])
        try test.enter("/save off")
        test.receive(.binary, [5])
        test.receive(.text, Array("text".utf8))
        #expect(test.role.streamsBinary == [true, true, false])
        #expect(directory.read("one") == [2, 3])
        #expect(directory.read("other") == [4])
        #expect(test.console.written == Array("01\n05\ntext\n".utf8))
        #expect(
            test.console.lines.filter { $0.hasPrefix("binary messages are") } == [
                "binary messages are saved to \(one)", "binary messages are saved to \(other)", "binary messages are shown",
            ])
    }

    @Test("/save to a place that can't be written says why, and changes nothing that was said")
    func saveFails() throws {
        let test = try TestRun()
        #expect(throws: CommandFailure.self) { try test.enter("/save /nonexistent/directory/x") }
        #expect(test.console.lines == [])
        #expect(!test.run.isEnding)
    }

    @Test("a frame that finds no room to be shown pauses reading until there is room again, whether all frames are shown or not")
    func roomForFrames() throws {
        for options in [["--frames"], ["--lenient"], []] {
            let test = try TestRun(options)
            test.console.spoken.isFull = true
            test.run.frames.show(raw: [0x89, 0], to: nil)
            #expect(test.role.pauses == .frames && test.console.suspends == 1)
            let resumes = test.console.resumes
            test.console.onDrain?()
            #expect(test.role.pauses == .frames && test.console.resumes == resumes)
            test.console.spoken.isFull = false
            test.console.onDrain?()
            #expect(test.role.pauses == [] && test.console.resumes == resumes + 1)
        }
    }
}
