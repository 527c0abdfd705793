import Testing
import WebSocketProtocol

@testable import wsline

@Suite("Slash commands as they are typed")
struct SlashCommandTests {
    @Test(
        "A line is the command that it says",
        arguments: [
            ("/help", .help), ("/quit", .quit), ("/status  ", .status), ("/ping", .ping(nil)),
            ("/ping are you there?", .ping("are you there?")),
            ("/pong", .pong("")), ("/pong  x ", .pong(" x ")), ("/close", .close(.normal, reason: "")),
            ("/close 4000", .close(CloseCode(4000), reason: "")), ("/close  1001  see  you ", .close(.goingAway, reason: "see  you")),
            ("/text /help", .text("/help")), ("/text  two blanks ", .text(" two blanks ")), ("/text", .text("")),
            ("/text a\nb", .text("a\nb")),
            ("/hex 00 ff", .binary([0, 255])), ("/base64 AQI=", .binary([1, 2])), ("/file a b.txt", .file(path: "a b.txt", kind: .binary)),
            ("/file -t  notes.txt ", .file(path: "notes.txt", kind: .text)), ("/file ./-t", .file(path: "./-t", kind: .binary)),
            ("/save /tmp/x", .save(path: "/tmp/x")), ("/save off", .save(path: nil)), ("/save ./off", .save(path: "./off")),
        ] as [(String, SlashCommand)])
    func parses(line: String, command: SlashCommand) {
        #expect(SlashCommand.parse(line) == .command(command))
    }

    @Test(
        "A line without a slash at its start is a message, and two slashes stand for one",
        arguments: [("hello", "hello"), ("", ""), (" /help", " /help"), ("//help", "/help"), ("///", "//"), ("a/b", "a/b")])
    func messages(line: String, message: String) {
        #expect(SlashCommand.parse(line) == .message(message))
    }

    @Test(
        "A wrong argument says what is wrong, and that command's usage",
        arguments: [
            ("/help me", "/help: takes no argument, and \"me\" was given\nusage: /help"),
            ("/close now", "/close: \"now\" is not a close code\nusage: /close [CODE [REASON]]"),
            ("/close +1000", "/close: \"+1000\" is not a close code\nusage: /close [CODE [REASON]]"),
            ("/close 70000", "/close: \"70000\" is not a close code\nusage: /close [CODE [REASON]]"),
            (
                "/close 1005",
                "/close: close code 1005 can't be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999\nusage: /close [CODE [REASON]]"
            ),
            ("/hex", "/hex: no bytes were given\nusage: /hex DIGITS"),
            ("/hex 0", "/hex: the digit at column 1 stands alone: a byte takes two hexadecimal digits\nusage: /hex DIGITS"),
            ("/file", "/file: no path was given\nusage: /file [-t] PATH"), ("/file -t", "/file: no path was given\nusage: /file [-t] PATH"),
            ("/file -x y", "/file: \"-x\" is not an option (a file of that name is ./-x)\nusage: /file [-t] PATH"),
            ("/save ", "/save: no path was given\nusage: /save PATH|off"),
        ])
    func refuses(line: String, message: String) {
        #expect(SlashCommand.parse(line) == .wrong(SlashFailure(message)))
    }

    @Test("A ping's text and a close's reason may fill a control frame, and no more")
    func bounds() {
        let text = String(repeating: "é", count: 62)
        #expect(SlashCommand.parse("/ping \(text)x") == .command(.ping(text + "x")))
        #expect(
            SlashCommand.parse("/ping \(text)xy")
                == .wrong(SlashFailure("/ping: 126 bytes are too many for a ping or pong: 125 is the most\nusage: /ping [TEXT]")))
        let reason = String(repeating: "r", count: 123)
        #expect(SlashCommand.parse("/close 1000 \(reason)") == .command(.close(.normal, reason: reason)))
        #expect(
            SlashCommand.parse("/close 1000 \(reason)r")
                == .wrong(
                    SlashFailure("/close: a close reason of 124 bytes is too long: 123 is the most\nusage: /close [CODE [REASON]]")))
    }

    @Test("An unknown command is an error that quotes it harmlessly", arguments: ["/nope", "/", "/Help", "/he\u{1b}[2J"])
    func unknown(line: String) {
        guard case .wrong(let failure) = SlashCommand.parse(line) else {
            Issue.record("\(line) was taken")
            return
        }
        #expect(failure.description.hasPrefix("there is no command /"))
        #expect(failure.description.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }
}
