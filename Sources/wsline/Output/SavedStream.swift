import WebSocketTransport

/// A pipe or device that messages are saved to (`--save`), at the pace of whoever reads it.
///
/// Whoever writes has to stop while it ``isBlocked``; what was written until then waits.
@EventLoop
final class SavedStream {
    let path: String
    /// Why what waited could not be written. An error that ``write(_:)`` throws isn't reported here.
    var onFailure: ((FileError) -> Void)?
    /// All that waited is written.
    var onDrain: (() -> Void)?
    private let output: OutputDescriptor
    private var isWriting = false
    /// What is to be done then, before ``onDrain``.
    private var afterDrain: [() -> Void] = []

    init(_ path: String) throws(FileError) {
        self.path = path
        output = try OutputDescriptor(path: path)
        output.onFailure = { [unowned self] in
            if !isWriting { onFailure?(FileError(.writeTo, path, code: $0)) }
        }
        output.onDrain = { [unowned self] in drained() }
    }

    var isBlocked: Bool { output.isBlocked }

    /// Does `body` once all that was written so far has found its way.
    func whenWritten(_ body: @escaping () -> Void) {
        if isBlocked { afterDrain.append(body) } else { body() }
    }

    private func drained() {
        let bodies = afterDrain
        afterDrain = []
        for body in bodies { body() }
        onDrain?()
    }

    /// Writes `bytes`, as far as the reader takes them, and keeps the rest.
    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        isWriting = true
        defer { isWriting = false }
        output.buffer.append(contentsOf: bytes)
        output.flush()
        if let code = output.failure { throw FileError(.writeTo, path, code: code) }
    }
}
