import WebSocketProtocol

extension ConfigurationBuilder {
    /// Refuses options that contradict each other or would do nothing. What is merely pointless is let through.
    func refuseContradictions() throws(UsageFailure) {
        let opposites: [(Bool, String, Bool, String)] = [
            (raw.ipv4, "-4", raw.ipv6, "-6"),
            (raw.text, "-t", raw.binary, "-b"),
            (raw.verbose > 0, "-v", raw.quiet, "-q"),
            (raw.auth != nil, "--auth", raw.bearer != nil, "--bearer"),
            (raw.deflate != nil, "--deflate", raw.noDeflate, "--no-deflate"),
            (raw.proxy != nil, "--proxy", raw.noProxy, "--no-proxy"),
            (raw.history != nil, "--history", raw.noHistory, "--no-history"),
            (raw.demo, "--demo", raw.listen != nil, "-l"),
            (raw.demo, "--demo", !(raw.connect + raw.urls).isEmpty, "a URL"),
            (raw.nul, "-0", raw.split != nil && raw.split != "nul", "--split \((raw.split ?? "").escaped)"),
            (raw.oneMessage, "-1", raw.count != nil && raw.count != "1", "--count"),
            (raw.wait == "-1", "-w -1", raw.idle != nil, "--idle"),
        ]
        for (isGiven, one, isOtherGiven, other) in opposites where isGiven && isOtherGiven {
            throw UsageFailure("\(one) and \(other) contradict each other: give one of them")
        }
        try refuseJSONContradictions()
        try refuseOrphans()
        if raw.listen != nil { try refuseConnectingOptions() }
    }

    private func refuseJSONContradictions() throws(UsageFailure) {
        if raw.json, raw.binaryAs != nil {
            throw UsageFailure("--json and --binary-as can't go together: in JSON, binary messages are base64")
        }
        guard raw.jsonInput else { return }
        if !raw.execute.isEmpty {
            throw UsageFailure("-x and --json-input can't go together: with -x the input isn't read")
        }
        let others: [(Bool, String)] = [
            (raw.split != nil && raw.split != "line", "--split"), (raw.nul, "-0"), (raw.sendAs != nil, "--send-as"), (raw.text, "-t"),
            (raw.binary, "-b"), (raw.slash, "--slash"),
        ]
        for (isGiven, name) in others where isGiven {
            throw UsageFailure("\(name) and --json-input can't go together: each line of JSON says itself what it is")
        }
    }

    private func refuseOrphans() throws(UsageFailure) {
        if raw.key != nil, raw.cert == nil { throw UsageFailure("--key without --cert: give the key's certificate too") }
        if raw.passphrase != nil, raw.cert == nil {
            throw UsageFailure("--passphrase without --cert: give the certificate whose key it unlocks")
        }
        if raw.pingTimeout != nil, raw.pingInterval == nil {
            throw UsageFailure("--ping-timeout without --ping-interval: no ping would be sent to wait for")
        }
        if raw.listen != nil, raw.ca != nil, raw.cert == nil {
            throw UsageFailure("-l with --ca without --cert: clients show certificates over TLS only, so give the server's own too")
        }
    }

    /// What only a client does.
    private func refuseConnectingOptions() throws(UsageFailure) {
        let options: [(Bool, String)] = [
            (!raw.execute.isEmpty, "-x"), (raw.wait != nil, "-w"), (raw.idle != nil, "--idle"), (raw.expectClose != nil, "--expect-close"),
            (!raw.header.isEmpty, "-H"), (raw.auth != nil, "--auth"), (raw.bearer != nil, "--bearer"), (raw.origin != nil, "-o"),
            (raw.host != nil, "--host"), (raw.userAgent != nil, "--user-agent"), (raw.protocol != nil, "-p"),
            (!raw.resolve.isEmpty, "--resolve"), (raw.unixSocket != nil, "--unix-socket"), (raw.proxy != nil, "--proxy"),
            (raw.connectTimeout != nil, "--connect-timeout"), (raw.reconnect != nil, "--reconnect"), (raw.noCheck, "-n"),
            (raw.servername != nil, "--servername"), (raw.ipv4, "-4"), (raw.ipv6, "-6"),
        ]
        for (isGiven, name) in options where isGiven {
            throw UsageFailure("\(name) can't go with -l: it is for connecting")
        }
    }
}
