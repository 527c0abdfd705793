import CPosix
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

    /// The sixteen colours, in the order of their numbers, 30 to 37 and 90 to 97: xterm's, and Visual Studio Code's for dark and for light themes.
    private static let palettes: [(name: String, colors: [UInt32], backgrounds: [UInt32])] = [
        (
            "xterm",
            [
                0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                0x5c5cff,
                0xff00ff, 0x00ffff, 0xffffff,
            ], [0x000000, 0xffffff]
        ),
        (
            "Visual Studio Code, dark",
            [
                0x000000, 0xcd3131, 0x0dbc79, 0xe5e510, 0x2472c8, 0xbc3fbc, 0x11a8cd, 0xe5e5e5, 0x666666, 0xf14c4c, 0x23d18b, 0xf5f543,
                0x3b8eea,
                0xd670d6, 0x29b8db, 0xe5e5e5,
            ], [0x000000, 0xffffff]
        ),
        (
            "Visual Studio Code, light",
            [
                0x000000, 0xcd3131, 0x107c10, 0x949800, 0x0451a5, 0xbc05bc, 0x0598bc, 0x555555, 0x666666, 0xcd3131, 0x14ce14, 0xb5ba00,
                0x0451a5,
                0xbc05bc, 0x0598bc, 0xa5a5a5,
            ], [0xffffff]
        ),
    ]

    /// WCAG 2.2's relative luminance.
    private static func luminance(_ color: UInt32) -> Double {
        func linear(_ shift: UInt32) -> Double {
            let value = Double(color >> shift & 0xff) / 255
            return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0)
    }

    @Test(
        "Every role can be read on black and on white: a contrast of 3:1 at least, or the default colour in bold",
        arguments: Style.Role.allCases)
    func contrast(role: Style.Role) throws {
        let number = try #require(Int(Style(isEnabled: true).start(role).dropFirst(2).dropLast()))
        guard number != 1 else { return }
        let index = try #require((30...37).contains(number) ? number - 30 : (90...97).contains(number) ? number - 82 : nil)
        for palette in Self.palettes {
            for background in palette.backgrounds {
                let (one, other) = (Self.luminance(palette.colors[index]), Self.luminance(background))
                let contrast = (max(one, other) + 0.05) / (min(one, other) + 0.05)
                #expect(contrast >= 3, "\(role) is \(contrast):1 in \(palette.name)")
            }
        }
    }
}
