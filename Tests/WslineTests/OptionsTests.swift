import TestSupport
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
        #expect(until.hasCondition)
        #expect(until.until?.search("a -12".utf8.span.bytes) == .found)
        #expect(try connecting("--timeout", "1").stop.hasCondition == false)
    }

    @Test("JSON, slash commands and echo are off unless asked for")
    func flags() throws {
        let none = try connecting()
        #expect(!none.output.isJSON && !none.input.isJSON && !none.input.slash && !none.echo)
        let json = try connecting("--json", "--json-input")
        #expect(json.output.isJSON && json.input.isJSON)
        #expect(try connecting("--echo").echo)
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

    private func help(_ arguments: String...) throws -> String {
        guard case .text(let text) = try parseCommandLine(arguments, environment: [:]) else { throw UsageFailure("no text") }
        return text
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
        #expect(described == Set(Option.all.flatMap(\.spellings)))
    }

    @Test("Help fits 100 columns")
    func helpWidth() {
        for line in Help.text.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
    }

    @Test("Every rule names an option that there is")
    func rulesNameOptions() {
        for option in Option.all {
            for rule in option.rules {
                let names =
                    switch rule {
                    case .contradicts(let name, _, _), .needs(let name, _, _): [name]
                    case .excludes(let names, _, _): names
                    }
                for name in names { #expect(Option.all.contains { $0.name == name }, "\(option.name): \(name)") }
            }
        }
    }

    @Test("What other programs call an option is no spelling of ours")
    func elsewhere() {
        for spelling in Option.all.flatMap(\.elsewhere) { #expect(Option.named(spelling) == nil, "\(spelling)") }
    }

    @Test("A topic's help is about all of its options at length", arguments: OptionGroup.all.map(\.topic))
    func groupHelp(topic: String) throws {
        let text = try help("--help", topic)
        for option in OptionGroup.all.first(where: { $0.topic == topic })?.options ?? [] {
            #expect(text.contains("\n" + option.spellings[0]), "\(option.name)")
        }
    }

    @Test("An option's help names its value, its conflicts and where it has no effect", arguments: ["-x", "--execute", "execute", "x"])
    func optionHelp(topic: String) throws {
        let text = try help("--help", topic).split { $0.isWhitespace }.joined(separator: " ")
        #expect(text.hasPrefix("-x, --execute TEXT Send TEXT once connected"))
        #expect(text.contains("Not with --json-input: with -x the input isn't read. Not with -l."))
    }

    @Test("Help about what doesn't exist names the topics")
    func unknownTopic() {
        #expect(
            refusal(["--help", "foo"])
                == "no help about \"foo\": the topics are calling, session, pipes, binary, connection, tls, seeing and misbehaving, and every option"
        )
    }

    @Test("A long option may be abbreviated where only one begins so, unless other programs call something else that")
    func abbreviations() throws {
        #expect(try connecting("--sub", "a", "--execu=b").connection.handshake.subprotocols == ["a"])
        #expect(try connecting("--insec").connection.tls.insecure)
        #expect(refusal(["--no-", "ws://h"])?.hasPrefix("\"--no-\" is ambiguous: it begins --no-history, --no-color, ") == true)
        #expect(refusal(["--pass", "p", "ws://h"]) == "unknown option \"--pass\": use --passphrase [TEXT]")
        #expect(refusal(["--max-time", "1", "ws://h"]) == "unknown option \"--max-time\": use --timeout SECS")
    }

    @Test("Docs/usage.md has every spelling of every option")
    func usageIsComplete() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let words = Set(
            String(decoding: try readFile("/\(root)/Docs/usage.md"), as: UTF8.self).split { !($0.isLetter || $0.isNumber || $0 == "-") })
        #expect(Option.all.flatMap(\.spellings).filter { !words.contains($0[...]) } == [])
    }

    @Test("No spelling is used twice")
    func spellingsAreUnique() {
        let spellings = Option.all.flatMap(\.spellings)
        #expect(spellings.count == Set(spellings).count)
    }
}
