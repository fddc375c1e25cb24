internal import Glibc
public import JobClient
public import JobCore

/// A runner at work within this program, on threads of its own. `Runner.start` makes it.
///
/// Jobs go in and results come out by the socket that other programs use, too: a submission that
/// has returned is on disk, whatever becomes of this process. The runner works until it is stopped,
/// whether somebody holds this object or not.
///
/// A trap in a kernel, such as an index out of range, ends the whole program. The jobs are safe and
/// go on at the next start; the third time, the one that did it is failed as `poisoned`. With
/// `kernelProcesses` in the settings, and `Runner.computeIfAsked` first in `main`, a trap ends a
/// process of its own instead.
public final class EmbeddedRunner: Sendable {
    /// Where other programs can ask it.
    public let endpoints: [String]
    /// Whatever a client can ask or change beyond `submit` and `result`: from any task.
    public let client: AsyncJobClient
    private let life: RunnerLife

    fileprivate init(_ life: RunnerLife, at endpoints: [String]) throws {
        guard let socket = endpoints.first(where: { $0.hasPrefix("ipc://") }) else {
            throw RunnerError.noSocket
        }
        self.life = life
        self.endpoints = endpoints
        client = try AsyncJobClient(endpoint: socket)
    }

    /// Submits one job.
    ///
    /// - Parameter job: What to do; it gets a key unless it has one.
    /// - Returns: Its number, once it is safe on the disk.
    /// - Throws: `.refused` when the job is wrong or there is no room; `.closed` after the end.
    public func submit(_ job: NewJob) async throws(ClientError) -> JobID {
        try await client.submit(job).id
    }

    /// The end of a job, with its result, whether good or bad; nil while it has not ended.
    ///
    /// - Parameters:
    ///   - id: A job that was submitted, by this program or another, in this run or before.
    ///   - wait: How long to wait for the end: nil is for ever, zero not at all.
    /// - Returns: Its state, its error if it failed, and the whole result.
    /// - Throws: `.refused` when the id is unknown or the result has expired; `.closed` when the
    ///   runner ends meanwhile.
    public func result(
        of id: JobID,
        wait: Duration? = nil
    ) async throws(ClientError) -> JobResult? {
        try await client.result(of: id, wait: wait)
    }

    /// Stops the runner: running jobs may end within `drainMs` of the settings, and what is not
    /// done then waits in the store for the next start. Called again meanwhile, it stops at once.
    ///
    /// Afterwards the runner's threads and processes are gone and `start` may be called again,
    /// unless a job ignores its end, which the log tells.
    ///
    /// - Throws: As `end`.
    @discardableResult
    public func stop() async throws -> Runner.End {
        life.askToStop()
        return try await end
    }

    /// How the runner has ended, once it has: it was stopped, here or by a client's `sys.drain`, or
    /// it wants to be started again in a new process, since workers do not end.
    ///
    /// - Throws: What kept it from going on, such as a socket that failed.
    public var end: Runner.End {
        get async throws {
            defer { client.close() }  // Nobody answers any more.
            return try await life.end
        }
    }
}

extension Runner {
    /// Starts the runner within this program, on threads of its own, and returns once jobs are
    /// taken.
    ///
    /// The program's signals stay its own: nothing but `stop` or a client's `sys.drain` stops the
    /// runner. What it changes in the process: SIGPIPE and SIGXFSZ are ignored, the soft limit of
    /// descriptors is raised to the hard one, signals of crashes are marked on their way to what
    /// they do anyway, and until this returns new files are the user's alone (umask 077). One
    /// runner at a time in a process.
    ///
    /// - Returns: The runner at work.
    /// - Throws: `SettingsError` with all that is wrong with the settings; `RunnerError` when there
    ///   is no ipc endpoint among them, another runner uses the state directory, an endpoint cannot
    ///   be had, or the store is unfit; `SystemError` when the system has no room for it.
    public func start() async throws -> EmbeddedRunner {
        guard settings.listen.contains(where: { $0.hasPrefix("ipc://") }) else {
            throw RunnerError.noSocket
        }
        let life = RunnerLife()
        let endpoints = try await life.beginning(of: {
            guard !tryToStartThread(RunnerThread.broker.rawValue, { live(life) }) else { return }
            life.ends(.failure(SystemError(code: EAGAIN, action: "start a thread")))
        })
        do {
            return try EmbeddedRunner(life, at: endpoints)
        } catch {
            life.askToStop()
            _ = try? await life.end
            throw error
        }
    }

    private func live(_ life: RunnerLife) {
        life.ends(
            Result {
                try run(asGuest: true, lock: nil) { life.begins(at: $0, stop: $1) }
            }
        )
    }
}
