import CLibEdit
import COpenSSL
import CPCRE2
import CZlib

/// What `--help` and `--version` print, made of the table of options.
enum Help {
    static let programVersion = "0.1.0"
    static let userAgent = "wsline/\(programVersion)"

    /// The program's version, and those of the libraries that it uses.
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
    static var text: String {
        introduction + OptionGroup.all.map { "\n\(heading(of: $0))\n" + $0.options.map(summary).joined() }.joined() + examples
    }

    private static let introduction = """
        wsline: a line to your WebSocket server. Type into it, pipe through it, debug with it.

        Usage: wsline [options] URL             connect
               wsline [options] -l [HOST:]PORT  listen
               wsline [options] --demo          try it on an echo server inside wsline itself
               wsline --help TOPIC              more about an option or a group of them

        URL is ws://, wss://, http:// (= ws), https:// (= wss), ws+unix:///path/to.sock:/uri, or just
        host[:port][/path] (= ws). Times (SECS) are seconds and may have a fraction. Sizes (SIZE) are
        bytes, or have K, M or G after them. Long options may be abbreviated.

        """

    private static let examples = """

        Examples:
          wsline wss://ws.example.org/chat                     talk to a server
          wsline -x '{"op":"ping"}' -1 wss://ws.example.org/   ask, print the first answer, leave
          tail -f log | wsline -H 'X-Key: 42' ws://localhost:8080/in
                                                               send each line of a log as a message
          wsline -l 8080 --echo                                be the server: answer all with itself

        """

    private static let width = 98
    private static let column = 30

    private static func heading(of group: OptionGroup) -> String { "\(group.title) (--help \(group.topic)):" }

    /// An option's spellings, and beside or below them what it does.
    private static func summary(_ option: Option) -> String {
        let spellings = (option.spellings.first?.hasPrefix("--") == true ? "      " : "  ") + spelled(option)
        let lines = wrapped(option.summary, to: width - column)
        let indent = String(repeating: " ", count: column)
        guard spellings.count + 2 <= column else { return spellings + "\n" + lines.map { "\(indent)\($0)\n" }.joined() }
        let gap = String(repeating: " ", count: column - spellings.count)
        return spellings + gap + lines.joined(separator: "\n" + indent) + "\n"
    }

    private static func spelled(_ option: Option) -> String {
        let last = option.spellings.count - 1
        return option.spellings.enumerated().map { $0.offset == last ? option.usage($0.element) : $0.element }.joined(separator: ", ")
    }

    // MARK: Topics

    /// Whether an argument after `--help` is what help is wanted about: an option or topic, or a plain word, which may be a slip.
    static func isTopic(_ word: String) -> Bool {
        group(word) != nil || option(word) != nil
            || word.utf8.first != UInt8(ascii: "-") && word.utf8.allSatisfy { ("a"..."z").contains(UnicodeScalar($0)) }
    }

    /// Help about an option, or about each of a group.
    static func about(_ topic: String) throws(UsageFailure) -> String {
        if let group = group(topic) { return "\(group.title)\n\n" + group.options.map(details).joined(separator: "\n") }
        if let option = option(topic) { return details(option) }
        let topics = listed(OptionGroup.all.map(\.topic), "and")
        throw UsageFailure("no help about \(topic.quoted): the topics are \(topics), and every option")
    }

    private static func group(_ topic: String) -> OptionGroup? { OptionGroup.all.first { $0.topic == topic } }

    private static func option(_ word: String) -> Option? { Option.named(word) ?? Option.named("--\(word)") ?? Option.named("-\(word)") }

    private static func details(_ option: Option) -> String {
        var sentences = option.summary + "." + (option.details.isEmpty ? "" : " \(option.details)")
        for rule in option.rules { sentences += " \(sentence(rule))" }
        if option.roles.isDisjoint(with: .server) { sentences += " Not with -l." }
        return spelled(option) + "\n" + wrapped(sentences, to: width - 4).map { "    \($0)\n" }.joined()
    }

    private static func sentence(_ rule: Rule) -> String {
        switch rule {
        case .contradicts(let name, let when, let unless):
            (when.map { "With \($0) not" } ?? "Not") + " with \(name)\(unless.map { " other than \($0)" } ?? "")."
        case .excludes(let names, _, let reason): "Not with \(listed(names, "or")): \(reason)."
        case .needs(let name, let roles, let reason): (roles == .server ? "With -l it needs" : "It needs") + " \(name): \(reason)."
        }
    }
}

/// A text in lines of at most `width` characters, broken at blanks.
func wrapped(_ text: String, to width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
        if !line.isEmpty, line.count + 1 + word.count > width {
            lines.append(line)
            line = ""
        }
        line += line.isEmpty ? String(word) : " \(word)"
    }
    return lines + [line]
}
