extension OptionGroup {
    static let misbehaving = OptionGroup(
        title: "Misbehaving on purpose", topic: "misbehaving",
        options: [
            .flag("--no-pong", does: "Answer no ping", details: "The other end should find the connection dead after a while.") {
                $0.connection.limits.behaviour.answersPings = false
            },
            .value(
                "SIZE", "--fragment", does: "Send each message in frames of SIZE bytes at most",
                details: "A compressed message is cut after it is compressed. Control frames stay whole, as they must."
            ) { $0.connection.limits.behaviour.fragmentSize = try $1.size() },
            .flag(
                "--lenient", does: "Show what breaks the protocol, and read on as far as possible",
                details: """
                    A line shows the frame with the RFC's clause, as with --frames. Reserved bits and wrong masking are ignored, reserved opcodes passed over, texts \
                    that are not UTF-8 delivered as they came. Lengths of 2^63 and more, and messages larger than --max-message, still fail the connection.
                    """
            ) { $0.connection.limits.behaviour.isStrict = false },
        ])
}
