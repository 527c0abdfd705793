import Testing
import WebSocketProtocol

@testable import wsline

@Suite("Slash commands as they are typed")
struct SlashCommandTests {
    @Test(
        "A line is the command that it says",
        arguments: [
            ("/help", "Help(command: nil)"), ("/quit", "Quit()"), ("/status  ", "ShowStatus()"),
            ("/ping", "Ping(payload: nil, count: nil)"),
            ("/ping hey?", "Ping(payload: Optional([104, 101, 121, 63]), count: nil)"),
            ("/ping -c 5", "Ping(payload: nil, count: Optional(5))"),
            ("/ping -c  5 a b", "Ping(payload: Optional([97, 32, 98]), count: Optional(5))"),
            ("/ping  -c 5", "Ping(payload: Optional([32, 45, 99, 32, 53]), count: nil)"),
            ("/ping -cx", "Ping(payload: Optional([45, 99, 120]), count: nil)"),
            ("/pong", "Pong(payload: [])"), ("/pong  x ", "Pong(payload: [32, 120, 32])"), ("/close", #"Close(code: 1000, reason: "")"#),
            ("/close 4000", #"Close(code: 4000, reason: "")"#), ("/close  1001  see  you ", #"Close(code: 1001, reason: "see  you")"#),
            ("/text /help", #"SendText(text: "/help")"#), ("/text  two blanks ", #"SendText(text: " two blanks ")"#),
            ("/text", #"SendText(text: "")"#), ("/text a\nb", #"SendText(text: "a\nb")"#),
            ("/hex 00 ff", "SendHex(bytes: [0, 255])"), ("/base64 AQI=", "SendBase64(bytes: [1, 2])"),
            ("/file a b.txt", #"SendFile(path: "a b.txt", kind: binary)"#),
            ("/file -t  notes.txt ", #"SendFile(path: "notes.txt", kind: text)"#),
            ("/file ./-t", #"SendFile(path: "./-t", kind: binary)"#), ("/save /tmp/x", #"Save(path: Optional("/tmp/x"))"#),
            ("/last", "Last(number: 1, path: nil)"), ("/last 12", "Last(number: 12, path: nil)"),
            ("/last > a b", #"Last(number: 1, path: Optional("a b"))"#), ("/last  3>x ", #"Last(number: 3, path: Optional("x"))"#),
            ("/last 0", "/last: \"0\" is not a number of messages: give 1 to 100\nusage: /last [N] [> FILE]"),
            ("/last x", "/last: \"x\" is not a number of messages: give 1 to 100\nusage: /last [N] [> FILE]"),
            ("/last 2 x", "/last: \"x\" is not > and a file's path\nusage: /last [N] [> FILE]"),
            ("/last >", "/last: no path was given after >\nusage: /last [N] [> FILE]"),
            ("/last >> x", "/last: nothing can be appended: one > writes the file anew\nusage: /last [N] [> FILE]"),
            ("/show ", "Show(pattern: nil)"), ("/hide", "Hide(pattern: nil)"),
            (
                "/hide [x",
                "/hide: \"[x\" is not a valid regular expression: missing terminating ] for character class (at character 3)\nusage: /hide [REGEX]"
            ),
            ("/save off", "Save(path: nil)"), ("/save ./off", #"Save(path: Optional("./off"))"#),
        ])
    func parses(line: String, command: String) {
        #expect(read(line) == command)
    }

    /// A line as what it was read as: a command with what it holds, a message in quotes, or what is wrong.
    private func read(_ line: String) -> String {
        switch TypedLine(line) {
        case .command(let command):
            "\(command)".replacing("WebSocketProtocol.", with: "").replacing("MessageKind.", with: "").replacing(
                #/CloseCode\(rawValue: (\d+)\)/#
            ) { $0.1 }
        case .message(let text): text.quoted
        case .wrong(let failure): failure.description
        }
    }

    @Test(
        "A line without a slash at its start is a message, and two slashes stand for one",
        arguments: [("hello", "hello"), ("", ""), (" /help", " /help"), ("//help", "/help"), ("///", "//"), ("a/b", "a/b")])
    func messages(line: String, message: String) {
        #expect(read(line) == message.quoted)
    }

    @Test(
        "A wrong argument says what is wrong, and that command's usage",
        arguments: [
            ("/help me", "/help: there is no command /me\nusage: /help [COMMAND]"),
            ("/status now", "/status: takes no argument, and \"now\" was given\nusage: /status"),
            ("/ping -c", "/ping: -c has no value: give N after it\nusage: /ping [-c N] [TEXT]"),
            ("/ping -c 0", "/ping: -c \"0\" is not a valid count: give a whole number from 1\nusage: /ping [-c N] [TEXT]"),
            ("/headers x", "/headers: \"x\" is not a client's number\nusage: /headers [CLIENT]"),
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
        #expect(read(line) == message)
    }

    @Test("A ping's text and a close's reason may fill a control frame, and no more")
    func bounds() {
        let text = String(repeating: "é", count: 62)
        #expect(read("/ping \(text)x").hasPrefix("Ping("))
        #expect(read("/ping \(text)xy") == "/ping: 126 bytes are too many for a ping or pong: 125 is the most\nusage: /ping [-c N] [TEXT]")
        let reason = String(repeating: "r", count: 123)
        #expect(read("/close 1000 \(reason)").hasPrefix("Close("))
        #expect(
            read("/close 1000 \(reason)r")
                == "/close: a close reason of 124 bytes is too long: 123 is the most\nusage: /close [CODE [REASON]]")
    }

    @Test("An unknown command is an error that quotes it harmlessly", arguments: ["/nope", "/", "/Help", "/he\u{1b}[2J"])
    func unknown(line: String) {
        #expect(read(line).hasPrefix("there is no command /"))
        #expect(read(line).unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }
}
