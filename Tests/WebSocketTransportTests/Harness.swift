import CPosix
import Testing

@testable import TestSupport
@testable import WebSocketTransport

/// Waits until `body` calls what it is passed, at once or later; returns the value of that call.
///
/// The call is to be made on the loop, as is the wait: the runtime doesn't report to ThreadSanitizer that a continuation which is resumed before
/// it is awaited orders the two, so of two threads the one would seem to race with the other for the value.
@EventLoop
func callback<Value: Sendable>(_ body: (_ resume: @escaping (Value) -> Void) -> Void) async -> Value {
    await withCheckedContinuation { continuation in body { continuation.resume(returning: $0) } }
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
        await callback { resume in
            var transcript = Transcript()
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
            let finish = { [self] in
                pauseReading()
                onReadable = nil
                buffer.deallocate()
                resume(transcript)
            }
            onReadable = { [self] in
                while true {
                    switch read(into: buffer) {
                    case .bytes(let count): transcript.bytes += buffer[..<count]
                    case .wouldBlock: return
                    case let ending:
                        transcript.ending = ending
                        return finish()
                    }
                    if transcript.bytes.count >= count { return finish() }
                }
            }
            resumeReading()
        }
    }

    /// Writes all of it, waiting for room; the outcome's error if it fails.
    @discardableResult
    func send(_ bytes: [UInt8]) async -> TransportError? {
        await callback { resume in
            var sent = 0
            let step = { [self] in
                while sent < bytes.count {
                    switch bytes.withUnsafeBytes({ write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }) {
                    case .bytes(let count): sent += count
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

@EventLoop
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

    isolated deinit { memory.deallocate() }
}

/// A mutable value that tasks share.
@EventLoop
final class Box<Value> {
    var value: Value

    init(_ value: Value) { self.value = value }
}

/// A non-blocking pipe, each of whose ends is closed once.
final class Pipe {
    private(set) var reader: Int32 = -1
    private(set) var writer: Int32 = -1

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        (reader, writer) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        ignoreBrokenPipeSignal
    }

    deinit {
        closeReader()
        if writer >= 0 { close(writer) }
    }

    func closeReader() {
        if reader >= 0 { close(reader) }
        reader = -1
    }

    func put(_ byte: UInt8) { _ = [byte].withUnsafeBytes { write(writer, $0.baseAddress, 1) } }

    func take() -> UInt8? {
        var byte: UInt8 = 0
        return read(reader, &byte, 1) == 1 ? byte : nil
    }

    func fill() {
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        while write(writer, zeros, zeros.count) > 0 {}
    }
}

/// Dials, and waits for the outcome.
@EventLoop
func dial(
    _ target: Target, _ options: DialOptions = DialOptions(), onProgress: @escaping @EventLoop @Sendable (DialEvent) -> Void = { _ in }
) async -> Result<DialedStream, TransportError> {
    var patient = options
    if options.connectTimeout == DialOptions().connectTimeout { patient.connectTimeout = 10 * Sanitizer.slowness }
    return await callback { _ = Dialer(to: target, options: patient, onProgress: onProgress, completion: $0) }
}

extension Result where Failure == TransportError {
    var error: TransportError? {
        if case .failure(let error) = self { error } else { nil }
    }
}

/// A listener on the loopback addresses, whose connections and refusals come as a sequence.
@EventLoop
final class TestListener {
    let listener: Listener
    let port: UInt16
    let events: AsyncStream<Listener.Event>

    init(on target: ListenTarget = .loopback(port: 0), tls: TLSContext? = nil, handshakeTimeout: Double = 10 * Sanitizer.slowness) throws {
        var options = Listener.Options()
        options.tls = tls
        options.handshakeTimeout = handshakeTimeout
        let (events, continuation) = AsyncStream.makeStream(of: Listener.Event.self)
        self.events = events
        listener = try Listener(on: target, options: options) { continuation.yield($0) }
        port = listener.addresses.first?.port ?? 0
    }

    func close() { listener.close() }

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
@EventLoop
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

/// Bytes that repeat nowhere soon, from a seed. Made off the loop, which other tests need meanwhile.
@concurrent func noise(_ count: Int, seed: UInt64 = 1) async -> [UInt8] {
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

/// Whether these are the same; compared off the loop, as they may be many.
@concurrent func areSame(_ one: [UInt8], _ other: [UInt8]) async -> Bool { one == other }
