internal import Foundation
public import Glibc

/// The built program, running as users run it: a supervisor and its child, in a state directory of
/// their own, on a port and a socket of their own.
public final class RunnerProcess {
    public struct Options {
        /// Beside the test bundle.
        public var program = "millrace"
        public var workers = 2
        public var supervised = true
        /// A program and its arguments that run the runner, such as strace.
        public var wrapper: [String] = []
        /// Names and paths, as `--database` takes them. `@/`, here and in the wrapper's arguments,
        /// is the runner's temporary directory.
        public var databases: [String] = []
        /// Settings by the names of their variables, without `MILLRACE_`.
        public var settings: [String: String] = [:]
        /// Further variables of the runner's environment.
        public var environment: [String: String] = [:]
        /// Folder of the temporary directory in which state and jobs directory lie, such as the
        /// place of another disk: "" or "/disk".
        public var home = ""
        /// A file to begin with as the store.
        public var store: String?

        public init() {}
    }

    public let directory: TemporaryDirectory
    /// A change shows with the next start.
    public var options: Options
    public let port: UInt16
    public private(set) var process: ChildProcess

    public var home: String { directory.path + options.home }
    public var state: String { home + "/state" }
    public var spool: String { home + "/jobs" }
    public var tcp: String { "tcp://127.0.0.1:\(port)" }
    public var ipc: String { "ipc://\(state)/run/millrace.sock" }

    /// Starts it, in a directory of its own if none is given, and waits until it takes jobs.
    public init(_ options: Options = Options(), in directory: TemporaryDirectory? = nil) throws {
        self.options = options
        self.directory = try directory ?? TemporaryDirectory()
        let directory = self.directory
        port = try Loopback.freePort()
        if let store = options.store {
            let state = directory.path + options.home + "/state"
            try FileManager.default.createDirectory(
                atPath: state,
                withIntermediateDirectories: true
            )
            try FileManager.default.copyItem(atPath: store, toPath: state + "/millrace.db")
        }
        process = try Self.start(options, in: directory, port: port)
        try waitUntilReady()
    }

    deinit {
        for child in process.children { kill(child, SIGKILL) }
    }

    /// Starts it again on the same state, after it has ended; otherwise than before, if told so.
    public func restart(_ options: Options? = nil) throws {
        self.options = options ?? self.options
        process = try Self.start(self.options, in: directory, port: port)
        try waitUntilReady()
    }

    /// Starts it again where it may not come so far.
    ///
    /// - Returns: False when it ended before it took jobs.
    public func tryToRestart() throws -> Bool {
        process = try Self.start(options, in: directory, port: port)
        return try eventually("the runner is ready, or ends") {
            if readyCount > 0 { return true }
            return process.hasEnded ? false : nil
        }
    }

    /// A second one on the same state. It is not waited for.
    public func rival() throws -> ChildProcess {
        try Self.start(options, in: directory, port: try Loopback.freePort())
    }

    private static func start(
        _ options: Options,
        in directory: TemporaryDirectory,
        port: UInt16
    ) throws -> ChildProcess {
        let path = directory.path
        let home = path + options.home
        var arguments = ["serve", "--state", home + "/state", "--spool", home + "/jobs"]
        arguments += ["--listen", "ipc://\(home)/state/run/millrace.sock"]
        arguments += ["--listen", "tcp://127.0.0.1:\(port)", "--workers", "\(options.workers)"]
        if !options.supervised { arguments.append("--no-supervise") }
        for database in options.databases { arguments += ["--database", database] }
        var environment = Self.environment
        // Hundreds of tests keep all cores busy: nicer workers would hardly get one.
        environment["MILLRACE_NICE"] = "5"
        for (name, value) in options.settings { environment["MILLRACE_" + name] = value }
        environment.merge(options.environment) { $1 }
        let words = (options.wrapper + [built(options.program)] + arguments).map {
            $0.replacingOccurrences(of: "@/", with: path + "/")
        }
        return try ChildProcess(
            words[0],
            Array(words.dropFirst()),
            environment: environment,
            directory: path
        )
    }

    /// Ours, without what is meant for a runner of the user's.
    public static var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("MILLRACE_") }
    }

    /// Path of a program that was built together with the tests.
    public static func built(_ program: String) -> String {
        let ours =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let beside = URL(filePath: ours).deletingLastPathComponent().appending(path: program).path()
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        return CommandLine.arguments[0].split(separator: "/").dropLast().reduce("") {
            $0 + "/" + $1
        }
            + "/" + program
    }

    // MARK: Events

    /// Lines that said "ready" since the last start or `restart`.
    public var readyCount: Int {
        process.output.split(separator: "\n").count { $0.hasPrefix("millrace takes jobs at ") }
    }

    /// Waits until it has said so often that it takes jobs; more than once after a crash.
    public func waitUntilReady(times: Int = 1) throws {
        try eventually("the runner is ready: \(process.output)\(process.errors)") { () -> Void? in
            readyCount >= times ? () : nil
        }
    }

    /// The process that does the work: the child of a supervisor or wrapper, or the only one.
    public func worker() throws -> pid_t {
        guard options.supervised || !options.wrapper.isEmpty else { return process.pid }
        return try eventually("the supervisor has a child") { process.children.first }
    }

    /// Waits until the process is gone that `worker` named.
    public func waitForEnd(of pid: pid_t) throws {
        try eventually("process \(pid) ends") { () -> Void? in isAlive(pid) ? nil : () }
    }

    /// Kills supervisor and runner, with no chance to do anything.
    public func killAll() throws {
        let worker = try worker()
        process.signal(SIGKILL)
        // What traces it does not take it along, as its supervisor does.
        if !options.supervised { kill(worker, SIGKILL) }
        try process.waitForEnd()
        try waitForEnd(of: worker)
    }
}

/// Whether a process has threads. One that nobody has waited for yet has none: an orphan may be
/// left so for a while, and holds nothing.
public func isAlive(_ process: pid_t) -> Bool {
    guard kill(process, 0) == 0 else { return false }
    let stat = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    // The letter after the name, which stands in parentheses and may hold anything.
    let isZombie = stat.split(separator: ")").last?.hasPrefix(" Z") ?? true
    let threads = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")
    return !isZombie || (threads?.count ?? 0) > 1
}

/// Processes that any thread of a process has started and that live. Each is listed with the thread
/// that started it.
public func children(of process: pid_t) throws -> [pid_t] {
    let threads = "/proc/\(process)/task"
    return try FileManager.default.contentsOfDirectory(atPath: threads).flatMap { thread in
        let path = "\(threads)/\(thread)/children"
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: " ").compactMap { pid_t($0) }
    }
}

/// Memory of a process that is really there, from proc(5).
public func residentKilobytes(of process: pid_t) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    guard let size = line?.split(separator: " ").compactMap({ Int($0) }).first else {
        throw NeverHappened("process \(process) tells its memory")
    }
    return size
}

/// Time that a process has kept processors busy so far, from proc(5).
public func processorTime(of process: pid_t) throws -> Duration {
    let stat = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
    let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
    // The 14th and 15th of all fields, in ticks; the name was the second.
    guard fields.count > 12, let own = Int(fields[11]), let kernel = Int(fields[12]) else {
        throw NeverHappened("process \(process) tells its time")
    }
    return .milliseconds((own + kernel) * 1_000 / sysconf(CInt(_SC_CLK_TCK)))
}
