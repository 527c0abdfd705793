import Dispatch
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

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
    }
}
