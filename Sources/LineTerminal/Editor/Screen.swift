import CPosix

/// What the terminal shows.
extension LineEditor {
    func render() {
        checkSize()
        var bytes = draw()
        if engine.takeBell() || needsBell { bytes.append(0x07) }
        needsBell = false
        write(bytes)
    }

    /// What shows the line, or the search in its place.
    private func draw() -> [UInt8] {
        if let search, let found = search.found {
            display.update(prompt: search.prompt(prompt), line: found.line.characters, cursor: found.line.cursor)
        } else {
            engine.withLine { display.update(prompt: search?.prompt(prompt) ?? prompt, line: $0, cursor: $1) }
        }
    }

    /// Prints `text`, which ends in a newline, and draws the line anew below it, in one write.
    func printAbove(_ text: [UInt8]) {
        // The window may have changed since the last key; its signal comes later than its size.
        checkSize()
        let erase = display.erase()
        printer.record(text)
        write(erase + text + draw())
    }

    /// Draws the line for the window's size. What was drawn shortly before its report may have met the new size, and rows that nobody can count: then
    /// the whole window is drawn anew.
    func checkSize() {
        guard window.size != Window.Size(columns: display.columns, rows: display.rows) else { return }
        let isKnown = drawn.duration(to: .now) > window.reportDelay
        let size = window.settle()
        if isKnown || size.columns == display.columns {
            write(display.resize(columns: size.columns, rows: size.rows))
        } else {
            write(display.repaint(above: printer.recent, columns: size.columns, rows: size.rows))
        }
    }

    /// Ctrl-Z: the shell finds its terminal as it left it, and the line comes back half-typed.
    func suspend() {
        write(display.finish())
        TerminalModes.restore()
        TerminalModes.stopProcessGroup(resumedOn: pipe)
        reenter()
    }

    /// Somebody else had the terminal: sets the modes again and draws the line anew where the cursor is now.
    func reenter() {
        TerminalModes.forget()
        try? TerminalModes.enter(.editing, descriptor: input, bracketedPaste: usesEscapes)
        display.forget()
        printer.forgetRecent(followsOthers: true)
        checkSize()
        printer.drain(printAbove)
    }
}
