// What the dispatcher does with what the store answered.

extension Dispatcher {
    mutating func hear(_ answer: Answer, to ticket: Ticket, at now: Timestamp) {
        guard let purpose = pending.removeValue(forKey: ticket) else { return }
        if case .unreadable(let refusal) = answer { return unreadable(refusal, purpose, at: now) }

        switch (purpose, answer) {
        case (.load(let queue), .loaded(_, let jobs, let isAll)):
            let split = jobs.filter { $0.isSplit && active[$0.id] == nil }
            lanes.loaded(jobs.filter { !$0.isSplit }, of: queue, isAll: isAll) {
                [active, leaving] in active[$0] != nil || leaving.contains($0)
            }
            for job in split { gather(job) }
        case (.survey, .surveyed(let survey)): surveyed(survey)
        case (.gather(let job), .gathered(_, let outputs)): gathered(job, outputs)
        case (.show(let caller, let isBatch), .shown(let found, let isIssued)):
            show(found, isIssued, isBatch: isBatch, caller, at: now)
        case (.result(let caller, let range), .result(let found, let isIssued)):
            result(found, isIssued, range, caller)
        case (.parked(let wait), .ends(let ends, let isIssued)): parked(wait, ends, isIssued)
        case (.list(let caller), .listed(let jobs, let next)):
            say(.listed(jobs.map(overlaid), next: next), to: caller)
        case (.queues(let caller), .queues(let queues)): say(.queues(queues), to: caller)
        case (.statistics(let caller), .statistics(let found)): tell(found, to: caller, at: now)
        case (.page(let campaign), .selected(let jobs)):
            jobs.isEmpty
                ? say(.count(campaign.count), to: campaign.caller) : step(campaign, jobs)
        default: preconditionFailure("an answer fits its query")
        }
    }

    // MARK: Ready jobs

    /// Asks for ready jobs where the store holds more than the lanes do.
    mutating func loadJobs(at now: Timestamp) {
        if !isSurveying, needsSurvey || (nextReadyAt.map { $0 <= now } ?? false) {
            isSurveying = true
            needsSurvey = false
            nextReadyAt = nil
            ask(.survey(now: now), for: .survey)
        }
        guard !stop.isDraining else { return }
        for queue in lanes.queuesToLoad() {
            ask(.load(queue, limit: Lanes.queueJobs, now: now), for: .load(queue))
        }
    }

    private mutating func surveyed(_ survey: Survey) {
        isSurveying = false
        for queue in survey.paused { lanes.setPaused(true, queue) }
        for queue in survey.ready { lanes.markIncomplete(queue) }
        if let next = survey.nextReadyAt {
            nextReadyAt = min(nextReadyAt ?? .distantFuture, next)
        }
    }

    private mutating func gather(_ job: Waiting) {
        active[job.id] = job.next
        ask(.gather(job.id), for: .gather(job))
    }

    private mutating func gathered(_ job: Waiting, _ outputs: [[UInt8]]) {
        guard active[job.id] == job.next else { return }  // Cancelled meanwhile.
        active[job.id] = nil
        var job = job
        job.outputs = outputs
        lanes.add(job)
    }

    private mutating func unreadable(_ refusal: Refusal, _ purpose: Purpose, at now: Timestamp) {
        switch purpose {
        case .load(let queue): lanes.loadFailed(queue)
        case .survey:
            isSurveying = false
            nextReadyAt = now.adding(ms: 1_000)
        case .gather(let job): active[job.id] = nil
        case .parked(let wait):
            if let wait = waits.remove(wait) { say(.refused(refusal), to: wait.caller) }
        case .show(let caller, _), .result(let caller, _), .list(let caller), .queues(let caller),
            .statistics(let caller):
            say(.refused(refusal), to: caller)
        case .page(let campaign): say(.refused(refusal), to: campaign.caller)
        case .submission, .file, .pause, .step: break
        }
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

    /// A run that did not outlive a commit yet is known here alone.
    private func overlaid(_ details: JobDetails) -> JobDetails {
        guard details.job.state == .queued, let attempt = active[details.job.id],
            let (worker, member) = crew.holder(of: details.job.id, attempt),
            member.running?.job.id == details.job.id
        else { return details }
        var details = details
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
        switch wait.purpose {
        case .ends: say(.ended(wait.jobs.compactMap { wait.ends[$0] }, all: true), to: wait.caller)
        case .result(let range):
            for job in wait.jobs { ask(.result(job, range), for: .result(wait.caller, range)) }
        }
    }

    /// Clients whose time is up hear how far it is.
    mutating func expireWaits(at now: Timestamp) {
        for wait in waits.expired(at: now) {
            switch wait.purpose {
            case .ends:
                let ends = wait.jobs.compactMap { wait.ends[$0] }
                say(.ended(ends, all: false), to: wait.caller)
            case .result:
                guard let job = wait.jobs.first else { continue }
                let state: JobState = active[job] == nil ? .queued : .running
                say(.pending(job, state, retryAfterMs: Self.askAgainMs), to: wait.caller)
            }
        }
    }

    private mutating func tell(_ found: Statistics, to caller: Caller, at now: Timestamp) {
        var found = found
        found.startedAt = plan.startedAt
        found.endedPerSecond = meter.perSecond(at: now)
        found.waiting = meter.waiting
        found.running = meter.running
        found.dropped = dropped
        found.workers = crew.inOrder.map { worker, member in
            let running = member.running
            let sinceMs = running == nil ? nil : member.mark.map { now.ms(since: $0.startedAt) }
            return WorkerDetails(worker: worker, job: running?.job.id, runningMs: sinceMs)
        }
        let volatile = Int64(crew.members.values.count { $0.running != nil && !$0.isRecorded })
        found.counts.running += volatile
        found.counts.queued = max(0, found.counts.queued - volatile)
        say(.statistics(found), to: caller)
    }
}
