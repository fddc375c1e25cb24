import JobTesting

@testable import JobCore

/// A worker of a story: takes its orders one after the other, by the rules of the worker's post.
struct StoryWorker {
    enum Step { case born, working, gone }

    struct Current {
        let order: Order
        let startedAt: Timestamp
        let fate: Fate
        /// Of a run that writes: where it is, and where its fate overtakes it.
        var step = WriteStep.outside
        var trouble = WriteStep.inside
    }

    /// What comes of a run when nobody breaks it off.
    enum Fate { case succeeds, fails, failsForGood, dies, isStuck, takesLong }

    var step = Step.born
    var isGivenUp = false
    var orders: [Order] = []
    var current: Current?
    /// The last order that began, and the last of those that were taken back.
    var begun: UInt64 = 0
    var void: UInt64 = 0
    var startedAt = Timestamp(rawValue: 0)
    var brokenOff: [Run: BreakOffReason] = [:]
    var reports: [Report] = []
    /// The databases that it has written to, and the receipts of earlier starts found there.
    var hasLooked: Set<String> = []
    var leftovers: [JobID] = []
    /// The transaction that runs of its share.
    var shared: Shared?
    /// Receipts to be removed with the first success of a group.
    var removable: [UInt64: [ClosedRange<Int64>]] = [:]

    var isBusy: Bool {
        step != .gone
            && (current != nil || shared != nil || !orders.isEmpty || !reports.isEmpty)
    }

    /// True while its thread is there, though nobody waits for it any more.
    var isOut: Bool { isGivenUp && step != .gone }

    mutating func recall(upTo last: UInt64) -> Range<UInt64> {
        guard begun < last else { return last..<last }
        void = last
        return begun + 1..<last + 1
    }

    /// Whatever it has not begun is void; what it has begun may still go on.
    mutating func giveUp() {
        isGivenUp = true
        void = .max
    }

    func mark(_ worker: WorkerID) -> WorkerMark? {
        guard begun > 0 else { return nil }
        return WorkerMark(worker: worker, sequence: begun, startedAt: startedAt)
    }
}

extension StoryWorld {
    // MARK: Orders

    mutating func give(_ given: Decisions.Given) throws(Violation) {
        let order = given.order
        note("order \(order.sequence) to worker \(given.worker.rawValue): \(words(order))")
        if order.phase == .bury {
            workers[given.worker]?.orders.append(order)
            return
        }
        try check(given)
        try check(
            order.unwritten.map(suspects.contains) != true,
            "\(words(order)) begins unwritten though its like may have ended the program"
        )
        try checkTurn(of: order)
        let isLong = try checkExpress(given)
        let turns = turns(of: order.job)
        for holder in ledger.holders.values.joined() {
            let isCompany = holder.worker == given.worker && order.group != nil
            try check(
                holder.turns.isDisjoint(with: turns) || isCompany && holder.group == order.group,
                "\(words(order)) takes turns with job \(holder.run.job.rawValue)"
            )
        }
        workers[given.worker]?.orders.append(order)
        ledger.holders[order.job, default: []].append(
            StoryLedger.Holder(
                worker: given.worker,
                run: Run(job: order.job, attempt: order.attempt),
                sequence: order.sequence,
                turns: turns,
                isLong: isLong,
                group: order.group
            )
        )
        if let group = order.group, !order.removable.isEmpty {
            workers[given.worker]?.removable[group] = order.removable
        }
    }

    mutating func letAWorkerAct() throws(Violation) {
        let able = workers.filter { id, actor in
            (actor.step == .born || actor.isBusy || actor.isOut)
                && (!weather.faults || whims.idleWorkers[id] == nil)
                && !whims.lasting.contains(id)
        }.keys.sorted()
        guard let worker = able.randomElement(using: &chance) else { return }
        guard var actor = workers[worker] else { return }
        if actor.step == .born {
            if weather.faults, Int.random(in: 0..<6, using: &chance) == 0 {
                return try die(worker)
            }
            workers[worker]?.step = .working
            return try hear(.ready(worker))
        }
        if let current = actor.current {
            try goOn(current, worker)
        } else if actor.shared != nil, !actor.continues {
            try endSharing(worker)
        } else if !actor.orders.isEmpty, actor.shared != nil || !(weather.faults && sendsNow(actor))
        {
            let order = actor.orders.removeFirst()
            workers[worker] = actor
            if order.sequence > actor.void { try begin(order, worker) }
        } else if !actor.reports.isEmpty {
            try sendReports(worker)
        } else if actor.isOut {
            try die(worker)
        }
    }

    private mutating func sendsNow(_ actor: StoryWorker) -> Bool {
        !actor.reports.isEmpty && Bool.random(using: &chance)
    }

    private mutating func begin(_ order: Order, _ worker: WorkerID) throws(Violation) {
        workers[worker]?.begun = order.sequence
        for part in workers[worker]?.shared?.parts ?? [] {
            counts.innocent.insert(Run(job: part.order.job, attempt: part.order.attempt))
        }
        counts.begun.insert(Run(job: order.job, attempt: order.attempt))
        workers[worker]?.startedAt = now
        let run = Run(job: order.job, attempt: order.attempt)
        if order.salt == nil, let reason = workers[worker]?.brokenOff[run] {
            let called = StoryWorker.Current(order: order, startedAt: now, fate: .takesLong)
            return end(worker, called, reason == .cancelled ? .brokenOff : .putBack)
        }
        if order.phase != .bury { try checkBegin(order, worker) }
        let fate = fate(of: order)
        let trouble = StoryWorker.WriteStep.allCases.randomElement(using: &chance) ?? .inside
        workers[worker]?.current = .init(
            order: order,
            startedAt: now,
            fate: fate,
            trouble: trouble
        )
        note("worker \(worker.rawValue) begins \(words(order))")
    }

    private mutating func fate(of order: Order) -> StoryWorker.Fate {
        let runs = order.phase.runs
        if runs, ledger.killers.contains(order.job) || earlySpec(of: order.job)?.name == "killer" {
            return .dies
        }
        guard weather.faults else { return .succeeds }
        return switch Int.random(in: 0..<100, using: &chance) {
        case 0..<10: .fails
        case 10..<13: .failsForGood
        case 13..<16: .dies
        case 16..<19: .isStuck
        case 19..<35: .takesLong
        default: .succeeds
        }
    }

    private mutating func goOn(
        _ current: StoryWorker.Current,
        _ worker: WorkerID
    ) throws(Violation) {
        if let database = ledger.specs[current.order.job]?.writes {
            return try goOnWriting(current, worker, in: database)
        }
        let run = Run(job: current.order.job, attempt: current.order.attempt)
        let reason = workers[worker]?.brokenOff[run]
        switch current.fate {
        case .dies: try die(worker)
        case .isStuck:
            guard workers[worker]?.isOut == true, Bool.random(using: &chance) else { return }
            end(worker, current, .succeeded(outcome(of: current.order)))
        case .takesLong where reason == nil:
            guard !weather.faults || Int.random(in: 0..<8, using: &chance) == 0 else { return }
            end(worker, current, success(of: current.order))
        case .takesLong:
            end(worker, current, reason == .cancelled ? .brokenOff : .putBack)
        case .fails, .failsForGood: endFailing(current, worker, reason)
        case .succeeds: end(worker, current, success(of: current.order))
        }
    }

    mutating func endFailing(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        _ reason: BreakOffReason?
    ) {
        let failure = Failure(
            .kernelError,
            "It went wrong.",
            isPermanent: current.fate == .failsForGood
        )
        switch reason {
        case .cancelled: end(worker, current, .brokenOff)
        case .stopping: end(worker, current, .putBack)
        case nil: end(worker, current, .failed(failure))
        }
    }

    /// A kernel makes as many parts as it likes, or none, and then does the whole work at once.
    private mutating func success(of order: Order) -> Report.Ending {
        guard order.phase == .split else { return .succeeded(outcome(of: order)) }
        let odd = Int.random(in: 0...7, using: &chance)
        let parts = Bool.random(using: &chance) ? order.parts : odd
        if parts == 0 { return .succeeded(outcome(of: order)) }
        return .split((0..<parts).map { Part(body: Array("part \($0)".utf8)) })
    }

    func outcome(of order: Order) -> Outcome {
        let text = "\(order.job.rawValue)/\(order.attempt.rawValue) in run \(run)"
        let rest = [UInt8](repeating: 32, count: temper.resultBytes)
        let stderr = order.kind == .command ? text : nil
        return Outcome(format: .bytes, bytes: Array(text.utf8) + rest, stderr: stderr)
    }

    mutating func end(
        _ worker: WorkerID,
        _ current: StoryWorker.Current,
        _ ending: Report.Ending
    ) {
        let order = current.order
        note("worker \(worker.rawValue) ends \(words(order)): \(words(ending))")
        let run = Run(job: order.job, attempt: order.attempt)
        if case .split(let parts) = ending { ledger.parts[run] = parts.count }
        leave(worker, order)
        report(worker, order, current.startedAt, ending)
    }

    /// The run is over; nobody can break it off any more.
    mutating func leave(_ worker: WorkerID, _ order: Order) {
        workers[worker]?.brokenOff[Run(job: order.job, attempt: order.attempt)] = nil
        workers[worker]?.current = nil
        ledger.ended(worker, order)
    }

    mutating func report(
        _ worker: WorkerID,
        _ order: Order,
        _ startedAt: Timestamp,
        _ ending: Report.Ending,
        needsOwn: Bool = false
    ) {
        let ranMs = now.ms(since: startedAt)
        var report = Report(
            job: order.job,
            attempt: order.attempt,
            worker: worker,
            ending: ending,
            startedAt: startedAt,
            durationMicros: ranMs * 1_000 + Int64.random(in: 20...400, using: &chance)
        )
        if order.salt != nil, order.group == nil {
            report.commitMicros = Int64.random(in: 0...report.durationMicros, using: &chance)
        }
        report.needsOwnTransaction = needsOwn
        report.leftovers = workers[worker]?.leftovers ?? []
        workers[worker]?.leftovers = []
        workers[worker]?.reports.append(report)
    }

    private mutating func sendReports(_ worker: WorkerID) throws(Violation) {
        guard let reports = workers[worker]?.reports else { return }
        workers[worker]?.reports = []
        for report in reports { ledger.reported(report) }
        note("worker \(worker.rawValue) reports \(reports.count)")
        try hear(.reported(reports))
    }

    /// The thread ends; the broker has looked at its mark once more before it says so.
    mutating func die(_ worker: WorkerID) throws(Violation) {
        note("worker \(worker.rawValue) dies")
        try deliverWhispers(all: true)  // What was recalled before is said before.
        guard let actor = workers[worker] else { return }
        workers[worker]?.shared = nil
        for name in databases.keys where databases[name]?.writer == worker {
            databases[name]?.writer = nil
        }
        if !actor.isGivenUp {
            try sendReports(worker)
            if let mark = actor.mark(worker) { try hear(.seen([mark])) }
        }
        workers[worker]?.step = .gone
        ledger.gone(worker)
        try hear(.died(worker))
    }

    mutating func letAnIdleWorkerDie() throws(Violation) {
        let idle = workers.filter { $0.value.step == .working && !$0.value.isBusy }.keys.sorted()
        if let worker = idle.randomElement(using: &chance) { try die(worker) }
    }

    /// The broker looks at the marks.
    mutating func look() throws(Violation) {
        guard dispatcher.watchEveryMs != nil else { return }
        let marks = workers.filter { $0.value.step == .working && !$0.value.isGivenUp }
            .sorted { $0.key < $1.key }.compactMap { $0.value.mark($0.key) }
        if !marks.isEmpty { try hear(.seen(marks)) }
    }
}
