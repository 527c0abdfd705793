import WebSocketProtocol

extension UsageFailure {
    /// An option that doesn't exist: with the one that was meant, as far as can be told. `spelling` is without a value, which may be a secret.
    static func unknownOption(_ spelling: String) -> UsageFailure {
        UsageFailure("unknown option \(spelling.quoted): \(OptionHint.forUnknown(spelling))")
    }
}

enum OptionHint {
    static func forUnknown(_ spelling: String) -> String {
        if let hint = foreign[spelling] { return hint }
        if let meant = closest(to: spelling) { return "did you mean \(meant)?" }
        return "see wsline --help"
    }

    /// What other programs call it (curl, websocat, wscat), and what to use here.
    private static let foreign: [String: String] = {
        let proxy = "use --proxy socks5h://HOST:PORT"
        let data = "use -x TEXT to send a message"
        return [
            "-A": "use --user-agent", "-u": "use --auth USER:PASS", "--user": "use --auth USER:PASS",
            "--basic-auth": "use --auth USER:PASS",
            "--oauth2-bearer": "use --bearer", "-E": "use --cert FILE", "--cacert": "use --ca FILE", "--pass": "use --passphrase",
            "--tlsv1.2": "use --tls-min 1.2", "--tlsv1.3": "use --tls-min 1.3", "--tls-domain": "use --servername NAME",
            "-m": "use --timeout SECS", "--max-time": "use --timeout SECS", "--noproxy": "use --no-proxy, or set no_proxy",
            "--socks5": proxy, "--socks5-hostname": proxy, "-U": "put the user in --proxy USER:PASS@HOST:PORT",
            "--proxy-user": "put the user in --proxy USER:PASS@HOST:PORT", "-d": data, "--data": data, "--data-raw": data,
            "-i": "use -v to see the response's headers", "-I": "use -v to see the response's headers",
            "--include": "use -v to see the response's headers", "--silent": "use -q", "-S": "errors are always shown",
            "--show-error": "errors are always shown", "-X": "a WebSocket handshake is always a GET",
            "--request": "a WebSocket handshake is always a GET", "--compressed": "compression is offered unless --no-deflate is given",
            "--no-close": "use -w -1 to wait until the server closes", "--max-messages": "use --count N",
            "--server-mode": "use -l [HOST:]PORT to listen", "--null-terminated": "use -0",
            "-a": "use -H 'Name: value', -s NAME or --auth USER:PASS",
        ]
    }()

    /// The long option that a slip or two away, or all of what was typed is the beginning of.
    private static func closest(to spelling: String) -> String? {
        let typed = spelling.drop { $0 == "-" }
        guard typed.utf8.count > 1 else { return nil }
        let names = OptionSyntax.all.flatMap(\.spellings).filter { $0.hasPrefix("--") }
        if let exact = names.first(where: { $0.dropFirst(2) == typed }) { return exact }
        let begun = names.filter { $0.dropFirst(2).hasPrefix(typed) }
        if begun.count == 1 { return begun.first }
        let most = typed.utf8.count > 4 ? 2 : 1
        let near = names.map { (name: $0, distance: slips(Array($0.utf8.dropFirst(2)), Array(typed.utf8))) }
        return near.filter { $0.distance <= most }.min { $0.distance < $1.distance }?.name
    }

    /// How many letters were added, left out, mistaken or swapped with their neighbour (optimal string alignment).
    private static func slips(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var rows = [Array(0...other.count)]
        for i in one.indices {
            var row = [i + 1]
            for j in other.indices {
                var best = min(rows[i][j] + (one[i] == other[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, one[i] == other[j - 1], one[i - 1] == other[j] { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}
