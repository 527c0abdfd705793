import TestSupport
import Testing

@testable import WebSocketTransport
import CPosix

@Suite(.eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct ListenerTests {
    @Test("with no host it listens on both loopback addresses, on one port")
    func loopback() async throws {
        let listener = try TestListener()
        #expect(listener.port > 0)
        #expect(
            listener.listener.addresses == [.ipv4(0x7F00_0001, port: listener.port), .ipv6(1, port: listener.port)])
        for host in ["127.0.0.1", "::1"] {
            let dialed = try await dial(.host(host, port: listener.port)).get()
            let accepted = try await listener.accept()
            await accepted.send(host)
            accepted.close()
            #expect(await dialed.stream.collect().text == host)
            dialed.stream.close()
        }
    }

    @Test("a port that is taken is named")
    func taken() async throws {
        let first = try TestListener()
        #expect {
            _ = try TestListener(on: .host("127.0.0.1", port: first.port))
        } throws: { error in
            let error = error as? TransportError
            return error?.kind == .addressInUse && error?.stage == .listen
                && error?.message == "can't listen on 127.0.0.1:\(first.port): address already in use"
        }
    }

    @Test("after close the port is free and nobody is accepted")
    func close() async throws {
        let listener = try TestListener()
        let dialed = try await dial(.host("127.0.0.1", port: listener.port)).get()
        let accepted = try await listener.accept()
        listener.close()
        // Closing is complete when the port can be had again.
        listener.close()
        let error = await dial(.host("127.0.0.1", port: listener.port)).error
        #expect(error?.kind == .refused)
        await accepted.send("still here")
        #expect(await dialed.stream.collect(atLeast: 10).text == "still here")
        dialed.stream.close()
        accepted.close()
    }

    @Test("what a client sends before it hangs up is there when it is accepted")
    func quickClient() async throws {
        let server = try TestListener()
        let dialed = try await dial(.host("127.0.0.1", port: server.port)).get()
        await dialed.stream.send("bye")
        dialed.stream.close()
        let accepted = try await server.accept()
        let got = await accepted.collect()
        #expect(got.text == "bye")
        #expect(got.endedCleanly)
        accepted.close()
    }

    @Test("a socket's file has mode 0600, and goes with the listener")
    func socketFile() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s")
        let listener = try TestListener(on: .unix(path: path))
        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        listener.close()
        #expect(lstat(path, &status) != 0)
    }

    @Test("a socket's file that nobody listens on is replaced, one that somebody does is not")
    func staleFile() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s")
        let stale = try Socket(for: .unix(path: path))
        try stale.bind(to: .unix(path: path))
        stale.close()
        let listener = try TestListener(on: .unix(path: path))
        #expect(throws: TransportError.self) { _ = try TestListener(on: .unix(path: path)) }
        let dialed = try await dial(.unix(path: path)).get()
        dialed.stream.close()
        listener.close()
    }

    @Test("a file that is no socket is never replaced")
    func otherFile() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("precious", to: "s")
        #expect(throws: TransportError.self) { _ = try TestListener(on: .unix(path: path)) }
        #expect(readFile(path)?.text == "precious")
    }

    @Test("a file that another program has put in its place is not removed")
    func replacedFile() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s")
        let listener = try TestListener(on: .unix(path: path))
        try directory.write("mine now", to: "other")
        rename(directory.file("other"), path)
        listener.close()
        #expect(readFile(path)?.text == "mine now")
    }

    @Test(
        "what to listen on is read",
        arguments: [
            ("8080", ListenTarget.loopback(port: 8080)), ("0", .loopback(port: 0)), ("0.0.0.0:80", .host("0.0.0.0", port: 80)),
            ("[::]:80", .host("::", port: 80)), ("localhost:0", .host("localhost", port: 0)), ("unix:/a:b", .unix(path: "/a:b")),
        ])
    func parsing(text: String, target: ListenTarget) throws {
        #expect(try ListenTarget(parsing: text) == target)
    }

    @Test(
        "what is no place to listen is refused, quoted",
        arguments: ["", "x", "65536", "-1", "+1", ":80", "*:80", "::1:80", "host:", "host:x", "unix:"])
    func badParsing(text: String) {
        #expect {
            try ListenTarget(parsing: text)
        } throws: { error in
            (error as? TransportError)?.message.hasPrefix("can't listen on \"\(text)\": ") == true
        }
    }
}
