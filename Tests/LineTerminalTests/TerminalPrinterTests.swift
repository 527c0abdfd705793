import Synchronization
import Testing

@testable import LineTerminal
import CPosix

@Suite struct TerminalPrinterTests {
    private func withPipe(_ body: (_ read: Int32, _ write: Int32) throws -> Void) rethrows {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            Issue.record("no pipe")
            return
        }
        defer {
            close(ends[0])
            close(ends[1])
        }
        try body(ends[0], ends[1])
    }

    private func read(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = readReady(descriptor, &bytes)
        return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    }

    private func readReady(_ descriptor: Int32, _ bytes: inout [UInt8]) -> Int {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, 0) == 1 else { return 0 }
        return bytes.withUnsafeMutableBytes { CPosix.read(descriptor, $0.baseAddress, $0.count) }
    }

    @Test("While no editor reads, text is written at once, each piece with a newline")
    func writesDirectly() {
        withPipe { reader, writer in
            let printer = TerminalPrinter(descriptor: writer)
            #expect(printer.enqueue("one"))
            #expect(printer.enqueue("two\n"))
            #expect(printer.enqueue(""))
            #expect(read(reader) == "one\ntwo\n")
        }
    }

    @Test("While an editor reads, text waits for it, and it is woken once for all that has come")
    func queues() throws {
        try withPipe { reader, writer in
            let printer = TerminalPrinter(descriptor: writer)
            let wake = try WakePipe()
            printer.attach(wake)
            printer.enqueue("one")
            printer.enqueue("two")
            #expect(wake.drain() == [.output])
            #expect(read(reader) == "")
            var printed: [UInt8] = []
            printer.drain { printed += $0 }
            #expect(printed == Array("one\ntwo\n".utf8))
            printer.enqueue("three")
            #expect(wake.drain() == [.output])
            printer.detach()
            #expect(read(reader) == "three\n")
        }
    }

    @Test("A long text is printed in pieces of whole lines, and the editor is woken for each, so that it can look at the keys between them")
    func pieces() throws {
        try withPipe { reader, writer in
            let printer = TerminalPrinter(descriptor: writer, highWater: 100_000)
            let wake = try WakePipe()
            let drained = Mutex(0)
            printer.onDrained { drained.withLock { $0 += 1 } }
            printer.attach(wake)
            let lines = (0..<300).map { "\($0) " + String(repeating: "x", count: 990) + "\n" }
            // One that can't be printed in pieces.
            let long = String(repeating: "y", count: 100_000) + "\n"
            let text = Array((lines.joined() + long + "end\n").utf8)
            printer.enqueue(text)
            var printed: [UInt8] = []
            var pieces = 0
            while !wake.drain().isEmpty {
                #expect(drained.withLock { $0 } == 0 && printer.isAboveHighWater)
                printer.drain { piece in
                    #expect(piece.last == 0x0a && (piece.count <= 32 << 10 || piece.contains(UInt8(ascii: "y"))))
                    printed += piece
                    pieces += 1
                }
                guard pieces == 3 else { continue }
                // Enter ends the read, and another begins, with more to print.
                printer.detach()
                #expect(read(reader) == "")
                printer.attach(wake)
            }
            #expect(printed == text)
            #expect(pieces >= 10 && drained.withLock { $0 } == 1 && !printer.isAboveHighWater)
        }
    }

    @Test("Above the high-water mark producers are told to stop, and once when it is printed to go on")
    func pushesBack() throws {
        let printer = TerminalPrinter(descriptor: -1, highWater: 100)
        let drained = Mutex(0)
        printer.onDrained { drained.withLock { $0 += 1 } }
        printer.attach(try WakePipe())
        #expect(printer.enqueue(String(repeating: "x", count: 98)))
        #expect(!printer.isAboveHighWater)
        #expect(!printer.enqueue("y"))
        #expect(!printer.enqueue("kept all the same"))
        #expect(printer.isAboveHighWater)
        #expect(drained.withLock { $0 } == 0)
        var printed = 0
        printer.drain { printed += $0.count }
        #expect(printed == 99 + 2 + 18)
        #expect(drained.withLock { $0 } == 1)
        #expect(!printer.isAboveHighWater)
        printer.drain { _ in Issue.record("nothing is left") }
        #expect(drained.withLock { $0 } == 1)
    }
}
