import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("What may change while the program runs (/set)", .eventLoop, .timeLimit(.minutes(1)))
@EventLoop
struct SettingTests {
    @Test("every setting is an option, shows what it is, and takes that as its value again")
    func table() throws {
        let names = Setting.all.map(\.name)
        #expect(Set(names).count == names.count)
        for arguments in [
            [],
            [
                "-v", "-T", "-P", "--show-credentials", "--allow-escapes", "--send-as=hex", "--binary-as=size", "--close-timeout=0.25",
                "--max-message=3M", "--ping-interval=7", "--ping-timeout=1.5", "--no-pong", "--lenient", "--fragment=2K", "--frames",
                "--pretty",
            ],
        ] {
            let given = try configuration(arguments + ["ws://h"])
            for setting in Setting.all {
                #expect(setting.live.name != nil || Option.named("--\(setting.name)")?.name == setting.option.name)
                let value = setting.value(in: given)
                #expect(!value.isEmpty)
                var changed = given
                try setting.set(value, in: &changed)
                #expect(setting.value(in: changed) == value, "\(setting.name)")
                if let word = setting.live.unset?.word {
                    try setting.set(word, in: &changed)
                    #expect(setting.value(in: changed) == word)
                }
            }
        }
    }

    @Test(
        "a value sets what the option on the command line sets",
        arguments: [
            ("binary-as", "hex"), ("send-as", "base64"), ("ping-interval", "2.5"), ("close-timeout", "0"), ("max-message", "64K"),
            ("timestamps", "on"),
            ("show-ping-pong", "on"), ("allow-escapes", "on"), ("show-credentials", "on"), ("verbose", "on"), ("quiet", "on"),
        ])
    func sameEffect(name: String, value: String) throws {
        let setting = try #require(Setting.named(name))
        let option = value == "on" ? "--\(name)" : "--\(name)=\(value)"
        var changed = try configuration(["ws://h"])
        try setting.set(value, in: &changed)
        let given = try configuration([option, "ws://h"])
        #expect(setting.value(in: changed) == setting.value(in: given))
        #expect("\(changed.output)" == "\(given.output)" && "\(changed.input)" == "\(given.input)")
        let (one, other) = (changed.connection.limits, given.connection.limits)
        #expect(
            one.pingInterval == other.pingInterval && one.closeTimeout == other.closeTimeout && one.maxMessageSize == other.maxMessageSize)
    }

    @Test(
        "a wrong name or value says so, and changes nothing",
        arguments: [
            ("/set nonsense on", "/set: \"nonsense\" is not an option: /set lists those that can change\nusage: /set [OPTION [VALUE]]"),
            ("/set --timestamps on", "/set: \"--timestamps\" has its dashes: write timestamps\nusage: /set [OPTION [VALUE]]"),
            ("/set header x", "/set: header can't change while the program runs: /set lists what can\nusage: /set [OPTION [VALUE]]"),
            ("/set timestamps yes", "/set: timestamps \"yes\" must be on or off"),
            ("/set binary-as foo", "/set: binary-as \"foo\" must be one of dump, hex, base64, raw or size, or default"),
            ("/set send-as hexa", "/set: send-as \"hexa\" must be one of text, binary, hex or base64"),
            ("/set close-timeout -1", "/set: close-timeout \"-1\" is not a valid number of seconds: give one such as 5 or 0.25"),
            ("/set close-timeout off", "/set: close-timeout \"off\" is not a valid number of seconds: give one such as 5 or 0.25"),
            ("/set max-message much", "/set: max-message \"much\" is not a valid size: give bytes, or a number with K, M or G"),
            ("/set ping-interval 0", "/set: ping-interval \"0\" is too short: give at least 0.001 seconds, or off"),
            ("/set ping-timeout 1", "/set: ping-timeout without --ping-interval: no ping would be sent to wait for"),
        ])
    func mistakes(line: String, error: String) throws {
        let test = try TestRun()
        try test.enter("/set")
        let before = test.console.lines
        #expect(throws: CommandFailure(error)) { try test.enter(line) }
        try test.enter("/set")
        #expect(test.console.lines == before + before)
        #expect(test.role.adopted == 0)
    }

    @Test("what would have no effect beside the options that were given is refused, what only contradicts them takes their place")
    func rules() throws {
        let json = try TestRun("--json")
        #expect(throws: CommandFailure("/set: --json and timestamps can't go together: in JSON, each event has its time")) {
            try json.enter("/set timestamps on")
        }
        let quiet = try TestRun("-q")
        #expect(throws: CommandFailure("/set: show-ping-pong and -q can't go together: -q shows errors only")) {
            try quiet.enter("/set show-ping-pong on")
        }
        try quiet.enter("/set quiet off")
        try quiet.enter("/set show-ping-pong on")
        let pinging = try TestRun("--ping-interval", "5", "--ping-timeout", "1")
        try pinging.enter("/set ping-interval off")
        try pinging.enter("/set timestamps on")
        let text = try TestRun("-t")
        try text.enter("/set send-as hex")
        try text.enter("00ff")
        #expect(text.peer.messages == [.binary([0, 255])])
    }

    @Test("/set lists all with their values, /set NAME shows one, and a change shows what it is now")
    func lists() throws {
        let test = try TestRun("--ping-interval", "5")
        try test.enter("/set")
        #expect(test.console.lines.count == Setting.all.count)
        #expect(test.console.lines.contains { $0.wholeMatch(of: /ping-interval +5/) != nil })
        #expect(test.console.lines.contains { $0.wholeMatch(of: /binary-as +default/) != nil })
        #expect(test.console.lines.contains { $0.wholeMatch(of: /max-message +64M/) != nil })
        try test.enter("/set timestamps")
        try test.enter("/set timestamps on")
        try test.enter("/set  ping-interval  off ")
        #expect(test.console.lines.suffix(3) == ["timestamps  off", "timestamps  on", "ping-interval  off"])
        #expect(test.role.adopted == 2)
    }

    @Test("what is shown changes at once: binary messages, times, pings")
    func output() throws {
        let test = try TestRun()
        test.receive(.binary, [0, 255])
        try test.enter("/set binary-as base64")
        test.receive(.binary, [0, 255])
        try test.enter("/set binary-as default")
        test.receive(.binary, [0, 255])
        #expect(test.console.written == Array("00ff\nAP8=\n00ff\n".utf8))
        try test.enter("/set timestamps on")
        test.receive(.text, Array("x".utf8))
        #expect(String(decoding: test.console.written.suffix(8), as: UTF8.self) != "00ff\nx\n" && test.console.written.count > 24)
        try test.enter("/set show-ping-pong on")
        test.receivePong([0x61], after: 1_000_000)
        try test.enter("/set show-ping-pong off")
        test.receivePong([0x61], after: 1_000_000)
        #expect(test.console.lines.filter { $0.hasPrefix("pong") } == ["pong \"a\" after 1.0 ms"])
    }

    @Test("diagnostics follow the options where their level is the options' own, and a terminal's filter")
    func diagnostics() throws {
        let written = LineRecorder()
        var options = OutputOptions()
        let diagnostics = Diagnostics(options, isTerminal: true, to: written)
        diagnostics.detail("no")
        (options.verbosity, options.allowEscapes) = (1, true)
        diagnostics.adopt(options)
        diagnostics.detail("\u{7}")
        (options.verbosity, options.allowEscapes, options.quiet) = (0, false, true)
        diagnostics.adopt(options)
        diagnostics.notice("no")
        diagnostics.error("\u{7}")
        #expect(written.writes.map { $0.contains("\u{7}") } == [true, false])
        let fixed = Diagnostics(OutputOptions(), level: .normal, isTerminal: false, to: written)
        fixed.adopt(options)
        #expect(fixed.level == .normal)
    }

    @Test("Tab completes the names, and the values where they are words")
    func completion() {
        func complete(_ line: String) -> [String]? { Candidates.complete(line, line.unicodeScalars.count)?.candidates }
        #expect(complete("/set") == ["/set "])
        #expect(complete("/set tim") == ["timestamps "])
        #expect(complete("/set ping-") == ["ping-interval ", "ping-timeout "])
        #expect(complete("/set timestamps ") == ["on", "off"])
        #expect(complete("/set binary-as d") == ["dump", "default"])
        #expect(complete("/set send-as h") == ["hex"])
        #expect(complete("/set ping-interval o") == ["off"])
        #expect(complete("/set max-message ") == nil && complete("/set nonsense o") == nil)
        #expect(complete("/help pi") == ["ping"] && complete("/help /pi") == ["/ping"])
    }
}
