import TestSupport
import Testing
import CPosix

extension ProgramTests {
    @Suite("Running out of things")
    struct ResourceTests {
        /// Runs the program through the shell, which sets a limit first.
        private func start(limit: String, _ arguments: [String]) throws -> RunningProcess {
            try RunningProcess("/bin/sh", ["-c", "\(limit); exec \"$0\" \"$@\"", try PseudoTerminal.builtProduct("wsline")] + arguments)
        }

        private func expectOneLine(_ result: Finished, _ status: Int32) {
            #expect(result.status == status, "\(result.errors)")
            #expect(result.errors.hasPrefix("wsline: ") && result.errors.split(separator: "\n").count == 1, "\(result.errors)")
        }

        @Test("with too few descriptors to start with, it says so in a line, with 1", arguments: 5...11)
        func fewDescriptors(_ count: Int) throws {
            let server = try TestServer.echo()
            // Standard input, output and error, and what the shell holds open.
            for mode in [["-x", "hi", "-1", server.url], ["-l", "0"], ["-l", "0", "--echo"], ["--demo", "-x", "hi"]] {
                expectOneLine(try finish(try start(limit: "ulimit -n \(count)", mode)), 1)
            }
        }

        @Test("with just enough descriptors it works, or the stage that fails says so")
        func enoughDescriptors() throws {
            let server = try TestServer.echo()
            let outcomes: Set<Int32> = [0, 1, 3]
            for count in 12...20 {
                let result = try finish(try start(limit: "ulimit -n \(count)", ["-q", "-x", "hi", "-1", server.url]))
                #expect(outcomes.contains(result.status), "\(count): \(result.status) \(result.errors)")
                if result.status == 0 { #expect(result.output == "hi\n") } else { expectOneLine(result, result.status) }
            }
        }

        #if os(Linux)
            @Test(
                "where no thread can be had, it says so in a line, with 1", .enabled(if: geteuid() == 0, "another user is needed"),
                arguments: [1, 2, 3])
            func noThreads(_ count: Int) throws {
                let directory = try TemporaryDirectory()
                // Whoever it runs as must be able to read the program.
                let program = directory.file("wsline")
                #expect(chmod(directory.path, 0o755) == 0)
                let bytes = try readFile(try PseudoTerminal.builtProduct("wsline"))
                let copy = open(program, O_WRONLY | O_CREAT, 0o755)
                #expect(bytes.withUnsafeBytes { write(copy, $0.baseAddress, $0.count) } == bytes.count)
                close(copy)
                // A user that nobody else is.
                for mode in [["--demo", "-x", "hi"], ["-l", "0"]] {
                    expectOneLine(
                        try finish(
                            try RunningProcess(
                                "/usr/bin/setpriv",
                                ["--reuid=64999", "--regid=64999", "--clear-groups", "/usr/bin/prlimit", "--nproc=\(count)", program] + mode
                            )),
                        1)
                }
            }

            @Test(
                "where there is no memory for a long message, it says so in a line, with 1",
                .limitsMemory,
                arguments: [20, 60])
            func noMemory(_ more: Int) throws {
                let server = try longText()
                let limit = try addressSpace() + (more << 20)
                expectOneLine(try finish(try start(limit: "ulimit -v \(limit >> 10)", ["-w", "-1", server.url]), within: 60), 1)
            }

            @Test(
                "without memory at a terminal its modes come back", .limitsMemory,
                arguments: [20, 90])
            func noMemoryAtTerminal(_ more: Int) throws {
                let server = try longText()
                let limit = try addressSpace() + (more << 20)
                let terminal = try PseudoTerminal(
                    "/bin/sh",
                    ["-c", "ulimit -v \(limit >> 10); exec \"$0\" \"$@\"", try PseudoTerminal.builtProduct("wsline"), "--full", server.url])
                terminal.patience = 60
                #expect(try terminal.waitForExit() == .exited(1))
                #expect(terminal.isCooked)
                #expect(terminal.screen.everything.contains { $0.contains("memory") }, "\(terminal.screen.everything)")
            }

            @Test(
                "where there is no memory for a long line, it says so in a line, with 1",
                .limitsMemory)
            func noMemoryForLine() throws {
                let server = try TestServer.echo()
                let limit = try addressSpace() + (30 << 20)
                let program = try start(limit: "ulimit -v \(limit >> 10)", ["--send-as", "hex", "-w", "0", server.url])
                program.writeForever([UInt8](repeating: 0x61, count: 1 << 20))
                expectOneLine(try finish(program, within: 60), 1)
            }

            /// Sends a text of 63 MiB, in pieces, so that the server has no more of it than one.
            private func longText() throws -> LoopbackServer {
                try LoopbackServer { connection in
                    try connection.upgrade()
                    try connection.send([0x81, 127, 0, 0, 0, 0, 3, 0xF0, 0, 0])
                    let piece = [UInt8](repeating: 0x61, count: 1 << 20)
                    for _ in 0..<63 { try connection.send(piece) }
                    connection.hang()
                }
            }

            /// What a run needs that does little, in bytes.
            private func addressSpace() throws -> Int {
                let server = try TestServer.feed(["ready"])
                let program = try WslineTests.start(["-w", "-1", server.url])
                try program.wait { $0.contains("ready") }
                let status = String(decoding: try readFile("/proc/\(program.process)/status"), as: UTF8.self)
                let line = status.split(separator: "\n").first { $0.hasPrefix("VmPeak:") }
                return try #require(line.flatMap { Int($0.filter(\.isNumber)) }) << 10
            }

            @Test("a listener whose clients don't get through the handshake in time has few threads")
            func fewThreads() throws {
                let server = try Listening(["--echo"])
                let count = 250
                let clients = try (0..<count).map { _ in try server.connect() }
                try server.program.wait(for: .errors, within: 60) {
                    $0.split(separator: "\n").count { $0.contains("no handshake within") } == count
                }
                let status = String(decoding: try readFile("/proc/\(server.program.process)/status"), as: UTF8.self)
                let threads = status.split(separator: "\n").first { $0.hasPrefix("Threads:") }.flatMap { Int($0.filter(\.isNumber)) }
                #expect(try #require(threads) < 10)
                withExtendedLifetime(clients) {}
            }
        #endif

        @Test("the messages of all clients hold --max-memory at most: whoever meets it gets 1013 and is told of, and the others go on")
        func sharedMemory() throws {
            let server = try Listening(["--echo", "--max-memory", "16M"])
            let half = RawClient.frame(0x02, [UInt8](repeating: 1, count: 3 << 20))
            var clients: [RawClient] = []
            for number in 1...8 {
                let client = try server.connect()
                try client.open()
                try server.waitForClients(number)
                // Whoever is refused isn't read to the end. The pong, or the Close, comes once the half is taken in, so that each has its turn.
                try? client.connection.send(half + RawClient.frame(0x89, []))
                _ = try? client.connection.receive(exactly: 2)
                clients.append(client)
                guard number == 1 else { continue }
                // The pong says that all of it has been read, before anybody else takes his part.
                try client.connection.send(RawClient.frame(0x89, []))
                #expect(try client.connection.receive(exactly: 2) == [0x8A, 0])
            }
            try server.program.wait(for: .errors) { $0.contains("closed with 1013 (try again later)") && $0.contains("--max-memory") }
            try server.program.wait(for: .errors) { $0.split(separator: "\n").count { $0.contains("closed with 1013") } >= 3 }
            expectPeakMemory(server.program.peakMemory, below: 80 << 20)
            // Another one leaves, so that there is room for the echo too; the first has its place until it ends.
            clients.remove(at: 1).abort()
            try server.program.wait(for: .errors) { $0.contains("client 2 disconnected") }
            try clients[0].connection.send(RawClient.frame(0x80, [2]))
            #expect(try clients[0].connection.receive(exactly: 2)[0] == 0x82)
            #expect(!server.program.errorText.contains("client 1:"))
        }

        @Test("a client that would need more than --max-memory for a message ends with 1 and answers 1013")
        func clientMemory() throws {
            let codes = Gathered<UInt16>()
            let server = try TestServer { socket in
                socket.onClose = { codes.append($0.code.rawValue) }
                afterOpening(socket) { socket in
                    [UInt8](repeating: 0x61, count: 3 << 20).withUnsafeBytes { try? socket.send(.text, $0) }
                }
            }
            let result = try run(["--max-memory", "1M", server.url])
            expectOneLine(result, 1)
            #expect(result.errors.contains("1048576 bytes") && result.errors.contains("--max-memory"), "\(result.errors)")
            #expect(try codes.first(1) == [1013])
        }
    }

    @Suite("Signals while it connects")
    struct ConnectingSignalTests {
        @Test("SIGTERM or SIGINT ends it each time, however many start at once", arguments: [SIGTERM, SIGINT])
        func whileConnecting(_ signal: Int32) throws {
            // Accepts, and never answers.
            let accepted = Gathered<Int32>()
            let server = try LoopbackServer { connection in
                accepted.append(connection.descriptor)
                connection.hang()
            }
            for round in 1...6 {
                let programs = try (0..<10).map { _ in try start([server.url]) }
                try accepted.first(round * programs.count)
                for program in programs { program.send(signal: signal) }
                for program in programs { #expect(try program.waitForExit(within: 15).status == .exited(128 + signal)) }
            }
        }

        #if os(Linux)
            @Test(
                "SIGTERM ends it while a name is looked up that nobody answers for",
                .enabled(if: canMount, "a name server of our own needs the superuser"))
            func whileLookingUp() throws {
                let directory = try TemporaryDirectory()
                let silence = try SilentNameServer()
                let file = try directory.write("nameserver \(silence.address)\n", to: "resolv.conf")
                for _ in 0..<5 {
                    let programs = try (0..<5).map { _ in
                        try RunningProcess(
                            "/usr/bin/unshare",
                            [
                                "-m", "/bin/sh", "-c", "mount --bind \(file) /etc/resolv.conf && exec \"$0\" \"$@\"",
                                try PseudoTerminal.builtProduct("wsline"), "-v", "ws://name.wsline.example/",
                            ])
                    }
                    for program in programs {
                        try program.wait(for: .errors) { $0.contains("name.wsline.example") }
                        program.send(signal: SIGTERM)
                    }
                    for program in programs { #expect(try program.waitForExit().status == .exited(143)) }
                }
            }

            private static let canMount: Bool = {
                guard geteuid() == 0, let program = try? RunningProcess("/usr/bin/unshare", ["-m", "/bin/mount", "--bind", "/tmp", "/tmp"])
                else { return false }
                return (try? program.waitForExit().status) == .exited(0)
            }()

            /// Takes questions on a loopback address's port 53 and answers none.
            private final class SilentNameServer {
                let address = "127.53.53.53"
                private let descriptor: Int32

                init() throws {
                    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
                    var name = sockaddr_in()
                    name.sin_family = sa_family_t(AF_INET)
                    name.sin_port = UInt16(53).bigEndian
                    inet_pton(AF_INET, address, &name.sin_addr)
                    let outcome = withUnsafePointer(to: name) { pointer in
                        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                        }
                    }
                    guard outcome == 0 else { throw TestFailure("bind: \(String(cString: strerror(errno)))") }
                }

                deinit { close(descriptor) }
            }
        #endif
    }
}
