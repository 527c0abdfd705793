import Dispatch
import Synchronization
import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    /// The recipes of `Docs/usage.md`, run as they stand in the page.
    @Suite
    struct RecipeTests {
        @Test("The page has recipes")
        func pageHasRecipes() throws {
            #expect(try Recipe.all().count >= 6)
        }

        @Test("A recipe prints what the page says", arguments: try Recipe.all())
        func recipe(_ recipe: Recipe) throws {
            let server = try RecipeServer()
            let directory = try TemporaryDirectory()
            let product = try PseudoTerminal.builtProduct("wsline")
            let folder = product.split(separator: "/").dropLast().map { "/" + $0 }.joined()
            var environment = PseudoTerminal.standardEnvironment
            environment["PATH"] = "\(folder):/usr/local/bin:/opt/homebrew/bin:/usr/bin:/bin"
            environment["URL"] = "ws://127.0.0.1:\(server.port)"
            let shell = try RunningProcess(
                "/bin/sh", ["-euc", "cd \"$1\"\n" + recipe.script, "sh", directory.path], environment: environment)
            let result = try shell.waitForExit(within: 30)
            #expect(result.status == .exited(0), "\(shell.errorText)")
            #expect(shell.outputText == recipe.output, "\(shell.errorText)")
        }
    }
}

/// A block of shell and the block of output behind it.
struct Recipe: Sendable, CustomTestStringConvertible {
    var title: String
    var script: String
    var output: String

    var testDescription: String { title }

    static func all(file: String = #filePath) throws -> [Recipe] {
        let root = file.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let page = String(decoding: try readFile(root + "/Docs/usage.md"), as: UTF8.self)
        var recipes: [Recipe] = []
        var title = ""
        var block: (isOutput: Bool, text: String)?
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            if let open = block {
                if line != "```" {
                    block?.text += line + "\n"
                    continue
                }
                if !open.isOutput {
                    recipes.append(Recipe(title: title, script: open.text, output: ""))
                } else if !recipes.isEmpty {
                    recipes[recipes.count - 1].output = open.text
                }
                block = nil
            } else if line.hasPrefix("### ") {
                title = String(line.dropFirst(4))
            } else if line == "```sh recipe" || line == "```output" {
                block = (line == "```output", "")
            }
        }
        return recipes
    }
}

/// What the page says that `$URL` does.
private final class RecipeServer: Sendable {
    let port: UInt16
    private let state = Mutex<(server: TestServer?, ticks: Int)>((nil, 0))

    init() throws {
        let first = try TestServer(accepts: false) { _ in }
        port = first.port
        first.stop()
        try start()
    }

    private func start() throws {
        let server = try TestServer(port: port, accepts: false) { [weak self] socket in
            socket.onRequest = { [unowned socket, weak self] request in
                self?.serve(socket, request.request.target)
                socket.accept()
            }
        }
        state.withLock { $0.server = server }
    }

    @EventLoop
    private func serve(_ socket: WebSocket, _ path: String) {
        switch path {
        case "/echo": socket.onMessage = { [unowned socket] kind, payload in payload.withUnsafeBytes { try? socket.send(kind, $0) } }
        case "/health": socket.onMessage = { [unowned socket] _, _ in try? socket.send("pong") }
        case "/file":
            afterOpening(socket) { socket in try? [UInt8](repeating: 7, count: 1 << 20).withUnsafeBytes { try socket.send(.binary, $0) } }
        case "/feed":
            socket.onMessage = { [unowned socket] _, _ in
                for (symbol, price) in [("ACME", 42), ("DULL", 7), ("INIT", 11)] {
                    try? socket.send("{\"symbol\":\"\(symbol)\",\"price\":\(price)}")
                }
            }
        default: socket.onMessage = { [unowned socket, weak self] _, _ in self?.tick(socket) }
        }
    }

    /// Two ticks, and with the second of them the server goes down, to come back a moment later.
    @EventLoop
    private func tick(_ socket: WebSocket) {
        for _ in 0..<2 {
            let number = state.withLock { state in
                state.ticks += 1
                return state.ticks
            }
            try? socket.send("tick \(number)")
        }
        guard state.withLock({ $0.ticks }) == 2 else { return }
        DispatchQueue(label: "wsline.tests.restart").async { [weak self] in
            guard let self else { return }
            self.state.withLock { state in
                defer { state.server = nil }
                return state.server
            }?.stop()
            try? self.start()
        }
    }
}
