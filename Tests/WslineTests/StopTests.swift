import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    @Suite
    struct StopTests {
        @Test("-w listens on that long; --idle until nothing has come for that long; -w -1 until the server closes")
        func waits() throws {
            let server = try TestServer.echo()
            let waited = try run(["-w", "0.4", server.url], input: "a\n")
            #expect(waited.status == 0 && waited.output == "a\n")
            #expect(waited.duration >= 0.4)
            let idle = try run(["--idle", "0.3", server.url], input: "a\n")
            #expect(idle.status == 0 && idle.output == "a\n")
            #expect(idle.duration >= 0.3)
            let closing = try TestServer { socket in
                socket.onMessage = { [unowned socket] _, _ in try? socket.close(.goingAway, reason: "night") }
            }
            #expect(try run(["-w", "-1", closing.url], input: "a\n").status == 0)
        }

        @Test("-x sends in order, leaves standard input alone, and listens for two seconds unless told otherwise")
        func execute() throws {
            let server = try TestServer.echo()
            let result = try run(["-x", "one", "-x", "two", server.url])
            #expect(result.output == "one\ntwo\n")
            #expect(result.status == 0)
            #expect(result.duration >= 2 && result.duration < 4)
            let short = try run(["-x", "one", "-w", "0.2", server.url])
            #expect(short.output == "one\n" && short.duration < 1.9)
            let goal = try run(["-x", "one", "-1", server.url])
            #expect(goal.output == "one\n" && goal.duration < 1.9)
        }

        @Test("-1, --count and --until stop at their message, and print no more")
        func goals() throws {
            let server = try TestServer.feed(["a1", "b2", "c3", "d4"])
            #expect(try run(["-1", server.url]).output == "a1\n")
            #expect(try run(["--count", "3", server.url]).output == "a1\nb2\nc3\n")
            let until = try run(["--until", "[bc]\\d", server.url])
            #expect(until.output == "a1\nb2\n" && until.status == 0)
            let either = try run(["--until", "never", "--count", "2", server.url], input: "")
            #expect(either.output == "a1\nb2\n" && either.status == 0)
        }

        @Test("What was awaited and didn't come makes 0 into 8; a more specific status stands")
        func unmet() throws {
            let server = try TestServer.feed(["a"])
            let waited = try run(["--count", "2", "-w", "0.3", server.url], input: "")
            #expect(waited.status == 8 && waited.errors == "wsline: what was awaited did not come\n")
            #expect(try run(["--until", "z", "--idle", "0.3", server.url], input: "").status == 8)
            let closing = try TestServer { afterOpening($0) { try? $0.close() } }
            let closed = try run(["-1", closing.url])
            #expect(closed.status == 8)
            #expect(closed.errors == "wsline: the connection was closed before what was awaited came\n")
            let failing = try TestServer { afterOpening($0) { try? $0.close(.internalError) } }
            #expect(try run(["-1", failing.url]).status == 10)
            let losing = try TestServer { afterOpening($0) { $0.abort() } }
            #expect(try run(["-1", losing.url]).status == 9)
        }

        @Test("--timeout bounds the run: while connecting, while waiting, and while closing")
        func timeout() throws {
            let server = try TestServer.echo()
            let waiting = try run(["--timeout", "0.4", "-w", "-1", server.url], input: "")
            #expect(waiting.status == 8 && waiting.duration < 3)
            #expect(waiting.errors == "wsline: the run took longer than --timeout allows (0.4 s)\n")
            let silent = try LoopbackServer { $0.hang() }
            #expect(try run(["--timeout", "0.4", silent.url]).status == 8)
            let deaf = try LoopbackServer {
                try $0.upgrade()
                $0.hang()
            }
            let closing = try run(["--timeout", "0.6", "--close-timeout", "15", "-w", "0", deaf.url], input: "")
            #expect(closing.status == 8 && closing.duration < 4)
        }
    }
}
