import JobTesting

@testable import JobCore

/// A user's database, as the jobs of a story write to it: a lock, effects and receipts, which no
/// crash changes.
struct StoryDatabase {
    struct Receipt {
        let run: Int64
        let attempt: Attempt
        /// Nil in a tombstone.
        let outcome: Outcome?
    }

    /// Who is in the middle of a transaction.
    var writer: WorkerID?
    var receipts: [JobID: [Receipt]] = [:]
    /// What each job has changed, by the results of the runs that committed.
    var effects: [JobID: [Outcome]] = [:]
    /// The run of the program in which that was.
    var effectRuns: [JobID: Int64] = [:]

    func outcome(of job: JobID) -> Outcome? {
        receipts[job, default: []].lazy.compactMap(\.outcome).first
    }

    func isBuried(_ run: Run, in start: Int64) -> Bool {
        receipts[run.job, default: []].contains {
            $0.outcome == nil && $0.run == start && $0.attempt == run.attempt
        }
    }
}

extension StoryWorker {
    /// Where a run that writes is: before its transaction, inside, or behind its commit.
    enum WriteStep: CaseIterable { case outside, inside, committed }
}

/// Runs that write, step by step, as workers do them.
extension StoryWorld {
    mutating func goOnWriting(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        in name: String
    ) throws(Violation) {
        if current.order.phase == .bury { return try goOnBurying(current, worker, in: name) }
        if current.trouble == current.step {
            switch current.fate {
            case .dies: return try die(worker)
            case .isStuck:
                guard workers[worker]?.isGivenUp == true, Bool.random(using: &chance) else {
                    return
                }
            default: break
            }
        }
        if current.order.group != nil, !hasVirtualTables.contains(name) {
            return try goOnSharing(current, worker, in: name)
        }
        switch current.step {
        case .outside: enter(current, worker, name)
        case .inside: try goOnInside(current, worker, name)
        case .committed: end(worker, current, .succeeded(outcome(of: current.order)))
        }
    }

    private mutating func enter(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        _ name: String
    ) {
        let order = current.order
        let run = Run(job: order.job, attempt: order.attempt)
        let known = databases[name]?.outcome(of: order.job)
        guard databases[name]?.writer == nil else { return waitForLock(current, worker, known) }
        if databases[name]?.isBuried(run, in: self.run) == true {
            return end(worker, current, .failed(Failure(.sqlError, "It was buried.")))
        }
        findLeftovers(worker, name)
        if let known { return end(worker, current, .succeeded(known)) }
        if order.phase == .look { return end(worker, current, .failed(.poisoned)) }
        databases[name]?.writer = worker
        workers[worker]?.current?.step = .inside
    }

    /// Somebody else writes: it goes on waiting until it is told to stop.
    mutating func waitForLock(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        _ known: Outcome?
    ) {
        let run = Run(job: current.order.job, attempt: current.order.attempt)
        guard let reason = workers[worker]?.brokenOff[run] else { return }
        let stopped: Report.Ending = reason == .cancelled ? .brokenOff : .putBack
        end(worker, current, known.map { .succeeded($0) } ?? stopped)
    }

    /// The first time a worker is there, it tells of the receipts of earlier starts.
    mutating func findLeftovers(_ worker: WorkerID, _ name: String) {
        guard workers[worker]?.hasLooked.insert(name).inserted == true else { return }
        let old = databases[name]?.receipts.filter { $0.value.contains { $0.run != run } } ?? [:]
        workers[worker]?.leftovers = old.keys.sorted()
    }

    private mutating func goOnInside(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        _ name: String
    ) throws(Violation) {
        let order = current.order
        let reason = workers[worker]?.brokenOff[Run(job: order.job, attempt: order.attempt)]
        switch current.fate {
        case .fails, .failsForGood:
            databases[name]?.writer = nil
            endFailing(current, worker, reason)
        case .takesLong where reason == nil:
            guard !weather.faults || Int.random(in: 0..<8, using: &chance) == 0 else { return }
            try commit(current, worker, name)
        case .takesLong:
            databases[name]?.writer = nil
            end(worker, current, reason == .cancelled ? .brokenOff : .putBack)
        case .succeeds, .dies, .isStuck: try commit(current, worker, name)
        }
    }

    private mutating func commit(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        _ name: String
    ) throws(Violation) {
        let order = current.order
        databases[name]?.writer = nil
        try removeReceipts(removable(order, worker), in: name)
        try write(outcome(of: order), of: order, in: name)
        workers[worker]?.current?.step = .committed
        note("worker \(worker.rawValue) commits \(words(order))")
    }

    /// What a run is to remove, alone or as the first of its group that succeeds.
    private mutating func removable(_ order: Order, _ worker: WorkerID) -> [ClosedRange<Int64>] {
        guard let group = order.group else { return order.removable }
        return workers[worker]?.removable.removeValue(forKey: group) ?? []
    }

    mutating func removeReceipts(
        _ removable: [ClosedRange<Int64>],
        in name: String
    ) throws(Violation) {
        for job in databases[name]?.receipts.keys.sorted() ?? []
        where removable.contains(where: { $0.contains(job.rawValue) }) {
            try check(
                ledger.final[job]?.state == .succeeded || ledger.deleted.contains(job),
                "the receipt of job \(job.rawValue) goes when nobody needs it"
            )
            databases[name]?.receipts[job]?.removeAll { $0.outcome != nil || $0.run != run }
        }
    }

    /// The effect and the receipt, in one.
    mutating func write(
        _ outcome: Outcome,
        of order: Order,
        in name: String
    ) throws(Violation) {
        let receipt = StoryDatabase.Receipt(run: run, attempt: order.attempt, outcome: outcome)
        databases[name]?.effects[order.job, default: []].append(outcome)
        databases[name]?.effectRuns[order.job] = run
        databases[name]?.receipts[order.job, default: []].append(receipt)
        let effects = databases[name]?.effects[order.job]?.count
        try check(effects == 1, "job \(order.job.rawValue) has its effect once")
    }

    private mutating func goOnBurying(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        in name: String
    ) throws(Violation) {
        if current.fate == .dies { return try die(worker) }
        if current.fate == .isStuck, workers[worker]?.isGivenUp != true { return }
        let order = current.order
        guard databases[name]?.writer == nil else { return end(worker, current, .putBack) }
        if let outcome = databases[name]?.outcome(of: order.job) {
            return end(worker, current, .succeeded(outcome))
        }
        databases[name]?.receipts[order.job, default: []].append(
            StoryDatabase.Receipt(run: run, attempt: order.attempt, outcome: nil)
        )
        end(worker, current, .brokenOff)
    }

    // MARK: Promises

    /// Nobody may write to a database while a run that was given up may still commit there.
    func checkTurn(of order: Order) throws(Violation) {
        guard let name = ledger.specs[order.job]?.writes else { return }
        for actor in workers.values where actor.isGivenUp && actor.step != .gone {
            for other in mayStillCommit(actor, in: name) {
                let run = Run(job: other.job, attempt: other.attempt)
                // An earlier attempt's receipt is found by every later one, in its own transaction.
                let isDone = databases[name]?.outcome(of: run.job) != nil
                try check(
                    isDone || databases[name]?.isBuried(run, in: self.run) == true,
                    "\(words(order)) starts while \(words(other)) may still commit"
                )
            }
        }
    }

    func checkEffects(of ended: Ended) throws(Violation) {
        let end = ended.end
        guard let name = ledger.specs[end.id]?.writes, let database = databases[name] else {
            return
        }
        let effects = database.effects[end.id, default: []]
        guard end.state != .succeeded else {
            return try check(
                effects == [ended.outcome].compactMap(\.self),
                "job \(end.id.rawValue) succeeded with the result of its one effect"
            )
        }
        guard !effects.isEmpty else { return }
        // The process was killed after the commit, and before the next could look, a client called
        // the job off, or the looking killed the process too.
        let losses = details(end.id)?.job.losses ?? 0
        let isExcused =
            database.effectRuns[end.id] != run
            && (end.state == .cancelled || losses > Job.lossesMax)
        try check(isExcused, "job \(end.id.rawValue) is \(end.state) and has its effect")
    }
}
