internal import CLinux
internal import Glibc
public import JobCore
package import JobStorage
public import JobWire
public import Logging
internal import ZeroMQ

/// The whole runner: assembles the threads, runs until it is told to stop, and ends with everything
/// written down.
///
/// `run` is for a program that is nothing but a runner, `start` for one that has one within it.
///
/// A trap in a kernel ends the process that it runs in, and with it the program around the runner.
/// The program `millrace serve` therefore runs this under a supervisor that starts it again; who
/// embeds a runner needs something like it, or `kernelProcesses` in the settings.
public struct Runner: Sendable {
    let settings: Settings
    private(set) var kernels: KernelRegistry
    let log: Logger
    /// A test program may hand in another store than the one that keeps its promises.
    package var openStore: StoreOpening = { path, limits throws(StoreError) in
        try JobStore(path: path, limits: limits)
    }

    /// Paths that are not absolute begin as `Settings` says, at the present working directory.
    public init(
        _ settings: Settings,
        kernels: KernelRegistry = .standard,
        log: Logger = Logger(label: "millrace")
    ) {
        let home = getenv("HOME").map { String(cString: $0) } ?? ""
        self.settings = settings.placed(home: home, in: workingDirectory())
        self.kernels = kernels
        self.log = log
    }

    /// Adds a kernel of one's own, before the start.
    public mutating func register(_ kernel: some Kernel) throws(KernelRegistry.RegistrationError) {
        try kernels.register(kernel)
    }

    /// What jobs may name in a runner with these settings and kernels.
    public static func catalog(
        of settings: Settings,
        kernels: KernelRegistry = .standard
    ) -> Catalog {
        Catalog(
            limits: settings.limits,
            kernels: Set(kernels.names),
            externalKernels: Set(settings.externalKernels),
            databases: settings.databases.mapValues { $0.allowsWriting ? .write : .read },
            commands: settings.commands
        )
    }

    /// To be called first thing in `main` of a program that runs with `kernel_processes` or with
    /// `commands`, with the kernels of its runner: workers start the program again, as a process
    /// that computes or one that keeps a command, and in it this call never returns.
    public static func computeIfAsked(_ kernels: KernelRegistry = .standard) {
        CommandKeeper.runIfAsked()
        KernelServer.runIfAsked(kernels)
    }

    /// How a runner has ended.
    public enum End: Sendable {
        case stopped
        /// It should be started again, in a new process.
        case startAgain
    }

    /// Runs until a SIGTERM or SIGINT, or a client's `sys.drain`, has stopped it. systemd is told
    /// when jobs are taken, that the runner stops, and that it is alive, where it asks for that.
    ///
    /// Afterwards its threads and processes are gone, and another one may run, with two exceptions:
    /// SIGTERM and SIGINT stay blocked in the calling thread, and a job that did not end when told
    /// to goes on, with its worker. Who finds that in the log should end the process.
    ///
    /// - Parameters:
    ///   - lock: Descriptor of the state directory's lock, when the caller holds it already.
    ///   - ready: Called once jobs are taken, with the endpoints.
    /// - Returns: Whether it was stopped or should be started again.
    /// - Throws: What kept it from starting, or what made the store unfit.
    public func run(lock: CInt? = nil, ready: ([String]) -> Void) throws -> End {
        try run(asGuest: false, lock: lock) { endpoints, _ in ready(endpoints) }
    }

    /// Runs until it is stopped, in a process of its own or in somebody's.
    ///
    /// - Parameters:
    ///   - isGuest: Whether the process belongs to somebody else: then its signals are not the
    ///     runner's, and systemd is not told of it.
    ///   - lock: Descriptor of the state directory's lock, when the caller holds it already.
    ///   - ready: Called once jobs are taken, with the endpoints and with what stops the runner:
    ///     from any thread, and the second time at once.
    /// - Returns: Whether it was stopped or should be started again.
    /// - Throws: As the public one.
    func run(
        asGuest isGuest: Bool,
        lock: CInt?,
        ready: ([String], _ stop: @escaping @Sendable () -> Void) -> Void
    ) throws -> End {
        try check()
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)  // A limit on the size of files is an error of a write.
        raiseDescriptorLimit()
        let oldMask = umask(0o077)  // The sockets' modes follow it.
        let directory = try StateDirectory(settings.stateDirectory)
        let held = try lock ?? directory.lock()
        defer { close(held) }
        try makeDirectories(settings.spoolDirectory)
        CommandRoom.clear(directory.commands, log)
        let assembly: Assembly
        do {
            assembly = try Assembly(self, directory, isGuest: isGuest)
        } catch let error as StoreError where error.isFinal {
            throw RunnerError.unfitStore(error.summary, hint: error.hint)
        } catch let error as StoreError {
            throw RunnerError.storeNotReady(error.summary, hint: error.hint)
        }
        let systemd = isGuest ? nil : Systemd(log)
        let end = try work(assembly, systemd, mask: oldMask) { endpoints in
            LockNote.setAtWork(true, in: held)
            systemd?.sayReady(endpoints)
            ready(endpoints, assembly.stop)
        }
        if case .stopped = end { LockNote.setAtWork(false, in: held) }
        return end
    }

    /// What can be told before anything is touched.
    private func check() throws {
        let problems = settings.problems() + settings.problems(beside: kernels)
        guard problems.isEmpty else { throw SettingsError(problems: problems) }
        let needsProcesses = settings.kernelProcesses || !settings.commands.isEmpty
        guard KernelServer.isReady || !needsProcesses else { throw RunnerError.noProcesses }
    }

    /// From the doors to the end, with this umask once the sockets are there.
    private func work(
        _ assembly: Assembly,
        _ systemd: Systemd?,
        mask: mode_t,
        ready: ([String]) -> Void
    ) throws -> End {
        defer { assembly.end() }
        var endpoints: [String] = []
        let doors = try assembly.openDoors(&endpoints)
        umask(mask)
        return try assembly.run(doors, systemd) { ready(endpoints) }
    }
}

extension Settings {
    /// What does not go together with the kernels of a runner.
    func problems(beside kernels: KernelRegistry) -> [String] {
        externalKernels.filter { kernels[$0] != nil }
            .map { "external_kernels: there is a kernel \($0) already, which needs no workers." }
    }
}

private func workingDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "." }
    defer { free(path) }
    return String(cString: path)
}

/// Every client is a descriptor, and the usual soft limit of 1024 is there for select(2), which
/// nothing here uses.
private func raiseDescriptorLimit() {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(resource, &limit)
}
