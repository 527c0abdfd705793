import WebSocketProtocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

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
    var reason: String {
        // strerror's buffer is per thread in glibc since 2.32; musl and Darwin return constants for every known code.
        let text = String(cString: strerror(code))
        guard let first = text.first, text.dropFirst().first?.isUppercase != true else { return text }
        return first.lowercased() + text.dropFirst()
    }

    var exitStatus: ExitStatus { .localIO }
}

/// `write(2)` under a name that a method `write` does not hide.
func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
