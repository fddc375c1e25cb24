// What the dispatcher does so that a job that writes has its effect exactly once.

extension Dispatcher {
    // MARK: Salts

    /// The same for the same start and id, so that whoever needs it need not be told.
    func salted(_ spec: Spec, as id: JobID) -> Spec {
        guard spec.writes != nil else { return spec }
        var spec = spec
        let number = plan.seed ^ UInt64(bitPattern: id.rawValue)
        spec.salt = Int64(bitPattern: scrambled(number))
        return spec
    }

    func salted(_ jobs: [Submission], ids: ClosedRange<Int64>) -> [Submission] {
        guard jobs.contains(where: { $0.spec.writes != nil }) else { return jobs }
        var jobs = jobs
        for (place, id) in ids.enumerated() {
            jobs[place].spec = salted(jobs[place].spec, as: JobID(rawValue: id))
        }
        return jobs
    }

    // MARK: Settling and removal

    mutating func settle(_ report: Report, of job: Waiting) {
        if report.hasSucceeded { receipts.isSettling(job) }
        var report = report
        report.queue = job.spec.queue
        handOver(report, as: .settle(report))
    }

    /// A run is over: others may have its turns.
    mutating func giveBack(turnsOf job: Waiting, hasWritten: Bool = false) {
        lanes.giveBack(turnsOf: job)
        guard let database = job.spec.writes else { return }
        let isLast = lanes.takenTurn(of: Turns(writes: database)) == nil
        receipts.takeBack(database, hasWritten: hasWritten, isLast: isLast)
    }

    mutating func ask(about leftovers: [JobID], of job: Waiting) {
        guard !leftovers.isEmpty, let database = job.spec.writes else { return }
        ask(.ends(leftovers), for: .leftovers(leftovers, database: database))
    }

    // MARK: Runs that were given up

    /// The process of this run has ended, and with it whoever could say how the run ended.
    mutating func findOut(about job: Waiting, at now: Timestamp) {
        active[job.id] = job.next
        let reason = "The program ended during this run."
        receipts.abandon(Receipts.Abandoned(job, nil, reason: reason, tryAt: now))
    }

    /// Has free workers find out about abandoned runs.
    mutating func bury(at now: Timestamp) {
        guard !receipts.abandoned.isEmpty else { return }
        for run in receipts.toBury where run.tryAt <= now {
            guard let seat = crew.mostFree(), !seat.isExpress else { return }
            var job = run.job
            job.spec.timeoutMs = Receipts.buryTimeoutMs
            let sequence = crew.give(job, to: seat, Crew.Guess(isBurial: true))
            receipts.isBeingBuried(job.id)
            decisions.orders.append(
                .init(
                    worker: seat.worker,
                    order: Order(sequence: sequence, job: job, phase: .bury)
                )
            )
        }
    }

    /// Nil while there is nobody to do it: who becomes free is heard.
    var nextBurial: Timestamp? {
        guard !receipts.abandoned.isEmpty, crew.mostFree()?.isExpress == false else {
            return nil
        }
        return receipts.toBury.map(\.tryAt).min()
    }

    /// What a worker says that was given up is not believed; but how a run that writes has ended,
    /// nobody knows better, as long as it is not settled.
    mutating func heardLate(_ report: Report) {
        guard receipts.abandoned[report.job]?.worker == report.worker,
            let run = receipts.conclude(report.job, report.attempt)
        else { return }
        conclude(run, report)
    }

    mutating func heardBurial(_ report: Report, at now: Timestamp) {
        if case .putBack = report.ending { return receipts.buryLater(report.job, at: now) }
        guard let run = receipts.conclude(report.job, report.attempt) else { return }
        if run.worker != nil { receipts.keep(report.job) }
        report.hasSucceeded ? conclude(run, report) : lose(run, at: now)
    }

    /// Of this run nothing will come back. One that has shared a transaction with another that is
    /// to blame is put back.
    mutating func lose(_ run: Receipts.Abandoned, at now: Timestamp) {
        if run.worker != nil { giveBack(turnsOf: run.job) }
        let (job, attempt) = (run.job.id, run.job.next)
        guard active[job] == attempt else { return }
        let worker = run.worker ?? WorkerID(rawValue: 0)
        guard run.isToBlame else {
            let report = Report(unbegun: job, attempt, ending: .putBack, at: now)
            return settle(report, of: run.job)
        }
        decisions.changes.append(.lose(job, attempt, worker, reason: run.reason))
    }

    private mutating func conclude(_ run: Receipts.Abandoned, _ report: Report) {
        if run.worker != nil { giveBack(turnsOf: run.job, hasWritten: report.hasSucceeded) }
        settle(report, of: run.job)
    }
}

extension Report {
    /// Made up, of a run that no worker reports.
    init(unbegun job: JobID, _ attempt: Attempt, ending: Ending, at now: Timestamp) {
        self.init(
            job: job,
            attempt: attempt,
            worker: WorkerID(rawValue: 0),
            ending: ending,
            startedAt: now,
            durationMicros: 0
        )
    }

    public var hasSucceeded: Bool {
        if case .succeeded = ending { true } else { false }
    }
}
