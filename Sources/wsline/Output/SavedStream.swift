import Dispatch

/// A pipe or device that messages are saved to (`--save`), at the pace of whoever reads it.
///
/// Whoever writes has to stop while it ``isBlocked``; what was written until then waits.
final class SavedStream {
    let path: String
    /// Why what waited could not be written. An error that ``write(_:)`` throws isn't reported here.
    var onFailure: ((FileError) -> Void)?
    private let output: OutputDescriptor
    private var isWriting = false

    init(_ path: String, queue: DispatchQueue) throws(FileError) {
        self.path = path
        output = try OutputDescriptor(path: path, queue: queue)
        output.onFailure = { [unowned self] in
            if !isWriting { onFailure?(FileError(.writeTo, path, code: $0)) }
        }
    }

    var isBlocked: Bool { output.isBlocked }

    /// All that waited is written.
    var onDrain: (() -> Void)? {
        get { output.onDrain }
        set { output.onDrain = newValue }
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
