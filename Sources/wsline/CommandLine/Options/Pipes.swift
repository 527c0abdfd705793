import WebSocketProtocol

extension OptionGroup {
    static let pipes = OptionGroup(
        title: "Pipes and scripts", topic: "pipes",
        options: [
            .value(
                "HOW", "--split", does: "Cut the input into messages at each line or nul, every SIZE bytes, or take it whole (line)",
                details: """
                    A line's \\n or \\r\\n is not part of the message, and a last line without one counts. A message longer than 1 MiB is sent in fragments as it is \
                    read, so that memory stays bounded.
                    """,
                in: .messages,
                rules: [.excludes(["--execute"], because: "with -x the input isn't read"), .excludes(["--echo"], because: withEcho)]
            ) { configuration, argument in configuration.input.split = try split(argument) },
            .flag(
                "-0", does: "The same as --split nul, and end received messages with NUL too", in: .messages,
                rules: [.contradicts("--split", unless: "nul")], elsewhere: ["--null-terminated"]
            ) {
                $0.input.split = .nul
                $0.output.endsInNUL = true
            },
            .value(
                "TEXT", "-x", "--execute", does: "Send TEXT once connected, instead of the input; can be repeated",
                details: """
                    The messages go out in order, on each connection anew. wsline then listens for 2 seconds, or as long as -w, --idle, -1, --count or --until say. \
                    Standard input is left alone.
                    """,
                in: .client, rules: [.excludes(["--json-input"], because: "with -x the input isn't read")],
                elsewhere: ["-d", "--data", "--data-raw"]
            ) { $0.input.execute.append($1.text) },
            .value(
                "SECS", "-w", "--wait",
                does:
                    "Listen that long after the end of input, not for a second of silence (2 with -x); 0: close at once, -1: until the server closes",
                in: .client, rules: [.contradicts("--idle", when: "-1")]
            ) { configuration, argument in
                let remedy = ", or -1 to wait until the server closes"
                configuration.stop.wait = argument.text == "-1" ? .untilClosed : .seconds(try argument.seconds(more: remedy))
            },
            .value(
                "SECS", "--idle", does: "Listen after the end of input until no message came for that long",
                details: "Only messages count: pings don't keep a connection from being idle.", in: .client
            ) { $0.stop.idle = try $1.seconds() },
            .flag(
                "-1", "--one-message", does: "Stop after the first message received", in: .messages,
                rules: [.contradicts("--count", unless: "1")]
            ) { $0.stop.count = 1 },
            .value(
                "N", "--count", does: "Stop after N messages received",
                details: """
                    It waits on past the end of input, as long as it takes; --timeout bounds that. When the connection ends before, the exit status is 8 where it \
                    would have been 0.
                    """,
                in: .messages, elsewhere: ["--max-messages"]
            ) { $0.stop.count = try $1.count() },
            .value(
                "REGEX", "--until", does: "Stop after the first message that matches",
                details: "REGEX is PCRE2's, and is looked for in text messages. It waits as --count does.", in: .messages
            ) { $0.stop.until = try $1.pattern() },
            .value(
                "SECS", "--timeout", does: "Take no longer than that for the whole run",
                details: "When the time is up the exit status is 8.", elsewhere: ["-m", "--max-time"]
            ) { $0.stop.timeout = try $1.seconds(positive: true) },
            .flag(
                "--json", does: "Write each event as a line of JSON",
                details: "Events are open, message, ping, pong, close and error, each with its time. --json-input reads them back.",
                in: .messages,
                rules: [
                    .excludes(["--binary-as"], because: "in JSON, binary messages are base64"),
                    .excludes(["--timestamps"], because: "in JSON, each event has its time"),
                ]
            ) { $0.output.isJSON = true },
            .flag(
                "--json-input", does: "Read such lines: message, ping, pong, close, delay_ms", in: .client,
                rules: [
                    .excludes(
                        ["--split", "-0", "--send-as", "--text", "--binary", "--slash"], unless: "line",
                        because: "each line of JSON says itself what it is"),
                    .excludes(["--echo"], because: withEcho),
                ]
            ) { $0.input.isJSON = true },
            .value(
                "CODE", "--expect-close", does: "Succeed only if the connection closes with CODE",
                details:
                    "1005 stands for a Close without a code, 1006 for no Close at all. Another code that would have been status 0 is 8.",
                in: .client
            ) { configuration, argument in
                guard let code = Int(decimal: argument.text, in: 1000...4999) else {
                    throw argument.invalid("close code", "give 1000 to 4999")
                }
                configuration.stop.expectedClose = CloseCode(UInt16(code))
            },
            .flag(
                "--slash", does: "Obey slash commands in piped input too",
                details: "A message that begins with / is then written with two.", in: .messages,
                rules: [.excludes(["--echo"], because: withEcho)]
            ) { $0.input.slash = true },
            .flag(
                "--echo", does: "Answer each message with itself", details: "Standard input is left alone. With -l it makes an echo server."
            ) { $0.echo = true },
        ])

    private static let withEcho = "with --echo the input isn't read"

    private static func split(_ argument: Argument) throws(UsageFailure) -> InputOptions.Split {
        switch argument.text {
        case "line": return .line
        case "nul": return .nul
        case "whole": return .whole
        default:
            guard let size = Int(size: argument.text) else {
                throw UsageFailure(
                    "\(argument.spelling) \(argument.text.quoted) must be one of line, nul, whole or a size such as 4096 or 64K")
            }
            return .size(size)
        }
    }
}
