import WebSocketProtocol

/// What was meant by an option that doesn't exist.
enum Hints {
    /// - Parameter spelling: without a value, which may be a secret.
    static func unknownOption(_ spelling: String) -> UsageFailure {
        let hint = foreign(spelling) ?? closest(to: spelling).map { "did you mean \($0)?" } ?? "see wsline --help"
        return UsageFailure("unknown option \(spelling.quoted): \(hint)")
    }

    /// What to use here for what other programs (curl, websocat, wscat) call so; nil for what none of them has.
    static func foreign(_ spelling: String) -> String? {
        if let phrase = phrases[spelling] { return phrase }
        let option = Option.all.first { $0.elsewhere.contains(spelling) }
        return option.map { "use \($0.usage($0.spellings[0]))" }
    }

    /// What to use if an option's name alone doesn't explain it.
    private static let phrases: [String: String] = {
        let proxy = "use --proxy socks5h://HOST:PORT"
        let proxyUser = "put the user in --proxy USER:PASS@HOST:PORT"
        let headers = "use -v to see the response's headers"
        let method = "a WebSocket handshake is always a GET"
        return [
            "--tlsv1.2": "use --tls-min 1.2", "--tlsv1.3": "use --tls-min 1.3", "--noproxy": "use --no-proxy, or set no_proxy",
            "--socks5": proxy, "--socks5-hostname": proxy, "-U": proxyUser, "--proxy-user": proxyUser,
            "-i": headers, "-I": headers, "--include": headers, "-S": "errors are always shown", "--show-error": "errors are always shown",
            "-X": method, "--request": method, "--compressed": "compression is offered unless --no-deflate is given",
            "--no-close": "use -w -1 to wait until the server closes", "-a": "use -H 'Name: value', -s NAME or --auth USER:PASS",
        ]
    }()

    /// The long option that is a slip or two away, or that what was typed is the beginning of.
    private static func closest(to spelling: String) -> String? {
        let typed = spelling.drop { $0 == "-" }
        guard typed.utf8.count > 1 else { return nil }
        let names = Option.all.flatMap(\.spellings).filter { $0.hasPrefix("--") }
        if let exact = names.first(where: { $0.dropFirst(2) == typed }) { return exact }
        let begun = names.filter { $0.dropFirst(2).hasPrefix(typed) }
        if begun.count == 1 { return begun.first }
        let most = typed.utf8.count > 4 ? 2 : 1
        let near = names.map { (name: $0, distance: slips($0.dropFirst(2), typed)) }
        return near.filter { $0.distance <= most }.min { $0.distance < $1.distance }?.name
    }
}
