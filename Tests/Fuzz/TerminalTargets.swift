@testable import LineTerminal

/// The input is what a server sends: shown, it drives no terminal, and a cut between characters changes nothing.
func fuzzEscape(_ bytes: UnsafeRawBufferPointer) {
    var shown: [UInt8] = []
    EscapeFilter.append(bytes, to: &shown)
    guard let text = String(validating: shown, as: UTF8.self) else { fail("what is shown isn't UTF-8") }
    for scalar in text.unicodeScalars where drivesTerminal(scalar) { fail("U+\(String(scalar.value, radix: 16)) is shown as it is") }
    requireEqual(EscapeFilter.filter(text), text, "what is shown, filtered again")

    var inCuts: [UInt8] = []
    var held = bytes.startIndex
    for index in bytes.indices.dropFirst() where bytes[index] & 0xC0 != 0x80 {
        EscapeFilter.append(UnsafeRawBufferPointer(rebasing: bytes[held..<index]), to: &inCuts)
        held = index
    }
    EscapeFilter.append(UnsafeRawBufferPointer(rebasing: bytes[held...]), to: &inCuts)
    requireEqual(inCuts, shown, "what is shown, whole and character by character")
}

/// By Unicode's categories, so that the filter's own list is held against another.
private func drivesTerminal(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\n", "\t": false
    default:
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: scalar.properties.isBidiControl
        }
    }
}

/// The input is what a terminal sends: the same characters and pastes in all cuts, and no byte of it is lost.
func fuzzKeys(_ bytes: UnsafeRawBufferPointer) {
    let whole = events([bytes])
    requireEqual(events(Cuts.pieces(of: bytes)), whole, "keys and pastes, whole and in cuts")
    for event in whole {
        switch event {
        case .character(let scalar): require(Unicode.Scalar(scalar) != nil, "0x\(String(scalar, radix: 16)) is not a character")
        case .paste(let text): require(!contains(text, Array("\u{1b}[201~".utf8)), "a paste goes on past its end")
        }
    }
    // Valid text with no ESC comes back as it is.
    guard !bytes.contains(0x1B), let text = String(validating: bytes, as: UTF8.self) else { return }
    requireEqual(whole, text.unicodeScalars.map { .character($0.value) }, "text without ESC")
}

private func events(_ pieces: [UnsafeRawBufferPointer]) -> [InputParser.Event] {
    var parser = InputParser()
    var events: [InputParser.Event] = []
    for piece in pieces {
        parser.push(piece)
        while let event = parser.pop() { events.append(event) }
    }
    while let event = parser.pop(complete: true) { events.append(event) }
    require(!parser.holdsBytes, "bytes are held past the end")
    return events
}

private func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
    bytes.indices.contains { bytes[$0...].starts(with: part) }
}
