import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline
import CPosix

extension ProgramTests {
    /// Slash commands in a pipe: each waits for the one before it.
    @Suite
    struct PipedCommandTests {
        @Test(
            "A file is sent whole before the next line is read, and before the end of the input",
            arguments: [1, 256 << 10, 300 << 10, 1 << 20, 1 << 20 + 1, 5 << 20])
        func fileThenLine(size: Int) throws {
            let directory = try TemporaryDirectory()
            let path = try directory.write([UInt8](repeating: 0x61, count: size), to: "file")
            for option in ["", "-t "] {
                let seen = Gathered<String>()
                let server = try TestServer { socket in
                    socket.onMessage = { kind, payload in seen.append("\(kind) \(payload.byteCount)") }
                    socket.onClose = { seen.append("closed \($0.code.rawValue)") }
                }
                let kind = option.isEmpty ? "binary" : "text"
                let alone = try run(["--slash", "-w", "0", server.url], input: "/file \(option)\(path)\n")
                #expect(alone.status == 0, "\(alone.errors)")
                #expect(try seen.first(2) == ["\(kind) \(size)", "closed 1000"])
                let followed = try run(["--slash", "-w", "0", server.url], input: "/file \(option)\(path)\nafter\n/file \(option)\(path)")
                #expect(followed.status == 0, "\(followed.errors)")
                #expect(try seen.first(6).suffix(4) == ["\(kind) \(size)", "text 5", "\(kind) \(size)", "closed 1000"])
            }
        }

        @Test("A server that closes while a file is checked ends the run as any Close does: with its event, and its status")
        func closedWhileChecking() throws {
            let directory = try TemporaryDirectory()
            let path = try sparse(in: directory)
            let server = try TestServer { socket in
                socket.onMessage = { [unowned socket] _, _ in try? socket.close(.internalError, reason: "no") }
            }
            let result = try run(["--slash", "--json", server.url], input: "go\n/file -t \(path)\n")
            let events = result.output.split(separator: "\n")
            #expect(events.first?.contains(#""event":"open""#) == true)
            #expect(events.last?.contains(#""event":"close""#) == true, "\(result.output)")
            #expect(events.last?.contains(#""code":1011"#) == true, "\(result.output)")
            #expect(result.status == 10)
            #expect(result.errors.contains("the server closed with 1011 (internal error): no"), "\(result.errors)")
            #expect(result.errors.contains("the connection closed before \"\(path)\" was sent whole: none of"), "\(result.errors)")
        }

        @Test(
            "A server that is lost while a file is checked, or sent, is connected to again where that is asked for",
            arguments: ["-t ", ""], ["after\n", ""])
        func reconnectsWithinFile(option: String, rest: String) throws {
            let directory = try TemporaryDirectory()
            let path = try sparse(in: directory)
            let seen = Gathered<String>()
            let connections = Gathered<Int>()
            let server = try TestServer { socket in
                socket.stream(.binary, true)
                socket.onPart = { _ in }
                socket.onMessage = { [unowned socket] _, payload in
                    seen.append(payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
                    if connections.all.count == 1 { socket.abort() }
                }
                socket.onOpen = { connections.append(1) }
                socket.onClose = { seen.append("closed \($0.code.rawValue)") }
            }
            let result = try run(["--slash", "--reconnect", "-w", "0", server.url], input: "go\n/file \(option)\(path)\n\(rest)")
            #expect(result.errors.contains("reconnecting in"), "\(result.errors)")
            let expected = ["go", "closed 1006"] + (rest.isEmpty ? [] : ["after"]) + ["closed 1000"]
            #expect(try seen.first(expected.count) == expected)
            #expect(result.status == 0, "\(result.errors)")
        }

        @Test("A file that turns out not to be text is an error of the input: what follows isn't sent")
        func notText() throws {
            let directory = try TemporaryDirectory()
            let path = try directory.write([UInt8](repeating: 0x61, count: 3 << 20) + [0xFF], to: "file")
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let result = try run(["--slash", server.url], input: "before\n/file -t \(path)\nafter\n")
            #expect(result.status == 65)
            #expect(result.errors.contains("isn't UTF-8 at byte \(3 << 20 + 1)"), "\(result.errors)")
            #expect(try seen.first(2) == ["before", "closed 1000"])
        }

        @Test("The pings of --ping-interval and of /ping have payloads of their own, so that each pong is known")
        func pingPayloads() throws {
            let seen = Gathered<String>()
            let server = try TestServer { socket in
                socket.onPing = { payload in seen.append(payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }) }
            }
            let program = try start(["--slash", "--ping-interval", "0.1", server.url])
            try program.write("/ping\n")
            try seen.first(3)
            try program.write("/ping\n/ping\n")
            let all = try seen.first(8)
            #expect(Set(all).count == all.count, "\(all)")
            program.closeInput()
            let result = try finish(program)
            #expect(result.errors.matches(of: #/pong after/#).count == 3, "\(result.errors)")
        }

        /// A file of zeros, which are text, that takes longer to read than a server takes to close.
        private func sparse(in directory: TemporaryDirectory) throws -> String {
            let path = try directory.write([], to: "sparse")
            guard truncate(path, 8 << 30) == 0 else { throw TestFailure("truncate: errno \(errno)") }
            return path
        }
    }
}
