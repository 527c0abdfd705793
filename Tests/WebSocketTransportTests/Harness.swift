import CPosix
import Dispatch
import Synchronization
import Testing

@testable import TestSupport
@testable import WebSocketTransport

extension DispatchQueue {
    /// Runs `body` on the queue, as everything of a stream has to.
    func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await callback { $0(body()) }
    }

    /// Runs `body` on the queue, and waits until it calls what it is passed, at once or later; returns the value of that call.
    ///
    /// The value is handed over under a lock: the runtime doesn't report to ThreadSanitizer that a continuation which is resumed before it is awaited
    /// orders the two, and whoever reads the value would seem to race with the thread that made it.
    func callback<Value: Sendable>(_ body: @escaping @Sendable (_ resume: @escaping @Sendable (Value) -> Void) -> Void) async -> Value {
        let handover = Handover<Value>()
        await withCheckedContinuation { continuation in
            self.async {
                body { value in
                    handover.value.withLock { $0 = value }
                    continuation.resume()
                }
            }
        }
        guard let value = handover.value.withLock({ $0 }) else { preconditionFailure("resumed without a value") }
        return value
    }
}

private final class Handover<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
}

/// Everything that a stream gave, and how it ended.
struct Transcript: Sendable {
    var bytes: [UInt8] = []
    var ending: ReadOutcome = .wouldBlock

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The kind of the error that ended it; `nil` for a clean end.
    var failure: TransportError? {
        if case .failed(let error) = ending { error } else { nil }
    }

    var endedCleanly: Bool {
        if case .end = ending { true } else { false }
    }
}

extension ByteStream {
    /// Reads with a buffer of `size` bytes until `count` bytes have come, or the end.
    func collect(atLeast count: Int = .max, buffer size: Int = 65536) async -> Transcript {
        await queue.callback { [self] resume in
            let transcript = Box(Transcript())
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
            let finish = {
                self.pauseReading()
                self.onReadable = nil
                buffer.deallocate()
                resume(transcript.value)
            }
            onReadable = { [self] in
                while true {
                    switch read(into: buffer) {
                    case .bytes(let count): transcript.value.bytes += buffer[..<count]
                    case .wouldBlock: return
                    case let ending:
                        transcript.value.ending = ending
                        return finish()
                    }
                    if transcript.value.bytes.count >= count { return finish() }
                }
            }
            resumeReading()
        }
    }

    /// Writes all of it, waiting for room; the outcome's error if it fails.
    @discardableResult
    func send(_ bytes: [UInt8]) async -> TransportError? {
        await queue.callback { [self] resume in
            let sent = Box(0)
            let step: () -> Void = { [self] in
                while sent.value < bytes.count {
                    switch bytes.withUnsafeBytes({ write(UnsafeRawBufferPointer(rebasing: $0[sent.value...])) }) {
                    case .bytes(let count): sent.value += count
                    case .wouldBlock: return
                    case .failed(let error):
                        onWritable = nil
                        return resume(error)
                    }
                }
                onWritable = nil
                resume(nil)
            }
            onWritable = step
            step()
        }
    }

    func send(_ text: String) async { await send(Array(text.utf8)) }

    func finish() async { await queue.run { self.shutdownWrite() } }

    func dispose() async { await queue.run { self.close() } }

    /// Closes at once with a reset (RST): what is unsent is dropped.
    func abort() {
        guard !isClosed else { return }
        var linger = linger(l_onoff: 1, l_linger: 0)
        _ = setsockopt(socket.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        // The socket ends here; `close` has nothing to write its close_notify to.
        let nowhere = open("/dev/null", O_RDWR | O_CLOEXEC)
        dup2(nowhere, socket.descriptor)
        CPosix.close(nowhere)
        close()
    }

    /// Passes everything on to `other`, which may be this stream itself, and reads no faster than it takes; then passes the end on.
    func relay(to other: ByteStream) {
        dispatchPrecondition(condition: .onQueue(queue))
        precondition(queue === other.queue)
        let buffer = RelayBuffer()
        onReadable = { [self] in
            while buffer.pending.isEmpty {
                switch read(into: buffer.memory) {
                case .bytes(let count): buffer.pending = 0..<count
                case .wouldBlock: return
                case .end: return other.shutdownWrite()
                case .failed: return other.close()
                }
                guard buffer.flush(to: other) else { return pauseReading() }
            }
        }
        other.onWritable = { [self] in
            if buffer.flush(to: other) { resumeReading() }
        }
        resumeReading()
    }
}

private final class RelayBuffer {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 50_000, alignment: 16)
    var pending = 0..<0

    func flush(to stream: ByteStream) -> Bool {
        while !pending.isEmpty {
            guard case .bytes(let count) = stream.write(UnsafeRawBufferPointer(rebasing: memory[pending])) else { return false }
            pending = pending.lowerBound + count..<pending.upperBound
        }
        return true
    }

    deinit { memory.deallocate() }
}

/// A mutable value shared by closures of one queue.
final class Box<Value>: @unchecked Sendable {
    // Invariant: a test touches it on one queue at a time.
    var value: Value

    init(_ value: Value) { self.value = value }
}

/// Dials, and waits for the outcome.
func dial(
    _ target: Target, _ options: DialOptions = DialOptions(), onProgress: @escaping @Sendable (DialEvent) -> Void = { _ in }
) async -> Result<DialedStream, TransportError> {
    let queue = DispatchQueue(label: "test.dial")
    return await queue.callback { resume in
        Dialer.connect(to: target, options: options, queue: queue, onProgress: onProgress, completion: resume)
    }
}

extension Result where Failure == TransportError {
    var error: TransportError? {
        if case .failure(let error) = self { error } else { nil }
    }
}

/// A listener on the loopback addresses, whose connections and refusals come as a sequence.
final class TestListener: Sendable {
    let listener: Listener
    let port: UInt16
    let events: AsyncStream<Listener.Event>
    private let queue: DispatchQueue

    init(on target: ListenTarget = .loopback(port: 0), tls: TLSContext? = nil, handshakeTimeout: Double = 10) throws {
        var options = Listener.Options()
        options.tls = tls
        options.handshakeTimeout = handshakeTimeout
        let (events, continuation) = AsyncStream.makeStream(of: Listener.Event.self)
        self.events = events
        let queue = DispatchQueue(label: "test.listener")
        self.queue = queue
        listener = try Listener(on: target, options: options, queue: queue) { continuation.yield($0) }
        port = listener.addresses.first?.port ?? 0
    }

    deinit {
        let listener = listener
        queue.async { listener.close() }
    }

    func close() async { await queue.run { [listener] in listener.close() } }

    /// The next connection.
    func accept() async throws -> ByteStream {
        for await event in events {
            if case .accepted(let stream, _) = event { return stream }
            Issue.record("instead of a connection: \(event)")
        }
        throw TestFailure("the listener ended")
    }

    /// The next refusal.
    func refusal() async throws -> TransportError {
        for await event in events {
            if case .refused(_, let error) = event { return error }
            Issue.record("instead of a refusal: \(event)")
        }
        throw TestFailure("the listener ended")
    }
}

/// Two ends of one connection.
struct StreamPair {
    let client: ByteStream
    let server: ByteStream
    private let listener: TestListener

    static func plain() async throws -> StreamPair { try await StreamPair(server: nil, client: nil) }

    init(server: TLSContext?, client: TLSContext?) async throws {
        listener = try TestListener(tls: server)
        var options = DialOptions()
        options.tls = client
        let target = Target.host("127.0.0.1", port: listener.port)
        async let dialed = dial(target, options)
        self.server = try await listener.accept()
        self.client = try await dialed.get().stream
    }
}

/// A CA, a certificate for localhost, and contexts on both sides that trust it.
struct TestTLS: Sendable {
    let directory: TemporaryDirectory
    let authority: Certificate
    let certificate: Certificate
    let server: TLSContext
    let client: TLSContext

    init(minimum: TLSVersion = .v12) throws {
        directory = try TemporaryDirectory()
        authority = try Certificate.authority(in: directory)
        certificate = try Certificate.localhost(issuer: authority, in: directory)
        server = try TLSContext.server(.init(identity: certificate.identity))
        var options = TLSContext.ClientOptions()
        options.caFile = authority.certificateFile
        options.minimumVersion = minimum
        client = try TLSContext.client(options)
    }
}

extension Certificate {
    var identity: TLSIdentity { TLSIdentity(certificateFile: certificateFile, keyFile: keyFile) }
}

/// Bytes that repeat nowhere soon, from a seed.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count + 8) { buffer, initialized in
        var state = seed | 1
        let memory = UnsafeMutableRawBufferPointer(buffer)
        for offset in stride(from: 0, to: count, by: 8) {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            memory.storeBytes(of: state, toByteOffset: offset, as: UInt64.self)
        }
        initialized = count
    }
}
