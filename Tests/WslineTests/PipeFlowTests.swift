import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline
import CPosix

extension ProgramTests {
    /// Memory stays flat whoever doesn't read.
    @Suite
    struct PipeFlowTests {
        private static let bound = 32 << 20

        @Test("With a blocked standard output a firehose is not read, and memory stays flat")
        func blockedOutput() throws {
            let sent = Gathered<Int>()
            let message = [0x82, 126, 0x40, 0] + [UInt8](repeating: 0x61, count: 0x4000)
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                var count = 0
                // The client stops reading: a send that takes no more for ten seconds fails, or the client's end comes first.
                defer { sent.append(count) }
                while count < 8192 {
                    try connection.send(message)
                    count += 1
                }
            }
            let program = try start([server.url], output: .unread)
            program.closeInput()
            try expectBounded(program, until: SIGTERM, status: 143)
            #expect(try sent.first(1)[0] < 8192, "the server had to wait")
        }

        @Test("With a server that reads nothing, an endless input is not read, and memory stays flat")
        func blockedServer() throws {
            let server = try LoopbackServer {
                try $0.upgrade()
                while $0.isOpen { usleep(10_000) }
            }
            let program = try start(["--no-deflate", server.url])
            program.writeForever(Array((String(repeating: "y", count: 4095) + "\n").utf8))
            try expectBounded(program, until: SIGINT, status: 130)
            server.stop()
        }

        @Test("A binary message of 256 MiB is saved in bounded memory")
        func largeMessage() throws {
            let size = 256 << 20
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                try connection.send([0x82, 127] + (0..<8).map { UInt8(truncatingIfNeeded: size >> ((7 - $0) * 8)) })
                let piece = [UInt8](repeating: 0xA5, count: 1 << 20)
                for _ in 0..<(size >> 20) { try connection.send(piece) }
                try connection.sendFrame(8, [0x03, 0xE8])
                connection.hang()
            }
            let directory = try TemporaryDirectory()
            let result = try run(["--save", directory.file("out.bin"), server.url], within: 60)
            #expect(result.status == 0)
            #expect(result.errors == "saved \(size) bytes to \(directory.file("out.bin"))\n")
            expectPeakMemory(result.peakMemory, below: Self.bound)
            var status = stat()
            #expect(stat(directory.file("out.bin"), &status) == 0 && status.st_size == size)
        }

        @Test("A ping's time limit does not run while standard output is blocked")
        func pausedKeepAlive() throws {
            let server = try TestServer { socket in
                afterOpening(socket) { socket in
                    let chunk = [UInt8](repeating: 0x61, count: 1 << 16)
                    for _ in 0..<64 { try? chunk.withUnsafeBytes { try socket.send(.text, $0) } }
                }
            }
            let program = try start(["--ping-interval", "0.1", "--ping-timeout", "0.2", "--count", "64", server.url], output: .unread)
            try program.settle()
            program.read()
            let result = try finish(program)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.bytes.count == 64 * ((1 << 16) + 1))
        }

        /// Once the program's memory grows no more it is bounded, and a signal ends the program soon.
        private func expectBounded(_ program: RunningProcess, until signal: Int32, status: Int32) throws {
            try program.settle()
            expectPeakMemory(program.peakMemory, below: Self.bound)
            program.send(signal: signal)
            let result = try finish(program)
            #expect(result.status == status && result.duration < 3)
        }
    }
}

extension LoopbackServer.Connection {
    /// Whether the peer has not gone, as far as that shows without reading.
    fileprivate var isOpen: Bool {
        var entry = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&entry, 1, 0) == 0
    }
}
