internal import CLinux
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

    fileprivate struct Child {
        let process: pid_t
        let channel: FrameChannel
        /// Rings when a run is broken off.
        let bell: Mailbox<Bool>
    }

    private let plan: Plan
    private var child: Child?

    init(_ plan: Plan) { self.plan = plan }

    deinit { end() }

    /// Has the order run in the process, which `start` has started.
    ///
    /// - Throws: `Lost` when the process has ended although nobody told it to.
    func ending(
        of order: Order,
        _ run: KernelRun,
        _ post: WorkerPost
    ) throws(Lost) -> Report.Ending {
        guard let child else { throw Lost() }
        let stop = StopOfRun(run, child, plan.patience)
        post.interrupting { [bell = child.bell] in bell.put(true) }
        do {
            try child.channel.send(Order.frames(for: [order]), stop.insisting)
            // What the process sends is in its memory first.
            let most = Int(clamping: plan.memoryBytes)
            var frames = try child.channel.receive(atMost: most, stop.passingOn)
            while let told = try? Progress(frames) {
                run.progress(done: Int(clamping: told.done), total: Int(clamping: told.total))
                frames = try child.channel.receive(atMost: most, stop.passingOn)
            }
            if let report = try Report.read(frames).first {
                return report.ending.sharing(order.frames)
            }
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
        let ring = clinux_eventfd()
        guard ring >= 0 else { throw .last("make an eventfd") }
        let bell = Mailbox<Bool>(ring)
        let (ours, others) = try FrameChannel.pair()
        defer { close(others) }
        do throws(SystemError) {
            let words = KernelServer.arguments(
                resultBytes: plan.resultBytes,
                memoryBytes: plan.memoryBytes
            )
            let process = try spawnSelf(
                words,
                giving: [(others, as: KernelServer.descriptor)],
                // Whoever stops all processes of a service means the runner, which drains first.
                blocking: [SIGTERM, SIGINT, SIGHUP],
                to: "start a process for kernels"
            )
            let channel = FrameChannel(descriptor: ours)
            child = Child(process: process, channel: channel, bell: bell)
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
    private let child: KernelProcess.Child
    private let patience: Duration
    /// When it was seen first that the run shall stop.
    private var since: ContinuousClock.Instant?
    private var hasTold = false
    private(set) var hasKilled = false

    init(_ run: KernelRun, _ child: KernelProcess.Child, _ patience: Duration) {
        self.run = run
        self.child = child
        self.patience = patience
    }

    /// While the process waits for nothing but what it is told.
    var passingOn: FrameChannel.Lookout { lookout { [self] in look(mayTell: true) } }

    /// While a message is on its way there: nothing else may be said in the middle of it.
    var insisting: FrameChannel.Lookout { lookout { [self] in look(mayTell: false) } }

    private func lookout(_ look: @escaping () -> Int?) -> FrameChannel.Lookout {
        FrameChannel.Lookout(descriptor: child.bell.descriptor, look: look)
    }

    /// - Returns: After how many ms there is something to do, if nobody rings before.
    private func look(mayTell: Bool) -> Int? {
        _ = child.bell.takeAll()
        let now = ContinuousClock.now
        guard run.isCancelled else { return run.deadline.map { now.duration(to: $0).wholeMs } }
        if mayTell, !hasTold {
            hasTold = true
            // One that cannot be told is killed.
            try? child.channel.send(KernelServer.breakOff, insisting)
        }
        guard !hasKilled else { return nil }
        let since = since ?? now
        self.since = since
        let rest = patience - (.now - since)
        guard rest <= .zero else { return rest.wholeMs }
        hasKilled = true
        kill(child.process, SIGKILL)
        return nil
    }
}

extension Report.Ending {
    /// With the bytes of the frames that parts share, which the process did not send back.
    fileprivate func sharing(_ frames: [Spec.Frame]) -> Report.Ending {
        guard case .split(let parts) = self else { return self }
        return .split(
            parts.map { part in
                var part = part
                part.frames = part.frames.map { frame in
                    guard frame.isShared else { return frame }
                    var shared = frames.first { $0.number == frame.number } ?? frame
                    shared.isShared = true
                    return shared
                }
                return part
            }
        )
    }
}

extension Duration {
    /// No less than it is; 0 when it is over.
    var wholeMs: Int { max(0, Int(clamping: microseconds / 1_000 + 1)) }
}
