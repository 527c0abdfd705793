extension OptionGroup {
    static let seeing = OptionGroup(
        title: "Seeing what happens", topic: "seeing",
        options: [
            .flag(
                "-v", "--verbose", does: "Show addresses, TLS, headers, timing and the close on stderr",
                details: """
                    After * is what happens, after > the request's headers and after < the response's. Credentials are shown as ***. -vv shows each frame too, as \
                    --frames does.
                    """,
                rules: [.contradicts("--quiet")], live: .flag({ $0.output.verbosity > 0 }) { $0.output.verbosity = 0 }
            ) {
                $0.output.verbosity += 1
                if $0.output.verbosity > 1 { $0.output.showsFrames = true }
            },
            .flag(
                "--frames", does: "Show each frame as it was on the wire, sent (>) or received (<), on stderr",
                details: """
                    A line has the time, opcode, place in the message, FIN, RSV bits, masking key, length on the wire and inflated, and the first bytes. A frame that \
                    breaks the protocol is shown with the RFC's clause and its bytes in hexadecimal.
                    """,
                rules: [.contradicts("--quiet")], live: .flag({ $0.output.showsFrames }) { $0.output.showsFrames = false }
            ) { $0.output.showsFrames = true },
            .flag(
                "-q", "--quiet", does: "Show errors only", details: "On stderr; what is received is written as ever.",
                elsewhere: ["--silent"], live: .flag({ $0.output.quiet }) { $0.output.quiet = false }
            ) { $0.output.quiet = true },
            .flag(
                "-T", "--timestamps", does: "Show the time of each message", in: .messages,
                live: .flag({ $0.output.timestamps }) { $0.output.timestamps = false }
            ) { $0.output.timestamps = true },
            .flag(
                "--pretty", does: "Indent messages that are JSON, at a terminal",
                details: """
                    White space alone is moved: numbers, names and escapes stay as they came. Colours need no option: without --no-color a terminal shows them, \
                    and a pipe never gets either.
                    """,
                in: .messages, rules: [.excludes(["--json"], because: "with --json each event is a line")],
                live: .flag({ $0.output.isPretty }) { $0.output.isPretty = false }
            ) { $0.output.isPretty = true },
            .value(
                "REGEX", "--show", does: "Show only messages in which REGEX is found",
                details: """
                    REGEX is PCRE2's. A binary message is matched as it is shown. What is left out is counted, and --count and --until look at what is shown alone; \
                    --save saves what it would save without it.
                    """,
                in: .messages, live: .value({ $0.output.show?.text }, unset: ("off", { $0.output.show = nil }))
            ) { $0.output.show = try $1.pattern() },
            .value(
                "REGEX", "--hide", does: "Leave out messages in which REGEX is found",
                details: "In all else as --show. With both, messages are shown in which one is found, and the other isn't.",
                in: .messages, live: .value({ $0.output.hide?.text }, unset: ("off", { $0.output.hide = nil }))
            ) { $0.output.hide = try $1.pattern() },
            .flag(
                "-P", "--show-ping-pong", does: "Show pings and pongs", in: .messages,
                rules: [.excludes(["--quiet"], because: "-q shows errors only")],
                live: .flag({ $0.output.showsPings }) { $0.output.showsPings = false }
            ) { $0.output.showsPings = true },
            .flag(
                "--show-credentials", does: "Show credentials as they are, not as ***",
                details: """
                    They are the values of Authorization, Proxy-Authorization, Cookie and Set-Cookie, the user and password of a URL, and the values in its \
                    query whose names have a word such as token, key, secret, password, signature, session or auth in them, as access_token and apiKey have.
                    """,
                live: .flag({ $0.output.showsCredentials }) { $0.output.showsCredentials = false }
            ) { $0.output.showsCredentials = true },
        ])
}
