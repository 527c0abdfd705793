/// A whole message where it lies in a connection's memory.
public struct BorrowedMessage {
    public let kind: MessageKind
    public let bytes: UnsafeRawBufferPointer

    public init(kind: MessageKind, bytes: UnsafeRawBufferPointer) {
        self.kind = kind
        self.bytes = bytes
    }
}

/// The whole messages that one look at the input found; its memory is used again.
struct MessageBatch: ~Copyable {
    private let storage = UnsafeMutableBufferPointer<BorrowedMessage>.allocate(capacity: 512)
    private var count = 0

    deinit { storage.deallocate() }

    var messages: UnsafeBufferPointer<BorrowedMessage> { UnsafeBufferPointer(rebasing: storage[..<count]) }
    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count == storage.count }

    mutating func removeAll() { count = 0 }

    mutating func append(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer) {
        storage.initializeElement(at: count, to: BorrowedMessage(kind: kind, bytes: bytes))
        count += 1
    }
}
