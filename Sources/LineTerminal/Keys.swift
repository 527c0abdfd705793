import CLibEdit
import CPosix

/// Which keys run which commands, libedit's and ours; `~/.editrc` has the last word.
extension LibEdit {
    /// Keys that no terminal sends (C1 is dropped from what is typed). This one makes libedit, in whatever state it is, end that state and run the paste command.
    static let pasteKey: UInt32 = 0x9e
    /// Escape alone, in vi's keys.
    static let escapeKey: UInt32 = 0x9d

    private static let keys = [
        // Keys that terminals have and libedit doesn't know.
        ("\u{1b}[H", "ed-move-to-beg"), ("\u{1b}OH", "ed-move-to-beg"), ("\u{1b}[1~", "ed-move-to-beg"), ("\u{1b}[7~", "ed-move-to-beg"),
        ("\u{1b}[F", "ed-move-to-end"), ("\u{1b}OF", "ed-move-to-end"), ("\u{1b}[4~", "ed-move-to-end"), ("\u{1b}[8~", "ed-move-to-end"),
        ("\u{1b}[3~", "ed-delete-next-char"), ("\u{1b}[C", "ed-next-char"), ("\u{1b}OC", "ed-next-char"), ("\u{1b}[D", "ed-prev-char"),
        ("\u{1b}OD", "ed-prev-char"), ("\u{1b}[1;2C", "ed-next-char"), ("\u{1b}[1;2D", "ed-prev-char"), ("\u{1b}[1;5C", "em-next-word"),
        ("\u{1b}[1;5D", "ed-prev-word"), ("\u{1b}[1;3C", "em-next-word"), ("\u{1b}[1;3D", "ed-prev-word"),
        // Ours.
        ("\t", "wsline-complete"), ("\u{0c}", "wsline-clear-screen"),
        ("\u{1b}[A", "wsline-up"), ("\u{1b}OA", "wsline-up"), ("\u{1b}[B", "wsline-down"), ("\u{1b}OB", "wsline-down"),
        ("\u{10}", "wsline-prev-history"), ("\u{0e}", "wsline-next-history"), ("\u{1b}[5~", "wsline-search-prev-history"),
        ("\u{1b}[6~", "wsline-search-next-history"), ("\u{12}", "wsline-search-older"), ("\u{13}", "wsline-search-newer"),
        // Alt-Enter, and as terminals send it, and Shift-Enter, that report modified keys.
        ("\u{1b}\r", "wsline-newline"), ("\u{1b}\n", "wsline-newline"), ("\u{1b}[13;3u", "wsline-newline"),
        ("\u{1b}[13;2u", "wsline-newline"), ("\u{1b}[27;3;13~", "wsline-newline"), ("\u{1b}[27;2;13~", "wsline-newline"),
    ]

    private static let emacsKeys = [
        ("\u{1b}p", "wsline-search-prev-history"), ("\u{1b}P", "wsline-search-prev-history"), ("\u{1b}n", "wsline-search-next-history"),
        ("\u{1b}N", "wsline-search-next-history"),
    ]

    /// Keys that in vi's insert mode go past the last character, which libedit's for both modes don't.
    private static let viInsertKeys = [
        ("\u{1b}[C", "vi-append"), ("\u{1b}OC", "vi-append"), ("\u{1b}[1;2C", "vi-append"), ("\u{1b}[F", "vi-add-at-eol"),
        ("\u{1b}OF", "vi-add-at-eol"), ("\u{1b}[4~", "vi-add-at-eol"), ("\u{1b}[8~", "vi-add-at-eol"),
        ("\u{1b}[3~", "wsline-delete-next-char"),
    ]

    /// `-` is octal, since libedit takes it for a switch.
    private static let viCommandKeys = [
        ("k", "wsline-prev-history"), ("\\055", "wsline-prev-history"), ("j", "wsline-next-history"), ("+", "wsline-next-history"),
        ("K", "wsline-search-prev-history"), ("J", "wsline-search-next-history"), ("/", "wsline-search-older"),
        ("?", "wsline-search-newer"), ("n", "wsline-search-again-older"), ("N", "wsline-search-again-newer"),
        ("G", "wsline-oldest-history"),
    ]

    /// Keys that mean nothing here, which else would insert their last characters.
    private static let unusedKeys = [
        "[2~", "OP", "OQ", "OR", "OS", "[11~", "[12~", "[13~", "[14~", "[15~", "[17~", "[18~", "[19~", "[20~", "[21~", "[23~", "[24~",
        "[I", "[O", "[Z",
    ]

    /// Commands of libedit's that work on its own history and display, which it isn't given, and ours that do the same.
    private static let replacements = [
        "ed-prev-history": "wsline-prev-history", "ed-next-history": "wsline-next-history",
        "ed-search-prev-history": "wsline-search-prev-history", "ed-search-next-history": "wsline-search-next-history",
        "em-inc-search-prev": "wsline-search-older", "em-inc-search-next": "wsline-search-newer", "vi-search-prev": "wsline-search-older",
        "vi-search-next": "wsline-search-newer", "vi-repeat-search-next": "wsline-search-again-older",
        "vi-repeat-search-prev": "wsline-search-again-newer", "vi-to-history-line": "wsline-oldest-history",
        "ed-clear-screen": "wsline-clear-screen",
    ]

    /// Binds all keys, then does what `~/.editrc` says, or the file that `EDITRC` names.
    func setUpKeys(_ commands: [Command]) {
        _ = wsline_el_set_editor(handle, EditBuffer.encode("emacs"))
        for command in commands {
            // libedit keeps the pointers.
            _ = wsline_el_add_function(handle, Self.kept(command.name), Self.kept(command.help), command.function)
        }
        bindKeys()
        readSettings()
        bind(String(Unicode.Scalar(Self.pasteKey) ?? " "), "wsline-paste")
        if isVi {
            let escape = String(Unicode.Scalar(Self.escapeKey) ?? " ")
            bind(escape, "ed-unassigned")
            _ = wsline_el_bind(handle, EditBuffer.encode(escape), EditBuffer.encode("vi-command-mode"))
        }
    }

    var isVi: Bool { wsline_el_is_vi(handle) != 0 }

    private func bindKeys() {
        for (key, command) in Self.keys { bind(key, command) }
        for key in Self.unusedKeys { bind("\u{1b}" + key, "ed-unassigned") }
        if isVi {
            for (key, command) in Self.viInsertKeys { _ = wsline_el_bind(handle, EditBuffer.encode(key), EditBuffer.encode(command)) }
            for (key, command) in Self.viCommandKeys {
                _ = wsline_el_bind_alternative(handle, EditBuffer.encode(key), EditBuffer.encode(command))
            }
        } else {
            for (key, command) in Self.emacsKeys { bind(key, command) }
        }
    }

    /// In vi's keys for both modes.
    private func bind(_ key: String, _ command: String) {
        _ = wsline_el_bind(handle, EditBuffer.encode(key), EditBuffer.encode(command))
        if isVi { _ = wsline_el_bind_alternative(handle, EditBuffer.encode(key), EditBuffer.encode(command)) }
    }

    /// As el_source does, which ends at the first line that it can't carry out, with our commands for those of libedit's that would do nothing.
    private func readSettings() {
        guard let path = Self.settingsPath, let file = fopen(path, "r") else { return }
        defer { fclose(file) }
        var memory: UnsafeMutablePointer<CChar>?
        var size = 0
        defer { free(memory) }
        while getline(&memory, &size, file) > 0, let memory {
            let line = String(cString: memory).trimmingLineEnd
            guard let word = line.split(separator: " ").first, !word.hasPrefix("#") else { continue }
            let editor = isVi
            guard wsline_el_parse(handle, EditBuffer.encode(Self.replacingCommand(line))) != -1 else { return }
            // Changing the editor forgets every key bound before.
            let selects = line.hasSuffix(" -v") || line.hasSuffix(" -e")
            if isVi != editor || selects && (word == "bind" || word == "wsline:bind") { bindKeys() }
        }
    }

    private static var settingsPath: String? {
        // What runs with the rights of another than its user doesn't read the user's files.
        guard getuid() == geteuid(), getgid() == getegid() else { return nil }
        if let path = getenv("EDITRC") { return String(cString: path) }
        return getenv("HOME").map { String(cString: $0) + "/.editrc" }
    }

    /// The command is the last word of a line that binds one.
    private static func replacingCommand(_ line: String) -> String {
        guard let word = line.split(separator: " ").last, let ours = replacements[String(word)] else { return line }
        return line[..<word.startIndex] + ours
    }

    /// A wide string that lives as long as the process, as one of few names.
    private static func kept(_ text: String) -> UnsafePointer<Int32> {
        let text = EditBuffer.encode(text)
        let memory = UnsafeMutableBufferPointer<Int32>.allocate(capacity: text.count)
        _ = memory.initialize(from: text)
        return UnsafePointer(memory.baseAddress ?? .allocate(capacity: 1))
    }
}

extension String {
    /// Without blanks and line ends at either end, and with tabs as spaces.
    fileprivate var trimmingLineEnd: String {
        let spaced = String(map { $0 == "\t" ? " " : $0 })
        guard let start = spaced.firstIndex(where: { !$0.isWhitespace }), let end = spaced.lastIndex(where: { !$0.isWhitespace }) else {
            return ""
        }
        return String(spaced[start...end])
    }
}
