internal import CLinux
internal import Glibc
internal import JobCore
internal import JobWire
internal import Synchronization

/// The other side of a `KernelProcess`: the program, started again to compute one order after the
/// other until its worker is gone.
enum KernelServer {
    /// Where the process finds its end of the channel.
    static let descriptor: CInt = 3
    /// Says that the present run shall stop.
    static let breakOff: [[UInt8]] = []
    /// The word by which the process knows what it is for. No command line of a user begins so.
    private static let word = "--millrace-compute"
    private static let ready = Atomic(false)

    /// Whether this program would compute when it is started to.
    static var isReady: Bool { ready.load(ordering: .relaxed) }

    /// How the program is started to compute for this process.
    static func arguments(resultBytes: Int, memoryBytes: Int64) -> [String] {
        let numbers = [Int64(getpid()), Int64(resultBytes), memoryBytes].map(String.init)
        return [CommandLine.arguments.first ?? "millrace", word] + numbers
    }

    static func runIfAsked(_ kernels: KernelRegistry) {
        ready.store(true, ordering: .relaxed)
        let words = CommandLine.arguments.dropFirst()
        let numbers = words.dropFirst().compactMap { Int64($0) }
        guard words.first == word, numbers.count == 3 else { return }
        dieWith(parent: pid_t(truncatingIfNeeded: numbers[0]))
        boundMemory(to: numbers[2])
        var limits = Limits()
        limits.resultBytes = Int(clamping: numbers[1])
        serve(kernels, limits)
    }

    private static func dieWith(parent: pid_t) {
        _ = clinux_die_with_parent(SIGKILL)
        if getppid() != parent { _exit(RunnerExit.stopped) }
    }

    private static func boundMemory(to bytes: Int64) {
        let most = rlim_t(clamping: bytes)
        var limit = rlimit(rlim_cur: most, rlim_max: most)
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    }

    private struct Begun: Sendable {
        let order: Order
        let run: KernelRun
        let voice: RunVoice
    }

    /// This thread listens, so that a run can be broken off; another one computes and reports.
    private static func serve(_ kernels: KernelRegistry, _ limits: Limits) -> Never {
        let channel = FrameChannel(descriptor: descriptor)
        let orders = Mailbox<Begun>()
        let end: @Sendable () -> Void = { _exit(RunnerExit.unfit) }
        let hasStarted = tryToStartThread("kernel", ended: end) {
            while true {
                for begun in orders.wait() { compute(begun, kernels, limits) }
            }
        }
        guard hasStarted else { _exit(RunnerExit.unfit) }
        var current: KernelRun?
        while let frames = try? channel.receive(atMost: .max) {
            if frames == breakOff {
                current?.cancel()
                continue
            }
            guard let order = try? Order.read(frames).first else { break }
            let voice = RunVoice(channel)
            let deadline = ContinuousClock.now + .milliseconds(order.timeoutMs)
            let run = KernelRun(deadline: deadline) { voice.tell($0) }
            current = run
            orders.put(Begun(order: order, run: run, voice: voice))
        }
        _exit(RunnerExit.stopped)
    }

    private static func compute(
        _ begun: Begun,
        _ kernels: KernelRegistry,
        _ limits: Limits
    ) {
        let order = begun.order
        // The worker knows better who it is and when the run began.
        let report = Report(
            job: order.job,
            attempt: order.attempt,
            worker: WorkerID(rawValue: 0),
            ending: ending(of: begun, kernels, limits),
            startedAt: Timestamp(rawValue: 0),
            durationMicros: 0
        )
        begun.voice.end(with: report)
    }

    private static func ending(
        of begun: Begun,
        _ kernels: KernelRegistry,
        _ limits: Limits
    ) -> Report.Ending {
        do {
            return ComputeRun(
                work: try ComputeWork(begun.order.body, frames: begun.order.frames),
                order: begun.order,
                kernels: kernels,
                limits: limits,
                run: begun.run
            ).endingOrFailure()
        } catch {
            return .failed(.unreadable(error))
        }
    }
}

/// What a run tells its worker: how far it is, now and then, and at last its report. A kernel may
/// tell from threads of its own; each message arrives whole, and none after the report.
private final class RunVoice: Sendable {
    private static let pause = Duration.milliseconds(100)

    private struct Said {
        var lastAt: ContinuousClock.Instant?
        var isOver = false
    }

    private let channel: FrameChannel
    private let said = Mutex(Said())

    init(_ channel: FrameChannel) { self.channel = channel }

    func tell(_ progress: KernelRun.Progress) {
        said.withLock { said in
            let now = ContinuousClock.now
            guard !said.isOver, said.lastAt.map({ now - $0 >= Self.pause }) ?? true else { return }
            said.lastAt = now
            send(Progress(done: Int64(progress.done), total: Int64(progress.total)).frames)
        }
    }

    func end(with report: Report) {
        said.withLock { said in
            said.isOver = true
            send(Report.frames(for: [report]))
        }
    }

    private func send(_ frames: [[UInt8]]) {
        do { try channel.send(frames) } catch { _exit(RunnerExit.unfit) }
    }
}
