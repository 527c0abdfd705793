import Dispatch
import CPosix

/// What a run can't do without, and what the system refused.
public struct Resources: Error, Equatable, CustomStringConvertible {
    public let description: String

    /// Descriptors without which nothing goes: two for the poller, three of Dispatch (on Linux), one for each of three signals, and a socket.
    private static let descriptors = 9
    /// Threads that Dispatch needs at the same time: its manager, one for a queue and one for a name lookup.
    private static let threads = 3

    /// Makes sure that what Dispatch and the poller will ask for can be had: where they get none, Dispatch ends the process without a word, or waits
    /// for ever. To be called before anything else is done.
    ///
    /// - Throws: what the system refused.
    public static func check() throws(Resources) {
        try checkDescriptors()
        try checkThreads()
    }

    private static func checkDescriptors() throws(Resources) {
        var opened: [Int32] = []
        defer { for descriptor in opened { close(descriptor) } }
        while opened.count < descriptors {
            let descriptor = open("/", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                let error = SystemError.last
                throw Resources(description: "can't start: \(error) (a run needs \(descriptors) file descriptors, see ulimit -n)")
            }
            opened.append(descriptor)
        }
    }

    private static func checkThreads() throws(Resources) {
        let end = DispatchSemaphore(value: 0)
        let argument = Unmanaged.passUnretained(end).toOpaque()
        var started: [pthread_t] = []
        defer {
            for _ in started { end.signal() }
            for thread in started { pthread_join(thread, nil) }
        }
        while started.count < threads {
            #if canImport(Darwin)
                var thread: pthread_t?
                let code = pthread_create(&thread, nil, { waitForSignal($0) }, argument)
            #else
                var thread = pthread_t()
                let code = pthread_create(&thread, nil, waitForSignal, argument)
            #endif
            guard code == 0 else {
                throw Resources(description: "can't start a thread: \(SystemError(code)) (a run needs \(threads) of them, see ulimit -u)")
            }
            #if canImport(Darwin)
                if let thread { started.append(thread) }
            #else
                started.append(thread)
            #endif
        }
    }
}

/// A thread that only is there until the semaphore is signalled.
private func waitForSignal(_ semaphore: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let semaphore { Unmanaged<DispatchSemaphore>.fromOpaque(semaphore).takeUnretainedValue().wait() }
    return nil
}
