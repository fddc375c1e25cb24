import JobTesting

@testable import JobCore

/// What clients of a story ask, and how the runner begins again.
extension StoryWorld {
    private static let queues = ["a", "b", "c"].compactMap(QueueName.init(rawValue:))
    private static let heavyFrame = Spec.Frame(
        number: 0,
        bytes: [UInt8](repeating: 7, count: 5 << 20)
    )

    mutating func ask() throws(Violation) {
        let ids = (0..<Int.random(in: 1...3, using: &chance)).map { _ in anyJob() }
        let first = ids.first ?? JobID(rawValue: 1)
        let queue = Bool.random(using: &chance) ? nil : anyQueue()
        let isPatient = Bool.random(using: &chance)
        let waitMs = Int64([0, 1, 50, 400, 60_000].randomElement(using: &chance) ?? 0)
        let request: Request? =
            switch Int.random(in: 0..<100, using: &chance) {
            case 0..<38: submission()
            case 38..<44: call()
            case 44..<48: titanic()
            case 48..<57: .cancel(.ids(ids))
            case 57..<59: .cancel(.filter(anyFilter()))
            case 59..<66: .retry(.ids(ids))
            case 66: .retry(.filter(JobFilter(state: .failed)))
            case 67..<70: .delete(.ids(ids))
            case 70: .delete(.filter(JobFilter(state: .cancelled, queue: queue)))
            case 71..<78: .result(first, range: .whole, waitMs: isPatient ? waitMs : nil)
            case 78..<86: .wait(ids, waitMs: waitMs)
            case 86..<89: .show(ids, isBatch: isPatient)
            case 89: .list(anyFilter(), after: nil, limit: 5)
            case 90..<92: .pauseQueue(queue)
            case 92..<96: .resumeQueue(queue)
            case 96: .statistics
            case 97: .listQueues(queue)
            case 98: .ping
            default: Int.random(in: 0..<6, using: &chance) == 0 ? .drain : nil
            }
        if let request { try ask(whims.replacement(of: request, using: &chance)) }
    }

    mutating func ask(_ request: Request, client: Int? = nil) throws(Violation) {
        guard !hasExited else { return }
        if client == nil { try askAgain() }
        lastRequest += 1
        let name = "r\(lastRequest)"
        let drawn = client ?? peers.indices.randomElement(using: &chance) ?? 0
        let isAllowed = peers[drawn].role == .admin || !isForAdmin(request)
        let caller = caller(isAllowed ? drawn : 0, name)
        var asking = StoryLedger.Asking(request: request, caller: caller)
        asking.isJoined = isUnderWay(request, of: caller.peer.owner)
        asking.endedByThen = ledger.heardFinal
        for job in jobs(of: request) where ledger.heardFinal.contains(job) {
            if ledger.final[job] != nil {
                asking.endedBefore[job] = ledger.openings[job, default: 0]
            }
        }
        ledger.open[name] = asking
        ledger.asked = name
        try hear(.asked(request, by: caller))
        ledger.asked = nil
        try checkShare(of: caller, request)
    }

    private func jobs(of request: Request) -> [JobID] {
        switch request {
        case .result(let job, _, _): [job]
        case .wait(let jobs, _): jobs
        case .titanicReply(let id): [id.job]
        default: []
        }
    }

    /// Often the same job again, so that changes to one job meet.
    private mutating func anyJob() -> JobID {
        if Int.random(in: 0..<5, using: &chance) < 3 { return favourite }
        favourite = someJob()
        return favourite
    }

    mutating func someJob() -> JobID {
        let newest = highestUsedID + 1
        let oldest = Bool.random(using: &chance) ? max(1, newest - 8) : 1
        return JobID(rawValue: Int64.random(in: oldest...newest, using: &chance))
    }

    mutating func anyQueue() -> QueueName {
        Self.queues.randomElement(using: &chance) ?? .standard
    }

    private mutating func anyFilter() -> JobFilter {
        let states: [JobState?] = [nil, .queued, .running, .failed]
        return JobFilter(
            state: states.randomElement(using: &chance) ?? nil,
            queue: Bool.random(using: &chance) ? anyQueue() : nil
        )
    }

    // MARK: Submissions

    private mutating func submission() -> Request {
        let count = Int.random(in: 0..<4, using: &chance) == 0 ? 3 : 1
        let jobs = jobs(count)
        let waits = count == 1 && Int.random(in: 0..<3, using: &chance) == 0
        let waitMs = Int64.random(in: 0...500, using: &chance)
        return .submit(jobs, isBatch: count > 1, waitMs: waits ? waitMs : nil)
    }

    mutating func jobs(_ count: Int) -> [Submission] {
        var jobs = (0..<count).map { _ in job() }
        for place in jobs.indices where Int.random(in: 0..<4, using: &chance) == 0 {
            linkToOthers(&jobs, place)
        }
        for place in jobs.indices where Int.random(in: 0..<8, using: &chance) == 0 {
            guard let kernel = externals.kernels.randomElement(using: &chance) else { break }
            jobs[place].isFor(kernel)
        }
        return jobs
    }

    private mutating func job() -> Submission {
        var spec = Spec(
            kind: .sql,
            body: [1],
            timeoutMs: Int64.random(in: 300...1_500, using: &chance)
        )
        spec.queue = anyQueue()
        spec.priority = Int.random(in: -1...1, using: &chance)
        spec.sort = UInt64.random(in: 0...6, using: &chance)
        let tries = Int.random(in: 1...3, using: &chance)
        spec.retry = RetryPolicy(maxAttempts: tries, firstMs: 40, longestMs: 100)
        switch Int.random(in: 0..<20, using: &chance) {
        case 0..<5 where hasWriters: spec.writes = Bool.random(using: &chance) ? "x" : "y"
        case 5..<8:
            spec.kind = .compute
            spec.parts = Int.random(in: 2...4, using: &chance)
        case 8: spec.name = "killer"
        case 9..<12: spec.kind = .command
        default: break
        }
        if hasHeavyJobs && Int.random(in: 0..<3, using: &chance) == 0 {
            spec.frames = [Self.heavyFrame]
        }
        let hasKey = Int.random(in: 0..<3, using: &chance) == 0
        let key = hasKey ? "k\(Int.random(in: 0..<12, using: &chance))" : nil
        let print = UInt64.random(in: 0..<8, using: &chance) == 0 ? 2 : 1 as UInt64
        var job = Submission(spec: spec, key: key, fingerprint: print)
        if Int.random(in: 0..<6, using: &chance) == 0 {
            job.start = .after(ms: Int64.random(in: 0...300, using: &chance))
        }
        return job
    }

    // MARK: Starts

    /// The runner begins, after a crash or a clean end: recovery is the normal start.
    mutating func recover(cleanly: Bool) throws(Violation) {
        if cleanly && !unwritten.isEmpty && !weather.diskIsFull {
            let written = store.commit(unwritten, at: now)
            try learn(unwritten, written)
        }
        suspects = cleanly ? [] : unwrittenRuns
        let calledOff = try settleRunning(cleanly: cleanly)
        try checkAccepted()
        keepUnanswered()
        ledger.restart()
        turns = StoryTurns()
        shortTurns = StoryTurns()
        whims = StoryWhims()
        counts.innocent = []
        stoppedAt = nil
        if hasWriters { store.begin(at: now, after: now) } else { setClock() }
        spool.restart(store.endedFiles, begun: store.begunFiles)
        (unwritten, facts, questions, answers, whispers) = ([], [], [], [], [])
        externals.restart()
        workers = [:]
        for name in databases.keys { databases[name]?.writer = nil }
        hasExited = false
        isDraining = false
        run += 1

        let free = cleanly ? highestUsedID : max(highestUsedID, reservedUpTo)
        let ids = (free + 1)...(free + Int64.random(in: 1...9, using: &chance))
        try learn([], store.commit([.reserve(upTo: ids.upperBound)], at: now))
        note("run \(run) begins with ids \(ids), \(cleanly ? "cleanly" : "after a crash")")
        dispatcher = Self.dispatcher(
            run: run,
            workerCount,
            limits,
            now,
            ids: ids,
            calledOff,
            store.stagesLeft,
            suspects,
            retention: retention,
            temper: temper
        )
        dispatcher.begin(at: now)
        try carryOut(dispatcher.decide(at: now))
    }

    private var unwrittenRuns: Set<UInt64> { Set(ledger.running.values.compactMap(\.unwritten)) }

    /// Who was running is to blame, or was put back, as the in-flight marks tell.
    ///
    /// - Returns: Runs that were called off, and may have committed.
    private mutating func settleRunning(cleanly: Bool) throws(Violation) -> [Waiting] {
        var changes: [Change] = []
        if !cleanly {
            for (worker, order) in ledger.running.sorted(by: { $0.key < $1.key }) {
                guard ledger.killers.contains(order.job) || Bool.random(using: &chance),
                    details(order.job)?.job.cancelRequested == false
                else { continue }
                changes.append(.lose(order.job, order.attempt, worker, reason: "A crash."))
            }
        }
        try learn(changes, store.commit(changes, at: now))
        let left = ledger.kept.compactMap { details($0)?.job }.filter { $0.state == .running }
        let back = left.filter { !$0.cancelRequested }.map { job in
            Change.settle(
                Report(
                    job: job.id,
                    attempt: job.attempt,
                    worker: WorkerID(rawValue: 0),
                    ending: .putBack,
                    startedAt: now,
                    durationMicros: 0
                )
            )
        }
        try learn(back, store.commit(back, at: now))
        return left.filter(\.cancelRequested).compactMap { job in
            ledger.specs[job.id].map {
                Waiting(id: job.id, next: job.attempt, readyAt: now, losses: job.losses, spec: $0)
            }
        }
    }
}

extension Submission {
    /// Makes it one for external workers, unless it takes results of others, which such jobs do
    /// not.
    mutating func isFor(_ kernel: String) {
        guard !after.contains(where: \.givesResult) else { return }
        spec.kind = .compute
        spec.parts = 1
        spec.writes = nil
        spec.skill = kernel
    }
}
