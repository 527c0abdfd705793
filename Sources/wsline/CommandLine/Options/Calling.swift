extension OptionGroup {
    /// What to connect to, or to listen on, is found by ``Configuration/Mode``; the scanner answers `--help` and `--version`.
    static let calling = OptionGroup(
        title: "Calling it", topic: "calling",
        options: [
            .value(
                "URL", "-c", "--connect", does: "The same as URL alone", details: "As wscat spells it.",
                rules: [.contradicts("--demo")]
            ),
            .value(
                "[HOST:]PORT", "-l", "--listen",
                does: """
                    Wait for clients, on this machine alone unless HOST is given; port 0 picks a free one; unix:PATH listens on a socket file
                    """,
                details: """
                    Clients are numbered as they come. Lines go to all of them, and what they send is shown with their numbers. With --echo each message is \
                    answered with itself instead. 0.0.0.0:PORT and [::]:PORT listen on every address.
                    """,
                elsewhere: ["--server-mode"]
            ),
            .flag(
                "--demo", does: "Connect to an echo server inside wsline",
                details: "Nothing leaves this machine; it is meant for trying things out.",
                rules: [.contradicts("--listen")]
            ),
            .flag(
                "-h", "--help", does: "Show this help, or more about TOPIC",
                details: "TOPIC is an option, or the topic that stands after a heading of the help."
            ),
            .flag("-V", "--version", does: "Show the versions of wsline and of the libraries that it uses"),
        ])
}
