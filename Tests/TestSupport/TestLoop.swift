import Dispatch
import Testing
import WebSocketTransport

/// The event loop of a process of tests, on a thread of its own. All tests share it: none may block that thread.
public enum TestLoop {
    private static let isRunning: Void = DispatchQueue(label: "wsline.tests.loop").async { EventLoop.run {} }

    /// Starts it, the first time.
    public static func start() { isRunning }

    /// Runs `body` on the loop, and returns what it returns. From any other thread.
    public static func sync<Value: Sendable>(_ body: @escaping @EventLoop @Sendable () throws -> Value) throws -> Value {
        start()
        return try EventLoop.sync { Result { try body() } }.get()
    }
}

/// Starts the loop for a suite that is isolated to it. As soon as it's made: the testing library looks for a suite's tests on the suite's actor
/// already, before it prepares any.
public struct EventLoopTrait: SuiteTrait {
    fileprivate init() { TestLoop.start() }
}

extension Trait where Self == EventLoopTrait {
    public static var eventLoop: Self { Self() }
}

/// Lets the loop turn until `condition` holds.
///
/// - Parameter event: what is waited for, in words.
/// - Throws: if it doesn't hold within `seconds`.
@EventLoop
public func waitUntil(
    _ event: @autoclosure () -> String, within seconds: Double = 40, _ condition: () -> Bool
) async throws {
    let deadline = monotonicNow() + nanoseconds(seconds * Sanitizer.slowness)
    while !condition() {
        guard monotonicNow() < deadline else { throw TestFailure("waited in vain until \(event())") }
        await turn(after: 0.001)
    }
}

/// Lets the loop turn so often that whatever is ready by now has been seen, and what that has led to as well.
@EventLoop
public func settle(turns: Int = 10) async {
    for _ in 0..<turns { await turn(after: 0) }
}

/// In each turn the loop looks at its descriptors before its timers.
@EventLoop
private func turn(after seconds: Double) async {
    await withCheckedContinuation { continuation in
        Timer(after: seconds) { continuation.resume() }
    }
}
