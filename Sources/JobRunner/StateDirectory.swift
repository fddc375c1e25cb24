internal import CLinux
internal import Glibc
public import JobCore

/// The runner's own directory: store, lock, socket and in-flight ledger. Nobody else's business:
/// 0700.
struct StateDirectory {
    let path: String

    var store: String { path + "/millrace.db" }
    var ledger: String { path + "/run/inflight" }
    /// Where each attempt of a command has a directory of its own.
    var commands: String { path + "/run/commands" }
    private var lockPath: String { path + "/run/lock" }

    /// Makes what is missing.
    init(_ path: String) throws(SystemError) {
        self.path = path
        try makeDirectories(path)
        try makeDirectory(path + "/run")
        // It may have been made by somebody else, with other habits.
        guard chmod(path, 0o700) == 0 else { throw .last("protect \(path)") }
    }

    /// Takes the lock that keeps a second runner away, before anything else is touched. It is held
    /// until the last process that has the descriptor is gone.
    func lock() throws -> CInt {
        let file = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw SystemError.last("open \(lockPath)") }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let isHeld = errno == EWOULDBLOCK
            let error = SystemError.last("lock \(lockPath)")
            close(file)
            throw isHeld ? RunnerError.alreadyRunning(path) : error
        }
        return file
    }
}

/// Makes a directory and those it lies in, where they are missing.
func makeDirectories(_ path: String) throws(SystemError) {
    var current = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
        current += "/" + part
        try makeDirectory(current)
    }
}

private func makeDirectory(_ path: String) throws(SystemError) {
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
        throw .last("make the directory \(path)")
    }
}

/// What supervisor and runner tell each other in the lock's file.
enum LockNote {
    /// Whether the runner is at work: by it the supervisor tells an end that nobody asked for, such
    /// as an `exit` in a kernel, from a stop and from a start that failed.
    static func setAtWork(_ isAtWork: Bool, in lock: CInt) {
        write(isAtWork ? 1 : 0, to: lock, at: 0)
    }

    static func isAtWork(in lock: CInt) -> Bool { read(lock, at: 0) == 1 }

    /// Who started the runner, and ends it by its own end.
    static func setSupervisor(_ process: pid_t, in lock: CInt) { write(process, to: lock, at: 4) }
    static func supervisor(in lock: CInt) -> pid_t { read(lock, at: 4) }

    private static func write(_ value: Int32, to lock: CInt, at place: off_t) {
        var value = value
        _ = pwrite(lock, &value, 4, place)
    }

    private static func read(_ lock: CInt, at place: off_t) -> Int32 {
        var value: Int32 = 0
        _ = pread(lock, &value, 4, place)
        return value
    }
}

/// Why a runner does not start.
public enum RunnerError: Error, Equatable, Sendable {
    /// Another runner has this state directory.
    case alreadyRunning(String)
    /// A socket cannot be had.
    case endpoint(String, reason: String)
    /// The store is damaged, or something else: a sentence, and what to do.
    case unfitStore(String, hint: String?)
    /// The store cannot be opened now: a sentence, and what to do.
    case storeNotReady(String, hint: String?)
    /// The program does not call `Runner.computeIfAsked`.
    case noProcesses
    /// A runner within a program has no ipc endpoint, by which that program could ask it.
    case noSocket
}

extension RunnerError: Explained {
    public var summary: String {
        switch self {
        case .alreadyRunning(let path): "Another runner uses the state directory \(path)."
        case .unfitStore(let sentence, _), .storeNotReady(let sentence, _): sentence
        case .endpoint(let endpoint, let reason): "Cannot listen on \(endpoint): \(reason)."
        case .noProcesses: "This program cannot start itself for kernels and commands."
        case .noSocket: "A runner within a program listens on no ipc endpoint."
        }
    }

    public var hint: String? {
        switch self {
        case .alreadyRunning: "Stop the other runner, or give this one its own --state."
        case .unfitStore(_, let hint), .storeNotReady(_, let hint): hint
        case .noProcesses:
            "Leave out kernel_processes and commands, or call Runner.computeIfAsked in main."
        case .noSocket: "Add one to listen; Settings.embedded(in:) has one."
        case .endpoint:
            "Give another --listen, or events in the settings, or stop the program that has this."
        }
    }
}
