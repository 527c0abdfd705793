/// Why nothing is read from a connection. Whoever pauses the reading says why, and lifts only that: it goes on when no reason is left.
public struct PauseReasons: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// What shows the messages takes no more for now.
    public static let output = PauseReasons(rawValue: 1 << 0)
    /// What answers the messages waits to be sent.
    public static let echo = PauseReasons(rawValue: 1 << 1)
    /// What messages are saved to takes no more for now.
    public static let saving = PauseReasons(rawValue: 1 << 2)

    static let all = PauseReasons(rawValue: .max)
}
