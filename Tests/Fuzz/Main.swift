import CPosix
import WebSocketProtocol

private typealias Target = @Sendable (UnsafeRawBufferPointer) -> Void

/// What can be fuzzed. One program holds all targets, so that they are built once; WSLINE_FUZZ_TARGET names the one to run.
private let targets: [String: Target] = [
    "head": fuzzHead, "url": fuzzURL, "extensions": fuzzExtensions, "frames": fuzzFrames, "deflate": fuzzDeflate,
    "proxy": fuzzProxy, "json": fuzzJSON, "escape": fuzzEscape, "keys": fuzzKeys, "options": fuzzOptions,
]

private let target: Target = {
    let name = getenv("WSLINE_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = targets[name] else {
        fail("WSLINE_FUZZ_TARGET is \(name.quoted), expected one of \(targets.keys.sorted().joined(separator: ", "))")
    }
    return target
}()

/// libFuzzer's entry. The input is copied to memory of just its size, so that AddressSanitizer sees a read past its end.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafeRawPointer?, _ size: Int) -> CInt {
    target(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}
