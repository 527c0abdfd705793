import Testing

@testable import LineTerminal
import CPosix

@Suite struct HistoryTests {
    private func withPath(_ body: (String) throws -> Void) rethrows {
        let path = TemporaryDirectory.unique("history")
        defer {
            chmod(path, S_IRWXU)
            unlink(path)
        }
        try body(path)
    }

    @Test(
        "Lines come back in the next session, pasted ones with their newlines",
        arguments: ["a", "two\nlines\n", #"back\slash \n"#, "nul\u{0}", "世界 \u{1b}"])
    func roundTrips(line: String) throws {
        try withPath { path in
            var history = History.open(path: path).history
            try history.add(line)
            let again = History.open(path: path)
            #expect(again.failure == nil)
            #expect(again.history.entries == [line])
        }
    }

    @Test("Empty lines, repeats and lines that begin with a space are left out")
    func leavesOut() throws {
        try withPath { path in
            var history = History.open(path: path).history
            for line in ["", "a", "a", " b", "c", "a"] { try history.add(line) }
            #expect(history.entries == ["a", "c", "a"])
            #expect(TemporaryDirectory.read(path) == "a\nc\na\n")
        }
    }

    @Test("The last 1,000 lines are kept")
    func isBounded() throws {
        try withPath { path in
            TemporaryDirectory.write((0..<1200).map { "old \($0)\n" }.joined(), to: path)
            var history = History.open(path: path).history
            #expect(history.entries.count == 1000)
            try history.add("new")
            let entries = History.open(path: path).history.entries
            #expect(entries.count == 1000)
            #expect(entries.first == "old 201")
            #expect(entries.last == "new")
        }
    }

    @Test("Sessions at the same time don't lose each other's lines")
    func merges() throws {
        try withPath { path in
            var first = History.open(path: path).history
            var second = History.open(path: path).history
            for number in 0..<20 {
                try first.add("first \(number)")
                try second.add("second \(number)")
            }
            #expect(History.open(path: path).history.entries == (0..<20).flatMap { ["first \($0)", "second \($0)"] })
        }
    }

    @Test("Adding from many threads at once keeps every line")
    func locks() async throws {
        let path = TemporaryDirectory.unique("history")
        defer { unlink(path) }
        await withTaskGroup(of: Void.self) { group in
            for session in 0..<8 {
                group.addTask {
                    var history = History.open(path: path).history
                    for number in 0..<20 { try? history.add("\(session) \(number)") }
                }
            }
        }
        let entries = History.open(path: path).history.entries
        #expect(Set(entries).count == 160)
        #expect(entries.count == 160)
    }

    @Test("The file is for its owner's eyes, and so is a directory that is made for it")
    func isPrivate() throws {
        let directory = TemporaryDirectory.unique("state")
        let path = directory + "/wsline/history"
        defer {
            unlink(path)
            rmdir(directory + "/wsline")
            rmdir(directory)
        }
        var history = History.open(path: path).history
        try history.add("a")
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(stat(directory + "/wsline", &status) == 0 && status.st_mode & 0o777 == 0o700)
    }

    @Test("A file that isn't there is an empty history and no failure")
    func absent() {
        let opened = History.open(path: TemporaryDirectory.unique("none"))
        #expect(opened.failure == nil)
        #expect(opened.history.entries == [])
    }

    @Test("A damaged file is a failure that names it, and is left as it is", arguments: [#"half an escape\"#, #"unknown \q"#])
    func damaged(text: String) {
        withPath { path in
            TemporaryDirectory.write(text + "\n", to: path)
            let opened = History.open(path: path)
            #expect(opened.failure?.description == "the history '\(path)' is damaged: move it away to begin a new one")
            var history = opened.history
            #expect(throws: Never.self, "it has been reported") { try history.add("x") }
            #expect(history.entries == ["x"])
            #expect(TemporaryDirectory.read(path) == text + "\n")
        }
    }

    @Test("What keeps a line from the file is reported once, until something else does")
    func reportedOnce() throws {
        let directory = TemporaryDirectory.unique("once")
        mkdir(directory, S_IRWXU)
        defer { rmdir(directory) }
        var history = History.open(path: directory + "/none/history").history
        rmdir(directory)
        TemporaryDirectory.write("", to: directory)
        defer { unlink(directory) }
        #expect(throws: History.Failure.self) { try history.add("a") }
        try history.add("b")
        #expect(history.entries == ["a", "b"])
    }

    @Test("A directory in the file's place is a failure, not a crash")
    func notAFile() {
        let opened = History.open(path: "/")
        #expect(opened.failure != nil)
        #expect(opened.history.entries == [])
    }

    @Test("A line above 64 KiB stays out of the file")
    func longLine() throws {
        try withPath { path in
            var history = History.open(path: path).history
            try history.add(String(repeating: "x", count: History.longestEntry + 1))
            #expect(history.entries.count == 1)
            #expect(TemporaryDirectory.read(path) == nil)
        }
    }

    @Test(
        "The file is in XDG_STATE_HOME, or under the home directory where that is unset, empty or relative",
        arguments: [
            (["XDG_STATE_HOME": "/state", "HOME": "/home/u"], "/state/wsline/history"),
            (["HOME": "/home/u"], "/home/u/.local/state/wsline/history"),
            (["XDG_STATE_HOME": "", "HOME": "/home/u"], "/home/u/.local/state/wsline/history"),
            (["XDG_STATE_HOME": "relative", "HOME": "/home/u"], "/home/u/.local/state/wsline/history"), ([:], nil), (["HOME": ""], nil),
        ] as [([String: String], String?)])
    func defaultPath(environment: [String: String], path: String?) {
        #expect(History.defaultPath(environment: environment) == path)
    }
}
