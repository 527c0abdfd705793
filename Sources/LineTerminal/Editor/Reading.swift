import CLibEdit
import CPosix

/// What the terminal sends, and what libedit gets of it.
extension LineEditor {
    /// libedit's read function: 1 and a character, or -1 to end the line, with the reason in `ending`.
    func nextCharacter(_ result: UnsafeMutablePointer<wchar_t>?) -> Int32 {
        recoverPaste()
        while true {
            if isStopped.exchange(false, ordering: .acquiring) { return end(.stopped) }
            if let event = parser.pop(complete: isInputComplete) {
                isInputComplete = false
                guard let character = take(event) else {
                    if ending != nil { return -1 }
                    continue
                }
                UnsafeMutableRawPointer(result)?.storeBytes(of: character, as: UInt32.self)
                return 1
            }
            // Of keys that come faster than they can be drawn, as in a paste without brackets, only the last is shown, and one now and then.
            if !isInputWaiting || drawn.duration(to: .now) > .milliseconds(100) { render() }
            guard wait() else { return end(.endOfInput) }
        }
    }

    private var isInputWaiting: Bool {
        var entry = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    private func end(_ reason: Ending) -> Int32 {
        ending = reason
        return -1
    }

    /// The character that libedit is to get for an event; nil when it is dealt with, or ends the line.
    private func take(_ event: InputParser.Event) -> UInt32? {
        switch event {
        case .paste(let bytes):
            guard bytes.count <= Self.longestPaste else {
                let text = "A paste of \(bytes.count) bytes is longer than a line may be (\(Self.longestPaste)); nothing was inserted.\n"
                printAbove(Array(text.utf8))
                needsBell = true
                return nil
            }
            acceptSearch()
            pasted = EditBuffer.normalizePaste(bytes)
            isPasteQuoted = isQuoting
            isQuoting = false
            return LibEdit.pasteKey
        case .character(let scalar):
            if search != nil, takeSearchKey(scalar) { return nil }
            defer { isQuoting = !isQuoting && scalar == 0x16 }
            if (0x80..<0xa0).contains(scalar) || scalar == 0 && isQuoting {
                needsBell = true
                return nil
            }
            if isQuoting { return scalar }
            if scalar >= 0x300 { return joinKey(scalar) ?? scalar }
            if scalar == 0x1b, engine.isVi, !startsSequence { return LibEdit.escapeKey }
            return scalar >= 0x80 || scalar == 0 || !takeSignalKey(UInt8(truncatingIfNeeded: scalar)) ? scalar : nil
        }
    }

    /// The key for a mark of the character before it: inserted as a paste would be, it becomes part of that.
    private func joinKey(_ scalar: UInt32) -> UInt32? {
        let joins = engine.withLine { line, cursor in cursor > 0 && EditBuffer.join(line[cursor - 1], scalar) != nil }
        guard joins, let scalar = Unicode.Scalar(scalar) else { return nil }
        pasted = String(scalar)
        isPasteQuoted = false
        return LibEdit.pasteKey
    }

    /// Whether the escape just taken begins a key's sequence, and isn't vi's own: what a terminal sends for a key comes at once.
    private var startsSequence: Bool { parser.nextByte.map { "[O\r\n".utf8.contains($0) } ?? false }

    /// Keys that would be signals, were the terminal not in the editor's modes: as the user has set them.
    func takeSignalKey(_ key: UInt8) -> Bool {
        switch key {
        case TerminalModes.controlCharacter(VINTR): ending = engine.isEmpty ? .interrupt : .cleared
        case TerminalModes.controlCharacter(VSUSP): suspend()
        case TerminalModes.controlCharacter(VQUIT):
            write(display.finish())
            TerminalModes.restore()
            kill(0, SIGQUIT)
            reenter()
        default: return false
        }
        return true
    }

    /// Waits for a key or a reason to wake; false when the terminal is gone.
    private func wait() -> Bool {
        var descriptors = [
            pollfd(fd: input, events: Int16(POLLIN), revents: 0), pollfd(fd: pipe.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        // A lone ESC is a key, but the start of a paste or a character may be cut by the read. Messages that come meanwhile don't make it wait longer.
        let deadline = parser.holdsBytes ? inputDeadline ?? .now + .milliseconds(50) : nil
        inputDeadline = deadline
        let timeout = deadline.map { Int32(max(.zero, ContinuousClock.now.duration(to: $0)) / .milliseconds(1) + 1) }
        if poll(&descriptors, 2, timeout ?? -1) < 0 { return errno == EINTR || errno == EAGAIN }
        if descriptors[1].revents != 0 { handle(pipe.drain()) }
        guard descriptors[0].revents == 0 else {
            inputDeadline = nil
            return readInput()
        }
        isInputComplete = deadline.map { $0 <= .now } ?? false
        return true
    }

    private func readInput() -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
            let count = read(input, buffer.baseAddress, buffer.count)
            if count > 0 { parser.push(buffer[..<count]) }
            return count > 0 || count < 0 && (errno == EINTR || errno == EAGAIN)
        }
    }

    private func handle(_ reasons: [WakePipe.Reason]) {
        if reasons.contains(.resumed) { reenter() }
        if reasons.contains(.suspend) { suspend() }
        if reasons.contains(.resized) { checkSize() }
        printer.drain(printAbove)
    }

    /// A paste whose key some command took for its argument: Ctrl-V inserted it, and the paste takes its place; a vi command has no use for it.
    private func recoverPaste() {
        guard !pasted.isEmpty else { return }
        let cursor = engine.withLine { line, cursor in cursor > 0 && line[cursor - 1] == Int32(LibEdit.pasteKey) ? cursor : 0 }
        if isPasteQuoted && cursor > 0 {
            engine.replace(cursor - 1..<cursor, with: pasted)
        } else {
            needsBell = true
        }
        pasted = ""
    }
}
