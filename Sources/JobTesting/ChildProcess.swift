internal import Foundation
public import Glibc

/// A program that a test has started, with its output in two files. It is killed when nobody holds
/// it any more.
public final class ChildProcess {
    public let pid: pid_t
    private let outputPath: String
    private let errorsPath: String
    private var end: Int32?

    /// `program` is a path, `environment` all of it and not only what differs from ours; the output
    /// is kept in `directory`.
    public init(
        _ program: String,
        _ arguments: [String],
        environment: [String: String],
        directory: String
    ) throws {
        let name = "\(directory)/\(UInt32.random(in: 0...(.max)))"
        (outputPath, errorsPath) = (name + ".out", name + ".err")
        pid = try spawn(
            program,
            arguments,
            environment.map { "\($0.key)=\($0.value)" },
            outputs: [outputPath, errorsPath]
        )
    }

    deinit {
        guard end == nil else { return }
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    /// What it has said so far.
    public var output: String { text(outputPath) }
    public var errors: String { text(errorsPath) }

    private func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    /// Does nothing when it has ended.
    public func signal(_ signal: CInt) {
        if end == nil { kill(pid, signal) }
    }

    /// Waits for its end.
    ///
    /// - Returns: Its exit code, or 128 and the signal that ended it.
    @discardableResult
    public func waitForEnd(within limit: Duration = patience) throws -> Int32 {
        if let end { return end }
        let found = try eventually("process \(pid) ends", within: limit) {
            var raw: CInt = 0
            return waitpid(pid, &raw, WNOHANG) == pid ? raw : nil
        }
        let code = found & 0x7F == 0 ? found >> 8 & 0xFF : 128 + found & 0x7F
        end = code
        return code
    }

    public var hasEnded: Bool { (try? waitForEnd(within: .zero)) != nil }

    /// Processes that it has started and that live, oldest first.
    public var children: [pid_t] {
        text("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap { pid_t($0) }
    }
}

private func spawn(
    _ program: String,
    _ arguments: [String],
    _ environment: [String],
    outputs: [String]
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for (place, path) in outputs.enumerated() {
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, CInt(place + 1), path, flags, 0o600)
    }
    // A group of its own: a Ctrl-C in the terminal is for the tests.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))

    let words = ([program] + arguments).map { strdup($0) }
    let variables = environment.map { strdup($0) }
    defer { (words + variables).forEach { free($0) } }
    var pid = pid_t()
    let failed = posix_spawn(&pid, program, &actions, &attributes, words + [nil], variables + [nil])
    guard failed == 0 else {
        throw NeverHappened("\(program) starts: \(String(cString: strerror(failed)))")
    }
    return pid
}
