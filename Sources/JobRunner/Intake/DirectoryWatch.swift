internal import Glibc

/// Tells what was put into a directory (inotify). A hint only: events may be lost, and the
/// directory itself is the truth.
final class DirectoryWatch: Sendable {
    /// Readable when there are events.
    let descriptor: CInt

    struct Events {
        var arrivals: [(name: String, arrival: Arrival)] = []
        /// Events were lost.
        var overflowed = false
    }

    init(path: String) throws(SpoolError) {
        descriptor = inotify_init1(CInt(IN_NONBLOCK) | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .system(call: "inotify_init1", path: path, code: errno)
        }
        try follow(path)
    }

    /// Watches the directory that is in this place now; changes nothing when it is the same one.
    func follow(_ path: String) throws(SpoolError) {
        let wanted =
            UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE) | UInt32(IN_ONLYDIR)
            | UInt32(IN_DONT_FOLLOW)
        guard inotify_add_watch(descriptor, path, wanted) >= 0 else {
            throw .system(call: "inotify_add_watch", path: path, code: errno)
        }
    }

    deinit { close(descriptor) }

    /// All events so far, without waiting.
    func events() -> Events {
        var found = Events()
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return found }
            buffer.withUnsafeBytes { found.add($0[..<count]) }
        }
    }
}

extension DirectoryWatch.Events {
    /// Source: inotify(7): a head of four 32-bit words (watch, mask, cookie, length), then the
    /// name, padded with zero bytes.
    fileprivate mutating func add(_ bytes: Slice<UnsafeRawBufferPointer>) {
        let head = 16
        var rest = UnsafeRawBufferPointer(rebasing: bytes)
        while rest.count >= head {
            let mask = rest.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            let length = Int(rest.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            guard rest.count >= head + length else { return }
            let name = rest[head..<head + length].prefix { $0 != 0 }
            if mask & UInt32(IN_Q_OVERFLOW) != 0 {
                overflowed = true
            } else if mask & UInt32(IN_ISDIR) == 0, !name.isEmpty,
                let name = String(validating: name, as: UTF8.self)
            {
                arrivals.append((name, mask & UInt32(IN_MOVED_TO) != 0 ? .movedIn : .closed))
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[(head + length)...])
        }
    }
}
