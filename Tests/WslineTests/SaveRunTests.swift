import TestSupport
import Testing
import WebSocketTransport
import CPosix

extension ProgramTests {
    @Suite("Saving to files")
    struct SaveRunTests {
        private func expectLocalFailure(_ result: Finished) {
            #expect(result.status == 74, "\(result.errors)")
            #expect(
                result.errors.split(separator: "\n").count == 1 && result.errors.hasPrefix("wsline: can't write to "), "\(result.errors)")
        }

        /// Sends 12 MiB of binary messages of so many bytes, and then waits for what the client does.
        private func feed(_ size: Int) throws -> TestServer {
            try TestServer { socket in
                afterOpening(socket) { socket in
                    let bytes = [UInt8](repeating: 7, count: size)
                    for _ in 0..<(12 << 20) / size { bytes.withUnsafeBytes { try? socket.send(.binary, $0) } }
                }
            }
        }

        @Test(
            "a full disk ends the run with a line and 74, however large the messages are", .enabled(if: access("/dev/full", W_OK) == 0),
            arguments: [1000, 1 << 20, 5 << 20])
        func fullDisk(_ size: Int) throws {
            let server = try feed(size)
            expectLocalFailure(try run(["-q", "--save", "/dev/full", server.url]))
        }

        @Test("a file at its size limit ends the run with a line and 74, and holds whole messages only", arguments: [1000, 1 << 20])
        func limitedFile(_ size: Int) throws {
            let directory = try TemporaryDirectory()
            let server = try feed(size)
            let path = directory.file("all")
            let program = try RunningProcess(
                "/bin/sh",
                ["-c", "ulimit -f 3000; exec \"$0\" -q \"$@\"", try PseudoTerminal.builtProduct("wsline"), "--save", path, server.url])
            expectLocalFailure(try finish(program))
            let count = try readFile(path).count
            #expect(count > 0 && count % size == 0, "\(count) bytes")
        }

        @Test("with --json binary messages are saved, streamed past --max-message, and their events name the file in their place")
        func json() throws {
            let directory = try TemporaryDirectory()
            let server = try TestServer { socket in
                afterOpening(socket) { socket in
                    try? socket.send("a")
                    [UInt8](1...3).withUnsafeBytes { try? socket.send(.binary, $0) }
                    try? socket.send("b")
                    [UInt8](repeating: 9, count: 1_500_000).withUnsafeBytes { try? socket.send(.binary, $0) }
                    try? socket.send("c")
                }
            }
            let result = try run(
                ["--json", "--max-message", "1M", "--count", "5", "--save", directory.path, server.url], input: "")
            #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
            let members = result.output.split(separator: "\n").filter { $0.contains(#""event":"message""#) }.map { line in
                line.firstRange(of: #""type":"#).map { String(line[$0.lowerBound...]) } ?? ""
            }
            #expect(
                members == [
                    #""type":"text","text":"a","bytes":1}"#,
                    #""type":"binary","file":"\#(directory.file("000001.bin"))","bytes":3}"#,
                    #""type":"text","text":"b","bytes":1}"#,
                    #""type":"binary","file":"\#(directory.file("000002.bin"))","bytes":1500000}"#,
                    #""type":"text","text":"c","bytes":1}"#,
                ])
            #expect(try readFile(directory.file("000001.bin")) == [1, 2, 3])
            #expect(try readFile(directory.file("000002.bin")) == [UInt8](repeating: 9, count: 1_500_000))
        }

        private func message(_ value: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: value, count: count) }

        /// Two clients' messages under way at once, and half of one of a client that goes.
        private func interleave(_ server: Listening) throws {
            let (slow, quick, lost) = (try server.connect(), try server.connect(), try server.connect())
            for client in [slow, quick, lost] { try client.open() }
            try server.waitForClients(3)
            try slow.connection.send(RawClient.frame(0x02, message(1, 300_000)))
            try lost.connection.send(RawClient.frame(0x02, message(3, 200_000)))
            try quick.connection.send(RawClient.frame(0x82, message(2, 400_000)))
            try server.program.wait(for: .errors) { $0.contains("saved 400000 bytes") }
            try quick.connection.send(RawClient.frame(0x82, [4]))
            try server.program.wait(for: .errors) { $0.contains("saved 1 byte") }
            lost.connection.shutdownWrite()
            try server.program.wait(for: .errors) { $0.contains("client 3 disconnected") }
            try slow.connection.send(RawClient.frame(0x80, message(1, 300_001)))
            try server.program.wait(for: .errors) { $0.contains("saved 600001 bytes") }
            #expect(try server.end() == .exited(143))
        }

        @Test("a listener streams each client's messages to the directory, whole and past --max-message")
        func listenerDirectory() throws {
            let directory = try TemporaryDirectory()
            try interleave(try Listening(["--max-message", "64K", "--save", directory.path]))
            let saved = ["000001.bin", "000002.bin", "000003.bin", "000004.bin"].compactMap { try? readFile(directory.file($0)) }
            #expect(Set(saved) == [message(1, 600_001), message(2, 400_000), [4]])
        }

        @Test("in a listener's plain file the messages of several clients are whole, each after the one that was whole before it")
        func listenerFile() throws {
            let directory = try TemporaryDirectory()
            let path = directory.file("all")
            try interleave(try Listening(["--max-message", "64K", "--save", path]))
            #expect(try readFile(path) == message(2, 400_000) + [4] + message(1, 600_001))
        }

        @Test("80 MiB of one message are saved by a listener as by a client, with little memory")
        func largeInListener() throws {
            let directory = try TemporaryDirectory()
            let server = try Listening(["--save", directory.file("all")])
            let sender = try server.connect()
            try sender.open()
            try sender.connection.send([0x82, 0x80 | 127, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0])
            let piece = message(5, 1 << 20)
            for _ in 0..<80 { try sender.connection.send(piece) }
            try server.program.wait(for: .errors, within: 60) { $0.contains("saved 83886080 bytes") }
            expectPeakMemory(server.program.peakMemory, below: 60 << 20)
            #expect(try server.end() == .exited(143))
        }
    }
}
