@testable import WebSocketTransport

/// The input is a byte that chooses the proxy, and what it answers. It opens the tunnel or fails, and the same in all cuts.
func fuzzProxy(_ bytes: UnsafeRawBufferPointer) {
    guard let first = bytes.first else { return }
    let answer = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
    let start = starts[Int(first) % starts.count]
    let single = outcome(start, answer.indices.map { UnsafeRawBufferPointer(rebasing: answer[$0...$0]) })
    for cut in [outcome(start, [answer]), outcome(start, Cuts.pieces(of: answer))] {
        guard case .fail(let error) = cut else {
            requireEqual(cut, single, "a dialogue in cuts and byte by byte")
            continue
        }
        require(error.stage == .proxy, "a failure at another stage: \(error)")
        requireClean(error.message + (error.hint ?? ""), "a proxy's failure", limit: 2000)
        require(!error.message.contains("S3CR3T"), "the password is printed in \(error.message)")
        // More than was asked for can be told only where it comes in the same read.
        if error.message.hasSuffix("before it was asked to") { continue }
        guard case .fail(let other) = single else { fail("\(single) byte by byte, and in cuts \(error)") }
        // The messages quote what has come, which differs.
        requireEqual(error.kind, other.kind, "how a dialogue fails in cuts and byte by byte")
    }
}

private let starts: [any ProxyHandshake] = ["http://proxy", "http://user:S3CR3T@proxy", "socks5h://proxy", "socks5h://user:S3CR3T@proxy"]
    .map {
        do {
            return try Proxy(parsing: $0).handshake(to: "example.com", port: 443)
        } catch {
            fail("\(error)")
        }
    }

/// The last action, or the one that ended the dialogue.
private func outcome(_ start: any ProxyHandshake, _ pieces: [UnsafeRawBufferPointer]) -> ProxyAction {
    var handshake = start
    for piece in pieces {
        switch handshake.received(piece) {
        case .send, .wait: break
        case let end: return end
        }
    }
    return .wait
}
