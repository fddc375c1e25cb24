internal import Glibc

/// A runner of the bench's own: this program once more, as people start it, with its supervisor.
final class BenchProcess {
    let pid: pid_t
    let ipc: String
    let tcp: String
    /// When it was started, by `nanoseconds()`.
    let startedAt: UInt64
    private let state: String
    private var hasEnded = false

    /// Starts it, on a state directory that is new or of an earlier one, until it takes jobs.
    init(state: String, databases: [String], stop: StopSignals) throws {
        self.state = state
        ipc = "ipc://\(state)/run/millrace.sock"
        tcp = "tcp://127.0.0.1:\(try freePort())"
        let arguments =
            ["millrace", "serve", "--state", state, "--spool", state + "/jobs"]
            + ["--listen", ipc, "--listen", tcp]
            + databases.flatMap { ["--database", $0] }
        let variables = Environment.variables.filter { !$0.key.hasPrefix("MILLRACE_") }
            .merging(Self.settings) { $1 }
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
            throw BenchError.system(action: "make a pipe", reason: String(cString: strerror(errno)))
        }
        defer { close(ends[0]) }
        startedAt = nanoseconds()
        do {
            defer { close(ends[1]) }
            let log = state + ".log"
            pid = try spawnSelf(arguments, variables, output: ends[1], log: log)
        }
        do {
            try waitUntilReady(ends[0], stop)
        } catch {
            end()
            throw error
        }
    }

    deinit { end() }

    /// What a bench needs beside the defaults.
    private static let settings = [
        // Row K has ten million waiting in one queue alone.
        "MILLRACE_LIMITS_WAITING_JOBS": "1000000000",
        // What is still running when a row has ended is of no use.
        "MILLRACE_DRAIN_MS": "0",
    ]

    static var settingsText: [String] {
        settings.map { "\($0.key.dropFirst("MILLRACE_".count).lowercased())=\($0.value)" }.sorted()
    }

    /// The process and those that it has started.
    var processes: [pid_t] {
        let children = ProcessFiles.text("/proc/\(pid)/task/\(pid)/children")
        return [pid] + children.split(separator: " ").compactMap { pid_t($0) }
    }

    /// Has it stop, and waits for that: what it was told is in its state directory then.
    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        kill(pid, SIGTERM)
        var raw: CInt = 0
        while waitpid(pid, &raw, 0) < 0 && errno == EINTR {}
    }

    private func waitUntilReady(_ output: CInt, _ stop: StopSignals) throws {
        let start = nanoseconds()
        while nanoseconds() - start < 600_000_000_000 {
            try stop.check()
            var item = pollfd(fd: output, events: CShort(POLLIN), revents: 0)
            guard poll(&item, 1, 200) > 0 else { continue }
            // Its one line says that it takes jobs; an end without one, that it never will.
            var byte: UInt8 = 0
            if read(output, &byte, 1) == 1 { return }
            break
        }
        let words = ProcessFiles.text(state + ".log").split(separator: "\n").suffix(3)
        throw BenchError.noStart(log: words.joined(separator: " "))
    }
}

/// Starts this program once more, in a process group of its own: a Ctrl-C is for the bench, which
/// then ends it.
private func spawnSelf(
    _ arguments: [String],
    _ variables: [String: String],
    output: CInt,
    log: String
) throws(BenchError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var blocked = sigset_t()
    sigemptyset(&blocked)
    posix_spawnattr_setsigmask(&attributes, &blocked)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes,
        Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK)
    )
    let words = arguments.map { strdup($0) }
    let environment = variables.map { strdup("\($0.key)=\($0.value)") }
    defer { (words + environment).forEach { free($0) } }
    var child = pid_t()
    let program = "/proc/self/exe"
    let failed = posix_spawn(
        &child,
        program,
        &actions,
        &attributes,
        words + [nil],
        environment + [nil]
    )
    guard failed == 0 else {
        throw .system(action: "start a runner", reason: String(cString: strerror(failed)))
    }
    return child
}

/// A port of the loopback address that was free a moment ago.
func freePort() throws(BenchError) -> UInt16 {
    let probe = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    defer { close(probe) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(probe, address, size) != 0 || getsockname(probe, address, &size) != 0
        }
    }
    guard !failed else {
        throw .system(action: "find a free port", reason: String(cString: strerror(errno)))
    }
    return UInt16(bigEndian: address.sin_port)
}
