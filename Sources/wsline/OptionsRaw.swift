import ArgumentParser

/// The options as they were given, none of them looked at yet.
///
/// ``OptionSyntax`` has every option's spellings and ``OptionScanner`` brings a command line into the one form that is parsed here.
struct RawOptions: ParsableArguments {
    @Argument var urls: [String] = []

    // Calling it
    @Option var connect: [String] = []
    @Option var listen: String?
    @Flag var demo = false

    // Pipes and scripts
    @Option var split: String?
    @Flag(name: .customShort("0")) var nul = false
    @Option var execute: [String] = []
    @Option var wait: String?
    @Option var idle: String?
    @Flag var oneMessage = false
    @Option var count: String?
    @Option var until: String?
    @Option var timeout: String?
    @Flag var json = false
    @Flag var jsonInput = false
    @Option var expectClose: String?
    @Flag var slash = false
    @Flag var echo = false

    // Text and binary
    @Option var sendAs: String?
    @Flag var text = false
    @Flag var binary = false
    @Option var binaryAs: String?
    @Option var save: String?

    // The request
    @Option var subprotocol: [String] = []
    @Option var header: [String] = []
    @Option var auth: String?
    @Option var bearer: String?
    @Option var origin: String?
    @Option var host: String?
    @Option var userAgent: String?
    @Option var `protocol`: String?
    @Flag var location = false
    @Option var maxRedirects: String?
    @Option var deflate: String?
    @Flag var noDeflate = false

    // The way to the server
    @Flag(name: .customShort("4")) var ipv4 = false
    @Flag(name: .customShort("6")) var ipv6 = false
    @Option var resolve: [String] = []
    @Option var unixSocket: String?
    @Option var proxy: String?
    @Flag var noProxy = false
    @Option var connectTimeout: String?
    @Option var closeTimeout: String?
    @Option var maxMessage: String?
    @Option var pingInterval: String?
    @Option var pingTimeout: String?
    /// Empty where it has no value.
    @Option var reconnect: String?

    // TLS
    @Flag var noCheck = false
    @Option var ca: String?
    @Option var cert: String?
    @Option var key: String?
    /// Empty where it has no value.
    @Option var passphrase: String?
    @Option var servername: String?
    @Option var tlsMin: String?

    // The terminal, and what is shown
    @Option var history: String?
    @Flag var noHistory = false
    @Flag var noColor = false
    @Flag var allowEscapes = false
    @Flag var showPingPong = false
    @Flag var timestamps = false
    @Flag(name: .long) var verbose: Int
    @Flag var quiet = false
}
