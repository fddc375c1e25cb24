internal import CLinux
internal import JobCore
internal import JobWire
internal import Logging
internal import ZeroMQ

/// What a worker thread is born with.
struct WorkerKit: Sendable {
    let context: Context
    let endpoint: String
    let kernels: KernelRegistry
    let databases: [String: Settings.Database]
    let author: ReceiptBook.Author
    let limits: Limits
    let ledger: InFlightLedger
    let shelf: ReportShelf
    let time: any TimeSource
    /// Added to the thread's nice value: the front door goes first.
    let nice: Int
    /// Nil when kernels run on the worker's own thread.
    let kernelProcess: KernelProcess.Plan?
    let log: Logger
}

/// A worker: takes orders from its socket, one after the other, runs them and reports.
///
/// It makes its own socket and its own connections, and keeps them to itself.
final class WorkerLoop {
    /// Reports are sent when this many wait, or when the oldest has waited this long.
    private static let reportsTogether = 64
    private static let reportsWaitMicros: Int64 = 500
    /// Before another process for kernels is tried.
    private static let startPause = Duration.seconds(1)

    private let kit: WorkerKit
    private let post: WorkerPost
    private let slot: Int
    private let databases: Databases
    private let process: KernelProcess?
    private let clock = ContinuousClock()
    private var reportsMicros: Int64 = 0

    init(_ kit: WorkerKit, post: WorkerPost, slot: Int) {
        self.kit = kit
        self.post = post
        self.slot = slot
        databases = Databases(kit.databases, kit.limits, author: kit.author)
        process = kit.kernelProcess.map(KernelProcess.init)
    }

    /// The body of the worker's thread. It returns when the context is shut down.
    static func live(_ kit: WorkerKit, post: WorkerPost) {
        guard let slot = kit.ledger.claim() else {
            return kit.log.error("There is no slot for a worker.")
        }
        defer { kit.ledger.release(slot) }
        let signalStack = makeSignalStack()
        defer { signalStack.deallocate() }
        _ = clinux_nice_thread(CInt(kit.nice))
        do {
            try WorkerLoop(kit, post: post, slot: slot).run()
        } catch let error as ZeroMQError where error.isShutdown {
            return
        } catch {
            kit.log.error("A worker has ended.", metadata: ["reason": "\(error)"])
        }
    }

    /// - Throws: A `ZeroMQError`, or `KernelProcess.Lost`: then the worker ends in the middle of a
    ///   run, which is lost, and another takes its place.
    private func run() throws {
        var options = SocketOptions()
        options.routingID = WorkerLink.address(of: post.worker)
        options.sendHighWaterMark = 0
        options.receiveHighWaterMark = 0
        let socket = try Socket(.dealer, in: kit.context, options: options)
        try socket.connect(kit.endpoint)
        _ = try socket.send(WorkerLink.ready, waiting: true)
        while true {
            guard case .message(let frames) = try socket.receive(limits: .unlimited, waiting: true)
            else { continue }
            if post.isAbandoned { return }
            guard let orders = try? Order.read(frames) else {
                kit.log.error("A worker was told what it cannot read.")
                continue
            }
            for order in orders { try work(on: order, socket) }
            databases.endReading()
            try sendReports(socket)
        }
    }

    private func work(on order: Order, _ socket: borrowing Socket) throws {
        let start = clock.now
        let deadline = start + .milliseconds(order.timeoutMs)
        let run = KernelRun(deadline: deadline)
        let startedAt = kit.time.now()
        guard post.begin(order, run, at: startedAt) else { return }

        kit.ledger.enter(slot, order, at: startedAt)
        var ending = try ending(of: order, run)
        let reason = post.end()
        kit.ledger.leave(slot)

        let end = clock.now
        if case .failed = ending {
            ending = Self.ending(ending, reason, isOver: end >= deadline, order)
        }
        if case .failed(let failure) = ending { ending = .failed(failure.shortened) }
        let micros = (end - start).microseconds
        var report = Report(
            job: order.job,
            attempt: order.attempt,
            worker: post.worker,
            ending: ending,
            startedAt: startedAt,
            durationMicros: micros
        )
        if order.salt != nil { report.leftovers = databases.takeLeftovers() }
        let kept = post.keep(report)
        reportsMicros += micros
        if micros >= Self.reportsWaitMicros { databases.endReading() }
        if kept >= Self.reportsTogether || reportsMicros >= Self.reportsWaitMicros {
            try sendReports(socket)
        }
    }

    private func sendReports(_ socket: borrowing Socket) throws(ZeroMQError) {
        reportsMicros = 0
        let reports = post.takeReports()
        guard !reports.isEmpty else { return }
        _ = try socket.send(WorkerLink.frames(for: reports, on: kit.shelf), waiting: true)
    }

    private func ending(of order: Order, _ run: KernelRun) throws(KernelProcess.Lost)
        -> Report.Ending
    {
        if order.kind == .compute, !run.isCancelled, let process {
            return isStarted(process, run) ? try process.ending(of: order, run, post) : .putBack
        }
        do {
            // Called off before it began: another attempt may be under way by now. One that writes
            // has its turn, and looks for a receipt all the same.
            if run.isCancelled, order.salt == nil {
                throw Failure(.kernelError, "The run was broken off.")
            }
            switch try Work(order) {
            case .sql(let work):
                if order.phase == .bury {
                    let burial = Burial(
                        order: order,
                        database: work.database ?? "",
                        now: kit.time.now()
                    )
                    return burial.ending(using: databases)
                }
                let run = SQLRun(
                    work: work,
                    order: order,
                    limits: kit.limits,
                    run: run,
                    post: post,
                    time: kit.time
                )
                return .succeeded(try run.outcome(using: databases))
            case .compute(let work):
                return ComputeRun(
                    work: work,
                    order: order,
                    kernels: kit.kernels,
                    limits: kit.limits,
                    run: run
                ).endingOrFailure()
            }
        } catch let failure as Failure {
            return .failed(failure)
        } catch {
            return .failed(.unreadable(error))
        }
    }

    /// Whether there is a process to run it in. That there is none is no fault of the job, which
    /// goes back to the queue, not too soon.
    private func isStarted(_ process: KernelProcess, _ run: KernelRun) -> Bool {
        do throws(SystemError) {
            try process.start()
            return true
        } catch {
            kit.log.error(
                "A process for kernels cannot be started.",
                metadata: ["reason": "\(error.summary)"]
            )
            try? run.sleep(for: Self.startPause)
            return false
        }
    }

    /// A run that failed because it was told to stop did not fail: why it was told counts.
    private static func ending(
        _ ending: Report.Ending,
        _ reason: BreakOffReason?,
        isOver: Bool,
        _ order: Order
    ) -> Report.Ending {
        switch reason {
        case .cancelled: .brokenOff
        case .stopping: .putBack
        case nil where isOver:
            .failed(
                Failure(
                    .timeout,
                    "The run took longer than \(order.timeoutMs) ms.",
                    hint: "Give the job a longer timeout_ms, or less to do."
                )
            )
        case nil: ending
        }
    }
}

extension Duration {
    /// Whole µs; what is longer than 292 000 years is cut to that.
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflowed) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return overflowed ? .max : product + attoseconds / 1_000_000_000_000
    }
}
