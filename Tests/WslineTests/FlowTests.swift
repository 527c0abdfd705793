import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline
import CPosix

extension ProgramTests {
    /// Whoever takes no more for now, nothing is lost, memory stays flat, and the program goes on obeying.
    @Suite
    struct FlowTests {
        private static let bound = 48 << 20

        // MARK: Reasons to pause

        @Test("--echo to a server that never reads stays in bounded memory, though standard output takes more again and again")
        func echoWithSlowOutput() throws {
            // A message is more than the pipe takes, so each of them blocks it.
            let message = [0x81, 127, 0, 0, 0, 0, 0, 0x10, 0, 0] + [UInt8](repeating: 0x61, count: 1 << 20)
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                for _ in 0..<512 { try connection.send(message) }
            }
            let output = try Fifo()
            defer { output.close() }
            let program = try start(["--echo", "--no-deflate", server.url], output: .file(output.path), errors: .unread)
            output.read { _ in usleep(1000) }
            try program.settle()
            expectPeakMemory(program.peakMemory, below: Self.bound)
            program.send(signal: SIGTERM)
            #expect(try finish(program).status == 143)
        }

        // MARK: Standard error

        /// A listener whose standard error nobody reads, full for long; and its clients.
        private func floodedListener(_ errors: Fifo) throws -> (program: RunningProcess, port: UInt16, clients: [RawClient]) {
            let program = try start(["-v", "-l", "127.0.0.1:0"], errors: .file(errors.path))
            let first = try errors.readLine()
            let port = try #require(first.firstMatch(of: /:([0-9]+)/).flatMap { UInt16($0.1) }, "\(first)")
            let clients = try (0..<300).map { _ in
                let client = try RawClient(port: port)
                try client.open(String(repeating: "X-Long: \(String(repeating: "x", count: 100))\r\n", count: 20))
                return client
            }
            return (program, port, clients)
        }

        @Test("a listener whose standard error nobody reads serves on, and obeys SIGTERM")
        func unreadErrors() throws {
            let errors = try Fifo()
            defer { errors.close() }
            let (program, _, clients) = try floodedListener(errors)
            try clients[299].connection.send(RawClient.frame(0x81, Array("still there".utf8)))
            try program.wait { $0 == "still there\n" }
            program.send(signal: SIGTERM)
            let result = try finish(program)
            #expect(result.status == 143)
            #expect(result.duration < 10, "\(result.duration) s")
            expectPeakMemory(result.peakMemory, below: Self.bound)
        }

        @Test("once standard error is read again, it says how many lines it lost, and has the latest")
        func droppedLines() throws {
            let errors = try Fifo()
            defer { errors.close() }
            let (program, port, clients) = try floodedListener(errors)
            let text = Gathered<String>()
            errors.read { text.append(String(decoding: $0, as: UTF8.self)) }
            let late = try RawClient(port: port)
            try late.open()
            try text.wait { $0.joined().contains(/client 301 connected[^~]*Sec-WebSocket-Version/) }
            program.send(signal: SIGTERM)
            #expect(try finish(program).status == 143)
            let lines = text.all.joined().split(separator: "\n")
            let counts = lines.compactMap { $0.firstMatch(of: /^wsline: ([0-9]+) lines? dropped here/).flatMap { Int($0.1) } }
            let shown = lines.count { !$0.contains("disconnected") && !$0.contains("dropped here") }
            // For each client: that it came, its request line and five fields, with twenty more for the first ones.
            #expect(counts.reduce(shown, +) == 300 * 27 + 7, "\(counts), \(shown)")
            let note = try #require(lines.firstIndex { $0.contains("dropped here") })
            #expect(lines[(note + 1)...].contains { $0.hasPrefix("client 300 connected") })
            #expect(lines.allSatisfy { line in ["client ", "< ", "wsline: "].contains { line.hasPrefix($0) } }, "whole lines")
            withExtendedLifetime(clients) {}
        }

        @Test("an ending waits a second at most for standard error")
        func endingWithBlockedErrors() throws {
            let errors = try Fifo()
            defer { errors.close() }
            errors.fill()
            let result = try run(["ws://127.0.0.1:1/"], input: "", errors: .file(errors.path))
            #expect(result.status == 3)
            #expect(result.duration < 10, "\(result.duration) s")
        }

        // MARK: Pipes to save to

        @Test("--save to a pipe that nobody reads lets --timeout end the run, and signals too")
        func saveWithoutReader() throws {
            let pipe = try Fifo(opens: false)
            defer { pipe.close() }
            let server = try TestServer { socket in
                afterOpening(socket) { socket in
                    try? [UInt8](repeating: 1, count: 10).withUnsafeBytes { try socket.send(.binary, $0) }
                    try? socket.send("text")
                }
            }
            let result = try run(["--save", pipe.path, "--timeout", "1", server.url])
            #expect(result.status == 8, "\(result.errors)")
            let program = try start(["--save", pipe.path, "--count", "1", server.url])
            try program.settle()
            program.send(signal: SIGTERM)
            #expect(try finish(program).status == 143)
            #expect(!program.errorText.contains("saved"))
        }

        private func binaries(_ count: Int, _ size: Int) throws -> TestServer {
            try TestServer { socket in
                var left = count
                let more = { [unowned socket] in
                    while socket.readyState == .open, !socket.isCongested {
                        guard left > 0 else { return (try? socket.close()) ?? () }
                        left -= 1
                        try? [UInt8](repeating: UInt8(truncatingIfNeeded: left), count: size).withUnsafeBytes {
                            try socket.send(.binary, $0)
                        }
                    }
                }
                afterOpening(socket) { _ in more() }
                socket.onDrain = more
            }
        }

        @Test("--save to a pipe whose reader stalls pauses the reading in bounded memory, and obeys")
        func saveWithStalledReader() throws {
            let pipe = try Fifo()
            defer { pipe.close() }
            let server = try binaries(400, 1 << 20)
            let program = try start(["--save", pipe.path, "--timeout", "3", server.url])
            try program.settle()
            expectPeakMemory(program.peakMemory, below: Self.bound)
            let result = try finish(program)
            #expect(result.status == 8)
            #expect(result.errors.contains("longer than --timeout allows"))
        }

        @Test("--save to a pipe waits for its reader, who gets all of it, and only then says so", arguments: [10, 600_000])
        func saveToLateReader(_ size: Int) throws {
            let pipe = try Fifo(opens: false)
            defer { pipe.close() }
            let server = try binaries(8, size)
            let program = try start(["--save", pipe.path, server.url])
            try program.settle()
            #expect(!program.errorText.contains("saved"))
            try pipe.open(O_RDONLY)
            let bytes = Gathered<[UInt8]>()
            pipe.read { bytes.append($0) }
            #expect(try finish(program).status == 0)
            try bytes.wait { $0.reduce(0) { $0 + $1.count } >= 8 * size }
            #expect(bytes.all.joined().elementsEqual((0..<8).reversed().flatMap { [UInt8](repeating: $0, count: size) }))
            #expect(program.errorText == String(repeating: "saved \(size) bytes to \(pipe.path)\n", count: 8))
        }

        @Test("a reader of what is saved who leaves ends the run with 74")
        func saveReaderLeaves() throws {
            let pipe = try Fifo()
            defer { pipe.close() }
            let server = try binaries(400, 1 << 20)
            let program = try start(["--save", pipe.path, server.url])
            try program.settle()
            pipe.close()
            let result = try finish(program)
            #expect(result.status == 74)
            #expect(result.errors.contains("can't write to \"\(pipe.path)\": broken pipe"))
        }

        @Test("a listener saves to a pipe whose reader stalls as a client does, and obeys")
        func listenerSavesToStalledReader() throws {
            let pipe = try Fifo()
            defer { pipe.close() }
            let server = try Listening(["--save", pipe.path])
            let client = try server.connect()
            try client.open()
            let message = RawClient.frame(0x82, [UInt8](repeating: 7, count: 64 << 10))
            #expect(client.flood(with: message, upTo: 256 << 20) < 256 << 20)
            expectPeakMemory(server.program.peakMemory, below: Self.bound)
            #expect(try server.end() == .exited(143))
        }

        // MARK: Descriptors

        private func shell(_ redirection: String, _ arguments: [String]) throws -> RunningProcess {
            try RunningProcess(
                "/bin/sh", ["-c", "exec \"$0\" \"$@\" \(redirection)", try PseudoTerminal.builtProduct("wsline")] + arguments)
        }

        @Test("a standard input that is closed has ended")
        func closedInput() throws {
            let server = try TestServer.echo()
            let program = try shell("<&-", ["-w", "0", server.url])
            let result = try finish(program)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output == "" && result.errors == "")
        }

        @Test("with standard error closed no diagnostics get into standard output")
        func closedErrors() throws {
            let server = try TestServer.echo()
            let program = try shell("2>&-", ["-v", "-1", server.url])
            try program.write("hello\n")
            let result = try finish(program)
            #expect(result.status == 0)
            #expect(result.output == "hello\n")
        }

        @Test("with all three closed a run ends as ever")
        func allClosed() throws {
            let server = try TestServer.feed(["hello"])
            #expect(try finish(try shell("<&- >&- 2>&-", ["-1", server.url])).status == 0)
        }

        #if os(Linux)
            @Test("a pipe that somebody has enlarged stays as large", arguments: [RunningProcess.Stream.output, .errors])
            func enlargedPipe(_ stream: RunningProcess.Stream) throws {
                let pipe = try Fifo()
                defer { pipe.close() }
                let size = fcntl(pipe.descriptor, 1031, 1 << 20)
                try #require(size == 1 << 20, "errno \(errno)")
                let server = try TestServer.feed(["hello"])
                let result = try run(
                    ["-v", "-1", server.url], output: stream == .output ? .file(pipe.path) : .collected,
                    errors: stream == .errors ? .file(pipe.path) : .collected)
                #expect(result.status == 0)
                #expect(fcntl(pipe.descriptor, 1032) == size)
            }
        #endif

        // MARK: Last words

        @Test("a listener at a terminal says that its port is taken", arguments: 0..<15)
        func portTaken(_ round: Int) throws {
            let other = try Listening(input: .file("/dev/null"))
            let terminal = try PseudoTerminal.wsline(["-l", "127.0.0.1:\(other.port)"], connects: false)
            #expect(try terminal.waitForExit() == .exited(74))
            #expect(terminal.screen.everything.contains { $0.contains("already in use") }, "\(terminal.screen.everything)")
            #expect(terminal.isCooked && terminal.screen.cursorColumn == 0)
        }

        @Test("at a terminal that shows nothing more, signals are obeyed", arguments: [false, true])
        func blockedTerminal(listens: Bool) throws {
            let text = String(repeating: "x", count: 1 << 16)
            let server = try TestServer { socket in
                let more = { [unowned socket] in
                    while socket.readyState == .open, !socket.isCongested { try? socket.send(text) }
                }
                afterOpening(socket) { _ in more() }
                socket.onDrain = more
            }
            let terminal: PseudoTerminal
            var client: RawClient?
            if !listens {
                terminal = try PseudoTerminal.wsline([server.url], connects: false)
                try terminal.wait { $0.everything.contains("Connected (press CTRL+C to quit)") }
            } else {
                terminal = try PseudoTerminal.wsline(["-l", "127.0.0.1:0"], connects: false)
                try terminal.wait { $0.everything.contains { $0.contains("Listening") } }
                let row = try #require(terminal.screen.everything.first { $0.contains("Listening") })
                let port = try #require(row.firstMatch(of: /:([0-9]+)/).flatMap { UInt16($0.1) })
                client = try RawClient(port: port)
                try client?.open()
                let message = RawClient.frame(0x81, [UInt8](repeating: 0x61, count: 64 << 10))
                #expect(client?.flood(with: message, upTo: 256 << 20) ?? 0 < 256 << 20)
            }
            // Nobody reads the terminal any more.
            try terminal.settle()
            terminal.send(signal: SIGTERM)
            try terminal.waitUnread()
            #expect(try terminal.waitForExit() == .exited(143))
            withExtendedLifetime(client) {}
        }

        @Test("a listener says that --timeout ended it", arguments: [["--echo"], []])
        func listenerTimeout(_ arguments: [String]) throws {
            let result = try run(arguments + ["-l", "127.0.0.1:0", "--timeout", "0.2"])
            #expect(result.status == 8)
            #expect(result.errors.contains("wsline: the run took longer than --timeout allows (0.2 s)\n"))
        }

        @Test("a key log that can't be written is reported once, and the run goes on")
        func keyLog() throws {
            let directory = try TemporaryDirectory()
            let authority = try Certificate.authority(in: directory)
            let own = try Certificate.localhost(issuer: authority, in: directory)
            let server = try TestServer(tls: context(own)) { socket in afterOpening(socket) { try? $0.send("hello") } }
            let environment = ["SSLKEYLOGFILE": "/nonexistent/keys"]
            let arguments = ["--ca", authority.certificateFile, "-1", "wss://127.0.0.1:\(server.port)/"]
            let result = try run(arguments, environment: environment)
            #expect(result.status == 0 && result.output == "hello\n")
            #expect(
                result.errors.lowercased() == "wsline: can't write the key log \"/nonexistent/keys\": no such file or directory\n")
            let listener = try run(
                ["-l", "127.0.0.1:0", "--cert", own.certificateFile, "--key", own.keyFile, "--timeout", "0.2"], environment: environment)
            #expect(listener.errors.contains("can't write the key log"))
            // One that nobody reads must not hold the run up.
            let pipe = try Fifo(opens: false)
            defer { pipe.close() }
            #expect(try run(arguments, environment: ["SSLKEYLOGFILE": pipe.path]).output == "hello\n")
        }
    }
}
