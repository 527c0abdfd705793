import CLibEdit
import COpenSSL
import CPCRE2
import CZlib

enum Help {
    static let programVersion = "0.1.0"

    /// The program's version, and those of the libraries that it stands on.
    static var version: String {
        """
        wsline \(programVersion)
        libedit \(LIBEDIT_MAJOR).\(LIBEDIT_MINOR)
        \(OpenSSL_version(OPENSSL_VERSION).map { String(cString: $0) } ?? "OpenSSL")
        zlib \(zlibVersion().map { String(cString: $0) } ?? "")
        PCRE2 \(pcre2Version)

        """
    }

    /// As `10.42`, without the date that PCRE2 adds.
    private static var pcre2Version: Substring {
        var text = [UInt8](repeating: 0, count: 64)
        let size = pcre2_config_8(UInt32(PCRE2_CONFIG_VERSION), &text)
        return String(decoding: text.prefix(max(Int(size) - 1, 0)), as: UTF8.self).prefix { $0 != " " }
    }

    /// At most 100 columns; a line's end at its end, as it goes to stdout.
    static let text = """
        wsline: a line to your WebSocket server. Type into it, pipe through it, debug with it.

        Usage: wsline [options] URL             connect
               wsline [options] -l [HOST:]PORT  listen
               wsline [options] --demo          try it on an echo server inside wsline itself

        URL is ws://, wss://, http:// (= ws), https:// (= wss), ws+unix:///path/to.sock:/uri, or just
        host[:port][/path] (= ws). Times (SECS) are seconds and may have a fraction. Sizes (SIZE) are
        bytes, or have K, M or G behind them.

        Calling it:
          -c, --connect URL           The same as URL alone
          -l, --listen [HOST:]PORT    Wait for clients, on this machine alone unless HOST is given; port 0
                                      picks a free one; unix:PATH listens on a socket file
              --demo                  Connect to an echo server inside wsline
          -h, --help                  Show this help
          -V, --version               Show the versions of wsline and of its libraries

        The interactive session:
              --history FILE          Keep typed lines in FILE (~/.local/state/wsline/history)
              --no-history            Keep no typed lines
              --no-color              Use no colours
              --allow-escapes         Let the server's control characters through to the terminal

        Pipes and scripts:
              --split HOW             Cut the input into messages at each line or nul, every SIZE bytes,
                                      or take it whole (line)
          -0                          The same as --split nul, and end received messages with NUL too
          -x, --execute TEXT          Send TEXT once connected, instead of the input; can be repeated
          -w, --wait SECS             Listen that long after the end of input; -1: until the server closes
                                      (2 with -x)
              --idle SECS             Listen after the end of input until no message came for that long
          -1, --one-message           Stop after the first message received
              --count N               Stop after N messages received
              --until REGEX           Stop after the first message that matches
              --timeout SECS          Take no longer than that for the whole run
              --json                  Write each event as a line of JSON
              --json-input            Read such lines: message, ping, pong, close, delay_ms
              --expect-close CODE     Succeed only if the connection closes with CODE
              --slash                 Obey slash commands in piped input too
              --echo                  Answer each message with itself

        Text and binary:
              --send-as HOW           Send a line as text, binary, or decoded from hex or base64 (text)
          -t, --text                  The same as --send-as text
          -b, --binary                The same as --send-as binary
              --binary-as HOW         Show binary messages as dump, hex, base64, raw or size
              --save PATH             Write binary messages to files in the directory PATH, or append them
                                      to the file PATH

        Connection:
          -s, --subprotocol NAME      Offer a subprotocol, or support it with -l; can be repeated
          -H, --header 'NAME: VALUE'  Send a header; can be repeated
              --auth USER:PASS        Send Basic authentication; @FILE takes it from a file
              --bearer TOKEN          Send a bearer token; @FILE takes it from a file
          -o, --origin ORIGIN         Send an Origin
              --host HOST             Send HOST in place of the URL's
              --user-agent TEXT       Send TEXT as the User-Agent; '' sends none
          -p, --protocol VERSION      Speak version 8 or 13 of the protocol (13)
          -L, --location              Follow redirects
              --max-redirects N       Follow at most N of them (10)
              --deflate PARAMS        Compress with these parameters, e.g. client_max_window_bits=10,level=9
              --no-deflate            Don't compress
          -4                          Use IPv4 only
          -6                          Use IPv6 only
              --resolve HOST:PORT:ADDR
                                      Connect to ADDR for HOST and PORT; can be repeated
              --unix-socket PATH      Connect to a socket file in place of the URL's host
              --proxy PROXY           Go through [SCHEME://][USER:PASS@]HOST[:PORT] by http, https, socks5
                                      or socks5h, in place of what https_proxy, http_proxy and all_proxy say
              --no-proxy              Use no proxy, whatever the environment says
              --connect-timeout SECS  Give up connecting after that long (10)
              --close-timeout SECS    Wait that long for the answer to a close (5)
              --max-message SIZE      Refuse messages larger than that (64M)
              --ping-interval SECS    Send a ping that often
              --ping-timeout SECS     Give up if a ping has no answer for that long
              --reconnect [N]         Connect again when the connection is lost, at most N times in a row

        TLS:
          -n, -k, --no-check, --insecure
                                      Accept any certificate: encrypted, but to whom is anyone's guess
              --ca FILE               Trust the certificates in FILE only; with -l, demand such of clients
              --cert FILE             Show the certificate in FILE; with -l, serve wss with it
              --key FILE              Its private key, where FILE doesn't hold both
              --passphrase [TEXT]     The key's passphrase; asked for if TEXT is left out
              --servername NAME       Expect a certificate for NAME
              --tls-min VERSION       Accept TLS 1.2 or 1.3 at least (1.2)

        Seeing what happens:
          -v, --verbose               Show addresses, TLS, headers, timing and the close on stderr
          -q, --quiet                 Show errors only
          -T, --timestamps            Show the time of each message
          -P, --show-ping-pong        Show pings and pongs

        Examples:
          wsline wss://ws.example.org/chat                     talk to a server
          wsline -x '{"op":"ping"}' -1 wss://ws.example.org/   ask, print the first answer, leave
          tail -f log | wsline -H 'X-Key: 42' ws://localhost:8080/in
                                                               send each line of a log as a message
          wsline -l 8080 --echo                                be the server: answer all with itself

        """
}
