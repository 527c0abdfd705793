import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    /// Frames and bytes that were made by hand, as a raw server reads them, and reading on after what a raw server sends.
    @Suite
    struct MisbehavingRunTests {
        /// What a raw server reads, to the end, of a client that is given these lines.
        private func bytes(_ lines: [String], count: Int, options: [String] = []) throws -> (bytes: [UInt8], errors: String) {
            let read = Gathered<[UInt8]>()
            let server = try LoopbackServer {
                try $0.upgrade()
                read.append(try $0.receive(exactly: count))
                try $0.sendFrame(8, [0x03, 0xE8])
                $0.hang()
            }
            let program = try start(["--slash", "--no-deflate", "-w", "-1"] + options + [server.url])
            try program.write(lines.map { $0 + "\n" }.joined())
            let bytes = try read.first(1)[0]
            program.closeInput()
            try program.waitForExit()
            return (bytes, program.errorText)
        }

        @Test("/frame sends each field as it is given: all flags, opcodes and masks")
        func allFields() throws {
            var lines: [String] = []
            var expected: [UInt8] = []
            for opcode: UInt8 in 0...15 {
                for reserved: UInt8 in 0...7 {
                    for isFinal in [true, false] {
                        for mask in ["none", "37fa213d"] {
                            lines.append("/frame op=\(opcode) rsv=\(reserved) fin=\(isFinal ? 1 : 0) mask=\(mask) hex 01 02 03 04 05")
                            expected += [(isFinal ? 0x80 : 0) | reserved << 4 | opcode, mask == "none" ? 5 : 0x85]
                            expected += mask == "none" ? [1, 2, 3, 4, 5] : [0x37, 0xFA, 0x21, 0x3D, 0x36, 0xF8, 0x22, 0x39, 0x32]
                        }
                    }
                }
            }
            let (bytes, errors) = try bytes(lines, count: expected.count)
            #expect(bytes == expected)
            #expect(errors.split(separator: "\n").filter { $0.hasPrefix("> ") }.count == lines.count)
        }

        @Test(
            "/frame, /raw and /close! send the bytes that they say",
            arguments: [
                ("/frame mask=37fa213d text Hello", "81 85 37 fa 21 3d 7f 9f 4d 51 58"),
                ("/frame mask=none text Hello", "81 05 48 65 6c 6c 6f"),
                ("/frame op=ping mask=00000000", "89 80 00 00 00 00"), ("/frame op=close mask=none hex 03", "88 01 03"),
                ("/frame len=0 mask=none text Hi", "81 00 48 69"), ("/frame len=200 mask=none text Hi", "81 7e 00 c8 48 69"),
                ("/frame len=70000 mask=none", "81 7f 00 00 00 00 00 01 11 70"),
                ("/frame len=18446744073709551615 mask=none", "81 7f ff ff ff ff ff ff ff ff"),
                ("/frame op=continuation fin=0 rsv=7 mask=ffffffff base64 AP8=", "70 82 ff ff ff ff ff 00"),
                ("/frame op=3 mask=none text a b", "83 03 61 20 62"), ("/raw 81 05 4865", "81 05 48 65"), ("/raw 00", "00"),
                ("/raw 817e0001ff", "81 7e 00 01 ff"),
            ])
        func bytes(line: String, expected: String) throws {
            let expected = try Hex.decode(expected)
            #expect(try bytes([line], count: expected.count).bytes == expected)
        }

        @Test("a control frame of any length goes out by hand; a frame without mask= is masked afresh, and the line says what went out")
        func defaults() throws {
            let (bytes, errors) = try bytes(
                ["/close! 1005 \(String(repeating: "r", count: 124))", "/frame text Hi"], count: 4 + 4 + 126 + 8)
            #expect(Array(bytes[..<4]) == [0x88, 0xFE, 0, 126])
            let key = Array(bytes[4..<8])
            let payload = bytes[8..<134].enumerated().map { $1 ^ key[$0 % 4] }
            #expect(payload == [0x03, 0xED] + [UInt8](repeating: 0x72, count: 124))
            let last = Array(bytes[134...])
            #expect(last[0] == 0x81 && last[1] == 0x82 && Array(last[2..<6]) != key)
            let shown = last[2..<6].map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            #expect(errors.contains("mask \(shown)      2 B            Hi\n"), "\(errors)")
            #expect(errors.contains(" close ") && errors.contains("1005 (no status received) rrr"), "\(errors)")
        }

        @Test("with -vv a frame made by hand is shown once")
        func shownOnce() throws {
            let errors = try bytes(["/frame mask=none text Hi"], count: 4, options: ["-vv"]).errors
            #expect(errors.split(separator: "\n").filter { $0.hasSuffix(" Hi") }.count == 1, "\(errors)")
        }

        @Test("a message after an unfinished fragment goes out, with the rule that it breaks; none follows after a Close by hand of itself")
        func honest() throws {
            let (bytes, errors) = try bytes(["/frame fin=0 mask=none text a", "b", "/raw 8800", "c", "/quit"], count: 3 + 7 + 2 + 7)
            #expect(bytes[3] == 0x81 && bytes[10] == 0x88 && bytes[12] == 0x81)
            #expect(errors.contains("sent, but it breaks RFC 6455, 5.4: "), "\(errors)")
            #expect(errors.contains("sent, but it breaks RFC 6455, 5.5.1: "), "\(errors)")
        }

        @Test("there is one Close alone on the wire, though the run ends after one by hand")
        func oneClose() throws {
            let read = Gathered<[UInt8]>()
            let server = try LoopbackServer {
                try $0.upgrade()
                let close = try $0.receive(exactly: 8)
                try $0.sendFrame(8, [0x03, 0xEA])
                read.append(close + (try $0.receiveToEnd()))
            }
            let result = try run(["--slash", server.url], input: "/close! 1006\n")
            let bytes = try read.first(1)[0]
            #expect(bytes.count == 8 && bytes[0] == 0x88)
            #expect(result.errors.contains("the server closed with 1002 (protocol error)"), "\(result.errors)")
            #expect(result.status == 10)
        }

        @Test("a listener's frames by hand go to each client, unmasked unless a key is given")
        func listener() throws {
            let listening = try Listening(["--slash"])
            let clients = try (0..<2).map { _ in try listening.connect() }
            for client in clients { try client.open() }
            try listening.waitForClients(2)
            try listening.program.write("/frame op=ping text hi\n/frame mask=01020304 hex 00\n/raw ff\n")
            for client in clients {
                #expect(try client.connection.receive(exactly: 4 + 7 + 1) == Hex.decode("89 02 68 69  81 81 01 02 03 04 01  ff"))
            }
            try listening.program.wait(for: .errors) { $0.contains("(raw)") }
            #expect(listening.program.errorText.contains("1 > ") && listening.program.errorText.contains("2 > "))
            #expect(try listening.end() == .exited(143))
        }

        @Test("--fragment cuts what is piped in, also what is streamed", arguments: [["--split", "whole"], ["--split", "65536"], []])
        func fragment(options: [String]) throws {
            let sizes = Gathered<Int>()
            let message = String(repeating: "x", count: 40_000)
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                var total = 0
                while total < message.utf8.count {
                    let frame = try connection.receiveFrame()
                    guard frame.opcode < 3 else { continue }
                    total += frame.payload.count
                    sizes.append(frame.payload.count)
                }
                connection.hang()
            }
            _ = try run(
                ["--fragment", "1000", "--no-deflate", "-w", "0", "--close-timeout", "0.2"] + options + [server.url], input: message)
            #expect(sizes.all.reduce(0, +) == 40_000 && sizes.all.allSatisfy { $0 <= 1000 })
        }

        @Test("--no-pong answers no ping")
        func noPong() throws {
            let opcodes = Gathered<UInt8>()
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                try connection.sendFrame(9, [1])
                try connection.sendFrame(1, [0x61])
                while let frame = try? connection.receiveFrame() {
                    opcodes.append(frame.opcode)
                    if frame.opcode == 8 { try connection.sendFrame(8, frame.payload) }
                }
            }
            #expect(try run(["--no-pong", "-1", server.url]).output == "a\n")
            #expect(try opcodes.first(1) == [8])
        }

        @Test("--lenient shows a breach with its clause and reads on; what arrives is written as it came")
        func lenient() throws {
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.send([0x83, 0] + [0x91, 1, 0x61] + [0x81, 2, 0x62, 0xFF] + [0x81, 1, 0x63] + [0x88, 2, 0x03, 0xED])
                $0.hang()
            }
            let result = try run(["--lenient", "-w", "-1", server.url], input: "")
            #expect(result.bytes == Array("a\nb".utf8) + [0xFF] + Array("\nc\n".utf8))
            for clause in [
                "RFC 6455, 5.2: opcode 3 is reserved        83 00\n", "RFC 6455, 5.2: RSV3 is set", "RFC 6455, 8.1: ", "RFC 6455, 7.4.1: ",
            ] { #expect(result.errors.contains(clause), "\(clause): \(result.errors)") }
            #expect(result.errors.split(separator: "\n").filter { $0.hasPrefix("< ") }.count == 4, "\(result.errors)")
        }

        @Test("a text that isn't UTF-8 is a line of valid JSON, and no pattern is looked for in it")
        func lenientJSON() throws {
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.send([0x81, 2, 0x62, 0xFF] + [0x81, 1, 0x63])
                $0.hang()
            }
            let result = try run(["--lenient", "--json", "--until", ".", server.url])
            let lines = result.output.split(separator: "\n")
            #expect(lines[1].hasSuffix(#""type":"text","base64":"Yv8=","bytes":2}"#), "\(lines)")
            #expect(lines[2].hasSuffix(#""type":"text","text":"c","bytes":1}"#), "\(lines)")
            #expect(String(validating: result.bytes, as: UTF8.self) != nil)
        }

        @Test("a lenient listener reads on after frames that aren't masked")
        func lenientListener() throws {
            let listening = try Listening(["--lenient"])
            let client = try listening.connect()
            try client.open()
            try client.connection.send([0x81, 1, 0x61])
            try listening.program.wait { $0 == "a\n" }
            try listening.program.wait(for: .errors) { $0.contains("RFC 6455, 5.1: a frame from the client isn't masked        81 01 61") }
            #expect(listening.program.errorText.contains("1 < "))
            #expect(try listening.end() == .exited(143))
        }

        @Test("while reading is paused no ping is answered; then it is, and the peer's time isn't over")
        func pause() throws {
            let events = Gathered<String>()
            let pings = Gathered<[UInt8]>()
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                while let frame = try? connection.receiveFrame() {
                    switch frame.opcode {
                    case 1 where frame.payload == Array("first".utf8):
                        try connection.sendFrame(9, [1])
                        events.append("ping")
                    case 1: events.append("text")
                    case 9:
                        try connection.sendFrame(10, frame.payload)
                        pings.append(frame.payload)
                    case 10: events.append("pong")
                    default: try connection.sendFrame(8, frame.payload)
                    }
                }
            }
            let program = try start(["--slash", "--ping-interval", "0.1", "--ping-timeout", "0.2", server.url])
            try program.write("/pause\nfirst\n")
            try events.first(1)
            try program.write("second\n")
            #expect(try events.first(2) == ["ping", "text"])
            // Our own pings have had no answer for longer than --ping-timeout by then.
            try program.wait(for: .errors) { $0.contains("pings go unanswered") }
            try pings.first(pings.all.count + 8)
            try program.write("/resume\n")
            #expect(try events.first(3) == ["ping", "text", "pong"])
            program.closeInput()
            #expect(try program.waitForExit().status == .exited(0), "\(program.errorText)")
        }

        @Test("a run that ends while reading is paused reads the answer to its Close")
        func pausedEnd() throws {
            let server = try TestServer.echo()
            let result = try run(["--slash", "-w", "0", "--close-timeout", "15", server.url], input: "/pause\n")
            #expect(result.status == 0 && result.duration < 10, "\(result.errors)")
        }

        @Test(
            "each frame that is wrong is shown with its clause, and nothing traps",
            arguments: [
                "91 00", "a1 00", "c1 01 61", "b1 01 61", "d1 00", "e1 00", "f1 00", "99 00", "c9 01 61", "f8 02 03 e8",
                "83 00", "84 01 61", "85 00", "86 00", "87 01 61", "8b 00", "8c 01 61", "8d 00", "8e 00", "8f 01 61",
                "09 01 61", "0a 00", "08 02 03 e8", "80 01 61", "00 01 61", "01 01 61 81 01 62", "01 01 61 82 00", "89 7e 00 7e",
                "8a 7f 00 00 00 00 00 00 01 00",
                "81 01 ff", "81 02 c3 28", "81 03 ed a0 80", "81 04 f4 90 80 80", "81 02 e2 82", "01 02 ce ba 80 01 e1",
                "81 05 f8 88 80 80 80", "81 02 c0 af",
                "88 01 03", "88 02 00 00", "88 02 03 e7", "88 02 03 ec", "88 02 03 ed", "88 02 03 ee", "88 02 03 f7", "88 02 03 f8",
                "88 02 07 d0", "88 02 0b b7",
                "88 02 13 88", "88 02 ff ff", "88 03 03 e8 ff", "81 80 00 00 00 00", "82 7e 00 01 61", "82 7f 00 00 00 00 00 00 00 01 61",
                "82 7f ff 00 00 00 00 00 00 00",
            ])
        func wrongFrames(hex: String) throws {
            let bytes = try Hex.decode(hex)
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.send(bytes)
                $0.hang()
            }
            let result = try run(["--frames", "--no-deflate", "--close-timeout", "0.5", server.url], input: "", within: 30)
            let lines = result.errors.split(separator: "\n").filter { $0.hasPrefix("< ") }
            #expect(lines.last?.contains(#/RFC (6455|7692), [0-9.]+: /#) == true, "\(result.errors)")
            // The bytes of the wrong frame, of which there may be one before.
            #expect(
                lines.last.map { line in hex.hasSuffix((line.split(separator: "        ").last ?? "?").replacing(" …", with: "")) } == true,
                "\(result.errors)")
            #expect(result.status == 7)
        }
    }
}
