extension OptionGroup {
    static let conversation = OptionGroup(
        title: "The interactive session", topic: "session",
        options: [
            .value(
                "FILE", "--history", does: "Keep typed lines in FILE (~/.local/state/wsline/history)",
                details: """
                    Without it they are kept in $XDG_STATE_HOME/wsline/history: the last 1,000, with no immediate repeats and none that begins with a space, in a \
                    file that only its owner can read.
                    """,
                in: .messages, rules: [.contradicts("--no-history")]
            ) { $0.terminal.historyFile = $1.text },
            .flag("--no-history", does: "Keep no typed lines", in: .messages) { $0.terminal.keepsHistory = false },
            .flag(
                "--full", does: "Cut no message, however large",
                details: """
                    Without it a conversation shows the first 1 KiB of a dump and 16 KiB of a text, and how much more there is; /last shows the last message whole, \
                    and /last > FILE writes it to a file.
                    """,
                in: .messages, live: .flag({ $0.output.isFull }) { $0.output.isFull = false }
            ) { $0.output.isFull = true },
            .flag(
                "--no-color", does: "Use no colours",
                details: "NO_COLOR and TERM=dumb in the environment do the same. Pipes and files never get any."
            ) { $0.output.noColor = true },
            .flag(
                "--allow-escapes", does: "Let the server's control characters through to the terminal",
                details: """
                    Without it control characters other than tab and newline, and bidirectional controls, are shown as \\x1b and the like, so that what a server \
                    sends can't drive the terminal. Pipes and files get what was sent in any case.
                    """,
                live: .flag({ $0.output.allowEscapes }) { $0.output.allowEscapes = false }
            ) { $0.output.allowEscapes = true },
        ])
}
