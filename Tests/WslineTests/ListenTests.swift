import TestSupport
import Testing
import CPosix

@Suite("Listening: clients, messages and lines")
struct ListenTests {
    @Test("what clients send goes to standard output, and their coming and going to standard error")
    func receives() throws {
        let server = try Listening(["-s", "chat"], input: .file("/dev/null"))
        let client = try server.client(["-s", "other", "-s", "chat", "-w", "0"])
        try client.write("one\ntwo\n")
        client.closeInput()
        #expect(try client.waitForExit().status == .exited(0))
        try server.program.wait(for: .errors) { $0.contains("client 1 disconnected (code: 1000, reason: \"\")\n") }
        #expect(server.program.outputText == "one\ntwo\n")
        #expect(server.program.errorText.contains(/client 1 connected from 127\.0\.0\.1:\d+ \(path \/, subprotocol chat\)\n/))
        #expect(try server.end() == .exited(143))
    }

    @Test("lines go to every client; input that ended leaves the listener serving")
    func sends() throws {
        let server = try Listening()
        // In the pipe before anybody is there to get it: it waits for the first client.
        try server.program.write("early\n")
        let first = try server.client(["--count", "3"], input: .file("/dev/null"))
        try first.wait { $0 == "early\n" }
        let second = try server.client(["--count", "2"], input: .file("/dev/null"))
        try server.waitForClients(2)
        try server.program.write("to all\nof you")
        server.program.closeInput()
        #expect(try first.waitForExit().status == .exited(0))
        #expect(try second.waitForExit().status == .exited(0))
        #expect(first.outputText == "early\nto all\nof you\n")
        #expect(second.outputText == "to all\nof you\n")
        let third = try server.client(["-x", "still there?", "-w", "0"])
        try third.waitForExit()
        try server.program.wait { $0 == "still there?\n" }
    }

    @Test("a message sent in fragments goes on to nobody who missed its beginning")
    func fragments() throws {
        let server = try Listening(["--split", "whole"])
        let first = try server.client(["-w", "-1"], input: .file("/dev/null"))
        try server.waitForClients(1)
        // More than is held of one message, so its first fragment leaves.
        try server.program.write([UInt8](repeating: 0x61, count: 3 << 20))
        let late = try server.client(["-w", "-1"], input: .file("/dev/null"))
        try server.waitForClients(2)
        server.program.closeInput()
        try first.wait { $0.utf8.count == 3 << 20 + 1 }
        #expect(try server.end() == .exited(143))
        try late.waitForExit()
        #expect(late.outputText.isEmpty)
        #expect(!late.errorText.contains("1002"))
    }

    @Test("a reader of standard output that takes a rest holds the clients up, and nothing is lost")
    func outputBackpressure() throws {
        let server = try Listening(input: .file("/dev/null"), output: .unread)
        let lines = (0..<200_000).map { "line \($0)\n" }.joined()
        let clients = try (0..<2).map { _ in try server.client() }
        for client in clients { client.writeForever(Array(lines.utf8)) }
        try server.waitForClients(2)
        let probe = try server.connect()
        try probe.open()
        let message = RawClient.frame(0x82, [UInt8](repeating: 0, count: 64 << 10))
        #expect(probe.flood(with: message, upTo: 64 << 20) < 64 << 20)
        expectPeakMemory(server.program.peakMemory, below: 128 << 20)
        server.program.read()
        try server.program.wait { $0.contains("line 199999\n") }
        #expect(try server.end() == .exited(143))
    }

    @Test("events as JSON bear the client's number")
    func json() throws {
        let server = try Listening(["--json"], input: .file("/dev/null"))
        for text in ["a", "b"] {
            let client = try server.client(["-x", text, "-w", "0"])
            try client.waitForExit()
        }
        try server.program.wait { $0.split(separator: "\n").count == 6 }
        let events = server.program.outputText.split(separator: "\n").map { line in
            (line.firstMatch(of: /"event":"(\w+)","dir":"in","client":(\d)/)).map { "\($0.1) \($0.2)" } ?? "none"
        }
        #expect(events == ["open 1", "message 1", "close 1", "open 2", "message 2", "close 2"])
    }

    @Test("--count ends the run, and binary messages are saved")
    func counts() throws {
        let directory = try TemporaryDirectory()
        let server = try Listening(["--count", "2", "--save", directory.path], input: .file("/dev/null"))
        let client = try server.client(["--send-as", "hex", "-w", "-1"])
        try client.write("00ff\n0a\n")
        #expect(try server.program.waitForExit().status == .exited(0))
        #expect(try readFile(directory.file("000001.bin")) == [0x00, 0xFF])
        #expect(try readFile(directory.file("000002.bin")) == [0x0A])
        #expect(server.program.outputText.isEmpty)
    }

    @Test("each signal tells all clients 1001 and has its own exit status", arguments: [SIGINT, SIGTERM, SIGHUP])
    func signals(_ signal: Int32) throws {
        let status = 128 + signal
        for arguments in [[], ["--echo"]] {
            let server = try Listening(arguments)
            let clients = try (1...2).map { _ in try server.client(["-v", "-w", "-1"], input: .file("/dev/null")) }
            try server.waitForClients(2)
            #expect(try server.end(signal) == .exited(status))
            for client in clients {
                #expect(try client.waitForExit().status == .exited(0))
                #expect(client.errorText.contains("closed by the server: 1001"))
            }
        }
    }

    @Test("a client that never answers the Close is left behind after a second")
    func endIsBounded() throws {
        let server = try Listening()
        let client = try server.connect()
        try client.open()
        try server.waitForClients(1)
        let began = ContinuousClock.now
        #expect(try server.end() == .exited(143))
        #expect(ContinuousClock.now - began < .seconds(4))
    }

    @Test("an address that is taken is named, with exit status 74")
    func addressInUse() throws {
        let server = try Listening()
        let wsline = try PseudoTerminal.builtProduct("wsline")
        for arguments in [[], ["--echo"]] {
            let second = try RunningProcess(wsline, ["-l", "127.0.0.1:\(server.port)"] + arguments)
            #expect(try second.waitForExit().status == .exited(74))
            #expect(second.errorText.contains("127.0.0.1:\(server.port)"))
        }
    }

    @Test("a UNIX socket serves, and its file goes with the listener")
    func unixSocket() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("socket")
        let wsline = try PseudoTerminal.builtProduct("wsline")
        let server = try RunningProcess(wsline, ["-l", "unix:\(path)", "--echo"])
        try server.wait(for: .errors) { $0.contains("Listening on ws+unix://\(path) ") }
        let client = try RunningProcess(wsline, ["--count", "1", "ws+unix://\(path):/uri"])
        try client.write("through a file\n")
        #expect(try client.waitForExit().status == .exited(0))
        #expect(client.outputText == "through a file\n")
        #expect(server.errorText.contains("client 1 connected (path /uri)"))
        server.send(signal: SIGTERM)
        try server.waitForExit()
        #expect(access(path, F_OK) != 0)
    }
}

@Suite("Listening at a terminal")
struct ListenTerminalTests {
    @Test("messages appear above the prompt with their client's number, typed lines go out, and Ctrl-C quits")
    func conversation() throws {
        let wsline = try PseudoTerminal.builtProduct("wsline")
        let terminal = try PseudoTerminal(wsline, ["-l", "127.0.0.1:0", "--no-history"])
        try terminal.wait { $0.rows.contains { $0.contains("CTRL+C") } && $0.rows.contains { $0.hasPrefix(">") } }
        let line = terminal.screen.rows.joined(separator: " ")
        let port = try #require(line.firstMatch(of: /127\.0\.0\.1:(\d+)/)?.1)
        terminal.type("nobody yet\r")
        try terminal.wait { $0.rows.contains { $0.hasPrefix("no client is connected") } }
        let client = try RunningProcess(wsline, ["-w", "-1", "ws://127.0.0.1:\(port)/"])
        try client.write("hello \u{1b}[31m\n")
        try terminal.wait { $0.rows.contains("<1 hello \\x1b[31m") }
        terminal.type("hello yourself\r")
        client.closeInput()
        try client.wait { $0 == "hello yourself\n" }
        terminal.type("\u{3}")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(try client.waitForExit().status == .exited(0))
    }
}
