import WebSocketProtocol

/// Which messages are shown: those in which `--show` is found, except those in which `--hide` is.
struct Thinning {
    /// One of the two, from when its pattern is set until it is unset or takes another.
    private struct Filter {
        let option: StaticString
        let pattern: Pattern
        /// Whether what is shown is what it is found in.
        let keepsFound: Bool
        /// How many messages it has kept from being shown.
        var leftOut = 0
        var isLimitReported = false

        /// A search that is given up counts as not found; ``Pattern`` bounds each.
        mutating func passes(_ text: RawSpan, _ report: (String) -> Void) -> Bool {
            let outcome = pattern.search(text)
            if outcome == .limit, !isLimitReported {
                isLimitReported = true
                report("\(pattern.exhausted("\(option)", on: text.byteCount)); it counts as not found")
            }
            let passes = (outcome == .found) == keepsFound
            if !passes { leftOut += 1 }
            return passes
        }

        var name: String { "\(option) \(pattern.text.quoted)" }
    }

    private var show: Filter?
    private var hide: Filter?

    /// Whether there is a pattern to look for.
    var isActive: Bool { show != nil || hide != nil }

    /// Takes over what may have changed of the options.
    ///
    /// - Returns: what those that are over have left out, in words.
    mutating func adopt(_ options: OutputOptions) -> [String] {
        [Self.set(&show, "--show", options.show, keepsFound: true), Self.set(&hide, "--hide", options.hide, keepsFound: false)]
            .compactMap { $0 }
    }

    private static func set(_ filter: inout Filter?, _ option: StaticString, _ pattern: Pattern?, keepsFound: Bool) -> String? {
        guard filter?.pattern !== pattern else { return nil }
        let former = filter
        filter = pattern.map { Filter(option: option, pattern: $0, keepsFound: keepsFound) }
        return former.map(sentence)
    }

    private static func sentence(_ filter: Filter) -> String {
        "\(filter.name) left out \(counted(filter.leftOut, "message"))"
    }

    /// Whether a message is shown; if not, it is counted.
    ///
    /// - Parameters:
    ///   - text: UTF-8, and known to be valid.
    ///   - report: is called with what there is to say of a pattern that takes too long, once for each.
    mutating func passes(_ text: RawSpan, reporting report: (String) -> Void) -> Bool {
        show?.passes(text, report) != false && hide?.passes(text, report) != false
    }

    /// What was left out, in words, for the end of a run; nothing where nothing was.
    var summary: [String] { [show, hide].compactMap { $0 }.filter { $0.leftOut > 0 }.map(Self.sentence) }

    /// What `/status` shows.
    var rows: [(String, String)] {
        [show, hide].compactMap { $0 }.map { ("left out", "\(counted($0.leftOut, "message")) by \($0.name)") }
    }

    /// Which messages are shown, in words.
    var description: String {
        switch (show?.pattern.text.quoted, hide?.pattern.text.quoted) {
        case (nil, nil): "all messages are shown"
        case (let show?, nil): "only messages in which \(show) is found are shown"
        case (nil, let hide?): "messages in which \(hide) is found are left out"
        case (let show?, let hide?): "only messages in which \(show) is found are shown, except those in which \(hide) is"
        }
    }
}
