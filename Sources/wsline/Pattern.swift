import CPCRE2
import CPosix
import Synchronization

/// A regular expression in PCRE2's dialect, to be found in UTF-8.
///
/// A search allocates nothing, and is bounded: half a second of processor time, 16 MiB. PCRE2's own match limit bounds neither, since it counts anew at
/// each start in the subject, and not what a single repeat runs over; so the pattern is compiled with a callout before each of its items, which
/// checks the time.
///
/// Searches share their memory, one at a time.
final class Pattern: Sendable {
    enum Outcome {
        case found, notFound
        /// The search took too much time or memory, and was given up.
        case limit
    }

    /// Why a text is not a pattern: what is wrong, and where.
    struct SyntaxError: Error { let description: String }

    /// As it was given.
    let text: String
    private let engine: Mutex<Engine>

    private static let maximumMemory = 16 << 20

    init(_ text: String) throws(SyntaxError) {
        var error: Int32 = 0
        var offset = 0
        // PCRE2_UCP lets \w, \d, \s, \b and the POSIX classes know Unicode; \C would find bytes, and parts of characters.
        let options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT
        guard let code = pcre2_compile_8(text, text.utf8.count, options, &error, &offset, nil) else {
            throw SyntaxError(error, at: offset, in: text)
        }
        self.text = text
        engine = Mutex(Engine(code, maximumMemory: Self.maximumMemory))
    }

    /// Looks for the pattern.
    ///
    /// - Parameter text: UTF-8, and known to be valid.
    func search(_ text: RawSpan) -> Outcome { engine.withLock { $0.search(text) } }

    /// What there is to say of an option's search that was given up.
    func exhausted(_ option: String, on byteCount: Int) -> String {
        "\(option) \(text.quoted) takes too much time or memory on a message of \(counted(byteCount, "byte")): "
            + "give a pattern that backtracks less"
    }
}

/// A compiled pattern, and what its searches work with.
private struct Engine: ~Copyable {
    private let code: OpaquePointer
    private let match: OpaquePointer
    private let context: OpaquePointer
    /// The compiled code's memory beyond the 32 KiB that it takes of the thread's stack; nil if the pattern is interpreted.
    private let stack: OpaquePointer?
    private let watch: UnsafeMutablePointer<Watch>

    init(_ code: OpaquePointer, maximumMemory: Int) {
        guard let match = pcre2_match_data_create_8(1, nil), let context = pcre2_match_context_create_8(nil) else {
            fatalError("out of memory: a regular expression")
        }
        self.code = code
        self.match = match
        self.context = context
        // If the system forbids memory that is written and then run, the pattern is interpreted.
        stack = pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE) == 0 ? pcre2_jit_stack_create_8(32 << 10, maximumMemory, nil) : nil
        pcre2_jit_stack_assign_8(context, nil, stack.map { UnsafeMutableRawPointer($0) })
        pcre2_set_heap_limit_8(context, UInt32(maximumMemory >> 10))
        pcre2_set_match_limit_8(context, Self.maximumSteps)
        pcre2_set_depth_limit_8(context, Self.maximumSteps)
        watch = .allocate(capacity: 1)
        watch.initialize(to: Watch())
        pcre2_set_callout_8(context, { Watch.look($0, $1) }, watch)
    }

    /// What PCRE2 counts for itself, at each start anew.
    private static let maximumSteps: UInt32 = 10_000_000

    deinit {
        pcre2_jit_stack_free_8(stack)
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(match)
        pcre2_code_free_8(code)
        watch.deallocate()
    }

    func search(_ text: RawSpan) -> Pattern.Outcome {
        watch.pointee = Watch()
        let result = text.withUnsafeBytes { bytes in
            // A PCRE2 before 10.40 takes no null pointer for an empty text.
            let start = bytes.baseAddress ?? UnsafeRawPointer(watch)
            return pcre2_match_8(code, start.assumingMemoryBound(to: UInt8.self), bytes.count, 0, PCRE2_NO_UTF_CHECK, match, context)
        }
        // 0 is a match with more groups than there is room for, which nobody asks for.
        return result >= 0 ? .found : result == PCRE2_ERROR_NOMATCH ? .notFound : .limit
    }
}

extension Pattern.SyntaxError {
    fileprivate init(_ error: Int32, at offset: Int, in pattern: String) {
        var message = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(error, &message, message.count)
        let characters = String(decoding: pattern.utf8.prefix(offset), as: UTF8.self).count
        description = "\(String(decoding: message.prefix(max(Int(length), 0)), as: UTF8.self)) (at character \(characters + 1))"
    }
}

/// Keeps the time of one search.
private struct Watch {
    /// Nanoseconds of this thread's processor time, so that no other process's load counts; nil before the first look, which short searches end before.
    private var deadline: UInt64?
    private var position = 0
    private var steps = 0

    /// Nanoseconds.
    private static let patience: UInt64 = 500_000_000
    /// A step is an item of the pattern, or a few bytes that one has run over. Looking at the time takes as long as ten items.
    private static let stepsBetweenLooks = 256

    /// A callout of PCRE2: returns 0 to go on.
    static func look(_ block: UnsafeMutablePointer<pcre2_callout_block_8>?, _ watch: UnsafeMutableRawPointer?) -> Int32 {
        guard let block, let watch = watch?.assumingMemoryBound(to: Watch.self) else { return PCRE2_ERROR_CALLOUT }
        return watch.pointee.advance(to: block.pointee.current_position) ? 0 : PCRE2_ERROR_CALLOUT
    }

    @inline(__always)
    private mutating func advance(to newPosition: Int) -> Bool {
        steps &+= 1 &+ abs(newPosition &- position) >> 4
        position = newPosition
        return steps < Self.stepsBetweenLooks || hasTime()
    }

    private mutating func hasTime() -> Bool {
        steps = 0
        let now = Self.processorTime
        if deadline == nil { deadline = now &+ Self.patience }
        return now < deadline ?? now
    }

    private static var processorTime: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
