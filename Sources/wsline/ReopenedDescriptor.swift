#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Opens the pipe or terminal behind `descriptor` anew, as non-blocking: the description is ours alone, so that others who share the old one
/// aren't changed. Linux gives one through /proc; elsewhere there is none.
///
/// - Parameter mode: `O_RDONLY` or `O_WRONLY`.
func reopenNonBlocking(_ descriptor: Int32, _ mode: Int32) -> Int32? {
    #if os(Linux)
        let fresh = open("/proc/self/fd/\(descriptor)", mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard fresh >= 0 else { return nil }
        // F_SETPIPE_SZ, which Swift can't import: with the usual 64 KiB both ends would wait for each other much of the time. Where it can't be,
        // or it's no pipe, all stays as it is.
        _ = fcntl(fresh, 1031, 256 << 10)
        return fresh
    #else
        return nil
    #endif
}
