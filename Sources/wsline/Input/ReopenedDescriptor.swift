import CPosix

/// Opens the pipe or terminal that `descriptor` stands for anew, as non-blocking: the description is ours alone, so that others who share the
/// old one aren't changed. Linux offers that through /proc; elsewhere there is no way, and it returns nil.
///
/// - Parameter mode: `O_RDONLY` or `O_WRONLY`.
func reopenNonBlocking(_ descriptor: Int32, _ mode: Int32) -> Int32? {
    #if os(Linux)
        let fresh = open("/proc/self/fd/\(descriptor)", mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard fresh >= 0 else { return nil }
        enlargePipe(fresh)
        return fresh
    #else
        return nil
    #endif
}

/// Makes room for more in a pipe: with the usual 64 KiB both ends would wait for each other much of the time.
///
/// One that is larger already stays as it is; so does one that may not grow, and whatever isn't a pipe.
func enlargePipe(_ descriptor: Int32) {
    #if os(Linux)
        // Swift can't import the names.
        let (setPipeSize, getPipeSize) = (Int32(1031), Int32(1032))
        let size = Int32(256 << 10)
        if case 0..<size = fcntl(descriptor, getPipeSize) { _ = fcntl(descriptor, setPipeSize, size) }
    #endif
}
