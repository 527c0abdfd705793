import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    @Suite
    struct PipeTests {
        @Test("What goes in comes back, byte for byte, and nothing else is on standard output")
        func exactBytes() throws {
            let server = try TestServer.echo()
            let result = try run(["--idle", "0.3", server.url], input: "one\r\n\n\u{1b}[31mred\u{7}\nÄ 😀\nno newline at the end")
            #expect(result.output == "one\n\n\u{1b}[31mred\u{7}\nÄ 😀\nno newline at the end\n")
            #expect(result.errors.isEmpty)
            #expect(result.status == 0)
        }

        @Test("100,000 lines come back in order")
        func manyLines() throws {
            let server = try TestServer.echo()
            let lines = (0..<100_000).map { "line \($0)\n" }.joined()
            let result = try run(["--count", "100000", server.url], input: lines, within: 40)
            #expect(result.bytes.elementsEqual(lines.utf8))
            #expect(result.status == 0)
        }

        @Test("A line of 8 MiB is one message, sent in fragments")
        func longLine() throws {
            let server = try TestServer.echo()
            let line = [UInt8](repeating: UInt8(ascii: "x"), count: 8 << 20) + Array("ü\n".utf8)
            let result = try run(["-1", server.url], bytes: line)
            #expect(result.bytes == line)
            #expect(result.status == 0)
        }

        @Test("A line that isn't UTF-8 is named with its byte, and what came before it has been sent")
        func notUTF8() throws {
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let result = try run([server.url], bytes: Array("good\nab".utf8) + [0xFF] + Array("cd\nnever\n".utf8))
            #expect(result.status == 65)
            #expect(result.errors == "wsline: input line 2, byte 3, isn't UTF-8\nwsline: -b sends the bytes as they are\n")
            #expect(try seen.first(2) == ["good", "closed 1000"])
        }

        @Test("Invalid UTF-8 behind a megabyte of one line is found at its place")
        func notUTF8InFragments() throws {
            let server = try TestServer.echo()
            let result = try run([server.url], bytes: Array("a\n".utf8) + [UInt8](repeating: 0x61, count: 3 << 20) + [0xC3, 0x0A])
            #expect(result.status == 65)
            #expect(result.errors.hasPrefix("wsline: input line 2, byte \((3 << 20) + 2), isn't UTF-8"), "\(result.errors)")
        }

        @Test(
            "Input is cut as --split says",
            arguments: [
                (["--split", "nul"], "a\nb\0\0c", ["a\nb", "", "c"]), (["-0"], "a\0b\0", ["a", "b"]),
                (["--split", "3"], "abcdefgh", ["abc", "def", "gh"]), (["--split", "whole"], "a\nb\n", ["a\nb\n"]),
                (["--split", "whole"], "", [""]), ([], "", []), ([], "a\r\nb\rc\r\n", ["a", "b\rc"]),
                (["--split", "2", "-b"], "aü", ["binary 2", "binary 1"]),
            ])
        func splits(options: [String], input: String, expected: [String]) throws {
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let result = try run(options + ["-w", "0", server.url], input: input)
            #expect(result.status == 0)
            #expect(try seen.first(expected.count + 1) == expected + ["closed 1000"])
        }

        @Test("Input that ends within a piece, just where a fragment of it has left, ends that message")
        func endsAtFragment() throws {
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let result = try run(["-b", "--split", "3M", "-w", "0", server.url], input: String(repeating: "a", count: 2 << 20))
            #expect(result.status == 0)
            #expect(try seen.first(2) == ["binary \(2 << 20)", "closed 1000"])
        }

        @Test("With -0 what is received ends in NUL")
        func outputInNUL() throws {
            let server = try TestServer.echo()
            #expect(try run(["-0", "--count", "2", server.url], input: "a\nb\0c\0").output == "a\nb\0c\0")
        }

        @Test("A size that cuts a character apart is refused, and named for what it is")
        func cutCharacter() throws {
            let server = try TestServer.echo()
            let result = try run(["--split", "2", server.url], input: "abcü")
            #expect(result.status == 65)
            #expect(result.errors.hasPrefix("wsline: input message 2 ends within a character\n"), "\(result.errors)")
        }

        @Test("Whole input of several megabytes leaves in fragments and in bounded memory")
        func whole() throws {
            let sizes = Gathered<UInt64>()
            let server = try TestServer { socket in
                socket.stream(.binary, true)
                socket.onPart = { [unowned socket] part in
                    if case .ended = part { sizes.append(socket.statistics.bytesReceived) }
                }
            }
            let program = try start(["-b", "--split", "whole", "--no-deflate", "-w", "0", server.url])
            for _ in 0..<64 { try program.write([UInt8](repeating: 7, count: 1 << 20)) }
            program.closeInput()
            let result = try finish(program)
            #expect(result.status == 0)
            #expect(try sizes.first(1) == [64 << 20])
            expectPeakMemory(result.peakMemory, below: 40 << 20)
        }

        @Test("Hexadecimal and Base64 lines are decoded and sent as binary; a bad one is named")
        func decoded() throws {
            let server = try TestServer.echo()
            #expect(try run(["--send-as", "hex", "--count", "2", server.url], input: "00ff\n41 42\n").output == "00ff\n4142\n")
            #expect(try run(["--send-as", "base64", "-1", "--binary-as", "raw", server.url], input: "aGkK\n").output == "hi\n")
            let bad = try run(["--send-as", "hex", server.url], input: "00\nzz\n")
            #expect(bad.status == 65)
            #expect(bad.errors.hasPrefix("wsline: input line 2: "), "\(bad.errors)")
        }

        @Test("-T puts the local time before each message")
        func timestamps() throws {
            let server = try TestServer.echo()
            let result = try run(["-T", "-1", server.url], input: "hello\n")
            #expect(result.output.wholeMatch(of: #/.*\d\d:\d\d:\d\d\.\d+.* hello\n/#) != nil, "\(result.output)")
        }

        @Test("Nothing is read from standard input before the connection is open")
        func inputWaits() throws {
            let program = try start(["--connect-timeout", "0.3", "ws://127.0.0.1:1/"], input: .pipe)
            try program.write("kept\n")
            #expect(try finish(program).status == 3)
        }

        @Test("A reader of standard output that comes late gets everything")
        func lateReader() throws {
            let lines = (0..<50_000).map { "message \($0) \(String(repeating: "x", count: 40))" }
            let server = try TestServer { socket in
                afterOpening(socket) { socket in
                    socket.beginBatch()
                    for line in lines { try? socket.send(line) }
                    socket.endBatch()
                    try? socket.close()
                }
            }
            let program = try start(["-w", "-1", "--close-timeout", "0.5", server.url], output: .unread)
            program.closeInput()
            #expect(throws: TestFailure.self, "it waits for its reader") { try program.waitForExit(within: 1.5) }
            program.read()
            let result = try finish(program)
            #expect(result.output == lines.map { $0 + "\n" }.joined())
            #expect(result.status == 0)
        }

        @Test("When the reader of standard output goes, the connection is closed with 1001, quietly, with nothing left to write")
        func readerGoes() throws {
            let seen = Gathered<String>()
            let server = try recorder(seen) { try? $0.send("first") }
            let program = try start([server.url], output: .unread)
            program.dropReader()
            let result = try finish(program)
            #expect(result.status == 0)
            #expect(result.errors.isEmpty)
            #expect(try seen.first(1) == ["closed 1001"])
        }

        @Test("A reader that leaves a full pipe behind is noticed too, and costs no processor time to wait for")
        func readerLeavesFullPipe() throws {
            let lines = (0..<20).map { "\($0) " + String(repeating: "x", count: 16_000) }
            let server = try TestServer.feed(lines)
            let program = try start(["-w", "-1", server.url], output: .unread)
            program.closeInput()
            #expect(throws: TestFailure.self, "it waits for its reader") { try program.waitForExit(within: 0.5) }
            program.dropReader()
            let result = try finish(program)
            #expect(result.status == 0)
            #expect(result.errors.isEmpty)
        }

        @Test("Where nobody reads standard error, all goes on")
        func errorsUnheard() throws {
            let server = try TestServer.echo()
            let result = try run(["-v", "-1", server.url], input: "hi\n", errors: .readerGone)
            #expect(result.status == 0)
            #expect(result.output == "hi\n")
        }

        @Test("Messages come out as they arrive, not at the end")
        func prompt() throws {
            let server = try TestServer.echo()
            let program = try start([server.url])
            for word in ["one", "two", "three"] {
                try program.write(word + "\n")
                try program.wait { $0.hasSuffix(word + "\n") }
            }
            program.closeInput()
            #expect(try finish(program).output == "one\ntwo\nthree\n")
        }

        @Test("A server that is killed is a lost connection, with what may be lost said")
        func killedServer() throws {
            let server = try TestServer.echo()
            let program = try start([server.url])
            try program.write("hi\n")
            try program.wait { $0 == "hi\n" }
            server.abortAll()
            let result = try finish(program)
            #expect(result.status == 9)
            #expect(result.errors.contains("the connection was lost with no Close"), "\(result.errors)")
        }
    }
}

/// A server that notes each message, and how each connection was closed.
func recorder(_ seen: Gathered<String>, port: UInt16 = 0, opened: (@EventLoop @Sendable (WebSocket) -> Void)? = nil) throws -> TestServer {
    try TestServer(port: port) { socket in
        if let opened { afterOpening(socket, opened) }
        socket.onMessage = { kind, payload in
            seen.append(
                payload.withUnsafeBytes { kind == .text ? String(decoding: $0, as: UTF8.self) : "binary \($0.count)" })
        }
        socket.onClose = { seen.append("closed \($0.code.rawValue)") }
    }
}
