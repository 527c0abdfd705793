import Dispatch
import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline
import CPosix

extension ProgramTests {
    /// What a run does between the end of its input and its Close.
    @Suite
    struct EndOfInputTests {
        @Test("An answer is printed although the server drops what it has not sent yet when a Close comes")
        func answer() throws {
            let server = try dropping { try $0.answer(Array("hi".utf8), after: 300_000) }
            let result = try run([server.url], input: "hi\n")
            #expect(result.output == "hi\n")
            #expect(result.errors.isEmpty)
            #expect(result.status == 0)
            #expect(result.duration >= 1)
        }

        @Test("Each message begins the second anew, so a feed is listened to for as long as it lasts")
        func feed() throws {
            let server = try dropping { connection in
                for number in 0..<5 { try connection.answer(Array("tick \(number)".utf8), after: 300_000) }
            }
            let result = try run([server.url], input: "go\n")
            #expect(result.output == (0..<5).map { "tick \($0)\n" }.joined())
            #expect(result.status == 0)
            let endless = try LoopbackServer { connection in
                try connection.upgrade()
                while true {
                    try connection.sendFrame(1, [0x61])
                    usleep(50_000)
                }
            }
            let program = try start([endless.url])
            program.closeInput()
            #expect(throws: TestFailure.self, "it listens on") { try program.waitForExit(within: 2) }
            program.send(signal: SIGTERM)
            #expect(try finish(program).status == 143)
            let atOnce = try run(["-w", "0", "--close-timeout", "0.3", endless.url], input: "")
            #expect(atOnce.status == 9, "-w 0 closes at once, whatever comes")
            #expect(atOnce.errors == "wsline: the server did not answer the Close in time: --close-timeout allows more\n")
        }

        @Test("Pings are no messages: neither the default nor --idle waits for their end", arguments: [[], ["--idle", "0.5"]])
        func pings(options: [String]) throws {
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                try connection.pinging { try connection.finishClosing() }
            }
            let result = try run(options + [server.url], input: "", within: 15)
            #expect(result.status == 0, "\(result.errors)")
        }

        @Test("A message that arrives slowly suspends the second, and is printed whole")
        func slowMessage() throws {
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                try connection.send([0x01, 4] + Array("half".utf8))
                if !connection.waitForInput(1800) { try connection.send([0x80, 5] + Array(" whole".utf8.dropFirst())) }
                try connection.finishClosing()
            }
            let result = try run([server.url], input: "")
            #expect(result.output == "halfwhole\n")
            #expect(result.status == 0)
        }

        @Test("A message of which nothing comes for --close-timeout is waited for no longer")
        func abandonedMessage() throws {
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                try connection.send([0x01, 4] + Array("half".utf8))
                try connection.pinging { try connection.finishClosing() }
            }
            let result = try run(["--close-timeout", "1.5", server.url], input: "", within: 15)
            #expect(result.output.isEmpty)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.duration >= 1.5)
        }

        @Test("With --idle a message counts once it is whole: one that trickles for ever doesn't keep the run")
        func trickle() throws {
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                try connection.send([0x81, 126, 0x40, 0])
                while true {
                    try connection.send([0x61])
                    usleep(50_000)
                }
            }
            let result = try run(["--idle", "0.5", "--close-timeout", "0.5", server.url], input: "", within: 15)
            #expect(result.status == 9, "the message was cut off")
            #expect(result.output.isEmpty)
        }

        @Test("The second starts when all of the input has left, however long the server takes to read it")
        func slowReader() throws {
            let size = 6 << 20
            let server = try LoopbackServer { connection in
                // What the kernel holds is less than the message, so that the rest of it waits in the client.
                connection.receiveLittle()
                try connection.upgrade()
                usleep(1_500_000)
                _ = try connection.receive(exactly: 2 + 8 + 4 + size)
                try connection.answer(Array("got it".utf8), after: 300_000)
                try connection.finishClosing()
            }
            let result = try run(
                ["--send-as", "hex", server.url], bytes: [UInt8](repeating: UInt8(ascii: "0"), count: 2 * size) + [0x0A], within: 60)
            #expect(result.output == "got it\n")
            #expect(result.status == 0, "\(result.errors)")
        }

        @Test("Where nothing came back, one notice names -1 and -w, whoever reads standard error; -q and -w are without it")
        func notice() throws {
            let silent = try TestServer { _ in }
            let text =
                "wsline: nothing came back within a second of the end of the input: -1 waits for the first message, -w SECS that long\n"
            let result = try run([silent.url], input: "question\n")
            #expect(result.errors == text)
            #expect(result.status == 0)
            #expect(try run(["-q", silent.url], input: "question\n").errors.isEmpty)
            for wait in ["0", "0.2"] { #expect(try run(["-w", wait, silent.url], input: "question\n").errors.isEmpty) }
            #expect(try run(["-x", "question", "--idle", "0.2", silent.url]).errors.isEmpty)
            let closing = try TestServer { socket in socket.onMessage = { [unowned socket] _, _ in try? socket.close() } }
            #expect(try run([closing.url], input: "bye\n").errors.isEmpty, "longer waiting would bring nothing")
            let echo = try TestServer.echo()
            #expect(try run([echo.url], input: "hi\n").errors.isEmpty)
        }

        @Test("A reconnect begins the second anew: it doesn't run while there is no connection")
        func reconnect() throws {
            let connections = Gathered<Int>()
            let server = try TestServer { socket in
                afterOpening(socket) { socket in
                    connections.append(1)
                    if connections.all.count < 5 { return (try? socket.close(.serviceRestart)) ?? () }
                    Timer(after: 0.3) { if socket.readyState == .open { try? socket.send("here again") } }
                }
            }
            // Four pauses in a row are longer than a second together.
            let result = try run(["--reconnect", server.url], input: "")
            #expect(result.output == "here again\n")
            #expect(result.status == 0, "\(result.errors)")
        }

        @Test("--echo reads no input; -w and --idle bound it all the same")
        func echoing() throws {
            let server = try TestServer.feed(["a"])
            for bound in ["-w", "--idle"] { #expect(try run(["--echo", bound, "0.3", server.url]).output == "a\n") }
        }

        /// A server that does `body` once a first frame has come, then closes when asked to.
        private func dropping(_ body: @escaping @Sendable (LoopbackServer.Connection) throws -> Void) throws -> LoopbackServer {
            try LoopbackServer { connection in
                try connection.upgrade()
                let head = try connection.receive(exactly: 6)
                _ = try connection.receive(exactly: Int(head[1] & 0x7F))
                try body(connection)
                try connection.finishClosing()
            }
        }
    }
}

extension LoopbackServer.Connection {
    /// Whether something came, or the end, within `milliseconds`.
    fileprivate func waitForInput(_ milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) == 1
    }

    /// Lets the kernel take only little that is not read.
    fileprivate func receiveLittle() {
        var size: Int32 = 64 << 10
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Sends a text, as the servers do that drop what waits once a Close has come: only if nothing comes before `microseconds` are over.
    fileprivate func answer(_ text: [UInt8], after microseconds: Int32) throws {
        if !waitForInput(microseconds / 1000) { try sendFrame(1, text) }
    }

    /// Pings all along, and until nobody takes a ping any more: a descriptor that is closed before could be the next connection's by then.
    fileprivate func pinging(while body: () throws -> Void) rethrows {
        let isOver = DispatchSemaphore(value: 0)
        DispatchQueue(label: "wsline.tests.pings").async {
            while (try? sendFrame(9)) != nil { usleep(50_000) }
            isOver.signal()
        }
        defer { isOver.wait() }
        try body()
    }

    /// Reads until a Close, past pongs, answers it and ends the stream.
    fileprivate func finishClosing() throws {
        while true {
            let head = try receive(exactly: 6)
            _ = try receive(exactly: Int(head[1] & 0x7F))
            if head[0] == 0x88 { return try sendFrame(8, [0x03, 0xE8]) }
        }
    }
}
