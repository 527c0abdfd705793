import CPosix

/// An `.editrc` that asks for vi's keys.
enum ViSettings {
    static func path() throws -> String {
        let path = TemporaryDirectory.unique("editrc")
        TemporaryDirectory.write("bind -v\n", to: path)
        return path
    }
}

/// Files of a test's own.
enum TemporaryDirectory {
    /// A path that nothing is at.
    static func unique(_ name: String) -> String {
        let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        return "\(directory)/wsline-test-\(getpid())-\(UInt64.random(in: 0...UInt64.max))-\(name)"
    }

    static func write(_ text: String, to path: String) {
        guard let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
