// What the dispatcher does with workers: orders, reports, marks, and those that are gone.

extension Dispatcher {
    /// Gives ready jobs to workers that have credit, as long as the store takes what they report.
    mutating func startJobs() {
        lanes.isSearching = false
        guard !stop.isDraining, knowsPaused, !storeLags else { return }
        let isLong = isLong  // What is given changes nothing about it.
        while let seat = crew.mostFree() {
            guard let job = seat.isExpress ? lanes.takeShort(isLong) : lanes.take() else { return }
            let others = company(of: job, seat, isLong)
            let group = others.isEmpty ? nil : crew[seat.worker].map { $0.sequence + 1 }
            give(job, to: seat, isLong, group: group)
            for other in others { give(other, to: seat, isLong, group: group) }
        }
    }

    /// Takes those jobs that share a transaction with one that starts.
    private mutating func company(
        of first: Waiting,
        _ seat: Crew.Seat,
        _ isLong: (UInt64) -> Bool
    ) -> [Waiting] {
        guard !isWary, sharing.admits(first) else { return [] }
        let most = seat.isExpress ? Crew.creditMicros : Sharing.micros
        var group = Group(first, sharing, mostMicros: most)
        return lanes.takeBeside(first) { [sharing] job in
            if group.isFull { return nil }
            guard sharing.admits(job), !(seat.isExpress && isLong(job.spec.sort)) else {
                return false
            }
            group.join(job, sharing)
            return true
        }
    }

    mutating func give(
        _ job: Waiting,
        to seat: Crew.Seat,
        _ isLong: (UInt64) -> Bool,
        group: UInt64? = nil
    ) {
        active[job.id] = job.next
        if seat.isExpress { expressStarts += 1 }
        let sequence = crew.give(job, to: seat, guess(of: job, isLong))
        var order = Order(sequence: sequence, job: job)
        order.group = group
        if let database = job.spec.writes { order.removable = receipts.hand(out: database) }
        decisions.orders.append(.init(worker: seat.worker, order: order))
    }

    /// Of a suspect nothing is expected: it runs as if it were the first of its sort.
    private func guess(of job: Waiting, _ isLong: (UInt64) -> Bool) -> Crew.Guess {
        guard job.losses == 0 else { return Crew.Guess() }
        let sort = job.spec.sort
        return Crew.Guess(micros: pace.expectedMicros(sort), isLong: isLong(sort))
    }

    /// Whether jobs of a sort are taken to be long, by a look at all orders: they are known to be,
    /// or what is known is older than what is seen. One run that lasts tells of a new sort, and two
    /// of any.
    var isLong: (UInt64) -> Bool {
        let lasting = crew.lastingSorts
        return { [pace] sort in
            if pace.isLong(sort) { return true }
            guard let runs = lasting[sort] else { return false }
            return runs > 1 || !pace.knows(sort)
        }
    }

    /// Starts a worker for short jobs when long ones hold all that are there.
    mutating func startExpressWorker() {
        guard !stop.isDraining, startWorkersAt == nil, let worker = crew.expressWorker() else {
            return
        }
        decisions.signals.append(.start(worker))
    }

    /// True while what workers report would only pile up: until some of it is written, which a fact
    /// tells. A store that refuses changes of clients alone holds up nobody.
    var storeLags: Bool {
        unsettled.bytes > plan.unsettledBytes || (unwritable != nil && !unsettled.isEmpty)
    }

    // MARK: Reports

    mutating func hear(_ report: Report, at now: Timestamp) {
        guard let order = crew.finish(report.worker, report.job, report.attempt) else {
            return heardLate(report)
        }
        if order.isBurial { return heardBurial(report, at: now) }
        let job = order.job
        hasLetGo(job.id)
        giveBack(turnsOf: job, hasWritten: report.hasSucceeded)
        pace.learn(job.spec.sort, micros: report.durationMicros)
        if job.spec.writes != nil { sharing.learn(job.spec.sort, from: report) }
        // What was taken to be long is short, perhaps.
        if order.hasLasted || order.isLong, !isLong(job.spec.sort) { lanes.lookAgain() }
        ask(about: report.leftovers, of: job)
        // Ended meanwhile, by a cancel: nothing that the run says changes that.
        guard active[report.job] == report.attempt else { return }
        meter.count(report, readyAt: job.readyAt, at: now)
        guard case .split(let parts) = report.ending else { return settle(report, of: job) }
        guard let ids = ids.take(parts.count) else {
            return settle(report.putBack, of: job)  // More ids are on their way.
        }
        handOver(report, as: .split(report, parts: parts, ids: ids))
    }

    /// It weighs until a fact tells that it is written.
    mutating func handOver(_ report: Report, as change: Change) {
        unsettled.append(report)
        decisions.changes.append(change)
    }

    mutating func hear(_ mark: WorkerMark, at now: Timestamp) {
        guard var member = crew[mark.worker] else { return }
        let isNew = member.mark?.sequence != mark.sequence
        member.mark = mark
        if isNew { member.beginsAnew() }
        crew[mark.worker] = member
        guard let running = member.running else { return }
        announce(running, mark, at: now)

        let ranMs = now.ms(since: mark.startedAt)
        if ranMs >= Crew.recallAfterMs { crew.hasLasted(running, on: mark.worker) }
        if ranMs >= Crew.recallAfterMs, member.hasAhead, !member.isRecalled {
            crew[mark.worker]?.isRecalled = true
            decisions.signals.append(.recall(mark.worker, upTo: member.sequence))
        }
        if ranMs >= Crew.recordAfterMs, !member.isRecorded, !running.isBurial {
            crew[mark.worker]?.isRecorded = true
            record(running.job, mark)
        }
        giveUpIfStuck(mark, at: now)
    }

    private mutating func record(_ job: Waiting, _ mark: WorkerMark) {
        guard active[job.id] == job.next else { return }
        decisions.changes.append(.start(job.id, job.next, mark.worker, at: mark.startedAt))
    }

    // MARK: Breaking off

    /// Asks the worker that has this run to end it.
    mutating func breakOff(_ job: JobID, _ attempt: Attempt) {
        guard let (worker, _) = crew.holder(of: job, attempt),
            let order = crew.breakOff(job, attempt, on: worker)
        else { return }
        decisions.signals.append(.breakOff(worker, order: order, job, attempt, .cancelled))
    }

    /// A thread that ignores its time-out or a cancel is replaced; its late report is fenced. What
    /// counts is how long it was seen to: while the whole process stood still, nobody could obey.
    /// Of runs that share a transaction each has to end in time, and its commit too.
    private mutating func giveUpIfStuck(_ mark: WorkerMark, at now: Timestamp) {
        guard let member = crew[mark.worker] else { return }
        let ranMs = now.ms(since: mark.startedAt)
        let late = member.orders.first { order in
            member.hasBegun(order) && (order.isBrokenOff || ranMs > order.job.spec.timeoutMs)
        }
        guard let late, crew.overdueMs(late, on: mark.worker, at: now) > plan.stuckMs
        else { return }
        // What waits behind the run is taken back first: the thread may still come to it.
        guard !member.hasAhead else { return }
        decisions.signals.append(.abandon(mark.worker))
        abandoned.insert(mark.worker)
        if abandoned.count > plan.about.workers { restart(at: now) }
        let reason = "The worker did not stop when it was told to."
        workerGone(mark.worker, reason: reason, at: now)
    }

    // MARK: Workers that come and go

    /// Pause before workers that could not be started are tried again, in ms.
    private static let startAgainMs: Int64 = 1_000

    /// Those that ought to be there and are not.
    var missingWorkers: Int { max(0, crew.wanted - crew.members.count) }

    mutating func workerCame(_ worker: WorkerID) {
        crew.join(worker)
        if missingWorkers == 0 { lacksWorkers = false }
    }

    mutating func startWorkersIfDue(at now: Timestamp) {
        guard let due = startWorkersAt, due <= now else { return }
        startWorkersAt = nil
        guard !stop.isDraining else { return }
        for _ in 0..<max(0, missingWorkers - crew.expected.count) {
            decisions.signals.append(.start(crew.newWorker()))
        }
    }

    mutating func workerDied(_ worker: WorkerID, at now: Timestamp) {
        abandoned.remove(worker)
        if crew.neverCame(worker) {
            // For want of descriptors, threads or memory: the next one will hardly fare better.
            lacksWorkers = true
            startWorkersAt = startWorkersAt ?? now.adding(ms: Self.startAgainMs)
            return
        }
        let reason = "The worker ended in the middle of the run."
        workerGone(worker, reason: reason, at: now)
    }

    private mutating func workerGone(_ worker: WorkerID, reason: String, at now: Timestamp) {
        guard let member = crew.leave(worker) else { return }
        lanes.lookAgain()
        for order in member.orders {
            if !member.hasBegun(order) || order.isBurial {
                isBack(order, at: now)
                continue
            }
            hasLetGo(order.job.id)
            var run = Receipts.Abandoned(order.job, worker, reason: reason, tryAt: now)
            if order.job.spec.writes != nil {
                // Those before it have ended, and share its transaction.
                run.isToBlame = order.sequence == member.mark?.sequence
                receipts.abandon(run)
            } else {
                lose(run, at: now)
            }
        }
        if !stop.isDraining { decisions.signals.append(.start(crew.newWorker())) }
    }

    mutating func takeBack(from worker: WorkerID, _ orders: Range<UInt64>, at now: Timestamp) {
        for order in crew.takeBack(from: worker, orders) { isBack(order, at: now) }
    }

    /// An order will not begin: its job may start elsewhere, unless it has ended, or begun anew,
    /// meanwhile.
    private mutating func isBack(_ order: Crew.Outstanding, at now: Timestamp) {
        let job = order.job
        if order.isBurial { return receipts.buryLater(job.id, at: now) }
        hasLetGo(job.id)
        giveBack(turnsOf: job)
        guard active[job.id] == job.next else { return }
        active[job.id] = nil
        if !order.isBrokenOff {
            admit(job)
        } else {
            settleUnbegun(job.id, job.next, at: now)
        }
    }

    /// No worker has the job any more, or the one that had it was given up. When it was passed over
    /// meanwhile the store has it.
    private mutating func hasLetGo(_ job: JobID) {
        if stopping.removeValue(forKey: job) == true { needsSurvey = true }
    }

    /// The store takes this attempt to be running and called off, but no worker will begin it: a
    /// report is made up, so that the job can end.
    mutating func settleUnbegun(_ job: JobID, _ attempt: Attempt, at now: Timestamp) {
        lanes.remove(job)
        active[job] = attempt
        let report = Report(unbegun: job, attempt, ending: .brokenOff, at: now)
        handOver(report, as: .settle(report))
    }
}

extension Report {
    /// The same run, as if it had been broken off by a stop: the job waits again, uncounted.
    fileprivate var putBack: Report {
        var report = self
        report.ending = .putBack
        return report
    }
}
