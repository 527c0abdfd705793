import WebSocketProtocol
import WebSocketTransport

/// Makes requests of lines (`--jsonrpc`), and finds the answers to them among what arrives.
struct RPCCalls {
    private struct Call {
        let method: String
        let sent: Instant
    }

    private let namesVersion: Bool
    /// How many requests have been made of lines.
    private var count = 0
    /// Requests that have no answer yet, by their id.
    private var awaited: [String: Call] = [:]
    /// The ones before those. A server that never answers must not make this grow.
    private var older: [String: Call] = [:]

    /// How many of each of the two there are at most, and what is kept of each: the longest id in bytes, and the longest method in characters.
    private static let most = 1 << 15
    private static let longestID = 128
    private static let longestMethod = 64
    /// How many answers of a batch are named.
    private static let mostNotes = 16

    /// - Parameter target: of the URL. Chromium's DevTools, which are found at `/devtools/…`, refuse requests that name JSON-RPC's version.
    init(at target: String = "/") { namesVersion = !target.hasPrefix("/devtools/") }

    /// The message that a line stands for: an object or an array is sent as it is, and requests in it are known by their ids; any other line
    /// is a method and its arguments.
    mutating func message(_ line: String, at now: Instant) throws(CommandFailure) -> [UInt8] {
        let bytes = Array(line.utf8)
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(CommandFailure) in try request(bytes, now) } }
        return try result.get() ?? bytes
    }

    /// Nil if the line is to be sent as it is.
    private mutating func request(_ line: UnsafeRawBufferPointer, _ now: Instant) throws(CommandFailure) -> [UInt8]? {
        if JSONValue.mayBeStructure(line) {
            do throws(JSONSyntaxError) {
                let message = try JSONValue(parsing: line)
                if message.kind == .object { note(message, now) }
                // A batch (section 6).
                for request in message.elements { note(request, now) }
                return nil
            } catch {
                throw CommandFailure(
                    "not JSON at byte \(error.offset + 1): a line that begins with { or [ has to be JSON, and is sent as it is")
            }
        }
        let request = try RPCRequest(parsing: line)
        // One that somebody wrote by hand may wait for its answer under the next number.
        repeat { count += 1 } while awaited[String(count)] != nil || older[String(count)] != nil
        expect(String(count), request.method.dropFirst().dropLast(), now)
        return request.json(id: count, namesVersion: namesVersion)
    }

    /// Takes note of a request that was written as JSON.
    private mutating func note(_ request: JSONValue, _ now: Instant) {
        let parts = Parts(request)
        guard let id = parts.id.flatMap(Self.key), let method = parts.method else { return }
        expect(id, method.bytes.dropFirst().dropLast(), now)
    }

    private mutating func expect(_ id: String, _ method: some Collection<UInt8>, _ now: Instant) {
        if awaited.count >= Self.most {
            older = awaited
            awaited = [:]
        }
        awaited[id] = Call(method: String(decoding: method.prefix(Self.longestMethod), as: UTF8.self).escaped, sent: now)
    }

    /// Another connection answers nothing that was asked on the one before.
    mutating func forget() {
        awaited = [:]
        older = [:]
    }

    // MARK: Answers

    /// What there is to say of a message that answers requests of ours: their numbers, how long each took, and what was wrong; nil if it
    /// answers none.
    ///
    /// - Parameter message: valid UTF-8.
    mutating func answer(_ message: UnsafeRawBufferPointer, at now: Instant) -> String? {
        guard JSONValue.mayBeStructure(message), !(awaited.isEmpty && older.isEmpty), let value = try? JSONValue(parsing: message) else {
            return nil
        }
        if value.kind == .object { return note(answer: value, now) }
        var notes: [String] = []
        var others = 0
        for answer in value.elements {
            guard let note = note(answer: answer, now) else { continue }
            if notes.count < Self.mostNotes { notes.append(note) } else { others += 1 }
        }
        if others > 0 { notes.append("and \(others) more") }
        return notes.isEmpty ? nil : notes.joined(separator: "; ")
    }

    private mutating func note(answer: JSONValue, _ now: Instant) -> String? {
        let parts = Parts(answer)
        guard parts.method == nil, parts.hasOutcome, let id = parts.id.flatMap(Self.key) else { return nil }
        guard let call = awaited.removeValue(forKey: id) ?? older.removeValue(forKey: id) else { return nil }
        let number = id.first == "\"" ? id.dropFirst().dropLast().quoted : id.escaped
        return "#\(number) \(call.method), \(milliseconds(now &- call.sent))" + (parts.error.map(Self.describe) ?? "")
    }

    /// An error object (JSON-RPC 2.0, section 5.1).
    private static func describe(_ error: JSONValue) -> String {
        let code = error.member("code").map { " " + String(decoding: $0.bytes.prefix(32), as: UTF8.self).escaped } ?? ""
        let message = error.member("message").flatMap { $0.kind == .string ? try? $0.decoded() : nil }
        return ": error\(code)" + (message.map { " " + String(decoding: $0, as: UTF8.self).quoted } ?? "")
    }

    /// The members that mean something; null is as if there were none, except as an outcome.
    private struct Parts {
        private(set) var id: JSONValue?
        private(set) var method: JSONValue?
        private(set) var error: JSONValue?
        /// Whether there is a result or an error.
        private(set) var hasOutcome = false

        init(_ message: JSONValue) {
            for (name, value) in message.members {
                if name.isString("id") {
                    id = value
                } else if name.isString("method") {
                    method = value.kind == .string ? value : nil
                } else if name.isString("error") {
                    error = value.kind == .null ? nil : value
                    hasOutcome = true
                } else if name.isString("result") {
                    hasOutcome = true
                }
            }
        }
    }

    /// An id, however it is written: a server may write 1 as 1.0, and a letter as an escape. Nil if it can't be one.
    private static func key(_ id: JSONValue) -> String? {
        guard id.range.count <= longestID else { return nil }
        switch id.kind {
        case .string: return (try? id.decoded()).map { "\"" + String(decoding: $0, as: UTF8.self) + "\"" }
        case .number:
            let text = String(decoding: id.bytes, as: UTF8.self)
            guard !text.isDecimal, let number = id.double.flatMap(Int.init(exactly:)) else { return text }
            return String(number)
        case .object, .array, .true, .false, .null: return nil
        }
    }
}
