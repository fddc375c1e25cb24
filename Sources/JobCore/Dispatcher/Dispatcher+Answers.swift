// What the dispatcher does with what the store answered.

extension Dispatcher {
    mutating func hear(_ answer: Answer, to ticket: Ticket, at now: Timestamp) {
        guard let purpose = pending.removeValue(forKey: ticket) else { return }
        if case .unreadable(let refusal) = answer {
            return unreadable(refusal, purpose, ticket, now)
        }

        switch (purpose, answer) {
        case (.load(let lane), .loaded(_, let jobs, let isAll, let damaged)):
            spoil(damaged)
            let divided = lanes.loaded(jobs, of: lane, isAll: isAll) {
                [active, leaving, returning, stopping] in
                active[$0] != nil || leaving[$0] != nil || returning[$0] != nil
                    || stopping[$0] != nil
            }
            for job in divided { gather(job) }
        case (.survey, .surveyed(let survey)): surveyed(survey)
        case (.gather(let job), .gathered(_, let outputs)):
            guard gathering[job.id] == ticket else { return }  // Cancelled meanwhile.
            gathered(job, outputs)
        case (.gather(let job), .partDamaged(_, let part)):
            guard gathering[job.id] == ticket else { return }  // Cancelled meanwhile.
            damageCount += 1
            decisions.changes.append(.spoilWhole(job.id, part: part))
        case (.show(let caller, let isBatch), .shown(let found, let isIssued)):
            show(found, isIssued, isBatch: isBatch, caller, at: now)
        case (.result(let caller, let range), .result(let found, let isIssued)):
            result(found, isIssued, range, caller)
        case (.own(let caller, _), .result(let found, let isIssued)):
            result(found, isIssued, .whole, caller)
        case (.parked(let wait), .ends(let ends, let isIssued)): parked(wait, ends, isIssued)
        case (.leftovers(let jobs, let database), .ends(let ends, let isIssued)):
            receipts.found(jobs, ends, isIssued, in: database)
        case (.list(let caller), .listed(let jobs, let next)):
            say(.listed(jobs.map(overlaid), next: next), to: caller)
        case (.queues(let caller), .queues(let queues)): say(.queues(queues), to: caller)
        case (.statistics(let caller), .statistics(let found)): tell(found, to: caller, at: now)
        case (.sweep, .expired(let jobs, let next)): swept(to: next, jobs, at: now)
        case (.owners(let campaign, let jobs), .owners(let owners, let isIssued)):
            step(campaign, jobs, ownedBy: owners, isIssued: isIssued)
        case (.page(let campaign), .selected(let jobs, let next)): page(of: campaign, jobs, next)
        default: preconditionFailure("an answer fits its query")
        }
    }

    // MARK: Ready jobs

    /// Asks for ready jobs where the store holds more than the lanes do.
    mutating func loadJobs(at now: Timestamp) {
        if !isSurveying, needsSurvey || (nextReadyAt.map { $0 <= now } ?? false) {
            isSurveying = true
            needsSurvey = false
            hasPausedSinceSurvey = false
            nextReadyAt = nil
            ask(.survey(now: now), for: .survey)
        }
        if let due = retryLoadsAt, due <= now {
            lanes.retryLoads()
            retryLoadsAt = nil
        }
        guard !stop.isDraining else { return }
        let wanted = lanes.lanesToLoad()
        guard !wanted.isEmpty else { return }
        // Else large jobs that run, and that the store still takes to be queued, would be all that
        // a load has room for.
        let known = Set(active.keys).union(leaving.keys).union(returning.keys)
            .union(stopping.keys).union(damaged)
        for (lane, limit) in wanted {
            ask(.load(lane, limit: limit, now: now, except: known), for: .load(lane))
        }
    }

    /// Has these jobs fail, so that whoever waits for them hears it. One that is known here can run
    /// all the same.
    mutating func spoil(_ jobs: [JobID]) {
        let found = jobs.filter {
            active[$0] == nil && !lanes.contains($0) && damaged.insert($0).inserted
        }
        guard !found.isEmpty else { return }
        damageCount += found.count
        decisions.changes.append(.spoil(found))
    }

    /// Pause before an unreadable store is asked again, in ms.
    static let retryLoadsMs: Int64 = 1_000

    private mutating func surveyed(_ survey: Survey) {
        isSurveying = false
        if !knowsPaused && hasPausedSinceSurvey {
            needsSurvey = true
        } else if !knowsPaused {
            knowsPaused = true
            for queue in survey.paused { lanes.setPaused(true, queue) }
        }
        for lane in survey.ready { lanes.markIncomplete(lane) }
        if let next = survey.nextReadyAt {
            nextReadyAt = min(nextReadyAt ?? .distantFuture, next)
        }
    }

    mutating func gather(_ job: Waiting) {
        active[job.id] = job.next
        gathering[job.id] = ask(.gather(job.id), for: .gather(job))
    }

    private mutating func gathered(_ job: Waiting, _ outputs: [[UInt8]]) {
        active[job.id] = nil
        gathering[job.id] = nil
        var job = job
        job.outputs = outputs
        admit(job)
    }

    private mutating func unreadable(
        _ refusal: Refusal,
        _ purpose: Purpose,
        _ ticket: Ticket,
        _ now: Timestamp
    ) {
        switch purpose {
        case .load(let lane):
            lanes.loadFailed(lane)
            retryLoadsAt = now.adding(ms: Self.retryLoadsMs)
        case .survey:
            isSurveying = false
            surveyLater(now)
        case .gather(let job):
            guard gathering[job.id] == ticket else { return }
            active[job.id] = nil
            gathering[job.id] = nil
            surveyLater(now)
        case .parked(let wait):
            guard let wait = waits.remove(wait) else { return }
            if wait.purpose == .own {
                sayNotYet(wait)
            } else {
                say(.refused(refusal), to: wait.caller)
            }
        case .own(let caller, let job): sayNotYet(job, to: caller)
        case .show(let caller, _), .result(let caller, _), .list(let caller), .queues(let caller),
            .statistics(let caller):
            say(.refused(refusal), to: caller)
        case .page(let campaign), .owners(let campaign, _):
            say(.refused(refusal), to: campaign.caller)
        case .sweep: sweepLater(at: now)
        case .submission, .call, .file, .piece, .pause, .step, .leftovers: break
        }
    }

    private mutating func surveyLater(_ now: Timestamp) {
        nextReadyAt = min(nextReadyAt ?? .distantFuture, now.adding(ms: 1_000))
    }

    // MARK: For clients

    private mutating func show(
        _ found: [JobDetails?],
        _ isIssued: [Bool],
        isBatch: Bool,
        _ caller: Caller,
        at now: Timestamp
    ) {
        if !isBatch, case nil = found.first ?? nil {
            return say(.refused(missing(isIssued.first ?? false)), to: caller)
        }
        say(.shown(found.compactMap(\.self).map(overlaid), isBatch: isBatch), to: caller)
    }

    private func missing(_ isIssued: Bool) -> Refusal {
        isIssued
            ? Refusal(410, "expired", "The job is no longer kept.")
            : Refusal(404, "unknown_job", "There is no job with this id.")
    }

    /// A run that did not outlive a commit yet, how far one is, and who has which turn, is known
    /// here alone.
    private func overlaid(_ details: JobDetails) -> JobDetails {
        guard !details.job.state.isFinal else { return details }
        if details.skill != nil { return overlaidOutside(details) }
        let isQueued = details.job.state == .queued
        var details = details
        guard let attempt = active[details.job.id] else {
            if isQueued { details.takenTurn = lanes.takenTurn(of: details.turns) }
            return details
        }
        guard let (worker, member) = crew.holder(of: details.job.id, attempt),
            member.running?.job.id == details.job.id
        else { return details }
        details.progress = member.mark?.progress ?? details.progress
        guard isQueued else { return details }
        try? details.job.apply(.started(attempt), at: details.createdAt)
        details.worker = worker
        details.startedAt = member.mark?.startedAt
        return details
    }

    private mutating func result(
        _ found: JobResult?,
        _ isIssued: Bool,
        _ range: ByteRange,
        _ caller: Caller
    ) {
        guard let found else { return say(.refused(missing(isIssued)), to: caller) }
        guard found.end.state.isFinal else {
            let state: JobState = active[found.end.id] == nil ? found.end.state : .running
            return say(.pending(found.end.id, state, retryAfterMs: Self.askAgainMs), to: caller)
        }
        say(reply(with: found, range), to: caller)
    }

    /// When a client that was told "pending" should ask again, in ms.
    static let askAgainMs: Int64 = 100

    private mutating func parked(_ ticket: Ticket, _ ends: [JobEnd?], _ isIssued: [Bool]) {
        guard let jobs = waits[ticket]?.jobs else { return }
        waits.hasLooked(ticket)
        for ((job, end), isIssued) in zip(zip(jobs, ends), isIssued) {
            if let end, end.state.isFinal {
                for wait in waits.ended(end) { tell(wait) }
            } else if end == nil {
                refuseWait(ticket, isIssued ? .goneJob(job) : .unknownJob(job))
            }
        }
    }

    private mutating func refuseWait(_ ticket: Ticket, _ refusal: Refusal) {
        if let wait = waits.remove(ticket) { say(.refused(refusal), to: wait.caller) }
    }

    /// All that a wait was for has ended, some time ago: what it was for is in the store.
    private mutating func tell(_ wait: Waits.Wait) {
        guard let range = wait.purpose.range else {
            return say(.ended(wait.jobs.compactMap { wait.ends[$0] }, all: true), to: wait.caller)
        }
        for job in wait.jobs { ask(job, range, for: wait) }
    }

    mutating func ask(_ job: JobID, _ range: ByteRange, for wait: Waits.Wait) {
        let isOwn = wait.purpose == .own
        ask(
            .result(job, range),
            for: isOwn ? .own(wait.caller, job) : .result(wait.caller, range)
        )
    }

    /// Clients whose time is up hear how far it is.
    mutating func expireWaits(at now: Timestamp) {
        for wait in waits.expired(at: now) {
            sayNotYet(wait)
        }
    }

    mutating func sayNotYet(_ wait: Waits.Wait) {
        switch wait.purpose {
        case .ends:
            let ends = wait.jobs.compactMap { wait.ends[$0] }
            say(.ended(ends, all: false), to: wait.caller)
        case .result, .own:
            if let job = wait.jobs.first { sayNotYet(job, to: wait.caller) }
        }
    }

    private mutating func sayNotYet(_ job: JobID, to caller: Caller) {
        let state: JobState = active[job] == nil ? .queued : .running
        say(.pending(job, state, retryAfterMs: Self.askAgainMs), to: caller)
    }

    private mutating func tell(_ found: Statistics, to caller: Caller, at now: Timestamp) {
        var found = found
        found.startedAt = plan.startedAt
        found.endedPerSecond = meter.perSecond(at: now)
        found.waiting = meter.waiting
        found.running = meter.running
        found.dropped = dropped
        found.expressStarts = expressStarts
        found.announcements = announcementCounts
        found.staging = stages.current?.progress
        found.alarms += alarms
        if let trouble = sweepTrouble(at: now) { found.alarms.append(trouble) }
        if lacksWorkers {
            let (missing, all) = (missingWorkers, crew.wanted)
            found.alarms.append("\(missing) of \(all) workers cannot be started.")
        }
        if damageCount > 0 {
            found.alarms.append("What the store has of \(damageCount) jobs is damaged.")
        }
        if !abandoned.isEmpty {
            found.alarms.append("\(abandoned.count) workers do not stop and were replaced.")
        }
        if !receipts.abandoned.isEmpty {
            let count = receipts.abandoned.count
            found.alarms.append("Of \(count) runs that write it is not known yet how they end.")
        }
        found.workers = crew.inOrder.map { worker, member in
            let running = member.running
            let sinceMs = running == nil ? nil : member.mark.map { now.ms(since: $0.startedAt) }
            return WorkerDetails(worker: worker, job: running?.job.id, runningMs: sinceMs)
        }
        found.externals = externalDetails(at: now)
        let begun =
            crew.members.values.count { $0.running?.isBurial == false && !$0.isRecorded }
            + externals.unrecorded
        let volatile = min(Int64(begun), found.counts.queued)  // Parts run, but are not counted.
        found.counts.running += volatile
        found.counts.queued -= volatile
        say(.statistics(found), to: caller)
    }
}
