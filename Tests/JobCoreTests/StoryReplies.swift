@testable import JobCore

/// What clients hear, compared with what was written by then.
extension StoryWorld {
    /// Notes to which requests changes belong, which may be spoken of once they are facts.
    mutating func attribute(_ changes: [Change]) throws(Violation) {
        for change in changes {
            guard let ticket = change.ticket, let caller = dispatcher.pending[ticket]?.caller,
                let name = caller.request
            else { continue }
            ledger.open[name]?.tickets.insert(ticket)
            if case .close(let targets, _) = change {
                try checkClosing(targets, of: ledger.open[name])
            }
            try checkRight(of: caller, to: change)
        }
    }

    mutating func check(_ message: Message) throws(Violation) {
        let id = message.to.request ?? ""
        guard let asking = ledger.open.removeValue(forKey: id) else {
            throw Violation(sentence: "request \(id) is answered once")
        }
        let areHeard = asking.tickets.isSubset(of: ledger.heardTickets)
        try check(areHeard, "no reply comes before its fact")
        if asking.request.changesSomething { try checkChanged(asking, id, message.reply) }

        switch message.reply {
        case .accepted(let accepted, _): try check(accepted, asking)
        case .ended(let ends, let all):
            for end in ends { try check(end) }
            if case .wait(let jobs, _) = asking.request, !all {
                try checkPending(Set(jobs).subtracting(ends.map(\.id)), asking)
            }
        case .pending(let job, let state, _):
            try check(!state.isFinal, "pending is not final")
            try checkPending([job], asking)
        case .result(let result):
            try check(result)
            try check(result, of: asking)
        case .titanicID(let id): try check(id, asking)
        case .shown(let jobs, _), .listed(let jobs, _): for job in jobs { try checkShown(job) }
        case .statistics(let statistics):
            let sum = statistics.counts.sum
            try check(sum == ledger.statisticsSum, "the counters' sum is what is there")
        case .refused(let refusal):
            try checkQuota(refusal, asking)
            try check(refusal, asking)
        case .count, .queues, .pong, .about, .served, .draining: break
        }
    }

    /// A change is told of when it was written, and as it was written.
    private func checkChanged(
        _ asking: StoryLedger.Asking,
        _ name: String,
        _ reply: Reply
    ) throws(Violation) {
        let count = asking.tickets.reduce(0) { $0 + ledger.heardCounts[$1, default: 0] }
        if case .refused(let refusal) = reply {
            guard asking.request.hasOneChange else { return }
            return try check(count == 0, "a request that is refused (\(refusal.code)) does nothing")
        }
        try check(ledger.asked != name, "a change is not told of in the round of its asking")
        try check(
            !asking.request.hasOneChange || asking.tickets.count == 1,
            "only a change that was made is told of"
        )
        let refused = asking.tickets.intersection(ledger.heardRefused)
        try check(refused.isEmpty, "what was refused is not told to be done")
        guard case .count(let told) = reply else { return }
        try check(told == count, "\(told) jobs are told to be changed, and \(count) were")
    }

    private mutating func check(
        _ accepted: [Accepted],
        _ asking: StoryLedger.Asking
    ) throws(Violation) {
        guard case .submit(let jobs, _, _) = asking.request else {
            throw Violation(sentence: "only submissions are accepted")
        }
        try check(jobs.count == accepted.count, "each job of a submission has its id")
        let owner = asking.caller.peer.owner
        for (job, accepted) in zip(jobs, accepted) {
            let isHeard = ledger.heardAccepted.contains(accepted.id)
            try check(isHeard, "job \(accepted.id.rawValue) is accepted when it is written")
            try check(
                ledger.owners[accepted.id] == owner,
                "job \(accepted.id.rawValue) is its submitter's"
            )
            ledger.acknowledged.insert(accepted.id)
            guard let name = job.key else { continue }
            let key = StoryLedger.Key(owner: owner, name: name)
            if let known = ledger.keys[key], !ledger.deleted.contains(known) {
                try check(known == accepted.id, "key \(name) stands for one job")
            }
            ledger.keys[key] = accepted.id
        }
    }

    private func check(_ end: JobEnd) throws(Violation) {
        let isWritten = ledger.ends[end.id, default: []].contains(end)
        try check(isWritten, "the end of job \(end.id.rawValue) is told after it was written")
    }

    private func checkShown(_ details: JobDetails) throws(Violation) {
        let (id, job) = (details.job.id, details.job)
        if job.state.isFinal {
            let isWritten = ledger.ends[id, default: []].contains { $0.state == job.state }
            try check(isWritten, "the end of job \(id.rawValue) is shown after it was written")
        } else if job.state == .running && !job.cancelRequested {
            let hasBegun = counts.begun.contains(Run(job: id, attempt: job.attempt))
            try check(hasBegun, "job \(id.rawValue) is not shown to run before it begins")
        }
        try check(details.owner == ledger.owners[id], "job \(id.rawValue) is shown with its owner")
    }

    /// Whatever had ended, and was known to have, before somebody asked, is not pending.
    private func checkPending(
        _ jobs: Set<JobID>,
        _ asking: StoryLedger.Asking
    ) throws(Violation) {
        // What was accepted is not refused, though its result cannot be read.
        if case .submit = asking.request, weather.faults { return }
        for job in jobs {
            guard let openings = asking.endedBefore[job],
                openings == ledger.openings[job, default: 0]
            else { continue }
            try check(false, "job \(job.rawValue) had ended and is told to be pending")
        }
    }

    private mutating func check(_ result: JobResult) throws(Violation) {
        try check(result.end)
        guard result.end.state == .succeeded else { return }
        let id = result.end.id
        try check(result.bytes == ledger.outcomes[id]?.bytes, "a result is what was written")
        if let before = ledger.told[id] {
            try check(before == result.bytes, "the result of job \(id.rawValue) never changes")
        }
        ledger.told[id] = result.bytes
    }

    private func check(
        _ refusal: Refusal,
        _ asking: StoryLedger.Asking
    ) throws(Violation) {
        switch asking.request {
        case .submit, .titanicRequest: break
        case .titanicReply(let id): return try check(refusal, of: id)
        default: return
        }
        let accepted = asking.tickets.flatMap { ledger.heardInserted[$0] ?? [] }
        let wasDeleted = accepted.allSatisfy { ledger.deleted.contains($0.id) }
        try check(
            wasDeleted || accepted.allSatisfy { !$0.created },
            "a job that was accepted is not refused (\(refusal.code))"
        )
    }
}

extension Purpose {
    /// Who is told of the change that this is for.
    fileprivate var caller: Caller? {
        switch self {
        case .submission(let caller, _, _, _), .pause(let caller, _): caller
        case .step(let campaign): campaign.caller
        default: nil
        }
    }
}

extension Request {
    var changesSomething: Bool { hasOneChange || isAfterALook }

    /// True for what is done by one change, and so as a whole or not at all.
    fileprivate var hasOneChange: Bool {
        switch self {
        case .submit, .cancel(.ids), .retry(.ids), .delete(.ids), .pauseQueue, .resumeQueue,
            .titanicRequest:
            true
        default: false
        }
    }

    /// True for what is done to the jobs that the store has found, if any.
    private var isAfterALook: Bool {
        switch self {
        case .cancel(.filter), .retry(.filter), .delete(.filter), .titanicClose: true
        default: false
        }
    }
}
