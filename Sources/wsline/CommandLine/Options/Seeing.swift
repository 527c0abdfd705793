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
                rules: [.contradicts("--quiet")]
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
                rules: [.contradicts("--quiet")]
            ) { $0.output.showsFrames = true },
            .flag(
                "-q", "--quiet", does: "Show errors only", details: "On stderr; what is received is written as ever.",
                elsewhere: ["--silent"]
            ) { $0.output.quiet = true },
            .flag("-T", "--timestamps", does: "Show the time of each message", in: .messages) { $0.output.timestamps = true },
            .flag(
                "-P", "--show-ping-pong", does: "Show pings and pongs", in: .messages,
                rules: [.excludes(["--quiet"], because: "-q shows errors only")]
            ) { $0.output.showsPings = true },
        ])
}
