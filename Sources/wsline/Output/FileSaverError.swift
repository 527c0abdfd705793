import WebSocketProtocol
import CPosix

/// What the operating system refused to do with a file of this machine.
struct FileError: Error, Equatable, CustomStringConvertible {
    /// In the words of "can't … PATH".
    enum Operation: String {
        case create, open
        case writeTo = "write to"
    }

    var operation: Operation
    var path: String
    /// The `errno` of it.
    var code: Int32

    init(_ operation: Operation, _ path: String, code: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    var description: String { "can't \(operation.rawValue) \(path.quoted): \(reason)" }

    /// The system's text for the middle of a sentence.
    var reason: String { errorText(code) }

    var exitStatus: ExitStatus { .localIO }
}
