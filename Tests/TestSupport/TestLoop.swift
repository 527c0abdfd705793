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
