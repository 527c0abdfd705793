import WebSocketProtocol

/// A number and what it counts: `1 message`, `2 messages`.
func counted(_ number: some BinaryInteger, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

/// Seconds for people: `2 s`, `0.25 s`.
func seconds(_ value: Double) -> String {
    let hundredths = (value * 100).rounded() / 100
    return hundredths == hundredths.rounded() && abs(hundredths) < 1e15 ? "\(Int(hundredths)) s" : "\(hundredths) s"
}

/// Nanoseconds as milliseconds for people: `0.34 ms`.
func milliseconds(_ nanoseconds: UInt64) -> String { "\((Double(nanoseconds) / 10_000).rounded() / 100) ms" }

/// A close code with its name: `1011 (internal error)`.
func describe(_ code: CloseCode) -> String { "\(code.rawValue) (\(code.name))" }

/// Text of the peer's for the middle of a line: what would begin a new one is written as an escape, so that it can't look like a line of ours.
func onOneLine(_ text: String) -> String {
    text.unicodeScalars.map { $0 == "\n" ? "\\x0a" : $0 == "\r" ? "\\x0d" : String($0) }.joined()
}

extension Statistics {
    /// What `/status` shows of them.
    func rows(buffered: Int) -> [(String, String)] {
        [
            ("sent", Self.row(messagesSent, bytesSent, wire: wireBytesSent)),
            ("received", Self.row(messagesReceived, bytesReceived, wire: wireBytesReceived)),
            ("pings", "\(pingsSent) sent, \(pingsReceived) received"),
            ("pongs", "\(pongsSent) sent, \(pongsReceived) received"),
            ("buffered", counted(buffered, "byte")),
        ]
    }

    /// What `-v` shows of them at the end.
    func totals(_ roundTrips: RoundTrips, lost: Int) -> [String] {
        let messages =
            "received \(counted(messagesReceived, "message")) of \(counted(bytesReceived, "byte")) (\(wireBytesReceived) on the wire), "
            + "sent \(counted(messagesSent, "message")) of \(counted(bytesSent, "byte")) (\(wireBytesSent))"
        return [messages] + (roundTrips.description(lost: lost).map { ["round trips: \($0)"] } ?? [])
    }

    /// How many pings of ours were never answered, less those that are still awaited.
    func lostPings(awaited: Int) -> Int { max(0, Int(clamping: pingsSent) - Int(clamping: pingsAnswered) - awaited) }

    private static func row(_ messages: UInt64, _ bytes: UInt64, wire: UInt64) -> String {
        "\(counted(messages, "message")), \(counted(bytes, "byte")) (\(wire) on the wire)"
    }
}
