import TestSupport
import Testing
import CPosix

@Suite("The demonstration, and echoes")
struct DemoTests {
    private func demo(_ arguments: [String], _ input: RunningProcess.Input = .pipe) throws -> RunningProcess {
        try RunningProcess(try PseudoTerminal.builtProduct("wsline"), ["--demo"] + arguments, input: input)
    }

    @Test("each line comes back, and the end of input is a good end")
    func echoes() throws {
        let program = try demo([])
        let lines = (1...20_000).map { "line \($0)\n" }.joined()
        try program.write(lines)
        program.closeInput()
        #expect(try program.waitForExit().status == .exited(0))
        #expect(program.outputText == lines)
        #expect(program.errorText == "This is a demonstration: an echo server inside this process answers each line with itself.\n")
    }

    @Test("no input at all is a good end too")
    func noInput() throws {
        let program = try demo([], .file("/dev/null"))
        #expect(try program.waitForExit().status == .exited(0))
        #expect(program.outputText.isEmpty)
    }

    @Test("options of the client hold: subprotocol, binary, and a proxy in the environment that does not")
    func options() throws {
        var environment = PseudoTerminal.standardEnvironment
        environment["http_proxy"] = "http://127.0.0.1:1"
        let path = try PseudoTerminal.builtProduct("wsline")
        let program = try RunningProcess(path, ["--demo", "-v", "-s", "chat", "--send-as", "hex"], environment: environment)
        try program.write("00ff\n")
        program.closeInput()
        #expect(try program.waitForExit().status == .exited(0))
        #expect(program.outputText == "00ff\n")
        #expect(program.errorText.contains("subprotocol: chat; extensions: permessage-deflate"))
    }

    @Test("a message of 64 MiB comes back whole, whichever way it is echoed", arguments: ["--no-deflate", "-v"])
    func large(_ option: String) throws {
        let directory = try TemporaryDirectory()
        let (input, output) = (directory.file("in"), directory.file("out"))
        let message = String(repeating: "sixty-four bytes, of which this line is made: 0123456789abcdef.\n", count: 1 << 20)
        _ = try directory.write(message, to: "in")
        let server = try Listening(["--echo", option])
        let client = try server.client(
            [option, "--split", "whole", "--count", "1", "-b", "--binary-as", "raw"], input: .file(input), output: .file(output))
        #expect(try client.waitForExit(within: 120).status == .exited(0), "\(client.errorText) \(server.program.errorText)")
        let echoed = try readFile(output)
        #expect(echoed.count == 64 << 20 && echoed.elementsEqual(message.utf8))
    }

    @Test("a client with --echo sends back all it gets, however slowly that is read, and leaves its input alone")
    func clientEchoes() throws {
        let count = 2048
        let server = try Listening(
            ["--split", "8K", "-b", "--no-deflate", "--count", "\(count)", "--binary-as", "raw"], output: .unread)
        let client = try server.client(["--echo", "--no-deflate", "--binary-as", "size"], input: .file("/dev/null"))
        server.program.writeForever([UInt8](repeating: 0x61, count: 8 << 10))
        // Meanwhile the pipes and sockets between the two fill up, and the client has to wait.
        let other = try server.client(["-w", "-1"], input: .file("/dev/null"))
        try server.waitForClients(2)
        // What it has not taken at the end would be its own concern.
        other.send(signal: SIGKILL)
        server.program.read()
        #expect(try server.program.waitForExit(within: 60).status == .exited(0))
        #expect(server.program.outputBytes.count == count * 8192)
        #expect(try client.waitForExit().status == .exited(0))
    }
}
