/// Colours by role. A style that is off adds nothing, so callers need not ask.
public struct Style: Sendable, Equatable {
    /// What a piece of text is; the last four are JSON's.
    public enum Role: Sendable, CaseIterable { case prompt, incoming, sent, notice, error, detail, name, string, number, keyword }

    /// Whether colours are written.
    public let isEnabled: Bool

    public init(isEnabled: Bool) { self.isEnabled = isEnabled }

    /// The one place that decides: colours are on unless one of these forbids them: the option, `NO_COLOR` (set and not empty,
    /// no-color.org), a terminal that can't (`TERM` is `dumb`, empty or unset), an output that is not a terminal.
    public init(noColorOption: Bool, environment: [String: String], isTerminal: Bool) {
        let term = environment["TERM"] ?? ""
        isEnabled = !noColorOption && isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && !term.isEmpty && term != "dumb"
    }

    /// What switches the role's colour on: an SGR sequence, or nothing.
    ///
    /// Of the sixteen colours, red, magenta, bright black and bright blue alone can be read on black and on white in the palettes of xterm and of
    /// Visual Studio Code (contrast of 3:1 at least); the default colour in bold can everywhere.
    public func start(_ role: Role) -> String {
        guard isEnabled else { return "" }
        return switch role {
        case .prompt, .sent, .keyword: "\u{1b}[1m"
        case .incoming, .number: "\u{1b}[94m"
        case .notice, .name: "\u{1b}[35m"
        case .error, .string: "\u{1b}[31m"
        case .detail: "\u{1b}[90m"
        }
    }

    /// What switches every colour off again.
    public var end: String { isEnabled ? "\u{1b}[0m" : "" }

    /// `text` in the role's colour. `text` itself is not filtered.
    public func apply(_ role: Role, _ text: String) -> String { isEnabled ? start(role) + text + end : text }
}
