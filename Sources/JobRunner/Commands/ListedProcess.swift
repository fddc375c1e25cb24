internal import Glibc

/// A process as the kernel lists it, see proc(5).
struct ListedProcess: Equatable {
    let id: pid_t
    let session: pid_t
    /// When it was started, in clock ticks since the machine was.
    let startTicks: UInt64
    /// True when it only waits for its parent to look.
    let isZombie: Bool

    init?(_ id: pid_t) {
        guard let text = contents(of: "/proc/\(id)/stat"),
            // The name before it may hold anything, also parentheses.
            let start = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: start)...].split(separator: " ")
        // The third of all fields, the state, is the first of these.
        guard fields.count > 19, let session = pid_t(fields[3]), let ticks = UInt64(fields[19])
        else { return nil }
        self.id = id
        self.session = session
        startTicks = ticks
        isZombie = fields[0] == "Z"
    }

    /// All that this process may see.
    static var all: [ListedProcess] {
        guard let stream = opendir("/proc") else { return [] }
        defer { closedir(stream) }
        var found: [ListedProcess] = []
        while let entry = readdir(stream) {
            let id = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) {
                    pid_t(String(cString: $0))
                }
            }
            if let process = id.flatMap(ListedProcess.init) { found.append(process) }
        }
        return found
    }

    /// The children of the calling thread; nil when the kernel does not tell.
    static var ownChildren: [pid_t]? {
        contents(of: "/proc/thread-self/children")?.split(separator: " ").compactMap { pid_t($0) }
    }

    /// A word that is another one after each start of the machine; nil when the kernel does not
    /// tell.
    static var boot: String? {
        contents(of: "/proc/sys/kernel/random/boot_id")?.split(separator: "\n").first
            .map(String.init)
    }
}

private func contents(of path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4_096)
    while true {
        let count = read(file, &piece, piece.count)
        guard count >= 0 else { return nil }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += piece[..<count]
    }
}
