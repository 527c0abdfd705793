import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("Command line")
struct OptionsTests {
    // MARK: Calling it

    @Test(
        "A URL is given alone, with -c, behind -- or anywhere among the options",
        arguments: [
            ["ws://localhost:8080/"], ["-c", "ws://localhost:8080/"], ["--connect", "ws://localhost:8080/"], ["-cws://localhost:8080/"],
            ["--connect=ws://localhost:8080/"], ["--", "ws://localhost:8080/"], ["-n", "ws://localhost:8080/", "-1"],
            ["-ncws://localhost:8080/"], ["localhost:8080"], ["http://localhost:8080"],
        ])
    func url(arguments: [String]) throws {
        #expect(try configuration(arguments).url == "ws://localhost:8080/")
    }

    @Test("-l listens on this machine, or on the host that is given")
    func listening() throws {
        func target(_ text: String) throws -> ListenTarget? {
            if case .listen(let target) = try configuration(["-l", text]).mode { target } else { nil }
        }
        #expect(try target("8080") == .loopback(port: 8080))
        #expect(try target("0.0.0.0:0") == .host("0.0.0.0", port: 0))
        #expect(try target("unix:/tmp/s") == .unix(path: "/tmp/s"))
    }

    @Test("--demo takes no URL")
    func demo() throws {
        let configuration = try configuration(["--demo", "--echo"])
        guard case .demo = configuration.mode else { return #expect(Bool(false), "\(configuration.mode)") }
        #expect(configuration.echo)
    }

    // MARK: Pipes and scripts

    @Test("Input is cut at lines unless told otherwise")
    func split() throws {
        #expect(try connecting().input.split == .line)
        #expect(try connecting("--split", "line").input.split == .line)
        #expect(try connecting("--split", "nul").input.split == .nul)
        #expect(try connecting("--split", "whole").input.split == .whole)
        #expect(try connecting("--split", "64K").input.split == .size(65536))
    }

    @Test("-0 cuts input at NUL and ends what is received with it; --split nul does the first alone")
    func nul() throws {
        let nul = try connecting("-0")
        #expect(nul.input.split == .nul)
        #expect(nul.output.endsInNUL)
        #expect(try connecting("--split", "nul").output.endsInNUL == false)
        #expect(try connecting("-0", "--split", "nul").output.endsInNUL)
    }

    @Test("-x keeps its texts in order, whatever they begin with")
    func execute() throws {
        let texts = ["a", "-b", "--", "-?", "---", "--json", "", "-", "=x", "a=b", "-1", "✓"]
        #expect(try connecting().input.execute.isEmpty)
        #expect(try configuration(texts.flatMap { ["-x", $0] } + ["ws://localhost"]).input.execute == texts)
        #expect(try configuration(texts.map { "--execute=\($0)" } + ["ws://localhost"]).input.execute == texts)
    }

    @Test("-w takes seconds, or -1 until the server closes")
    func wait() throws {
        #expect(try connecting().stop.wait == nil)
        #expect(try connecting("-w", "5").stop.wait == .seconds(5))
        #expect(try connecting("-w0.5").stop.wait == .seconds(0.5))
        #expect(try connecting("-w", "0").stop.wait == .seconds(0))
        #expect(try connecting("-w", "-1").stop.wait == .untilClosed)
        #expect(try connecting("--wait=-1").stop.wait == .untilClosed)
        #expect(try connecting("-w", "-1").stop.count == nil)
    }

    @Test("-1, --count, --until, --idle, --timeout and --expect-close say when a run ends")
    func stop() throws {
        #expect(try connecting("-1").stop.count == 1)
        #expect(try connecting("--one-message", "--count", "1").stop.count == 1)
        #expect(try connecting("--count", "7").stop.count == 7)
        #expect(try connecting("--idle", "1.5").stop.idle == 1.5)
        #expect(try connecting("--timeout", "30").stop.timeout == 30)
        #expect(try connecting("--expect-close", "4001").stop.expectedClose == CloseCode(4001))
        #expect(try connecting("--expect-close", "1006").stop.expectedClose == .abnormal)
        let until = try connecting("--until", "-?[0-9]+").stop
        #expect(until.hasGoal)
        #expect(until.until?.search("a -12".utf8.span.bytes) == .found)
        #expect(try connecting("--timeout", "1").stop.hasGoal == false)
    }

    @Test("JSON, slash commands and echo are off unless asked for")
    func flags() throws {
        let none = try connecting()
        #expect(!none.output.isJSON && !none.input.isJSON && !none.input.slash && !none.echo)
        let all = try connecting("--json", "--json-input", "--echo")
        #expect(all.output.isJSON && all.input.isJSON && all.echo)
        #expect(try connecting("--slash").input.slash)
    }

    // MARK: Text and binary

    @Test("Lines are sent as text, binary, or decoded")
    func encoding() throws {
        #expect(try connecting().input.encoding == .text)
        #expect(try connecting("-t").input.encoding == .text)
        #expect(try connecting("-b").input.encoding == .binary)
        #expect(try connecting("-b", "--send-as", "binary").input.encoding == .binary)
        for encoding in InputOptions.Encoding.allCases {
            #expect(try connecting("--send-as", encoding.rawValue).input.encoding == encoding)
        }
    }

    @Test("Binary messages are shown in the form that is asked for, and saved where it is said")
    func binary() throws {
        #expect(try connecting().output.binaryAs == nil)
        for form in OutputOptions.BinaryForm.allCases {
            #expect(try connecting("--binary-as", form.rawValue).output.binaryAs == form)
        }
        #expect(try connecting("--save", "out/").output.save == "out/")
    }

    // MARK: The terminal, and what is shown

    @Test("History has a place of its own, another one, or none")
    func history() throws {
        #expect(try connecting().terminal.historyFile == nil)
        #expect(try connecting().terminal.keepsHistory)
        #expect(try connecting("--history", "h").terminal.historyFile == "h")
        #expect(try connecting("--no-history").terminal.keepsHistory == false)
    }

    @Test("What is shown besides messages is asked for")
    func shown() throws {
        let none = try connecting().output
        #expect(!none.noColor && !none.allowEscapes && !none.showsPings && !none.timestamps && !none.quiet && none.verbosity == 0)
        let all = try connecting("--no-color", "--allow-escapes", "-PTv").output
        #expect(all.noColor && all.allowEscapes && all.showsPings && all.timestamps && all.verbosity == 1)
        #expect(try connecting("-q").output.quiet)
    }

    // MARK: Help and version

    @Test("Help and version win over what follows them", arguments: [["-h"], ["--help", "--nonsense"], ["-1", "-nh"], ["-n", "--help"]])
    func help(arguments: [String]) throws {
        guard case .text(let text) = try parseCommandLine(arguments, environment: [:]) else { return #expect(Bool(false)) }
        #expect(text.hasPrefix("wsline: a line to your WebSocket server."))
    }

    @Test("The version names the libraries", arguments: ["-V", "--version"])
    func version(argument: String) throws {
        guard case .text(let text) = try parseCommandLine([argument], environment: [:]) else { return #expect(Bool(false)) }
        let lines = text.split(separator: "\n")
        #expect(lines.map { $0.prefix { $0 != " " } } == ["wsline", "libedit", "OpenSSL", "zlib", "PCRE2"])
        #expect(lines.allSatisfy { $0.contains { $0.isNumber } })
    }

    @Test("A value is never taken for help")
    func helpAsValue() throws {
        #expect(try connecting("-x", "--help", "-x", "-h").input.execute == ["--help", "-h"])
    }

    @Test("Help has every spelling of every option, and no other")
    func helpIsComplete() {
        var described: Set<String> = []
        for line in Help.text.split(separator: "\n") where line.hasPrefix("  -") || line.hasPrefix("      --") {
            described.formUnion(line.split { $0 == " " || $0 == "," }.prefix { $0.hasPrefix("-") }.map(String.init))
        }
        #expect(described == Set(OptionSyntax.all.flatMap(\.spellings)))
    }

    @Test("Help fits 100 columns")
    func helpWidth() {
        for line in Help.text.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
    }

    @Test("Every option is one that the parser knows")
    func parserKnowsAll() throws {
        for option in OptionSyntax.all where ![OptionSyntax.help.spellings, OptionSyntax.version.spellings].contains(option.spellings) {
            let name = option.spellings[0]
            if case .none = option.value {
                _ = try RawOptions.parse([name])
            } else {
                _ = try RawOptions.parse([name + "=x"])
            }
        }
    }

    @Test("No spelling is used twice")
    func spellingsAreUnique() {
        let spellings = OptionSyntax.all.flatMap(\.spellings)
        #expect(spellings.count == Set(spellings).count)
    }
}
