import Testing

@testable import LineTerminal

@Suite struct StyleTests {
    @Test("Colours are on where nothing speaks against them")
    func on() {
        #expect(Style(noColorOption: false, environment: ["TERM": "xterm"], isTerminal: true).isEnabled)
        #expect(Style(noColorOption: false, environment: ["TERM": "xterm", "NO_COLOR": ""], isTerminal: true).isEnabled)
    }

    @Test(
        "Each of the option, NO_COLOR, a dumb or unknown terminal and no terminal switches them off",
        arguments: [
            (true, ["TERM": "xterm"], true), (false, ["TERM": "xterm", "NO_COLOR": "1"], true), (false, ["TERM": "dumb"], true),
            (false, ["TERM": ""], true),
            (false, [:], true), (false, ["TERM": "xterm"], false),
        ] as [(Bool, [String: String], Bool)])
    func off(option: Bool, environment: [String: String], isTerminal: Bool) {
        let style = Style(noColorOption: option, environment: environment, isTerminal: isTerminal)
        #expect(!style.isEnabled)
        for role in Style.Role.allCases { #expect(style.apply(role, "x") == "x") }
    }

    @Test("Every role has a colour and takes it back", arguments: Style.Role.allCases)
    func roles(role: Style.Role) {
        let text = Style(isEnabled: true).apply(role, "x")
        #expect(text.hasPrefix("\u{1b}[") && text.hasSuffix("mx\u{1b}[0m"))
    }
}
