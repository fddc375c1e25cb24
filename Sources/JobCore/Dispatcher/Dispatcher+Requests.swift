// What the dispatcher does when a client asks, or a file was dropped.

extension Dispatcher {
    /// Hears a request for the first time, unless the client has used up its share.
    mutating func admit(_ request: Request, from caller: Caller, at now: Timestamp) {
        guard quotas.begin(for: caller.account) else {
            // Not `say`, for no request was counted that this answers.
            return decisions.messages.append(Message(to: caller, .refused(.tooManyRequests)))
        }
        switch request {
        case .submit(let jobs, _, _):
            guard charge(jobs.count, to: caller, at: now) else { return }
        case .titanicRequest:
            guard charge(1, to: caller, at: now) else { return }
        default: break
        }
        hear(request, from: caller, at: now)
    }

    /// - Returns: False when the client has submitted more jobs than it may, and has been told so.
    mutating func charge(_ jobs: Int, to caller: Caller, at now: Timestamp) -> Bool {
        guard let pauseMs = quotas.charge(jobs, to: caller.account, at: now) else { return true }
        var refusal = Refusal.tooManyJobs
        refusal.retryAfterMs = pauseMs
        say(.refused(refusal), to: caller)
        return false
    }

    mutating func hear(_ request: Request, from caller: Caller, at now: Timestamp) {
        switch request {
        case .ping: say(.pong, to: caller)
        case .about: say(.about(plan.about), to: caller)
        case .isServed(let served): say(.served(served), to: caller)
        case .isAttached(let kernel): say(.served(externals.serves(kernel)), to: caller)
        case .submit(let jobs, let isBatch, let waitMs):
            submit(.submission(caller, jobs, isBatch: isBatch, waitMs: waitMs), at: now)
        case .show(let ids, let isBatch): ask(.show(ids), for: .show(caller, isBatch: isBatch))
        case .result(let id, let range, let waitMs): result(of: id, range, waitMs, caller, at: now)
        case .wait(let ids, let waitMs):
            park(ids, .ends, for: waitMs, caller, at: now)
        case .list(let filter, let after, let limit):
            ask(.list(filter, after: after, limit: limit), for: .list(caller))
        case .cancel(let selection): begin(.cancel, selection, caller)
        case .retry(let selection): begin(.retry, selection, caller)
        case .delete(let selection): begin(.delete, selection, caller)
        case .listQueues(let queue): ask(.queues(queue), for: .queues(caller))
        case .pauseQueue(let queue): setPaused(true, queue, caller)
        case .resumeQueue(let queue): setPaused(false, queue, caller)
        case .statistics: ask(.statistics(now: now), for: .statistics(caller))
        case .call(let job, let digest): call(job, digest, caller, at: now)
        case .titanicRequest(let job):
            submit(.submission(caller, [job], isBatch: false, waitMs: nil), at: now)
        case .titanicReply(let id): ask(.titanicResult(id), for: .result(caller, .whole))
        case .titanicClose(let id): close(id, caller)
        case .drain:
            say(.draining, to: caller)
            beginDraining(at: now)
        }
    }

    mutating func submit(_ purpose: Purpose, at now: Timestamp) {
        if stop.isDraining { return refuse(purpose, .draining) }
        if case .submission(let caller, _, _, let waitMs?) = purpose, waitMs > 0,
            let refusal = waitRefusal(caller, jobs: 1)
        {
            return refuse(purpose, refusal)
        }
        let bytes = purpose.jobs.weight
        guard unwrittenBytes == 0 || unwrittenBytes + bytes <= plan.limits.unwrittenBytes else {
            return refuse(purpose, .tooManyBytes)
        }
        let runs = startEarly(purpose, at: now)
        unwrittenBytes += bytes
        if !runs { insert(purpose, at: now) }
    }

    /// As soon as there are ids for it.
    mutating func insert(_ purpose: Purpose, at now: Timestamp) {
        if case .piece(let piece) = purpose { return stage(piece, purpose) }
        if let insertion = insertion(for: purpose) {
            decisions.changes.append(.insert(insertion))
            admitEarly(insertion, of: purpose, at: now)
        } else if let unwritable {
            giveUp(purpose, unwritable)
        } else {
            held.append(purpose)
        }
    }

    /// - Returns: Nil when so many ids are not reserved yet.
    mutating func insertion(for purpose: Purpose) -> Insertion? {
        guard let range = ids.take(purpose.jobs.count) else { return nil }
        let ticket = ticket(for: purpose)
        var insertion = Insertion(
            jobs: salted(purpose.jobs, ids: range),
            ids: range,
            ticket: ticket
        )
        switch purpose {
        case .file(let file): insertion.file = file.row
        case .submission(let caller, _, _, _): insertion.owner = caller.peer.owner
        case .call(let call, _): insertion.owner = call.owner
        default: break
        }
        return insertion
    }

    /// Refuses jobs that were taken in already.
    mutating func giveUp(_ purpose: Purpose, _ refusal: Refusal) {
        unwrittenBytes -= purpose.jobs.weight
        refuse(purpose, refusal)
    }

    mutating func refuse(_ purpose: Purpose, _ refusal: Refusal) {
        switch purpose {
        case .submission(let caller, let jobs, _, _):
            quotas.refund(jobs.count, to: caller.account)
            say(.refused(refusal), to: caller)
        case .call(let call, _): refuse(call, refusal)
        case .file(let file):
            decisions.notices.append(.refused(takenAs: file.row.takenAs, refusal))
        case .piece(let piece):
            decisions.notices.append(.refused(takenAs: piece.row.takenAs, refusal))
        default: break
        }
    }

    // MARK: Waiting

    private mutating func result(
        of job: JobID,
        _ range: ByteRange,
        _ waitMs: Int64?,
        _ caller: Caller,
        at now: Timestamp
    ) {
        guard let waitMs, waitMs > 0 else {
            ask(.result(job, range), for: .result(caller, range))
            return
        }
        park([job], .result(range), for: waitMs, caller, at: now)
    }

    /// Parks a wait, then looks whether the jobs have ended already: whichever comes first.
    mutating func park(
        _ jobs: [JobID],
        _ purpose: Waits.Wait.Purpose,
        for ms: Int64,
        _ caller: Caller,
        at now: Timestamp,
        looking: Bool = true
    ) {
        if let refusal = waitRefusal(caller, jobs: jobs.count) {
            return say(.refused(refusal), to: caller)
        }
        lastTicket += 1
        let ticket = Ticket(rawValue: lastTicket)
        let deadline = now.adding(ms: min(max(ms, 0), Limits.waitMs))
        var wait = Waits.Wait(caller: caller, purpose: purpose, jobs: jobs, deadline: deadline)
        wait.isLooking = looking
        waits.park(wait, as: ticket)
        if looking { ask(.ends(jobs), for: .parked(ticket)) }
    }

    func waitRefusal(_ caller: Caller, jobs: Int) -> Refusal? {
        let (share, limits) = (waits.share(of: caller.account), plan.limits)
        guard
            waits.count >= limits.waits || share.waits >= limits.waitsPerClient
                || share.jobs + jobs > limits.awaitedJobsPerClient
        else { return nil }
        var refusal = Refusal(
            429,
            "too_many_waits",
            "There are as many parked waits as allowed.",
            hint: "Wait for several jobs in one job.wait, or ask without wait_ms."
        )
        refusal.retryAfterMs = 1_000
        return refusal
    }

    // MARK: Cancel, retry, delete, close, pause

    private mutating func begin(_ verb: Campaign.Verb, _ selection: Selection, _ caller: Caller) {
        var campaign = Campaign(verb: verb, caller: caller)
        let mayChangeAll = caller.peer.role == .admin
        switch selection {
        case .ids(let ids) where mayChangeAll: step(campaign, ids)
        case .ids(let ids): ask(.owners(ids), for: .owners(campaign, ids))
        case .filter(var filter):
            if !mayChangeAll { filter.owner = caller.peer.owner }
            campaign.filter = filter
            nextPage(of: campaign)
        }
    }

    /// Goes on when none of the jobs is somebody else's: otherwise nothing happens to any of them,
    /// not even to their place in the lanes.
    mutating func step(
        _ campaign: Campaign,
        _ jobs: [JobID],
        ownedBy owners: [Owner?],
        isIssued: [Bool]
    ) {
        let peer = campaign.caller.peer
        var own: [JobID] = []
        var missing: Refusal?
        for ((job, found), isIssued) in zip(zip(jobs, owners), isIssued) {
            if let found, found != peer.owner, peer.role < .admin {
                return say(.refused(.notOwnJob(job, campaign.verb)), to: campaign.caller)
            }
            if found == nil { missing = missing ?? (isIssued ? .goneJob(job) : .unknownJob(job)) }
            if found != nil { own.append(job) }
        }
        guard own.isEmpty, let missing else { return step(campaign, own) }
        if campaign.verb == .close { return say(.count(0), to: campaign.caller) }
        say(.refused(missing), to: campaign.caller)
    }

    mutating func nextPage(of campaign: Campaign) {
        guard let filter = campaign.filter else { return }
        ask(
            .select(filter, after: campaign.after, limit: Campaign.page),
            for: .page(campaign)
        )
    }

    mutating func page(of campaign: Campaign, _ jobs: [JobID], _ next: JobID?) {
        guard jobs.isEmpty else { return step(campaign, jobs) }
        guard let next else { return say(.count(campaign.count), to: campaign.caller) }
        var campaign = campaign
        campaign.after = next
        nextPage(of: campaign)
    }

    mutating func step(_ campaign: Campaign, _ jobs: [JobID]) {
        var campaign = campaign
        campaign.after = jobs.last
        campaign.jobs = jobs
        let ticket = ticket(for: .step(campaign))
        switch campaign.verb {
        case .cancel: decisions.changes.append(.cancel(callOff(jobs), ticket))
        case .close: decisions.changes.append(.close(callOff(jobs), ticket))
        case .retry:
            for job in jobs { returning[job, default: 0] += 1 }
            decisions.changes.append(.retry(jobs, ticket))
        case .delete: decisions.changes.append(.delete(jobs, ticket))
        }
    }

    /// Takes the jobs out of the lanes, and lets nothing bring them back until that is written.
    private mutating func callOff(_ jobs: [JobID]) -> [Target] {
        for job in jobs {
            lanes.remove(job)
            leaving[job, default: 0] += 1
        }
        return jobs.map { Target($0, active: active[$0]) }
    }

    private mutating func setPaused(_ isPaused: Bool, _ queue: QueueName?, _ caller: Caller) {
        let ticket = ticket(for: .pause(caller, queue))
        decisions.changes.append(.setPaused(isPaused, queue, ticket))
    }
}

extension Purpose {
    /// What is to be written; nothing unless it is a submission, a call or a file.
    var jobs: [Submission] {
        switch self {
        case .submission(_, let jobs, _, _): jobs
        case .call(_, let job): [job]
        case .file(let file): file.jobs
        case .piece(let piece): piece.jobs
        default: []
        }
    }
}

extension [Submission] {
    /// What they take in memory, in bytes, roughly.
    var weight: Int { reduce(0) { $0 + $1.spec.weight } }
}

extension Refusal {
    fileprivate static func notOwnJob(_ id: JobID, _ verb: Campaign.Verb) -> Refusal {
        Refusal(
            403,
            "forbidden",
            "Job \(id.rawValue) belongs to somebody else, and this key may \(verb) its own alone.",
            hint: "A client with the role admin may \(verb) every job."
        )
    }

    fileprivate static let tooManyRequests: Refusal = {
        var refusal = Refusal(
            429,
            "too_many_requests",
            "This client has as many unanswered requests as it may.",
            hint: "Read replies before sending more requests."
        )
        refusal.retryAfterMs = 100
        return refusal
    }()

    fileprivate static let tooManyJobs = Refusal(
        429,
        "too_many_jobs",
        "This client submits more jobs a second than it may.",
        hint: "Send the same again later; sys.info tells the limits."
    )

    static let draining = Refusal(
        503,
        "draining",
        "The runner is stopping and takes no new jobs.",
        hint: "Send the same again, with its key, when the runner is back."
    )

    /// Clients send faster than the disk or the reading of large messages can follow.
    public static let tooManyBytes: Refusal = {
        var refusal = Refusal(
            503,
            "busy",
            "The runner has taken in as many jobs as it may hold before they are written.",
            hint: "Send the same again in a moment."
        )
        refusal.retryAfterMs = 200
        return refusal
    }()
}
