import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline
import CPosix

@Suite("Commands: /file", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct InterpreterFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func file(_ bytes: [UInt8], name: String = "file") throws -> String { try directory.write(bytes, to: name) }

    private static let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }

    /// A run that is sending a large file and has no room for more of it.
    private func sending() async throws -> (test: TestRun, path: String) {
        let path = try file(Self.large)
        let test = try TestRun()
        test.peer.room = 300_000
        #expect(try !test.enter("/file \(path)"))
        try await waitUntil("there is no room") { test.peer.isCongested }
        return (test, path)
    }

    @Test("a small file is one frame; with -t it's a text")
    func small() async throws {
        let path = try file(Array("hé\n".utf8))
        for (line, message) in [("/file \(path)", RecordedMessage.binary(Array("hé\n".utf8))), ("/file -t  \(path) ", .text("hé\n"))] {
            let test = try TestRun()
            #expect(try !test.enter(line))
            try await waitUntil("it is sent") { test.console.lines.count == 1 }
            #expect(test.peer.messages == [message])
            #expect(test.peer.fragments == [])
            #expect(test.console.lines == ["sent 4 bytes of \"\(path)\""])
            #expect(test.console.resumes == 1)
            #expect(!test.commands.isBusy)
        }
    }

    @Test("an empty file is an empty message")
    func empty() async throws {
        let test = try TestRun()
        try test.enter("/file \(try file([]))")
        try await waitUntil("it is sent") { !test.commands.isBusy }
        #expect(test.peer.messages == [.binary([])])
    }

    @Test("a large file leaves in fragments, and waits for room before each")
    func large() async throws {
        let (test, path) = try await sending()
        var rounds = 0
        while test.commands.isBusy {
            let sent = test.peer.fragments.count
            await settle()
            #expect(test.peer.fragments.count == sent)
            test.peer.drain()
            test.run.drained()
            rounds += 1
            try await waitUntil("there is no room") { test.peer.isCongested || !test.commands.isBusy }
        }
        #expect(rounds > 3)
        #expect(test.peer.messages == [.binary(Self.large)])
        #expect(test.peer.fragments.dropLast().allSatisfy { $0 == 256 << 10 })
        #expect(test.console.lines == ["sent 3000000 bytes of \"\(path)\""])
        #expect(test.console.commandFailures == [])
    }

    @Test("messages and files wait for one that is being sent, other commands don't")
    func blocks() async throws {
        let (test, path) = try await sending()
        for line in ["hello", "/text x", "/hex 00", "/base64 AQI=", "/file \(path)"] {
            #expect {
                try test.enter(line)
            } throws: {
                ($0 as? CommandFailure)?.description.hasPrefix("\"\(path)\" is still being sent (524288 of 3000000 bytes)") == true
            }
        }
        for line in ["/ping", "/pong", "/status", "/help"] { #expect(try !test.enter(line)) }
        #expect(test.peer.pings.count == 1)
        #expect(test.peer.pongs.count == 1)
        test.peer.room = .max
        test.run.drained()
        try await waitUntil("it is sent") { !test.commands.isBusy }
        try test.enter("afterwards")
        #expect(test.peer.messages == [.binary(Self.large), .text("afterwards")])
    }

    @Test("a file that can't be opened, or is none, is refused, and nothing is sent")
    func unusable() throws {
        let test = try TestRun()
        #expect(throws: CommandFailure(#"can't open "/nonexistent/x": no such file or directory"#)) {
            try test.enter("/file /nonexistent/x")
        }
        #expect(throws: CommandFailure("can't send \"\(directory.path)\": it is not a file")) { try test.enter("/file \(directory.path)") }
        #expect(!test.commands.isBusy)
        #expect(try test.enter("still here"))
        #expect(test.peer.texts == ["still here"])
    }

    @Test("nothing of a file is sent as text that isn't UTF-8 to its end")
    func notUTF8() async throws {
        let start = [UInt8](repeating: 0x61, count: 2 << 20)
        for (bytes, error) in [
            (start + [0xFF, 0x61], "isn't UTF-8 at byte 2097153"), (start + [0xC3], "ends at byte 2097153 within a UTF-8 character"),
        ] {
            let path = try file(bytes)
            let test = try TestRun()
            try test.enter("/file -t \(path)")
            try await waitUntil("it is found out") { test.console.commandFailures.count == 1 }
            #expect(test.console.commandFailures == ["\"\(path)\" \(error), so it can't be sent as text: nothing was sent"])
            #expect(test.peer.messages == [])
            #expect(test.peer.fragments == [])
            #expect(!test.commands.isBusy)
            #expect(test.console.resumes == 1)
        }
    }

    @Test("a peer that goes away cuts the file, which is said, and the input goes on")
    func cut() async throws {
        let (test, path) = try await sending()
        let fragments = test.peer.fragments.count
        test.detach()
        #expect(test.console.lines == ["wsline: the connection closed before \"\(path)\" was sent whole: 524288 of 3000000 bytes"])
        #expect(test.console.resumes == 1)
        #expect(!test.commands.isBusy)
        let next = RecordingPeer()
        test.attach(next)
        test.run.drained()
        await settle()
        #expect(test.peer.fragments.count == fragments)
        #expect(next.fragments == [])
        #expect(try test.enter("to the next"))
        #expect(next.texts == ["to the next"])
        // All said already.
        #expect(test.console.lines.count == 1)
        #expect(test.console.commandFailures == [])
    }

    @Test("a peer that goes away with no file on its way has nothing cut")
    func nothingCut() throws {
        let test = try TestRun()
        test.detach()
        #expect(test.console.lines == [])
        #expect(test.console.suspends == 1)
    }

    @Test("a file that is cut short while it's being sent ends the message where it ends")
    func truncated() async throws {
        let (test, path) = try await sending()
        let descriptor = open(path, O_WRONLY)
        #expect(ftruncate(descriptor, 1_000_000) == 0)
        close(descriptor)
        test.peer.room = .max
        test.run.drained()
        try await waitUntil("it is sent") { !test.commands.isBusy }
        #expect(test.peer.messages == [.binary(Array(Self.large.prefix(1_000_000)))])
        #expect(test.console.lines == ["sent 1000000 bytes of \"\(path)\""])
    }
}
