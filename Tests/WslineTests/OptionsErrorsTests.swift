import Testing

@testable import wsline

@Suite("Refused command lines")
struct OptionsErrorsTests {
    @Test(
        "An unknown option is quoted without its value, with what was likely meant",
        arguments: [
            (["--subprotcol", "x"], "unknown option \"--subprotcol\": did you mean --subprotocol?"),
            (["--subprotcol=secret"], "unknown option \"--subprotcol\": did you mean --subprotocol?"),
            (["--tiemout", "1"], "unknown option \"--tiemout\": did you mean --timeout?"),
            (["-json"], "unknown option \"-json\": did you mean --json?"),
            (["-subprotocol", "x"], "unknown option \"-subprotocol\": did you mean --subprotocol?"),
            (["--frobnicate"], "unknown option \"--frobnicate\": see wsline --help"),
            (["-zsecret"], "unknown option \"-z\": see wsline --help"),
            (["-nz"], "unknown option \"-z\": see wsline --help"),
            (["--=x"], "unknown option \"--\": see wsline --help"),
            (["--a\u{1b}[2J"], "unknown option \"--a\\x1b[2J\": see wsline --help"),
            (["-u", "a:b"], "unknown option \"-u\": use --auth USER:PASS"),
            (["--cacert=f"], "unknown option \"--cacert\": use --ca FILE"),
            (["--max-time", "1"], "unknown option \"--max-time\": use --timeout SECS"),
        ])
    func unknown(arguments: [String], message: String) {
        #expect(refusal(arguments + ["ws://localhost"]) == message)
    }

    @Test(
        "An option that lacks its value, or has one too many, is refused",
        arguments: [
            (["ws://h", "-x"], "-x has no value: give TEXT after it"),
            (["ws://h", "--header"], "--header has no value: give 'Name: value' after it"),
            (["ws://h", "-nw"], "-w has no value: give SECS after it"),
            (["ws://h", "--json=yes"], "--json takes no value, and has \"yes\""),
            (["ws://h", "--reconnect="], "--reconnect= has no value after it: give a number, or leave out the ="),
        ])
    func values(arguments: [String], message: String) {
        #expect(refusal(arguments) == message)
    }

    @Test(
        "There is one URL, and a passable one",
        arguments: [
            ([], "no URL: give one, as in \"wsline wss://example.org/\""),
            (["-1"], "no URL: give one, as in \"wsline wss://example.org/\""),
            (["ws://a", "world"], "more than one URL, \"ws://a\" and \"world\": give one, and put quotes round a value that holds blanks"),
            (
                ["-c", "ws://u:secret@a", "ws://b"],
                "more than one URL, one with a user and \"ws://b\": give one, and put quotes round a value that holds blanks"
            ),
            (["-l", "80", "ws://a"], "-l and a URL can't go together: wsline either listens or connects"),
            (["-l", "80", "-c", "ws://a"], "-l and a URL can't go together: wsline either listens or connects"),
            (["-l", "80", "--demo"], "--demo and -l contradict each other: give one of them"),
            (["--demo", "ws://a"], "--demo and a URL contradict each other: give one of them"),
            (["wz://a"], "the scheme \"wz\" is unknown: did you mean ws://?"),
            (
                ["ws://a/#b"],
                "the URL has a fragment, \"#b\", which WebSocket URLs can't have (RFC 6455, section 3): drop it, or write a literal # as %23"
            ),
            (["-l", "port"], "can't listen on \"port\": it is neither [HOST:]PORT nor unix:PATH"),
            (["-l", "70000"], "can't listen on \"70000\": it is neither [HOST:]PORT nor unix:PATH"),
        ])
    func urls(arguments: [String], message: String) {
        #expect(refusal(arguments) == message)
    }

    @Test(
        "A value that can't stand is quoted, and what can is named",
        arguments: [
            (["--max-message", "12Q"], "--max-message \"12Q\" is not a valid size: give bytes, or a number with K, M or G"),
            (["--split", "lines"], "--split \"lines\" must be one of line, nul, whole or a size such as 4096 or 64K"),
            (
                ["-w", "-2"],
                "-w \"-2\" is not a valid number of seconds: give one such as 5 or 0.25, or -1 to wait until the server closes"
            ),
            (["--idle", "-1"], "--idle \"-1\" is not a valid number of seconds: give one such as 5 or 0.25"),
            (["--timeout", "nan"], "--timeout \"nan\" is not a valid number of seconds: give one such as 5 or 0.25"),
            (["--timeout", "0"], "--timeout \"0\" is too short: give at least 0.001 seconds"),
            (["--ping-interval", "0.0001"], "--ping-interval \"0.0001\" is too short: give at least 0.001 seconds"),
            (["--count", "0"], "--count \"0\" is not a valid count: give a whole number from 1"),
            (["--reconnect=x"], "--reconnect \"x\" is not a valid count: give a whole number from 1"),
            (["--reconnect", "0"], "--reconnect \"0\" is not a valid count: give a whole number from 1"),
            (["--expect-close", "999"], "--expect-close \"999\" is not a valid close code: give 1000 to 4999"),
            (["--until", "a("], "--until \"a(\" is not a valid regular expression: missing closing parenthesis (at character 3)"),
            (["--send-as", "json"], "--send-as \"json\" must be one of text, binary, hex or base64"),
            (["--binary-as", "x"], "--binary-as \"x\" must be one of dump, hex, base64, raw or size"),
            (["--tls-min", "1.1"], "--tls-min \"1.1\" must be one of 1.2 or 1.3"),
            (["-p", "chat"], "-p \"chat\" is not a valid version: give 8 or 13, and use -s to name a subprotocol"),
            (["-s", "a b"], "the subprotocol \"a b\" is not a token: letters, digits and any of !#$%&'*+-.^_`|~ may be in it"),
            (["-s", "a", "-s", "a"], "the subprotocol \"a\" is given twice"),
            (["-H", "Name"], "the header \"Name\" has no colon: write it as 'Name: value', or 'Name:' for an empty value"),
            (["-H", "Upgrade: x"], "the header \"Upgrade\" belongs to the handshake and can't be given"),
            (
                ["-o", "a\nb"],
                "the value of the header \"Origin\" holds 0x0a: a value may hold no line end and no control character but tab"
            ),
            (["--resolve", "a:b"], "--resolve \"a:b\" is not HOST:PORT:ADDR: ADDR is missing (for example example.com:443:127.0.0.1)"),
            (["--proxy", "ftp://h"], "--proxy \"ftp://h\": a proxy can't be \"ftp\": it must be http, https, socks5 or socks5h"),
            (["--deflate", "level=10"], "--deflate: the compression parameter level has the value \"10\", expected 0 to 9"),
        ])
    func badValues(arguments: [String], message: String) {
        #expect(refusal(arguments + ["ws://localhost"]) == message)
    }

    @Test(
        "Options that contradict each other are refused",
        arguments: [
            (["-0", "--split", "line"], "-0 and --split line contradict each other: give one of them"),
            (["-4", "-6"], "-4 and -6 contradict each other: give one of them"),
            (["-t", "-b"], "-t and -b contradict each other: give one of them"),
            (["-t", "--send-as", "hex"], "-t and --send-as hex contradict each other: give one of them"),
            (["-v", "-q"], "-v and -q contradict each other: give one of them"),
            (["-1", "--count", "2"], "-1 and --count 2 contradict each other: give one of them"),
            (["-w", "-1", "--idle", "3"], "-w -1 and --idle contradict each other: give one of them"),
            (["--auth", "a:b", "--bearer", "c"], "--auth and --bearer contradict each other: give one of them"),
            (["--deflate", "level=1", "--no-deflate"], "--deflate and --no-deflate contradict each other: give one of them"),
            (["--proxy", "h", "--no-proxy"], "--proxy and --no-proxy contradict each other: give one of them"),
            (["--history", "h", "--no-history"], "--history and --no-history contradict each other: give one of them"),
            (["--json", "--binary-as", "hex"], "--json and --binary-as can't go together: in JSON, binary messages are base64"),
            (["-x", "a", "--json-input"], "-x and --json-input can't go together: with -x the input isn't read"),
            (["-0", "--json-input"], "--json-input and -0 can't go together: each line of JSON says itself what it is"),
            (["-b", "--json-input"], "--json-input and -b can't go together: each line of JSON says itself what it is"),
            (["--key", "k"], "--key without --cert: give the key's certificate too"),
            (["--passphrase", "p"], "--passphrase without --cert: give the certificate whose key it unlocks"),
            (["--ping-timeout", "1"], "--ping-timeout without --ping-interval: no ping would be sent to wait for"),
        ])
    func contradictions(arguments: [String], message: String) {
        #expect(refusal(arguments + ["ws://localhost"]) == message)
    }

    @Test(
        "What only a client does is refused with -l",
        arguments: [
            (["-x", "a"], "-x"), (["-w", "1"], "-w"), (["-H", "a:b"], "-H"), (["--auth", "a:b"], "--auth"), (["--proxy", "h"], "--proxy"),
            (["--reconnect"], "--reconnect"), (["-n"], "-n"), (["-6"], "-6"),
        ])
    func listening(arguments: [String], name: String) {
        #expect(refusal(["-l", "8080"] + arguments) == "\(name) can't go with -l: it is for connecting")
    }

    @Test(
        "An option that would have no effect is refused, and the message says why",
        arguments: [
            (["-l", "8080", "-L"], "-L can't go with -l: it is for connecting"),
            (["-l", "8080", "--json-input"], "--json-input can't go with -l: it is for connecting"),
            (
                ["-l", "8080", "--echo", "--save", "d"],
                "--save can't go with -l --echo: an echo server neither reads input nor shows messages"
            ),
            (["--demo", "--proxy", "h"], "--proxy can't go with --demo: its server is inside this process"),
            (["--split", "nul", "-x", "a", "ws://h"], "--split and -x can't go together: with -x the input isn't read"),
            (["--slash", "--echo", "ws://h"], "--slash and --echo can't go together: with --echo the input isn't read"),
            (
                ["--save", "d", "--echo", "ws://h"],
                "--save and --echo can't go together: a message that is streamed to its file is not kept for an answer"
            ),
            (["-T", "--json", "ws://h"], "--json and -T can't go together: in JSON, each event has its time"),
            (["-q", "-P", "ws://h"], "-P and -q can't go together: -q shows errors only"),
            (["--max-redirects", "2", "ws://h"], "--max-redirects without --location: no redirect is followed without it"),
        ])
    func withoutEffect(arguments: [String], message: String) {
        #expect(refusal(arguments) == message)
    }

    @Test("Client certificates are demanded over TLS alone")
    func listeningWithoutCertificate() {
        #expect(
            refusal(["-l", "8080", "--ca", "a"])
                == "--ca without --cert: clients show certificates over TLS only, so give the server's own too")
    }

    @Test(
        "A combination that is merely pointless is let through",
        arguments: [
            ["-1", "--count", "1"], ["--split", "nul", "-0"], ["-t", "--send-as", "text"], ["-n"], ["--split", "line", "--json-input"],
            ["--slash", "--split", "whole"], ["-4", "-4"], ["-w", "1", "-w", "2"], ["--json", "-0"],
        ])
    func harmless(arguments: [String]) {
        #expect(refusal(arguments + ["ws://localhost"]) == nil)
    }

    @Test(
        "No error has a secret in it, and each is one line",
        arguments: [
            ["--auth", "us:hunter2\u{1}", "ws://h"], ["--bearer", "hunter2 hunter2", "ws://h"], ["ws://us:hunter2@h/#x"],
            ["ws://us:hunter2@h", "ws://us:hunter2@h"], ["--proxy", "http://us:hunter2/x@h", "ws://h"],
            ["--proxy", "ftp://us:hunter2@h", "ws://h"], ["--proxy", "http://us:%zz@h/hunter2", "ws://h"],
            ["-H", "Authorization: hunter2\n", "ws://h"], ["-H", "Authorization hunter2", "ws://h"], ["--passphrase", "hunter2", "ws://h"],
            ["--pass=hunter2", "ws://h"], ["-uus:hunter2", "ws://h"], ["--auth=us:hunter2"],
        ])
    func secrets(arguments: [String]) throws {
        let message = try #require(refusal(arguments))
        #expect(!message.contains("hunter2") && !message.contains("\n"), "\(message)")
    }

    @Test("A command line that can't be followed exits with 64")
    func status() {
        #expect(throws: UsageFailure("no URL: give one, as in \"wsline wss://example.org/\"", status: .usage)) {
            try parseCommandLine([], environment: [:])
        }
    }
}
