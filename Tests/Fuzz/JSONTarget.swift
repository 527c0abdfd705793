import LineTerminal

@testable import WebSocketProtocol
@testable import wsline

/// The input is a line of `--json-input`: something to send within the protocol's limits, or an error.
func fuzzJSON(_ bytes: UnsafeRawBufferPointer) {
    let isText = UTF8Validator.firstError(in: bytes) == nil
    let wrong = isText ? firstError(in: bytes) : nil
    if let wrong { require((0...bytes.count).contains(wrong), "an error beyond the line") }
    if isText {
        checkShown(bytes, isJSON: wrong == nil)
        checkRequest(bytes)
    }
    do throws(JSONInputError) {
        let input = try JSONInput(parsing: bytes)
        require(isText && wrong == nil, "a line that isn't JSON is taken")
        require(input.delay >= 0 && input.delay.isFinite, "a delay of \(input.delay) s")
        check(input.action)
    } catch {
        requireClean(error.description, "an error", limit: 4000)
        switch error {
        case .notUTF8: require(!isText, "UTF-8 is refused as if it weren't")
        case .notJSON(_, let offset):
            require(isText && offset == wrong, "the error is at \(offset), and \(wrong ?? -1) by the grammar")
        default: require(isText && wrong == nil, "a line that isn't JSON is read: \(error)")
        }
    }
}

private func check(_ action: JSONInput.Action) {
    switch action {
    case .message(.text, let payload): require(String(validating: payload, as: UTF8.self) != nil, "a text that isn't UTF-8")
    case .ping(let payload), .pong(let payload): require(payload.count <= 125, "a control frame of \(payload.count) bytes")
    case .close(let close):
        require(close.reason.utf8.count <= 123 && close.code?.isAllowedOnWire != false, "a Close that can't be sent: \(close)")
        require(close.code != nil || close.reason.isEmpty, "a reason without a code")
    case .message, .nothing: break
    }
}

/// Where a text isn't JSON. The tokens are in order, with nothing but blanks between them, and values are found as they are passed.
private func firstError(in bytes: UnsafeRawBufferPointer) -> Int? {
    var tokens = JSONTokenizer(bytes)
    var end = 0
    do throws(JSONSyntaxError) {
        while let token = try tokens.next() {
            require(token.range.lowerBound >= end && !token.range.isEmpty, "a token at \(token.range) after \(end)")
            requireBlank(bytes[end..<token.range.lowerBound])
            end = token.range.upperBound
        }
        requireBlank(bytes[end...])
        check(try JSONValue(parsing: bytes))
        return nil
    } catch {
        return error.offset
    }
}

private func requireBlank(_ bytes: Slice<UnsafeRawBufferPointer>) {
    require(bytes.allSatisfy { [0x20, 0x09, 0x0A, 0x0D].contains($0) }, "something between two tokens")
}

private func check(_ value: JSONValue) {
    switch value.kind {
    case .object:
        for (name, member) in value.members {
            check(name)
            check(member)
        }
    case .array: for element in value.elements { check(element) }
    case .string:
        if let decoded = try? value.decoded() { require(String(validating: decoded, as: UTF8.self) != nil, "a string that isn't UTF-8") }
    case .number: require(value.double != nil, "a number that isn't one")
    case .true, .false, .null: break
    }
}

/// What a terminal shows of it is JSON still, with nothing that drives the terminal, and in proportion.
private func checkShown(_ bytes: UnsafeRawBufferPointer, isJSON: Bool) {
    var output: [UInt8] = []
    var format = JSONFormat(Style(isEnabled: false))
    format.indents = true
    let isShown = format.append(bytes, to: &output) != nil
    require(isShown == (isJSON && JSONValue.mayBeStructure(bytes)), "what is JSON isn't shown as such, or what isn't is")
    require(output.count <= 10 * bytes.count + (100 << 10), "\(output.count) bytes are shown of \(bytes.count)")
    requireClean(String(decoding: output.filter { $0 != 0x0A && $0 != 0x09 }, as: UTF8.self), "JSON as it is shown", limit: .max)
}

/// A line that is taken as a request becomes one.
private func checkRequest(_ bytes: UnsafeRawBufferPointer) {
    guard let request = try? RPCRequest(parsing: bytes) else { return }
    request.json(id: 1).withUnsafeBytes { json in
        guard let value = try? JSONValue(parsing: json) else { fail("a request that isn't JSON") }
        require(value.member("method")?.kind == .string, "a request without a method")
        require([nil, .array, .object].contains(value.member("params")?.kind), "params that are neither an array nor an object")
    }
}
