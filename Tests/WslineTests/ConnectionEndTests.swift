import Dispatch
import TestSupport
import Testing
import WebSocketProtocol

@testable import wsline
import CPosix

extension ProgramTests {
    /// How long a server can hold a run that wants to end (RFC 6455, section 7.1.1).
    @Suite
    struct ConnectionEndTests {
        @Test("A server that goes on pinging after our Close is left when --close-timeout has passed since our Close")
        func pingingAfterClose() throws {
            let server = try LoopbackServer {
                try $0.upgrade()
                while true {
                    try $0.sendFrame(9, [0x61])
                    usleep(50_000)
                }
            }
            let result = try run(["-w", "0", "--close-timeout", "0.5", server.url], input: "", within: 10)
            #expect(result.status == 9 && result.duration >= 0.5)
        }

        @Test("--close-timeout does not run while messages before our Close are still leaving")
        func slowReader() throws {
            let server = try LoopbackServer {
                // Little of it fits the system's buffers, so most waits in the program.
                var room: Int32 = 1 << 16
                setsockopt($0.descriptor, SOL_SOCKET, SO_RCVBUF, &room, socklen_t(MemoryLayout<Int32>.size))
                try $0.upgrade()
                // All messages take longer than --close-timeout, those that fit the buffers far less.
                while try $0.receiveFrame().opcode != 8 { usleep(8_000) }
                try $0.sendFrame(8, [0x03, 0xE8])
                _ = try $0.receiveToEnd()
            }
            let zeros = [UInt8](repeating: 0, count: 16 << 20)
            let result = try run(["-b", "--split", "64K", "-w", "0", "--close-timeout", "1", server.url], bytes: zeros, within: 60)
            #expect(result.status == 0, "\(result.errors)")
        }

        @Test(
            "After both Closes our side of the stream ends at once, and the server's end is awaited for a second at most",
            arguments: [true, false])
        func serverLeavesStreamOpen(closesFirst: Bool) throws {
            let ended = Gathered<Bool>()
            let isOver = DispatchSemaphore(value: 0)
            let server = try LoopbackServer {
                try $0.upgrade()
                if closesFirst { try $0.sendFrame(8, [0x03, 0xE8]) }
                _ = try $0.receive(exactly: 8)
                if !closesFirst { try $0.sendFrame(8, [0x03, 0xE8]) }
                ended.append(try $0.receiveToEnd().isEmpty)
                _ = isOver.wait(timeout: .now() + 60)
            }
            defer { isOver.signal() }
            let result = try run(["-w", closesFirst ? "-1" : "0", "--close-timeout", "30", server.url], input: "")
            #expect(result.status == 0 && result.duration < 15)
            #expect(try ended.first(1) == [true], "the server reads our end, and no reset, while its side is still open")
        }

        @Test("A server that is failed for a breach and never ends the stream is left after a second")
        func breachAndNoEnd() throws {
            let isOver = DispatchSemaphore(value: 0)
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.sendFrame(0x0B)
                _ = isOver.wait(timeout: .now() + 60)
            }
            defer { isOver.signal() }
            let result = try run(["--close-timeout", "30", server.url])
            #expect(result.status == 7 && result.duration < 15)
        }

        @Test("A Close that comes while standard output is blocked ends the connection, and all that came before it is written")
        func blockedOutput() throws {
            let ended = Gathered<Bool>()
            let size = 2 << 20
            let sent = Gathered<Bool>()
            let server = try LoopbackServer {
                try $0.upgrade()
                let frame: [UInt8] = [0x82, 127] + withUnsafeBytes(of: UInt64(1 << 16).bigEndian) { Array($0) }
                for _ in 0..<(size >> 16) { try $0.send(frame + [UInt8](repeating: 0x61, count: 1 << 16)) }
                try $0.sendFrame(8, [0x03, 0xE8])
                sent.append(true)
                ended.append(try $0.receiveToEnd().count == 8)
            }
            let program = try start(["--binary-as", "raw", server.url], output: .unread)
            try sent.first(1)
            program.read()
            let result = try finish(program)
            #expect(result.status == 0 && result.bytes.count == size)
            #expect(try ended.first(1) == [true])
        }
    }
}
