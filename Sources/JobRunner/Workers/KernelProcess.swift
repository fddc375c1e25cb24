internal import Glibc
internal import JobCore
internal import JobWire

/// One worker's process for kernels: started when the first order comes, used for one order after
/// the other, and killed when it does not stop.
///
/// Whatever a kernel does to its process costs its job one attempt, and nobody else anything.
/// Belongs to the worker's thread; the process ends with it.
final class KernelProcess {
    /// The process has ended in the middle of a run.
    struct Lost: Error {}

    struct Plan: Sendable {
        let resultBytes: Int
        let memoryBytes: Int64
        /// How long a run may go on after it was told to stop.
        let patience: Duration

        init(_ settings: Settings) {
            resultBytes = settings.limits.resultBytes
            memoryBytes = settings.kernelMemoryBytes
            // Sooner than the dispatcher gives the worker up.
            patience = .milliseconds(settings.stuckMs / 2)
        }
    }

    private struct Child {
        let process: pid_t
        let channel: FrameChannel
    }

    private let plan: Plan
    private var child: Child?

    init(_ plan: Plan) { self.plan = plan }

    deinit { end() }

    /// Has the order run in the process, which `start` has started.
    ///
    /// - Throws: `Lost` when the process has ended although nobody told it to.
    func ending(of order: Order, _ run: KernelRun) throws(Lost) -> Report.Ending {
        guard let child else { throw Lost() }
        let stop = StopOfRun(run, child.process, child.channel, plan.patience)
        do {
            try child.channel.send(Order.frames(for: [order]), stop.insist)
            let reports = try Report.read(child.channel.receive(stop.passOn))
            if let report = reports.first { return report.ending }
        } catch {}
        end()
        guard stop.hasKilled else { throw Lost() }
        return .failed(Failure(.kernelError, "The run did not stop and was killed."))
    }

    /// Has a process ready for the next order.
    func start() throws(SystemError) {
        if let child {
            // It may have ended since its last run, by a thread that a kernel left behind.
            if waitpid(child.process, nil, WNOHANG) == 0 { return }
            close(child.channel.descriptor)
            self.child = nil
        }
        let (ours, others) = try FrameChannel.pair()
        defer { close(others) }
        do throws(SystemError) {
            let words = KernelServer.arguments(plan)
            let process = try spawnSelf(
                words,
                giving: (others, as: KernelServer.descriptor),
                // Whoever stops all processes of a service means the runner, which drains first.
                blocking: [SIGTERM, SIGINT, SIGHUP],
                to: "start a process for kernels"
            )
            child = Child(process: process, channel: FrameChannel(descriptor: ours))
        } catch {
            close(ours)
            throw error
        }
    }

    private func end() {
        guard let child else { return }
        self.child = nil
        close(child.channel.descriptor)
        kill(child.process, SIGKILL)
        while waitpid(child.process, nil, 0) < 0, errno == EINTR {}
    }
}

/// Passes on that a run shall stop, and kills its process when it does not.
private final class StopOfRun {
    private let run: KernelRun
    private let process: pid_t
    private let channel: FrameChannel
    private let patience: Duration
    /// When it was seen first that the run shall stop.
    private var since: ContinuousClock.Instant?
    private var hasTold = false
    private(set) var hasKilled = false

    init(_ run: KernelRun, _ process: pid_t, _ channel: FrameChannel, _ patience: Duration) {
        self.run = run
        self.process = process
        self.channel = channel
        self.patience = patience
    }

    /// While the process waits for nothing but what it is told.
    func passOn() {
        guard run.isCancelled else { return }
        if !hasTold {
            hasTold = true
            // One that cannot be told is killed.
            try? channel.send(KernelServer.breakOff, insist)
        }
        insist()
    }

    /// While a message is on its way there: nothing else may be said in the middle of it.
    func insist() {
        guard run.isCancelled, !hasKilled else { return }
        let since = since ?? .now
        self.since = since
        guard ContinuousClock.now - since >= patience else { return }
        hasKilled = true
        kill(process, SIGKILL)
    }
}
