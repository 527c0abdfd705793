extension OptionGroup {
    static let payloads = OptionGroup(
        title: "Text and binary", topic: "binary",
        options: [
            .value(
                "HOW", "--send-as", does: "Send a line as text, binary, or decoded from hex or base64 (text)",
                details: "What is decoded is sent as binary. It holds for -x and for typed lines as well.", in: .messages,
                live: .choice(InputOptions.Encoding.self, { $0.input.encoding.rawValue })
            ) { $0.input.encoding = try $1.choice() },
            .flag(
                "-t", "--text", does: "The same as --send-as text", in: .messages,
                rules: [.contradicts("--binary"), .contradicts("--send-as", unless: "text")]
            ) { $0.input.encoding = .text },
            .flag(
                "-b", "--binary", does: "The same as --send-as binary", in: .messages, rules: [.contradicts("--send-as", unless: "binary")]
            ) { $0.input.encoding = .binary },
            .flag(
                "--jsonrpc", does: "Send a line METHOD ARGUMENT ... as a JSON-RPC 2.0 request, and match the answers",
                details: """
                    An argument that is JSON is taken as such, any other is a string; what begins with a quotation mark, [ or { has to be JSON. NAME=VALUE names \
                    an argument. A line that is an object or an array is sent as it is. An answer is shown beside its request's number and the time it took; \
                    in a pipe, these go to stderr.
                    """,
                in: .client,
                rules: [
                    .excludes(["--send-as", "--binary"], unless: "text", because: "a request is text"),
                    .excludes(["--split", "-0"], unless: "line", because: "each line is a request"),
                    .excludes(["--json-input"], because: "each line of JSON says itself what it is"),
                    .excludes(["--echo"], because: "with --echo the input isn't read"),
                ]
            ) { $0.input.isJSONRPC = true },
            .value(
                "HOW", "--binary-as", does: "Show binary messages as dump, hex, base64, raw or size",
                details: "Without it they are a dump on a terminal, and a line of hex in a pipe. raw writes the bytes and nothing else.",
                in: .messages,
                live: .choice(
                    OutputOptions.BinaryForm.self, { $0.output.binaryAs?.rawValue }, unset: ("default", { $0.output.binaryAs = nil }))
            ) { $0.output.binaryAs = try $1.choice() },
            .value(
                "PATH", "--save", does: "Write binary messages to files in the directory PATH, or append them to the file PATH",
                details: """
                    A directory, or a path that ends in /, gets 000001.bin and so on, none ever overwritten. Messages are written as they come, so that the disk \
                    alone bounds their size.
                    """,
                in: .messages,
                rules: [.excludes(["--echo"], because: "a message that is streamed to its file is not kept for an answer")]
            ) { $0.output.save = try $1.path() },
        ])
}
