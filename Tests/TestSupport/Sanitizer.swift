import CPosix

/// What `make sanitize` builds the tests with, and the programs that they start.
public enum Sanitizer: Sendable {
    case address, thread

    /// nil in an ordinary build.
    public static let current: Sanitizer? = {
        let program = dlopen(nil, RTLD_NOW)
        if dlsym(program, "__asan_init") != nil { return .address }
        return dlsym(program, "__tsan_init") != nil ? .thread : nil
    }()

    /// How many times as long as in an ordinary build a wait may take before it has failed: the program, its peer and the tests' own code are all slower.
    public static let slowness: Double = current == nil ? 1 : 6

    /// The exit status of a program in which a sanitizer has found something, as `Tests/sanitize` sets it: none of wsline's own.
    static let foundSomething: Int32 = 66

    /// The variables that say how a sanitizer reports, and the one that keeps Swift's crash reporter from asking a terminal's user what to do.
    static let environment: [String: String] = {
        var variables = ["SWIFT_BACKTRACE": "enable=no"]
        for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] {
            if let value = getenv(name) { variables[name] = String(cString: value) }
        }
        return variables
    }()

    /// Throws if a sanitizer has ended the program with a report.
    static func check(_ process: pid_t, status: Int32) throws {
        guard current != nil, status == foundSomething else { return }
        throw TestFailure("the sanitizer has found something, see the report of process \(process)")
    }
}
