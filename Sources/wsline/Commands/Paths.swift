import CPosix

extension Candidates {
    /// Names in the directory that `path` leads to so far; a directory's ends in `/`, and hidden ones appear once their dot is typed.
    static func paths(_ path: Substring, others: [String] = []) -> Candidates {
        if path == "~" { return Candidates(words: ["~/"], typed: path) }
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[...$0]) } ?? ""
        let start = slash.map { path[path.index(after: $0)...] } ?? path
        let names = entries(of: expandingTilde(directory.isEmpty ? "." : directory)).filter { $0.hasPrefix(".") == start.hasPrefix(".") }
        return Candidates(words: (names + (slash == nil ? others : [])).sorted(), typed: start)
    }

    /// Without names that can't be typed, because a control is in them.
    private static func entries(of directory: String) -> [String] {
        let names = (names(in: directory) ?? []).filter { $0 != "." && $0 != ".." }
        return names.filter { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f } }
            .map { fileType("\(directory)/\($0)") == S_IFDIR ? $0 + "/" : $0 }
    }
}

/// The path with a `~` or `~/` at its start replaced by `$HOME`, as a shell does; another user's home isn't looked up.
func expandingTilde(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/"), let home = environmentVariables["HOME"], !home.isEmpty else { return path }
    return home + path.dropFirst()
}
