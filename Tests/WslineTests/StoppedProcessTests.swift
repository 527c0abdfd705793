import TestSupport
import Testing
import WebSocketProtocol

@testable import wsline
import CPosix

extension ProgramTests {
    /// A process that is stopped (Ctrl-Z, a debugger, a frozen container) finds its timers overdue when it goes on. That time isn't the peer's.
    @Suite
    struct StoppedProcessTests {
        /// When the peer does what is awaited of it: while the program doesn't run, or once it runs again.
        enum Answer: CaseIterable {
            case meanwhile, afterwards
        }

        /// How many programs are stopped at once: which of timer and socket is looked at first is a matter of luck.
        private static let runs = 6

        @Test("A pong that came while wsline was stopped counts, and one that didn't gets its time anew", arguments: Answer.allCases)
        func pings(answer: Answer) throws {
            let next = Gathered<UInt8>()
            let options = ["--ping-interval", "0.2", "--ping-timeout", "1", "-w", "-1"]
            try runStopped(options, input: "") { connection, pause in
                try connection.upgrade()
                let ping = try connection.receiveFrame()
                try pause(answer) {
                    // Something else is read first.
                    try connection.sendFrame(1, [0x61])
                    if answer == .afterwards { usleep(100_000) }
                    try connection.sendFrame(10, ping.payload)
                }
                let frame = try connection.receiveFrame()
                next.append(frame.opcode)
                try connection.sendFrame(8, [0x03, 0xE8])
                _ = try connection.receiveToEnd()
            } expect: {
                #expect($0.status == 0, "\($0.errors)")
            }
            #expect(next.all == Array(repeating: 9, count: Self.runs), "each sends its next ping")
        }

        @Test("A Close that came while wsline was stopped counts, and one that didn't gets its time anew", arguments: Answer.allCases)
        func closing(answer: Answer) throws {
            try runStopped(["-w", "0", "--close-timeout", "1"], input: "") { connection, pause in
                try connection.upgrade()
                _ = try connection.receiveFrame()
                try pause(answer) { try connection.sendFrame(8, [0x03, 0xE8]) }
                _ = try connection.receiveToEnd()
            } expect: {
                #expect($0.status == 0, "\($0.errors)")
            }
        }

        @Test(
            "An answer to the handshake that came while wsline was stopped counts, and one that didn't gets its time anew",
            arguments: Answer.allCases)
        func opening(answer: Answer) throws {
            try runStopped(["-1", "--connect-timeout", "1"], input: nil) { connection, pause in
                let response = try connection.upgradeAnswer()
                try pause(answer) { try connection.send(response) }
                try connection.sendFrame(1, Array("hi".utf8))
                _ = try connection.receiveFrame()
                try connection.sendFrame(8, [0x03, 0xE8])
                _ = try connection.receiveToEnd()
            } expect: {
                #expect($0.status == 0 && $0.output == "hi\n", "\($0.errors)")
            }
        }

        @Test("So does a proxy's answer", arguments: Answer.allCases)
        func dialing(answer: Answer) throws {
            try runStopped(["-1", "--connect-timeout", "1"], throughProxy: true, input: nil) { connection, pause in
                _ = try connection.receive(through: "\r\n\r\n")
                try pause(answer) { try connection.send("HTTP/1.1 200 OK\r\n\r\n") }
                try connection.upgrade()
                try connection.sendFrame(1, Array("hi".utf8))
                _ = try connection.receiveFrame()
                try connection.sendFrame(8, [0x03, 0xE8])
                _ = try connection.receiveToEnd()
            } expect: {
                #expect($0.status == 0 && $0.output == "hi\n", "\($0.errors)")
            }
        }

        private typealias Pause = (Answer, () throws -> Void) throws -> Void

        /// Runs the program some times at once, each against a script that stops it for longer than any of its limits.
        private func runStopped(
            _ options: [String], throughProxy: Bool = false, input: String?,
            _ script: @escaping @Sendable (LoopbackServer.Connection, Pause) throws -> Void, expect: (Finished) -> Void
        ) throws {
            var stopped: [(program: RunningProcess, server: LoopbackServer)] = []
            for _ in 0..<Self.runs {
                let process = Gathered<pid_t>()
                let server = try LoopbackServer { connection in
                    try script(connection) { answer, act in
                        let process = try process.first(1)[0]
                        kill(process, SIGSTOP)
                        if answer == .meanwhile { try act() }
                        usleep(2_500_000)
                        kill(process, SIGCONT)
                        if answer == .afterwards { try act() }
                    }
                }
                let way = throughProxy ? ["--proxy", "http://127.0.0.1:\(server.port)", "ws://example.invalid/"] : [server.url]
                let program = try start(options + way)
                process.append(program.process)
                if input != nil { program.closeInput() }
                stopped.append((program, server))
            }
            for (program, server) in stopped {
                expect(try finish(program))
                #expect(server.errors.isEmpty)
            }
        }
    }
}
