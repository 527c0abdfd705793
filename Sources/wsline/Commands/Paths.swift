import CPosix

extension Candidates {
    /// Names in the directory that `path` has come to; a directory's ends in `/`, hidden ones have to be begun with their dot.
    static func paths(_ path: Substring, others: [String] = []) -> Candidates {
        if path == "~" { return Candidates(words: ["~/"], typed: path) }
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[...$0]) } ?? ""
        let start = slash.map { path[path.index(after: $0)...] } ?? path
        let names = entries(of: expandingTilde(directory.isEmpty ? "." : directory)).filter { $0.hasPrefix(".") == start.hasPrefix(".") }
        return Candidates(words: (names + (slash == nil ? others : [])).sorted(), typed: start)
    }

    private static func entries(of directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            guard let name = name(of: entry), name != ".", name != ".." else { continue }
            var status = stat()
            let isDirectory = stat(directory + "/" + name, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            names.append(isDirectory ? name + "/" : name)
        }
        return names
    }

    /// Nil for a name that can't be typed: not UTF-8, or with a control in it.
    private static func name(of entry: UnsafeMutablePointer<dirent>) -> String? {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(validating: $0.prefix { $0 != 0 }, as: UTF8.self) }
        guard let name, name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else { return nil }
        return name
    }
}

/// The path with a `~` or `~/` at its start replaced by `$HOME`, as a shell does; another user's home isn't looked up.
func expandingTilde(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/"), let home = environmentVariables["HOME"], !home.isEmpty else { return path }
    return home + path.dropFirst()
}
