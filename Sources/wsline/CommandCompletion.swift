import LineTerminal
import WebSocketProtocol
import CPosix

/// What Tab puts into a line that is a slash command: the command, a path, a close code.
enum CommandCompletion {
    /// - Parameter cursor: in Unicode scalars; what stands after it is left alone.
    static func complete(_ line: String, _ cursor: Int) -> Completion? {
        let typed = String(String.UnicodeScalarView(line.unicodeScalars.prefix(cursor)))
        guard typed.hasPrefix("/"), !typed.hasPrefix("//"), !typed.contains(where: \.isNewline) else { return nil }
        guard let blank = typed.firstIndex(of: " ") else { return commands(typed, cursor) }
        let argument = typed[typed.index(after: blank)...].drop { $0 == " " }
        switch SlashCommand.Name(rawValue: String(typed[..<blank].dropFirst())) {
        case .file:
            let path = argument.hasPrefix("-t ") ? argument.dropFirst(3).drop { $0 == " " } : argument
            return paths(path, cursor)
        case .save: return paths(argument, cursor, others: ["off"])
        case .close: return matching(codes, argument, cursor)
        default: return nil
        }
    }

    private static func commands(_ typed: String, _ cursor: Int) -> Completion? {
        matching(SlashCommand.Name.allCases.map { "/\($0.rawValue)" + ($0.arguments.isEmpty ? "" : " ") }, typed[...], cursor)
    }

    private static let codes = (1000...1014).filter { CloseCode($0).isAllowedOnWire }.map { "\($0) " }

    /// Those of `words` that begin as `typed` does, in its place before the cursor.
    private static func matching(_ words: [String], _ typed: Substring, _ cursor: Int) -> Completion? {
        let candidates = words.filter { $0.hasPrefix(typed) }
        guard !candidates.isEmpty else { return nil }
        return Completion(candidates: candidates, range: cursor - typed.unicodeScalars.count..<cursor)
    }

    // MARK: Paths

    /// Names in the directory that `path` has come to; a directory's ends in `/`, hidden ones have to be begun with their dot.
    private static func paths(_ path: Substring, _ cursor: Int, others: [String] = []) -> Completion? {
        if path == "~" { return matching(["~/"], path, cursor) }
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[...$0]) } ?? ""
        let start = slash.map { path[path.index(after: $0)...] } ?? path
        let names = entries(of: expandingTilde(directory.isEmpty ? "." : directory)).filter { $0.hasPrefix(".") == start.hasPrefix(".") }
        return matching((names + (slash == nil ? others : [])).sorted(), start, cursor)
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

    /// nil for a name that can't be typed: not UTF-8, or with a control in it.
    private static func name(of entry: UnsafeMutablePointer<dirent>) -> String? {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(validating: $0.prefix { $0 != 0 }, as: UTF8.self) }
        guard let name, name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else { return nil }
        return name
    }
}
