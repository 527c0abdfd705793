import WebSocketProtocol
import CPosix

extension Argument {
    /// The text of a secret, or with `@FILE` what the file holds, less the line end at its end. No error has any of it.
    func secret() throws(UsageFailure) -> String {
        guard text.hasPrefix("@") else { return text }
        let path = String(text.dropFirst())
        guard !path.isEmpty else { throw UsageFailure("\(spelling) @ names no file: give @FILE") }
        var bytes = try contents(of: path)
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        }
        guard let secret = String(validating: bytes, as: UTF8.self) else {
            throw UsageFailure("\(spelling): the file \(path.quoted) isn't valid UTF-8")
        }
        return secret
    }

    private func contents(of path: String) throws(UsageFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path) }
            guard count > 0 else { return bytes }
            bytes += buffer.prefix(count)
            guard bytes.count <= Self.largestFile else {
                throw UsageFailure("\(spelling): the file \(path.quoted) is too large for a secret: 64 KiB are the most")
            }
        }
    }

    private static let largestFile = 64 << 10

    private func unreadable(_ path: String) -> UsageFailure {
        UsageFailure("\(spelling): can't read the file \(path.quoted): \(errorText(errno))")
    }
}
