import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("Standard input: when it is read", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct StandardInputFlowTests {
    typealias Medium = TestInput.Medium

    // MARK: Suspending

    @Test("nothing is read from a pipe before resume, nor after suspend")
    func suspendedPipe() async throws {
        let input = try TestInput()
        let peer = RecordingPeer()
        try await input.write("one\n")
        await settle()
        #expect(input.bytesInPipe == 4)
        input.input.attach(peer)
        await settle()
        #expect(input.bytesInPipe == 4)
        input.input.resume()
        try await waitUntil("the line is sent") { peer.texts == ["one"] }
        input.input.suspend()
        try await input.write("two\n")
        await settle()
        #expect(input.bytesInPipe == 4)
        #expect(peer.texts == ["one"])
        input.input.resume()
        try await waitUntil("the other line is sent") { peer.texts == ["one", "two"] }
    }

    @Test("nothing is read from a file before resume, nor after suspend")
    func suspendedFile() async throws {
        let line = [UInt8](repeating: 0x61, count: 1023) + [0x0A]
        let lines = 8 << 10
        let input = try TestInput(file: Array(repeatElement(line, count: lines).joined()))
        let peer = RecordingPeer()
        await settle()
        #expect(input.position == 0)
        input.start(to: peer)
        input.input.suspend()
        let (position, count) = (input.position, peer.messages.count)
        #expect(position < lines << 10)
        await settle()
        #expect(input.position == position)
        #expect(peer.messages.count == count)
        input.input.resume()
        try await waitUntil("the input is over") { input.isOver }
        #expect(peer.messages.count == lines)
        #expect(input.ends == 1)
    }

    // MARK: Congestion

    @Test(
        "a congested peer gets nothing more, and all of the rest once there is room: no byte is lost or sent twice",
        arguments: Medium.allCases, [InputOptions.Split.line, .nul, .size(1000), .whole])
    func congestion(medium: Medium, split: InputOptions.Split) async throws {
        let lines = (0..<60_000).map { "this is line \($0) of them\n" }
        let bytes = Array(lines.joined().utf8).map { split == .nul && $0 == 0x0A ? 0 : $0 }
        let peer = RecordingPeer()
        peer.room = 50_000
        let input = medium == .pipe ? try TestInput(InputOptions(split)) : try TestInput(InputOptions(split), file: bytes)
        input.start(to: peer)
        var pauses = 0
        let writing = Task { @EventLoop in
            guard medium == .pipe else { return }
            try await input.write(bytes)
            input.closeWriter()
        }
        while !input.isOver {
            try await waitUntil("there is no room") { peer.isCongested || input.isOver }
            guard !input.isOver else { break }
            let sent = peer.messages.count + peer.fragments.count
            await settle()
            #expect(peer.messages.count + peer.fragments.count == sent)
            pauses += 1
            peer.drain()
            input.input.resume()
        }
        try await writing.value
        #expect(input.failures == [])
        #expect(input.ends == 1)
        // Whole, it's no more than two fragments.
        #expect(pauses > (split == .whole ? 0 : 10))
        switch split {
        case .line, .nul: #expect(peer.texts == lines.map { String($0.dropLast()) })
        case .size: #expect(peer.messages.dropLast().allSatisfy { $0.bytes.count == 1000 })
        case .whole: #expect(peer.messages.count == 1)
        }
        if case .line = split { return }
        if case .nul = split { return }
        #expect(peer.messages.flatMap(\.bytes) == bytes)
    }

    @Test("where the end of a batch makes room, it goes on by itself")
    func roomAtBatchEnd() async throws {
        let peer = RecordingPeer()
        peer.room = 100
        peer.drainsAtBatchEnd = true
        let lines = (0..<10_000).map { "line \($0)" }
        let input = try TestInput(file: Array(lines.joined(separator: "\n").utf8))
        input.start(to: peer)
        try await waitUntil("the input is over") { input.isOver }
        #expect(peer.texts == lines)
    }

    // MARK: A lost connection

    @Test("what waited for a connection that was lost goes to the next one")
    func nextConnection() async throws {
        let (first, second) = (RecordingPeer(), RecordingPeer())
        first.room = 0
        let input = try TestInput()
        try await input.write("one\n")
        input.start(to: first)
        try await waitUntil("the first line is sent") { first.texts == ["one"] }
        try await input.write("two\nthr")
        await settle()
        first.readyState = .closed
        input.input.suspend()
        input.input.attach(second)
        input.input.resume()
        try await input.write("ee\n")
        input.closeWriter()
        try await waitUntil("the input is over") { input.isOver }
        #expect(first.texts == ["one"])
        #expect(second.texts == ["two", "three"])
        #expect(input.failures == [])
    }

    @Test("a message whose beginning went to a lost connection is skipped, and the next one sent to the new")
    func skips() async throws {
        let (first, second, third) = (RecordingPeer(), RecordingPeer(), RecordingPeer())
        let input = try TestInput()
        input.start(to: first)
        let mebibyte = [UInt8](repeating: 0x61, count: 1 << 20)
        try await input.write(mebibyte + mebibyte)
        try await waitUntil("its beginning is sent") { first.fragments.count == 2 }
        #expect(input.input.isInMessage)
        func move(from old: RecordingPeer, to new: RecordingPeer) {
            old.readyState = .closed
            input.input.suspend()
            input.input.attach(new)
            input.input.resume()
        }
        move(from: first, to: second)
        try await input.write(mebibyte + mebibyte)
        await settle()
        // Still the same message.
        move(from: second, to: third)
        try await input.write(mebibyte + Array("end\nnext\n".utf8))
        try await waitUntil("the next is sent") { third.messages.count == 1 }
        #expect(third.texts == ["next"])
        // A message that begins here is sent here.
        try await input.write(mebibyte + Array("tail\n".utf8))
        try await waitUntil("the long one is sent") { third.messages.count == 2 }
        #expect(third.messages[1].bytes == mebibyte + Array("tail".utf8))
        #expect(first.messages == [])
        #expect(first.partial?.bytes.count == 2 << 20)
        #expect(second.messages == [])
        #expect(second.fragments == [])
    }

    @Test("a message that is skipped has to be UTF-8 even so, and counts")
    func skippedIsChecked() async throws {
        let (first, second) = (RecordingPeer(), RecordingPeer())
        let input = try TestInput()
        input.start(to: first)
        try await input.write([UInt8](repeating: 0x61, count: 1 << 20) + [0x62])
        try await waitUntil("its beginning is sent") { first.fragments.count == 1 }
        first.readyState = .closed
        input.input.suspend()
        input.input.attach(second)
        input.input.resume()
        try await input.write([0x0A, 0xFF, 0x0A])
        try await waitUntil("the input is over") { input.isOver }
        #expect(input.failures == [.notUTF8(place: .init(name: "line", number: 2), byte: 1)])
        #expect(second.messages == [])
    }

    // MARK: The end

    @Test("the end is reported once, and only when all is sent", arguments: Medium.allCases)
    func endsOnce(medium: Medium) async throws {
        let peer = RecordingPeer()
        peer.room = 0
        let text = Array("one\ntwo".utf8)
        let input = medium == .pipe ? try TestInput() : try TestInput(file: text)
        if medium == .pipe {
            try await input.write(text)
            input.closeWriter()
        }
        input.start(to: peer)
        try await waitUntil("the first line is sent") { peer.texts == ["one"] }
        await settle()
        #expect(input.ends == 0)
        peer.room = .max
        input.input.resume()
        try await waitUntil("the input is over") { input.isOver }
        #expect(peer.texts == ["one", "two"])
        input.input.resume()
        input.input.attach(RecordingPeer())
        input.input.resume()
        input.input.cancel()
        await settle()
        #expect(input.ends == 1)
        #expect(input.failures == [])
    }

    @Test("what is cancelled sends no more and reports no end", arguments: Medium.allCases)
    func cancel(medium: Medium) async throws {
        let lines = Array(String(repeating: "line\n", count: 1 << 20).utf8)
        let peer = RecordingPeer()
        peer.room = 1000
        let input = medium == .pipe ? try TestInput() : try TestInput(file: lines)
        if medium == .pipe { try await input.write(Array(lines.prefix(20_000))) }
        input.start(to: peer)
        try await waitUntil("there is no room") { peer.isCongested }
        let count = peer.messages.count
        input.input.cancel()
        peer.drain()
        input.closeWriter()
        input.input.resume()
        await settle()
        #expect(peer.messages.count == count)
        #expect(!input.isOver)
    }

    @Test("a failure is the end: nothing is sent after it, and it is reported once")
    func failsOnce() async throws {
        let input = try TestInput()
        let peer = RecordingPeer()
        input.start(to: peer)
        try await input.write([0xFF, 0x0A])
        try await waitUntil("the input is over") { input.isOver }
        try await input.write("good\n")
        input.input.resume()
        input.closeWriter()
        await settle()
        #expect(input.failures.count == 1)
        #expect(input.ends == 0)
        #expect(peer.messages == [])
        #expect(peer.batchDepth == 0)
    }

    @Test("input that can't be read says why")
    func readError() async throws {
        let directory = try TemporaryDirectory()
        let input = try TestInput(opening: directory.path)
        input.start(to: RecordingPeer())
        try await waitUntil("the input is over") { input.isOver }
        #expect(input.failures == [.unreadable("is a directory")])
        #expect(input.failures.first?.exitStatus == .localIO)
        #expect(input.ends == 0)
    }

    // MARK: Lines for somebody else

    @Test("lines for somebody else are handed on with their numbers; the next waits where it has to", arguments: Medium.allCases)
    func onLine(medium: Medium) async throws {
        let text = Array("one\r\nwait\nthree\nlast".utf8)
        let input = medium == .pipe ? try TestInput() : try TestInput(file: text)
        if medium == .pipe {
            try await input.write(text)
            input.closeWriter()
        }
        var taken: [String] = []
        input.input.onLine = { [unowned input] (bytes, place) throws(InputError) in
            let line = String(decoding: bytes, as: UTF8.self)
            taken.append("\(place): \(line)")
            if line == "wait" { input.input.suspend() }
            return line != "wait"
        }
        let peer = RecordingPeer()
        input.start(to: peer)
        try await waitUntil("two lines are taken") { taken.count == 2 }
        await settle()
        #expect(taken == ["line 1: one", "line 2: wait"])
        #expect(input.ends == 0)
        input.input.resume()
        try await waitUntil("the input is over") { input.isOver }
        #expect(taken == ["line 1: one", "line 2: wait", "line 3: three", "line 4: last"])
        #expect(peer.messages == [])
    }

    @Test("a line that its taker refuses is a failure, and no other follows")
    func onLineThrows() async throws {
        let input = try TestInput()
        var taken = 0
        input.input.onLine = { (_, place) throws(InputError) in
            taken += 1
            if taken == 2 { throw .line(place: place, "no") }
            return true
        }
        input.start(to: RecordingPeer())
        try await input.write("a\nb\nc\n")
        try await waitUntil("the input is over") { input.isOver }
        await settle()
        #expect(taken == 2)
        #expect(input.failures == [.line(place: .init(name: "line", number: 2), "no")])
    }
}
