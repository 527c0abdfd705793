/// What a command line asks for.
enum CommandLineResult {
    case run(Configuration)
    /// Help or the version: for stdout, with exit status 0.
    case text(String)
}

/// Why a command line can't be followed.
struct UsageFailure: Error, Equatable {
    /// One line: what is wrong, the value quoted unless it may be a secret, and the likely fix.
    let message: String
    let status: ExitStatus

    init(_ message: String, status: ExitStatus = .usage) {
        self.message = message
        self.status = status
    }
}

/// Reads a command line, without the program's name, and checks all of it: what is left to fail is the network and the files of TLS.
///
/// Files named by `--auth @FILE` and `--bearer @FILE` are read. Of the environment, `SSLKEYLOGFILE` is looked at.
func parseCommandLine(_ arguments: [String], environment: [String: String]) throws(UsageFailure) -> CommandLineResult {
    switch try Scanner.scan(arguments) {
    case .help(let topic): return .text(try topic.map(Help.about) ?? Help.text)
    case .version: return .text(Help.version)
    case .run(let given):
        try Rules(given).check()
        return .run(try Draft(given).configuration(environment: environment))
    }
}
