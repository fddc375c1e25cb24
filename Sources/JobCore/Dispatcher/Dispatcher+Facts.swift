// What the dispatcher does about what was written: from here on it may be spoken of.

extension Dispatcher {
    mutating func hear(_ fact: Fact, at now: Timestamp) {
        switch fact {
        case .refused, .unwritable: break
        default: unwritable = nil
        }
        announce(fact, at: now)
        switch fact {
        case .inserted(let ticket, let accepted, let file):
            inserted(ticket, accepted, file, at: now)
        case .ended(let ended): hear(ended, at: now)
        case .queued(let job):
            // A load may have shown it before, and its last run may be under way already.
            guard active[job.id] != job.next else { return }
            settled(job.id)
            if stopping[job.id] != nil { stopping[job.id] = true }
            queue(job, at: now)
        case .split(let parent, let children):
            settled(parent)
            for child in children { queue(child, at: now) }
        case .blocked: break  // It is heard of again when it may start.
        case .cancelRequested(let job, let attempt):
            breakOff(job, attempt)
            if active[job] == nil { settleUnbegun(job, attempt, at: now) }
        case .cameLate(let job, let attempt):
            guard active[job] == attempt else { return }
            settled(job)
            spoil([job])  // No other run was heard of: the store cannot read the job's row.
        case .changed(let ticket, let count, let unfit): changed(ticket, count, unfit, at: now)
        case .paused(let isPaused, let queues, let ticket): paused(isPaused, queues, ticket)
        case .reserved(let last):
            ids.reserved(upTo: last)
            let purposes = held
            held = []
            for purpose in purposes { insert(purpose, at: now) }
        case .fileEnded(let file): decisions.notices.append(.ended(file))
        case .staged(let ticket, let accepted, let file, let isAll):
            staged(ticket, accepted, file, isAll: isAll)
        case .released(let file, let isAll): released(file, isAll: isAll)
        case .unstaged(let takenAs, let isAll): unstaged(takenAs, isAll: isAll)
        case .refused(let ticket, let refusal): refused(ticket, refusal, at: now)
        case .settled(let reports): unsettled.removeFirst(reports)
        case .unwritable(let refusal): storeRefuses(refusal)
        }
    }

    /// The job's run is written down: whatever comes of the job is in the store now.
    private mutating func settled(_ job: JobID) {
        active[job] = nil
        gathering[job] = nil
        damaged.remove(job)
        lanes.ended(job)
    }

    /// Takes in a ready job, unless a load has shown it before its fact, it is being called off, or
    /// its last run has not stopped.
    mutating func admit(_ job: Waiting) {
        guard active[job.id] == nil, leaving[job.id] == nil, stopping[job.id] == nil,
            !lanes.contains(job.id)
        else { return }
        if job.lacksOutputs { gather(job) } else { lanes.add(job) }
    }

    /// A job that waits in the store: for a moment, or for a worker.
    private mutating func queue(_ job: Waiting, at now: Timestamp) {
        if job.readyAt > now {
            nextReadyAt = min(nextReadyAt ?? .distantFuture, job.readyAt)
        } else {
            admit(job)
        }
    }

    // MARK: New jobs

    private mutating func inserted(
        _ ticket: Ticket,
        _ accepted: [Accepted],
        _ file: FileID?,
        at now: Timestamp
    ) {
        guard let purpose = pending.removeValue(forKey: ticket) else { return }
        unborn[ticket] = nil
        unwrittenBytes -= purpose.jobs.weight
        switch purpose {
        case .submission(let caller, let jobs, let isBatch, let waitMs):
            take(in: jobs, accepted, at: now)
            guard let waitMs, waitMs > 0, let job = accepted.first else {
                return say(reply(to: jobs, accepted, isBatch: isBatch), to: caller)
            }
            if waitRefusal(caller, jobs: 1) != nil {
                // Others came first. The job is accepted all the same.
                guard job.state.isFinal else {
                    let again = Self.askAgainMs
                    return say(.pending(job.id, job.state, retryAfterMs: again), to: caller)
                }
                ask(.result(job.id, .whole), for: .own(caller, job.id))
                return
            }
            // What this very commit created cannot have ended: there is nothing to look up.
            park([job.id], .own, for: waitMs, caller, at: now, looking: !job.created)
        case .call(let call, let job):
            take(in: [job], accepted, at: now)
            if let id = accepted.first?.id { calls.accepted(call, as: id) }
        case .file(let taken):
            take(in: taken.jobs, accepted, at: now)
            guard let file else { return }
            let ids = accepted.map(\.id)
            decisions.notices.append(.accepted(takenAs: taken.row.takenAs, file, ids))
        default: break
        }
    }

    private func reply(to jobs: [Submission], _ accepted: [Accepted], isBatch: Bool) -> Reply {
        guard let token = jobs.first?.spec.titanicToken, let job = accepted.first else {
            return .accepted(accepted, isBatch: isBatch)
        }
        return .titanicID(TitanicID(job: job.id, token: token))
    }

    private mutating func take(in jobs: [Submission], _ accepted: [Accepted], at now: Timestamp) {
        // What comes after others is heard of when it waits for none of them.
        for (job, accepted) in zip(jobs, accepted) where accepted.created && job.after.isEmpty {
            let waiting = Waiting(
                id: accepted.id,
                next: Attempt.none.next,
                readyAt: job.readyAt(now: now),
                spec: salted(job.spec, as: accepted.id).leavingFrames()
            )
            queue(waiting, at: now)
        }
    }

    // MARK: Ends

    private mutating func hear(_ ended: Ended, at now: Timestamp) {
        let job = ended.end.id
        lanes.remove(job)
        if let attempt = active[job], crew.holder(of: job, attempt) != nil {
            // It ended in spite of its run: cancelled, or with its parent.
            breakOff(job, attempt)
            stopping[job] = false
        }
        endExternalRun(of: job)
        settled(job)
        receipts.ended(ended.end)
        for wait in waits.ended(ended.end) { answer(wait, with: ended) }
        calls.ended(ended)
    }

    private mutating func answer(_ wait: Waits.Wait, with ended: Ended) {
        guard let range = wait.purpose.range else {
            return say(.ended(wait.jobs.compactMap { wait.ends[$0] }, all: true), to: wait.caller)
        }
        guard range == .whole, ended.end.state != .succeeded || ended.outcome != nil else {
            return ask(ended.end.id, range, for: wait)
        }
        answer(wait.caller, with: ended)
    }

    /// With all of the result.
    mutating func answer(_ caller: Caller, with ended: Ended) {
        let result = JobResult(
            end: ended.end,
            head: ended.outcome?.head,
            bytes: ended.outcome?.bytes ?? []
        )
        say(reply(with: result, .whole), to: caller)
    }

    /// Nothing is cut in silence: what is too large for one reply is read in pieces.
    func reply(with result: JobResult, _ range: ByteRange) -> Reply {
        guard result.bytes.count > plan.limits.replyBytes || result.isLargerThanReply(plan.limits)
        else { return .result(result) }
        guard range == .whole else { return .result(result) }
        var refusal = Refusal(
            413,
            "read_in_pieces",
            "The result is larger than one reply may be.",
            hint: "Ask job.result for job \(result.end.id.rawValue) with offset and limit, at most "
                + "\(plan.limits.replyBytes) bytes at a time."
        )
        refusal.totalBytes = result.head?.totalBytes
        return .refused(refusal)
    }

    // MARK: Answers to changes

    private mutating func changed(
        _ ticket: Ticket,
        _ count: Int,
        _ unfit: Unfit?,
        at now: Timestamp
    ) {
        let purpose = pending.removeValue(forKey: ticket)
        if case .sweep? = purpose { return stepSwept(at: now) }
        guard case .step(var campaign)? = purpose else { return }
        campaign.count += count
        stepEnded(campaign)
        // A load has passed over jobs to be retried: those that wait already are still to be found.
        if campaign.verb == .retry, count < campaign.jobs.count { needsSurvey = true }
        if campaign.filter != nil { return nextPage(of: campaign) }
        if campaign.count == 0, let refusal = unfit?.refusal(of: campaign.verb) {
            say(.refused(refusal), to: campaign.caller)
        } else {
            say(.count(campaign.count), to: campaign.caller)
        }
    }

    private mutating func stepEnded(_ campaign: Campaign) {
        switch campaign.verb {
        case .cancel, .close: for job in campaign.jobs { leaving.countDown(job) }
        case .retry: for job in campaign.jobs { returning.countDown(job) }
        case .delete: break
        }
    }

    private mutating func paused(_ isPaused: Bool, _ queues: [QueueName], _ ticket: Ticket) {
        hasPausedSinceSurvey = true
        for queue in queues { lanes.setPaused(isPaused, queue) }
        if !isPaused { needsSurvey = true }  // It tells which lanes the queues have.
        guard case .pause(let caller, let queue) = pending.removeValue(forKey: ticket) else {
            return
        }
        ask(.queues(queue), for: .queues(caller))
    }

    private mutating func refused(_ ticket: Ticket, _ refusal: Refusal, at now: Timestamp) {
        guard let purpose = pending.removeValue(forKey: ticket) else { return }
        if let ids = unborn.removeValue(forKey: ticket) {
            for id in ids { forget(JobID(rawValue: id)) }
        }
        switch purpose {
        case .step(let campaign):
            // Nothing was written: what was taken out of the lanes waits in the store.
            stepEnded(campaign)
            needsSurvey = true
            say(.refused(refusal), to: campaign.caller)
        case .pause(let caller, _): say(.refused(refusal), to: caller)
        case .sweep: sweepLater(at: now)
        default: giveUp(purpose, refusal)
        }
    }

    /// As long as nothing can be written no ids can be reserved: nobody shall wait for them.
    private mutating func storeRefuses(_ refusal: Refusal) {
        unwritable = refusal
        giveUpHeld(refusal)
    }

    /// Refuses the jobs that wait for ids.
    mutating func giveUpHeld(_ refusal: Refusal) {
        let purposes = held
        held = []
        for purpose in purposes { giveUp(purpose, refusal) }
    }
}

extension [JobID: Int] {
    fileprivate mutating func countDown(_ job: JobID) {
        guard let count = self[job] else { return }
        self[job] = count > 1 ? count - 1 : nil
    }
}

extension JobResult {
    fileprivate func isLargerThanReply(_ limits: Limits) -> Bool {
        guard let total = head?.totalBytes else { return false }
        return total > Int64(limits.replyBytes) && bytes.count < total
    }
}

extension Unfit {
    /// Nil for a job that is to be cancelled and has ended, or to be closed and is gone: that
    /// changes nothing, and harms nobody.
    fileprivate func refusal(of verb: Campaign.Verb) -> Refusal? {
        switch self {
        case .unknown where verb == .close, .gone where verb == .close: nil
        case .unknown(let id): .unknownJob(id)
        case .gone(let id): .goneJob(id)
        case .wrongState where verb == .cancel: nil
        case .wrongState(let id, let state):
            Refusal(
                409,
                "wrong_state",
                "Job \(id.rawValue) is \(state.rawValue).",
                hint: verb.hint
            )
        }
    }
}

extension Campaign.Verb {
    fileprivate var hint: String {
        switch self {
        case .cancel: "Only a job that has not ended can be cancelled."
        case .retry: "Only a failed or cancelled job can be retried."
        case .delete: "Only a job that has ended can be deleted; cancel it first."
        case .close: "Only a job that can end at once can be closed."
        }
    }
}

extension Refusal {
    static func unknownJob(_ id: JobID) -> Refusal {
        Refusal(
            404,
            "unknown_job",
            "There is no job \(id.rawValue).",
            hint: "Its id was never issued."
        )
    }

    static func goneJob(_ id: JobID) -> Refusal {
        Refusal(
            410,
            "expired",
            "Job \(id.rawValue) is no longer kept.",
            hint: "It was deleted, or its time was up."
        )
    }
}
