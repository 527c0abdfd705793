import TestSupport
import Testing

@testable import wsline
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("Slash commands at a terminal", .serialized)
struct TerminalSlashTests {
    @Test("/help lists every command and key within 80 columns, /help COMMAND explains one")
    func help() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter("/help") { $0.hasPrefix("Ctrl-Z  ") }
        let rows = terminal.screen.everything
        for command in Commands.all { #expect(rows.contains { $0.hasPrefix(command.briefUsage + " ") }) }
        // A row for each command below the one that was typed, and one on the doubled slash: none is wrapped.
        let below = rows.drop { $0 != "> /help" }.dropFirst()
        #expect(below.prefix(Commands.all.count).allSatisfy { $0.hasPrefix("/") })
        #expect(below.dropFirst(Commands.all.count).first?.hasPrefix("A message that begins with /") == true)
        terminal.type("/help pi\t\r")
        try terminal.wait { $0.everything.contains("/ping [-c N] [TEXT]: send a ping, and report how long its pong took") }
        try terminal.wait { $0.everything.contains("  example: /ping -c 10") }
    }

    @Test("/ping -c leaves the line free to type on, reports each pong and sums up")
    func pingSeries() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("/ping -c 2\r")
        try terminal.enter("meanwhile", until: "< meanwhile")
        try terminal.wait { $0.everything.contains { $0.hasPrefix("2 pings, 0 lost: min ") } }
        #expect(terminal.screen.everything.filter { $0.hasPrefix("pong after ") }.count == 2)
        try terminal.enter("/status") { $0.wholeMatch(of: /round trips +2 \(min .*, 0 lost/) != nil }
    }

    @Test("/set changes what is shown and sent from then on; a wrong value changes nothing")
    func settings() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url], columns: 120)
        try terminal.enter("/hex 00 41", until: "< binary, 2 bytes")
        terminal.type("/set binary-as h\t\r")
        try terminal.wait { $0.everything.contains("binary-as  hex") }
        try terminal.enter("/hex 00 41", until: "< 0041")
        try terminal.enter("/set binary-as octal") {
            $0 == "wsline: /set: binary-as \"octal\" must be one of dump, hex, base64, raw or size, or default"
        }
        try terminal.enter("/set send-as hex", until: "send-as  hex")
        try terminal.enter("ff", until: "< ff")
        #expect(server.received.last == .init(kind: .binary, bytes: [0xff]))
        try terminal.enter("/set allow-escapes on", until: "allow-escapes  on")
        try terminal.enter("/set allow-escapes off", until: "allow-escapes  off")
        try terminal.enter("/set timestamps on", until: "timestamps  on")
        try terminal.enter("01") { $0.wholeMatch(of: /[0-9:.]+ < 01/) != nil }
    }

    @Test("/headers shows what opened the connection, as -v does")
    func headers() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(["-H", "Cookie: a=secret", server.url + "?token=abcdefg"])
        try terminal.enter("/headers", until: "< HTTP/1.1 101 Switching Protocols")
        let rows = terminal.screen.everything
        #expect(rows.contains("> GET /?token=*** HTTP/1.1") && rows.contains("> Cookie: ***"))
        #expect(!rows.contains { $0.contains("abcdefg") || $0.contains("secret") })
    }

    @Test("/ping tells the round trip of its pong")
    func ping() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter("/ping") { $0.wholeMatch(of: /pong after [0-9.]+ ms/) != nil }
        try terminal.enter("/ping are you there?") { $0.wholeMatch(of: /pong after [0-9.]+ ms/) != nil }
        try terminal.enter("/status") { $0.wholeMatch(of: /round trip +[0-9.]+ ms/) != nil }
    }

    @Test("Text, hex and base64 are sent as they say, and two slashes as one")
    func sending() throws {
        let server = try TerminalServer { socket, _, bytes in try socket.send("got \(bytes.count)") }
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter("/text /quit", until: "< got 5")
        try terminal.enter("//quit", until: "< got 5")
        try terminal.enter("/hex 00 01 ff", until: "< got 3")
        try terminal.enter("/base64 AQI=", until: "< got 2")
        #expect(server.received.map(\.kind) == [.text, .text, .binary, .binary])
        #expect(server.received.map(\.bytes) == [Array("/quit".utf8), Array("/quit".utf8), [0, 1, 255], [1, 2]])
    }

    @Test("An unknown command and wrong arguments say so, and send nothing")
    func mistakes() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter("/nope") { $0 == "wsline: there is no command /nope: see /help; //nope sends /nope" }
        try terminal.enter("/close soon", until: "wsline: usage: /close [CODE [REASON]]")
        try terminal.enter("/file /nonexistent/x") { $0 == #"wsline: can't open "/nonexistent/x": no such file or directory"# }
        try terminal.enter("still here", until: "< still here")
        #expect(server.texts == ["still here"])
    }

    @Test("/close sends its code and reason, and the program ends; /quit closes with 1000")
    func closing() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("/close 4000 so long\r")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.screen.everything.last == #"Disconnected (code: 4000, reason: ""): private use"#)
        let other = try PseudoTerminal.wsline([server.url])
        other.type("/quit\r")
        #expect(try other.waitForExit() == .exited(0))
        let closures = try server.closures(2)
        #expect(closures.map(\.code) == [CloseCode(4000), .normal])
        #expect(closures[0].reason == "so long")
    }

    @Test("/status tells the state, what was agreed on and the counts")
    func status() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter("hello", until: "< hello")
        try terminal.enter("/status") { $0.hasPrefix("uptime ") }
        let rows = terminal.screen.everything
        #expect(rows.contains("state        open"))
        #expect(rows.contains("URL          \(server.url)"))
        #expect(rows.contains("peer         \(server.url.dropFirst("ws://".count).dropLast())"))
        #expect(rows.contains("subprotocol  none"))
        #expect(rows.contains { $0.hasPrefix("sent         1 message, 5 bytes (") })
        #expect(rows.contains { $0.hasPrefix("received     1 message, 5 bytes (") })
        #expect(rows.contains("pings        0 sent, 0 received"))
        #expect(rows.contains("buffered     0 bytes"))
        #expect(rows.contains("round trip   unknown: /ping measures it"))
    }

    // MARK: Files

    @Test("/file sends a file as one binary message, or as text")
    func file() throws {
        let server = try TerminalServer { socket, kind, bytes in try socket.send("got \(bytes.count) \(kind)") }
        let directory = try TemporaryDirectory()
        let path = try directory.write("grüße\n", to: "a file.txt")
        let terminal = try PseudoTerminal.wsline([server.url], environment: ["HOME": directory.path], columns: 120)
        try terminal.enter("/file \(path)", until: "< got 8 binary")
        #expect(terminal.screen.everything.contains("sent 8 bytes of \"\(path)\""))
        try terminal.enter("/file -t ~/a file.txt", until: "< got 8 text")
        try directory.write([], to: "empty")
        try terminal.enter("/file ~/empty", until: "< got 0 binary")
    }

    @Test("A large file is sent whole, and what is entered meanwhile goes before or after it, or is refused")
    func largeFile() throws {
        let server = try TerminalServer { socket, _, bytes in try socket.send("got \(bytes.count)") }
        let directory = try TemporaryDirectory()
        let bytes = (0..<5_000_001).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let path = try directory.write(bytes, to: "large")
        let terminal = try PseudoTerminal.wsline([server.url], columns: 120)
        try terminal.enter("/file \(path)", until: "< got 5000001")
        #expect(server.received.first?.bytes == bytes)
        try terminal.enter("and on", until: "< got 6")
    }

    @Test("While a slow server takes a large file, a message is refused with a clear word, and /close still works")
    func fileInTheWay() throws {
        let server = try TerminalServer(onOpen: { $0.pauseReading(because: .output) })
        let directory = try TemporaryDirectory()
        let path = try directory.write([UInt8](repeating: 7, count: 64 << 20), to: "large")
        let terminal = try PseudoTerminal.wsline(["--close-timeout", "0.2", server.url], columns: 160)
        terminal.type("/file \(path)\r")
        try terminal.enter("hello") { $0.contains("is still being sent (") }
        #expect(server.received == [])
        terminal.type("/quit\r")
        _ = try terminal.waitForExit()
        #expect(terminal.screen.everything.contains { $0.contains("the connection closed before \"\(path)\" was sent whole") })
        #expect(terminal.isCooked)
    }

    @Test("A file that isn't UTF-8 is not sent as text, however far in that shows")
    func fileNotUTF8() throws {
        let server = try TerminalServer()
        let directory = try TemporaryDirectory()
        let early = try directory.write([0x61, 0xff], to: "early")
        let late = try directory.write([UInt8](repeating: 0x61, count: 2_000_000) + [0xff], to: "late")
        let terminal = try PseudoTerminal.wsline([server.url], columns: 120)
        try terminal.enter("/file -t \(early)") { $0.hasSuffix("isn't UTF-8 at byte 2, so it can't be sent as text: nothing was sent") }
        try terminal.enter("/file -t \(late)") { $0.contains("isn't UTF-8 at byte 2000001") }
        let cut = try directory.write([0x61, 0xc3], to: "cut")
        try terminal.enter("/file -t \(cut)") { $0.contains("ends at byte 2 within a UTF-8 character") }
        try terminal.enter("/file /dev/zero", until: #"wsline: can't send "/dev/zero": it is not a file"#)
        try terminal.enter("ok", until: "< ok")
        #expect(server.texts == ["ok"])
    }

    @Test("/save and --save write binary messages to files and say where; /save off shows them again")
    func save() throws {
        let server = try TerminalServer()
        let directory = try TemporaryDirectory()
        let terminal = try PseudoTerminal.wsline(["--save", directory.path + "/", server.url])
        try terminal.enter("/hex 01 02", until: "saved 2 bytes to \(directory.path)/000001.bin")
        try terminal.enter("/save \(directory.path)/all.bin", until: "binary messages are saved to \(directory.path)/all.bin")
        try terminal.enter("/hex 03", until: "saved 1 byte to \(directory.path)/all.bin")
        try terminal.enter("/hex 04 05", until: "saved 2 bytes to \(directory.path)/all.bin")
        try terminal.enter("/save off", until: "binary messages are shown")
        try terminal.enter("/hex 06", until: "< binary, 1 byte")
        #expect(directory.read("000001.bin") == [1, 2])
        #expect(directory.read("all.bin") == [3, 4, 5])
        try terminal.enter("/save /nonexistent/x") { $0.hasPrefix(#"wsline: can't open "/nonexistent/x""#) }
    }

    @Test("Tab completes a command and a path")
    func completion() throws {
        let server = try TerminalServer { socket, _, bytes in try socket.send("got \(bytes.count)") }
        let directory = try TemporaryDirectory()
        try directory.write([1, 2, 3], to: "picture.png")
        let terminal = try PseudoTerminal.wsline([server.url], columns: 120)
        terminal.type("/fi\t\(directory.path)/pi\t\r")
        try terminal.wait { $0.rows.contains("< got 3") && $0.rows.contains("> /file \(directory.path)/picture.png") }
    }
}
