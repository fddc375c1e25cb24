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
    let storePath: String
    let time: any TimeSource
    /// Added to the thread's nice value: the front door goes first.
    let nice: Int
    /// Nil when kernels run on the worker's own thread.
    let kernelProcess: KernelProcess.Plan?
    let commands: CommandPlan
    let log: Logger
}

/// A worker: takes orders from its socket, one after the other, runs them and reports.
///
/// It makes its own socket and its own connections, and keeps them to itself.
final class WorkerLoop {
    /// Reports are sent when this many wait, or when the oldest has waited this long.
    private static let reportsTogether = 64
    private static let reportsWaitMicros: Int64 = 500
    /// Before another process for kernels or a command is tried.
    private static let startPause = Duration.seconds(1)

    let kit: WorkerKit
    let post: WorkerPost
    let databases: Databases
    let input: StoredInput
    private let slot: Int
    private let process: KernelProcess?
    private let clock = ContinuousClock()
    private var reportsMicros: Int64 = 0

    init(_ kit: WorkerKit, post: WorkerPost, slot: Int) {
        self.kit = kit
        self.post = post
        self.slot = slot
        databases = Databases(kit.databases, kit.limits, author: kit.author)
        input = StoredInput(path: kit.storePath, kit.limits)
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

    /// - Throws: A `ZeroMQError`, or `KernelProcess.Lost`, also of a command's keeper: then the
    ///   worker ends in the middle of a run, which is lost, and another takes its place.
    private func run() throws {
        var options = SocketOptions()
        options.routingID = WorkerLink.address(of: post.worker)
        options.sendHighWaterMark = 0
        options.receiveHighWaterMark = 0
        let socket = try Socket(.dealer, in: kit.context, options: options)
        try socket.connect(kit.endpoint)
        _ = try socket.send(WorkerLink.ready, waiting: true)
        while true {
            guard case .message = try socket.receive(limits: .unlimited, waiting: true) else {
                continue
            }
            if post.isAbandoned { return }
            let orders = post.takeOrders()
            var place = 0
            while place < orders.count {
                let end = orders.endOfGroup(at: place)
                if end == place + 1 {
                    try work(on: orders[place], socket)
                } else {
                    try work(together: orders[place..<end], socket)
                }
                place = end
            }
            databases.endReading()
            try sendReports(socket)
        }
    }

    // MARK: One order

    /// A run that is under way.
    struct Begun {
        let order: Order
        let run: KernelRun
        let start: ContinuousClock.Instant
        let deadline: ContinuousClock.Instant
        let startedAt: Timestamp
    }

    /// How a run has ended, as far as it knows itself.
    struct RunEnd {
        var ending: Report.Ending
        var commitMicros: Int64 = 0
        var needsOwnTransaction = false
    }

    private func work(on order: Order, _ socket: borrowing Socket) throws {
        guard let begun = begin(order) else { return }
        let end = try end(of: order, begun.run)
        let report = report(begun, end)
        leave()
        try tell([report], socket)
    }

    /// `patience` is how long it may take if that is less than the job's own time-out.
    ///
    /// - Returns: Nil when the order was taken back.
    func begin(_ order: Order, patience: Duration? = nil) -> Begun? {
        let start = clock.now
        let deadline = start + .milliseconds(order.timeoutMs)
        let run = KernelRun(deadline: patience.map { min(deadline, start + $0) } ?? deadline)
        let startedAt = kit.time.now()
        guard post.begin(order, run, at: startedAt) else { return nil }
        kit.ledger.leave(slot)
        kit.ledger.enter(slot, order, at: startedAt)
        return Begun(
            order: order,
            run: run,
            start: start,
            deadline: deadline,
            startedAt: startedAt
        )
    }

    /// Ends the run for whoever might break it off.
    func report(_ begun: Begun, _ end: RunEnd) -> Report {
        let reason = post.end()
        let now = clock.now
        var report = Report(
            job: begun.order.job,
            attempt: begun.order.attempt,
            worker: post.worker,
            ending: Self.ending(end.ending, reason, begun, isOver: now >= begun.deadline),
            startedAt: begun.startedAt,
            durationMicros: (now - begun.start).microseconds
        )
        report.commitMicros = end.commitMicros
        report.needsOwnTransaction = end.needsOwnTransaction
        if begun.order.salt != nil { report.leftovers = databases.takeLeftovers() }
        return report
    }

    /// Nothing runs here any more, and nobody could be blamed.
    func leave() { kit.ledger.leave(slot) }

    /// Sends reports, or keeps them for a while.
    func tell(_ reports: [Report], _ socket: borrowing Socket) throws(ZeroMQError) {
        var kept = 0
        for report in reports {
            kept = post.keep(report)
            reportsMicros += report.durationMicros
            if report.durationMicros >= Self.reportsWaitMicros { databases.endReading() }
        }
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

    func end(of order: Order, _ run: KernelRun) throws(KernelProcess.Lost) -> RunEnd {
        let filled: Order
        do throws(Failure) {
            filled = try input.fill(order, run)
        } catch {
            return endWithoutInput(order, run, error)
        }
        if order.kind == .compute, !run.isCancelled, let process {
            do throws(SystemError) {
                try process.start()
            } catch {
                return putBack(run, "A process for kernels cannot be started.", error)
            }
            return RunEnd(ending: try process.ending(of: filled, run, post))
        }
        do {
            // Called off before it began: another attempt may be under way by now. One that writes
            // has its turn, and looks for a receipt all the same.
            if run.isCancelled, order.salt == nil {
                throw Failure(.kernelError, "The run was broken off.")
            }
            switch try Work(filled) {
            case .sql(let work): return try end(of: work, order, run)
            case .compute(let work):
                let compute = ComputeRun(
                    work: work,
                    order: order,
                    kernels: kit.kernels,
                    limits: kit.limits,
                    run: run
                )
                return RunEnd(ending: compute.endingOrFailure())
            case .command(let work): return try end(of: work, order, run)
            }
        } catch let failure as Failure {
            return RunEnd(ending: .failed(failure))
        } catch let lost as KernelProcess.Lost {
            throw lost
        } catch let error as FrameError where !order.sources.isEmpty {
            let sentence = "What the job takes does not fit into its work: \(error.problem)."
            return RunEnd(ending: .failed(.noInput(sentence)))
        } catch {
            return RunEnd(ending: .failed(.unreadable(error)))
        }
    }

    /// Of a run that lacks what it takes. What an earlier one has committed counts all the same.
    private func endWithoutInput(_ order: Order, _ run: KernelRun, _ failure: Failure) -> RunEnd {
        var look = order
        look.phase = .look
        guard order.salt != nil, case .sql(let work)? = try? Work(look) else {
            return RunEnd(ending: .failed(failure))
        }
        do {
            return try end(of: work, look, run)
        } catch {
            // Who could not look does not know: it may be tried again.
            return RunEnd(ending: .failed(error.code == .poisoned ? failure : error))
        }
    }

    private func end(of work: SQLWork, _ order: Order, _ run: KernelRun) throws(Failure) -> RunEnd {
        if order.phase == .bury {
            let database = work.database ?? ""
            let burial = Burial(order: order, database: database, now: kit.time.now())
            return RunEnd(ending: burial.ending(using: databases))
        }
        let sql = sqlRun(work, order, run)
        guard let alias = work.database, work.mode == .write else {
            return RunEnd(ending: .succeeded(try sql.outcome(using: databases)))
        }
        let done = try WriteRun(sql: sql, alias: alias, time: kit.time).outcome(using: databases)
        return RunEnd(ending: .succeeded(done.outcome), commitMicros: done.commitMicros)
    }

    private func end(
        of work: CommandWork,
        _ order: Order,
        _ run: KernelRun
    ) throws(KernelProcess.Lost) -> RunEnd {
        let command = CommandRun(
            work: work,
            order: order,
            plan: kit.commands,
            run: run,
            post: post,
            log: kit.log
        )
        do throws(CommandRun.Broken) {
            return RunEnd(ending: try command.ending())
        } catch {
            switch error {
            case .notBegun(let error): return putBack(run, "A command cannot be begun.", error)
            case .lost: throw KernelProcess.Lost()
            }
        }
    }

    func sqlRun(_ work: SQLWork, _ order: Order, _ run: KernelRun) -> SQLRun {
        SQLRun(work: work, order: order, limits: kit.limits, run: run, post: post)
    }

    /// That there is no process to run it in is no fault of the job, which goes back to the queue,
    /// not too soon.
    private func putBack(
        _ run: KernelRun,
        _ sentence: Logger.Message,
        _ error: SystemError
    ) -> RunEnd {
        kit.log.error(sentence, metadata: ["reason": "\(error.summary)"])
        try? run.sleep(for: Self.startPause)
        return RunEnd(ending: .putBack)
    }

    /// A run that failed because it was told to stop did not fail: why it was told counts. One that
    /// was to be over before its time runs again.
    private static func ending(
        _ ending: Report.Ending,
        _ reason: BreakOffReason?,
        _ begun: Begun,
        isOver: Bool
    ) -> Report.Ending {
        guard case .failed(let failure) = ending else { return ending }
        switch reason {
        case .cancelled: return .brokenOff
        case .stopping: return .putBack
        case nil where isOver:
            return .failed(.timedOut(afterMs: begun.order.timeoutMs))
        case nil where begun.run.isCancelled: return .putBack
        case nil: return .failed(failure.shortened)
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
