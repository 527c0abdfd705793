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

        // MARK: Descriptors

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
