import WebSocketProtocol

/// The messages that were shown last, for `/last`.
struct KeptMessages {
    struct Message {
        let kind: MessageKind
        /// A listener's.
        let client: Int?
        let time: Timestamp
        let byteCount: Int
        /// Nil if there are too many of them.
        let bytes: [UInt8]?
    }

    static let mostMessages = 100
    static let mostBytes = 64 << 20

    /// Bytes that all of them may have.
    let limit: Int
    /// What `--max-memory` allows; they count in it.
    private let budget: MemoryBudget?
    /// The newest is the last.
    private var messages: [Message] = []
    private var size = 0

    /// An eighth of what `--max-memory` allows at most, so that there is room for messages to come.
    init(budget: MemoryBudget?) {
        self.budget = budget
        limit = min(Self.mostBytes, (budget?.limit ?? .max) / 8)
    }

    var count: Int { messages.count }

    mutating func append(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, from client: Int?, at time: Timestamp = .now) {
        let fits = bytes.count <= limit
        let oldSize = size
        if messages.count == Self.mostMessages { drop() }
        while fits, size + bytes.count > limit { drop() }
        if fits {
            Memory.require(bytes.count)
            size += bytes.count
        }
        budget?.change(from: oldSize, to: size, mayExceed: true)
        messages.append(
            Message(kind: kind, client: client, time: time, byteCount: bytes.count, bytes: fits ? Array(bytes) : nil))
    }

    private mutating func drop() {
        let oldest = messages.removeFirst()
        size -= oldest.bytes?.count ?? 0
    }

    /// The last for 1, the one before it for 2; nil if so many aren't kept.
    func last(_ number: Int) -> Message? { number <= messages.count ? messages[messages.count - number] : nil }
}
