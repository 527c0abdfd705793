/// Text that is never printed: a password, a token, a key's passphrase.
///
/// Description, debug description and reflection all give `***`, so that a secret can't slip into a log through interpolation, `dump`
/// or a failing test. ``revealed`` is the one way to the text.
public struct Secret: Hashable, Sendable {
    /// The text itself. Take it only where it leaves for the wire.
    public let revealed: String

    public init(_ text: String) { revealed = text }

    /// Compares without stopping at the first difference, so that the time taken tells a guesser nothing but the length.
    public static func == (left: Secret, right: Secret) -> Bool {
        guard left.revealed.utf8.count == right.revealed.utf8.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(left.revealed.utf8, right.revealed.utf8) { difference |= one ^ other }
        return difference == 0
    }

    /// Hashes the bytes, as `==` compares them: a `String` would hash canonically equivalent texts alike.
    public func hash(into hasher: inout Hasher) {
        for byte in revealed.utf8 { hasher.combine(byte) }
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "***" }
    public var debugDescription: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
