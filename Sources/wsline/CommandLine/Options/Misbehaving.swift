extension OptionGroup {
    static let misbehaving = OptionGroup(
        title: "Misbehaving on purpose", topic: "misbehaving",
        options: [
            .flag(
                "--no-pong", does: "Answer no ping", details: "The other end should find the connection dead after a while.",
                live: .inverse("pong", { !$0.connection.limits.behaviour.answersPings }) {
                    $0.connection.limits.behaviour.answersPings = true
                }
            ) { $0.connection.limits.behaviour.answersPings = false },
            .value(
                "SIZE", "--fragment", does: "Send each message in frames of SIZE bytes at most",
                details: "A compressed message is cut after it is compressed. Control frames stay whole, as they must.",
                live: .value(
                    { $0.connection.limits.behaviour.fragmentSize.map { Live.size(UInt64($0)) } },
                    unset: ("off", { $0.connection.limits.behaviour.fragmentSize = nil }))
            ) { $0.connection.limits.behaviour.fragmentSize = try $1.size() },
            .flag(
                "--lenient", does: "Show what breaks the protocol, and read on as far as possible",
                details: """
                    A line shows the frame with the RFC's clause, as with --frames. Reserved bits and wrong masking are ignored, reserved opcodes passed over, texts \
                    that are not UTF-8 delivered as they came. Lengths of 2^63 and more, and messages larger than --max-message, still fail the connection.
                    """,
                live: .inverse("strict", { !$0.connection.limits.behaviour.isStrict }) { $0.connection.limits.behaviour.isStrict = true }
            ) { $0.connection.limits.behaviour.isStrict = false },
        ])
}
