import LineTerminal
import Synchronization
import CPosix

/// A program that does with a terminal what wsline does, and no more: reads lines, and prints while it does. The tests run it on a pseudo-terminal.
///
/// Arguments: `--history PATH`, `--print-every MILLISECONDS` (numbered messages from another thread), `--print-lines COUNT` (how many), `--message TEXT`
/// (their text), `--secret` (asks for a passphrase and ends), `--stop-after MILLISECONDS`, `--report-delay MILLISECONDS` (how late the terminal may report
/// a resize). A line `/print TEXT` prints TEXT from another thread at once, and so does SIGUSR1 with a numbered one.
@main
struct Fixture {
    static func main() throws {
        var arguments = CommandLine.arguments.dropFirst()
        var options: [String: String] = [:]
        while let name = arguments.popFirst() { options[name] = name == "--secret" ? "" : arguments.popFirst() ?? "" }
        if options["--secret"] != nil {
            let secret = try LineTerminal.readSecret(prompt: "Passphrase: ")
            print("got \(secret.map { String($0.count) } ?? "nothing")")
            return
        }
        let printer = TerminalPrinter()
        var history = History()
        if let path = options["--history"] {
            let opened = History.open(path: path)
            history = opened.history
            if let failure = opened.failure { printer.enqueue("notice: \(failure)") }
        }
        var configuration = LineEditor.Configuration(prompt: Prompt("> "), environment: environment()) { line, cursor in
            complete(line, cursor)
        }
        configuration.input = STDIN_FILENO
        if let delay = options["--report-delay"].flatMap(Int.init) { configuration.reportDelay = .milliseconds(delay) }
        printOnSignal(printer)
        let editor = try LineEditor(configuration, history: history, printer: printer)
        printer.enqueue("ready")
        if let every = options["--print-every"].flatMap(UInt32.init) {
            let count = options["--print-lines"].flatMap(Int.init) ?? .max
            let message = options["--message"] ?? "message"
            inBackground {
                for number in 0..<count {
                    usleep(every * 1000)
                    printer.enqueue("< \(message) \(number)")
                }
            }
        }
        if let after = options["--stop-after"].flatMap(UInt32.init) {
            inBackground {
                usleep(after * 1000)
                editor.stop()
            }
        }
        run(editor, printer)
    }

    static func printOnSignal(_ printer: TerminalPrinter) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGUSR1)
        // The threads to come inherit it, so that the signal stays for the one that waits.
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        inBackground { [signals] in
            var number = 0
            var waited = signals
            var signal: Int32 = 0
            while sigwait(&waited, &signal) == 0 {
                printer.enqueue("< signal \(number)")
                number += 1
            }
        }
    }

    static func run(_ editor: LineEditor, _ printer: TerminalPrinter) {
        while true {
            switch editor.readLine() {
            case .line(let line):
                do { try editor.addHistory(line) } catch { printer.enqueue("notice: \(error)") }
                if line == "/crash" { UnsafeMutablePointer<Int>(bitPattern: 8)?.pointee = 1 }
                if line.hasPrefix("/print ") {
                    inBackground { printer.enqueue(String(line.dropFirst(7))) }
                } else if line.utf8.count > 1000 {
                    printer.enqueue("got \(line.utf8.count) bytes, sum \(line.utf8.reduce(0) { ($0 &* 31 &+ UInt64($1)) })")
                } else {
                    printer.enqueue("got " + EscapeFilter.filter(String(reflecting: line)))
                }
            case .interrupt: printer.enqueue("interrupt")
            case .endOfInput:
                printer.enqueue("end of input")
                editor.close()
                return
            case .stopped:
                printer.enqueue("stopped")
                editor.close()
                return
            }
        }
    }

    static func complete(_ line: String, _ cursor: Int) -> Completion? {
        let words = ["/help ", "/headers ", "/hex ", "/quit "]
        let typed = String(String.UnicodeScalarView(line.unicodeScalars.prefix(cursor)))
        return Completion(candidates: words.filter { $0.hasPrefix(typed) }, range: 0..<cursor)
    }

    static func environment() -> [String: String] {
        var result: [String: String] = [:]
        for name in ["TERM", "TMUX", "STY", "XTERM_VERSION", "COLUMNS", "LINES"] {
            if let value = getenv(name) { result[name] = String(cString: value) }
        }
        return result
    }

    /// Runs `body` on a thread of its own.
    static func inBackground(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Box(body))
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        pthread_create(
            &thread, nil,
            { argument in
                #if canImport(Darwin)
                    Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                #else
                    if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
                #endif
                return nil
            }, box.toOpaque())
        // Nobody joins it: without this ThreadSanitizer reports it as leaked once it has ended.
        #if canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }

    final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
