import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("A line as a request of JSON-RPC")
struct JSONRPCTests {
    private func request(_ line: String) throws -> String {
        try Array(line.utf8).withUnsafeBytes { String(decoding: try RPCRequest(parsing: $0).json(id: 7), as: UTF8.self) }
    }

    @Test(
        "arguments that are JSON are taken as such, others are strings, and names make them named",
        arguments: [
            ("go", #""method":"go""#), ("  Browser.getVersion \t", #""method":"Browser.getVersion""#), ("a/b:c", #""method":"a/b:c""#),
            ("add 1 2", #""method":"add","params":[1,2]"#),
            ("f 1.50 -0 1e+400 12345678901234567890123", #""method":"f","params":[1.50,-0,1e+400,12345678901234567890123]"#),
            ("f 01 +1 .5 1. NaN -", #""method":"f","params":["01","+1",".5","1.","NaN","-"]"#),
            ("f true false null True", #""method":"f","params":[true,false,null,"True"]"#),
            (#"f "a b" "\u0041\n" "1""#, #""method":"f","params":["a b","\u0041\n","1"]"#),
            (#"f it's a"b \d"#, #""method":"f","params":["it's","a\"b","\\d"]"#),
            (#"f [1, "] 2", {"a": [ ]}] {"k" : "v w"} {}"#, #""method":"f","params":[[1, "] 2", {"a": [ ]}],{"k" : "v w"},{}]"#),
            ("open url=about:blank width=80", #""method":"open","params":{"url":"about:blank","width":80}"#),
            (
                #"eval expression="1+1" deep={"a": 1} list=[1, 2] e="#,
                #""method":"eval","params":{"expression":"1+1","deep":{"a": 1},"list":[1, 2],"e":""}"#
            ),
            (#"f "odd name"=1 größe=2 a.b-c=3"#, #""method":"f","params":{"odd name":1,"größe":2,"a.b-c":3}"#),
            (#"f 1+1=2 =x "a=b" http://h/?q=1"#, #""method":"f","params":["1+1=2","=x","a=b","http://h/?q=1"]"#),
            (#""my method" 1"#, #""method":"my method","params":[1]"#), ("42", #""method":"42""#),
            ("a=b 1", #""method":"a=b","params":[1]"#),
            ("f one\ntwo\r\n", #""method":"f","params":["one","two"]"#), ("f x=a=b", #""method":"f","params":{"x":"a=b"}"#),
        ])
    func requests(line: String, members: String) throws {
        #expect(try request(line) == #"{"jsonrpc":"2.0","id":7,\#(members)}"#)
    }

    @Test(
        "what can't be a request is refused, with its place",
        arguments: [
            ("", "the line has no method"), (" \t", "the line has no method"), ("f 1 a=2", "1 and a=2 can't go together"),
            ("f a=2 1", "a=2 and 1 can't go together"), ("f a=1 a=2", "a=2 gives a name a second time"),
            (#"f "open"#, "not JSON at byte 8"),
            ("f [1, 2", "not JSON at byte 8"), ("f [a b]", "not JSON at byte 4"),
            ("f {}x", "a blank has to follow the argument that ends before byte 5"),
            (#"f a="b"c"#, "a blank has to follow the argument that ends before byte 8"), (#""f"x"#, "a blank has to follow"),
            ("f " + String(repeating: "[", count: 600), "not JSON at byte 515"),
        ])
    func refused(line: String, error: String) throws {
        #expect {
            try request(line)
        } throws: {
            ($0 as? CommandFailure)?.description.hasPrefix(error) == true
        }
    }

    // MARK: Answers

    private func answer(_ message: String, _ calls: inout RPCCalls, at now: Instant = 2_000_000) -> String? {
        Array(message.utf8).withUnsafeBytes { calls.answer($0, at: now) }
    }

    private func send(_ line: String, _ calls: inout RPCCalls) throws -> String {
        String(decoding: try calls.message(line, at: 1_000_000), as: UTF8.self)
    }

    @Test("ids count from 1, and an answer is known by its id, once, with the time it took")
    func answers() throws {
        var calls = RPCCalls()
        #expect(try send("one", &calls) == #"{"jsonrpc":"2.0","id":1,"method":"one"}"#)
        #expect(try send("two 2", &calls) == #"{"jsonrpc":"2.0","id":2,"method":"two","params":[2]}"#)
        #expect(answer(#"{"jsonrpc":"2.0","id":2,"result":{"id":9}}"#, &calls) == "#2 two, 1.0 ms")
        #expect(answer(#"{"jsonrpc":"2.0","id":2,"result":5}"#, &calls) == nil)
        #expect(answer(#" {"result":null,"id":1.0}"#, &calls, at: 3_500_000) == "#1 one, 2.5 ms")
    }

    @Test("Chromium's DevTools, known by their path, get no version, which they refuse")
    func devTools() throws {
        var calls = RPCCalls(at: "/devtools/browser/1")
        #expect(try send("a 1", &calls) == #"{"id":1,"method":"a","params":[1]}"#)
        #expect(answer(#"{"id":1,"result":{}}"#, &calls) == "#1 a, 1.0 ms")
    }

    @Test("an error of an answer is shown with its code and message, made harmless")
    func errors() throws {
        for (error, shown) in [
            (#"{"code":-32601,"message":"Method not found"}"#, #": error -32601 "Method not found""#),
            (#"{"code":1,"message":"\u001b[2J\n","data":[]}"#, #": error 1 "\x1b[2J\x0a""#), (#"{"message":5}"#, ": error"),
            (#""oops""#, ": error"),
        ] {
            var calls = RPCCalls()
            _ = try send("f", &calls)
            #expect(answer(#"{"id":1,"error":\#(error)}"#, &calls) == "#1 f, 1.0 ms" + shown)
        }
    }

    @Test(
        "what answers none of ours has nothing to say",
        arguments: [
            #"{"method":"tick","params":[1]}"#, #"{"id":2,"result":1}"#, #"{"id":"1","result":1}"#, #"{"id":null,"error":{}}"#,
            #"{"id":1}"#,
            #"{"id":1,"method":"ask"}"#, "[]", "[1]", "1", "hello", "", #"{"id":1,"result":"#, #"[{"id":1,"result":1}"#,
            #"{"id":[1],"result":1}"#,
        ])
    func others(message: String) throws {
        var calls = RPCCalls()
        _ = try send("f", &calls)
        #expect(answer(message, &calls) == nil)
        #expect(answer(#"{"id":1,"error":null,"result":1}"#, &calls) == "#1 f, 1.0 ms")
    }

    @Test("a line that is JSON is sent as it is, its requests are known by their own ids, and ours keep away from those")
    func raw() throws {
        var calls = RPCCalls()
        for line in [
            #"{"id":1, "method":"a"}"#, #" [{"id":"x\u0079","method":"b"},{"id":3,"method":"c"},{"method":"note"}]"#,
            #"{"id":5,"result":1}"#,
        ] {
            #expect(try send(line, &calls) == line)
        }
        #expect(try send("d", &calls).contains(#""id":2,"#))
        #expect(try send("e", &calls).contains(#""id":4,"#))
        #expect(answer(#"{"id":"xy","result":1}"#, &calls) == #"#"xy" b, 1.0 ms"#)
        #expect(
            answer(#"[{"id":3,"result":1},{"id":2,"error":{"code":1}},{"id":9,"result":1}]"#, &calls)
                == "#3 c, 1.0 ms; #2 d, 1.0 ms: error 1")
        #expect {
            try send(#"{"id":1,}"#, &calls)
        } throws: {
            ($0 as? CommandFailure)?.description.hasPrefix("not JSON at byte 9: ") == true
        }
    }

    @Test("of requests that are never answered the latest are kept, and nothing of a connection that is gone")
    func bounds() throws {
        var calls = RPCCalls()
        let count = 100_000
        for _ in 0..<count { _ = try calls.message("f", at: 0) }
        #expect(answer(#"{"id":1,"result":1}"#, &calls) == nil)
        #expect(answer(#"{"id":\#(count - 32_768),"result":1}"#, &calls) != nil)
        #expect(answer(#"{"id":\#(count),"result":1}"#, &calls) != nil)
        calls.forget()
        #expect(answer(#"{"id":\#(count - 1),"result":1}"#, &calls) == nil)
        #expect(try send("g", &calls).contains("\"id\":\(count + 1),"))
        _ = try send(#"{"method":"\#(String(repeating: "m", count: 5000))","id":"\#(String(repeating: "i", count: 5000))"}"#, &calls)
        _ = try send(String(repeating: "m", count: 5000), &calls)
        #expect(answer(#"{"id":\#(count + 2),"result":1}"#, &calls)?.utf8.count ?? 0 < 200)
    }

    @Test("a batch of a great many answers is named in a line that stays short")
    func largeBatch() throws {
        var calls = RPCCalls()
        for _ in 0..<1000 { _ = try send("f", &calls) }
        let note = answer("[" + (1...1000).map { "{\"id\":\($0),\"result\":0}" }.joined(separator: ",") + "]", &calls)
        #expect(note?.hasSuffix("; and 984 more") == true)
    }
}

@Suite("JSON-RPC in a run", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct JSONRPCRunTests {
    @Test("typed lines become requests, commands stay commands, and a pipe gets answers bare")
    func run() throws {
        let test = try TestRun("--jsonrpc")
        try test.enter("sum 1 2")
        try test.enter("/text plain")
        try test.enter("//odd")
        #expect(
            test.peer.texts == [
                #"{"jsonrpc":"2.0","id":1,"method":"sum","params":[1,2]}"#, "plain", #"{"jsonrpc":"2.0","id":2,"method":"/odd"}"#,
            ])
        #expect(throws: CommandFailure.self) { try test.enter("sum [1") }
        test.receive(.text, Array(#"{"id":1,"result":3}"#.utf8))
        test.receive(.text, Array(#"{"method":"tick"}"#.utf8))
        test.receive(.binary, Array(#"{"id":2,"result":3}"#.utf8))
        #expect(
            test.console.written == Array("{\"id\":1,\"result\":3}\n{\"method\":\"tick\"}\n7b226964223a322c22726573756c74223a337d\n".utf8))
        #expect(test.console.lines.count == 1)
        #expect(test.console.lines.first?.hasPrefix("#1 sum, ") == true)
    }

    @Test("another connection answers nothing that was asked before, and the numbers go on")
    func reconnect() throws {
        let test = try TestRun("--jsonrpc")
        try test.enter("a")
        test.detach()
        let next = RecordingPeer()
        test.attach(next)
        test.receive(.text, Array(#"{"id":1,"result":3}"#.utf8))
        #expect(test.console.lines == [])
        try test.enter("b")
        #expect(next.texts == [#"{"jsonrpc":"2.0","id":2,"method":"b"}"#])
    }

    @Test(
        "--jsonrpc is refused where a line is no request",
        arguments: [
            ["-b"], ["--send-as", "hex"], ["--split", "whole"], ["--split", "4K"], ["--split", "nul"], ["-0"], ["--json-input"], ["--echo"],
        ])
    func refused(options: [String]) {
        #expect(throws: UsageFailure.self) { try configuration(["--jsonrpc"] + options + ["ws://localhost/"]) }
        #expect(throws: UsageFailure.self) { try configuration(options + ["ws://localhost/", "--jsonrpc"]) }
    }

    @Test("--jsonrpc goes with --send-as text, --slash and -x")
    func allowed() throws {
        for options in [["--send-as", "text"], ["-t"], ["--slash"], ["-x", "f"], ["--split", "line"], ["--json"]] {
            #expect(try configuration(["--jsonrpc"] + options + ["ws://localhost/"]).input.isJSONRPC)
        }
        #expect(throws: UsageFailure.self) { try configuration(["--jsonrpc", "-l", "0"]) }
    }
}

extension ProgramTests {
    @Suite
    struct JSONRPCProgramTests {
        /// Answers a request with its own params, "fail" with an error, and sends a notification before each.
        private func server() throws -> TestServer {
            try TestServer { socket in
                socket.onMessage = { [unowned socket] _, payload in
                    let (id, method, params) = payload.withUnsafeBytes { bytes in
                        let request = try? JSONValue(parsing: bytes)
                        func written(_ name: String) -> String {
                            request?.member(name).map { String(decoding: $0.bytes, as: UTF8.self) } ?? "null"
                        }
                        return (written("id"), written("method"), written("params"))
                    }
                    try? socket.send(#"{"jsonrpc":"2.0","method":"log","params":[\#(method)]}"#)
                    let outcome = method == "\"fail\"" ? #""error":{"code":-32000,"message":"it failed"}"# : "\"result\":\(params)"
                    try? socket.send("{\"jsonrpc\":\"2.0\",\"id\":\(id),\(outcome)}")
                }
            }
        }

        @Test("piped lines are requests; answers stay bare on standard output, their numbers and times are on standard error")
        func piped() throws {
            let server = try server()
            let result = try run(["--jsonrpc", "--count", "6", server.url], input: "echo 1 \"a b\"\nfail\n[{\"id\":8}]\n")
            #expect(
                result.output == """
                    {"jsonrpc":"2.0","method":"log","params":["echo"]}
                    {"jsonrpc":"2.0","id":1,"result":[1,"a b"]}
                    {"jsonrpc":"2.0","method":"log","params":["fail"]}
                    {"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"it failed"}}
                    {"jsonrpc":"2.0","method":"log","params":[null]}
                    {"jsonrpc":"2.0","id":null,"result":null}

                    """)
            #expect(result.errors.contains(#/^#1 echo, [0-9.]+ ms\n#2 fail, [0-9.]+ ms: error -32000 "it failed"\n$/#), "\(result.errors)")
            #expect(result.status == 0)
        }

        @Test("-x is a request too, the end of the input is as ever, and a wrong line ends the run with 65, its place named")
        func others() throws {
            let server = try server()
            let executed = try run(["--jsonrpc", "-x", "sum a=1", "--count", "2", server.url])
            #expect(executed.output.hasSuffix("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":1}}\n"))
            let ended = try run(["--jsonrpc", server.url], input: "last")
            #expect(ended.output.hasSuffix("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n"))
            #expect(ended.status == 0)
            let wrong = try run(["--jsonrpc", server.url], input: "good\nbad [1\n")
            #expect(wrong.errors.contains("wsline: input line 2: not JSON at byte 7"), "\(wrong.errors)")
            #expect(wrong.status == 65)
            let execute = try run(["--jsonrpc", "-x", "bad {", server.url])
            #expect(execute.errors.contains("wsline: -x: not JSON at byte 6"), "\(execute.errors)")
            #expect(execute.status == 65)
        }
    }
}
