import TestSupport

/// A conversation whose history and keys a test chooses.
struct LineSession {
    let server: TerminalServer
    let terminal: PseudoTerminal
    private let directory: TemporaryDirectory

    /// - Parameters:
    ///   - history: its lines, oldest first.
    ///   - settings: what `~/.editrc` says.
    init(
        history: [String] = [], settings: String = "", environment: [String: String] = [:], columns: Int = 80, rows: Int = 24,
        server: TerminalServer? = nil
    ) throws {
        self.server = try server ?? TerminalServer { _, _, _ in }
        directory = try TemporaryDirectory()
        try directory.write(history.map { $0.replacing("\\", with: "\\\\").replacing("\n", with: "\\n") + "\n" }.joined(), to: "history")
        let editrc = try directory.write(settings, to: "editrc")
        terminal = try PseudoTerminal.wsline(
            [self.server.url], history: directory.file("history"), environment: ["EDITRC": editrc].merging(environment) { $1 },
            columns: columns, rows: rows)
    }

    /// A prompt in each of the two modes that libedit has.
    static let modes = ["bind -e\n", "bind -v\n"]

    func type(_ keys: String) { terminal.type(keys) }

    /// Waits until the row of the prompt, or of the search, is `row`, with the cursor in `column` if that is given.
    func wait(for row: String, column: Int? = nil) throws {
        try terminal.wait { $0.rows.contains(row) && (column == nil || $0.cursorColumn == column) }
    }

    /// Enters what stands at the prompt, and waits until it is what the server got last.
    func send(expecting text: String) throws {
        terminal.type("\r")
        try terminal.wait { _ in server.texts.last == text }
    }
}
