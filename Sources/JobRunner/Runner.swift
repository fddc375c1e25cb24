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
/// A trap in a kernel ends the process that it runs in. The program `millrace serve` therefore runs
/// this under a supervisor that starts it again; who embeds a runner needs something like it.
public struct Runner {
    let settings: Settings
    private(set) var kernels: KernelRegistry
    let log: Logger
    /// A test program may hand in another store than the one that keeps its promises.
    package var openStore: StoreOpening = { path, limits throws(StoreError) in
        try JobStore(path: path, limits: limits)
    }

    public init(_ settings: Settings, kernels: KernelRegistry = .standard, log: Logger) {
        self.settings = settings
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
            databases: settings.databases.mapValues { $0.allowsWriting ? .write : .read }
        )
    }

    /// To be called first thing in `main` of a program that runs with `kernel_processes`, with the
    /// kernels of its runner: each worker starts the program again as a process that computes, and
    /// in it this call never returns.
    public static func computeIfAsked(_ kernels: KernelRegistry = .standard) {
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
        guard !settings.kernelProcesses || KernelServer.isReady else {
            throw RunnerError.noKernelProcesses
        }
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)  // A limit on the size of files is an error of a write.
        raiseDescriptorLimit()
        let oldMask = umask(0o077)  // The sockets' modes follow it.
        let directory = try StateDirectory(settings.stateDirectory)
        let held = try lock ?? directory.lock()
        defer { close(held) }
        try makeDirectories(settings.spoolDirectory)
        let assembly: Assembly
        do {
            assembly = try Assembly(self, directory)
        } catch let error as StoreError where error.isFinal {
            throw RunnerError.unfitStore(error.summary, hint: error.hint)
        } catch let error as StoreError {
            throw RunnerError.storeNotReady(error.summary, hint: error.hint)
        }
        let end = try work(assembly, mask: oldMask) { endpoints, systemd in
            LockNote.setAtWork(true, in: held)
            systemd?.sayReady(endpoints)
            ready(endpoints)
        }
        if case .stopped = end { LockNote.setAtWork(false, in: held) }
        return end
    }

    /// From the doors to the end, with this umask once the sockets are there.
    private func work(
        _ assembly: Assembly,
        mask: mode_t,
        ready: ([String], Systemd?) -> Void
    ) throws -> End {
        defer { assembly.end() }
        var endpoints: [String] = []
        let doors = try assembly.openDoors(&endpoints)
        umask(mask)
        let systemd = Systemd(log)
        return try assembly.run(doors, systemd) { ready(endpoints, systemd) }
    }
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
