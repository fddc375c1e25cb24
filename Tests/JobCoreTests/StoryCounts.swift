@testable import JobCore

/// Failures and losses as an observer of what is written counts them, job by job.
struct StoryCounts {
    var failures: [JobID: Int] = [:]
    var losses: [JobID: Int] = [:]
    /// Attempts to which a worker has come, in this run of the program or an earlier one.
    var begun: Set<Run> = []
    /// Runs that had ended, and shared the transaction of one that began after them.
    var innocent: Set<Run> = []
    var failedForGood: Set<JobID> = []
    /// Of the commit that is being learnt.
    var justFailed: Set<JobID> = []

    mutating func count(_ changes: [Change], _ facts: [Fact]) {
        var late: Set<Run> = []
        for case .cameLate(let job, let attempt) in facts {
            late.insert(Run(job: job, attempt: attempt))
        }
        justFailed = []
        for change in changes {
            switch change {
            case .settle(let report):
                guard case .failed(let failure) = report.ending,
                    !late.contains(Run(job: report.job, attempt: report.attempt))
                else { continue }
                failures[report.job, default: 0] += 1
                justFailed.insert(report.job)
                if failure.isPermanent { failedForGood.insert(report.job) }
            case .lose(let job, let attempt, _, _):
                if !late.contains(Run(job: job, attempt: attempt)) {
                    losses[job, default: 0] += 1
                }
            default: break
            }
        }
    }

    /// A client's retry counts anew.
    mutating func forget(_ job: JobID) {
        failures[job] = nil
        losses[job] = nil
        failedForGood.remove(job)
        justFailed.remove(job)
    }

    func hasNoChance(_ job: JobID, _ spec: Spec) -> Bool {
        failedForGood.contains(job) || failures[job, default: 0] >= spec.retry.maxAttempts
            || losses[job, default: 0] >= (spec.writes == nil ? 3 : 4)
    }
}

extension StoryWorld {
    /// What never began is not lost: it starts elsewhere, uncounted.
    func checkLosses(_ changes: [Change]) throws(Violation) {
        for case .lose(let job, let attempt, _, _) in changes {
            let run = Run(job: job, attempt: attempt)
            try check(counts.begun.contains(run), "only a run that began is lost: \(job.rawValue)")
            let isBlamed = !counts.innocent.contains(run)
            try check(isBlamed, "job \(job.rawValue) had ended, and is not lost with another")
        }
    }

    /// After a second stop, or when its time is up, a stop waits for no run any more.
    func checkHurry() throws(Violation) {
        for actor in workers.values where actor.step == .working && !actor.isGivenUp {
            guard !hasExited, let order = actor.current?.order, order.phase != .bury else {
                continue
            }
            let run = Run(job: order.job, attempt: order.attempt)
            try check(actor.brokenOff[run] != nil, "a stop in a hurry breaks off \(words(order))")
        }
    }

    /// A job fails when it has no chance left, and not before; it succeeds by its own run.
    func checkReason(of ended: Ended) throws(Violation) {
        guard !hasWriters else { return }  // A receipt tells of an earlier attempt.
        let id = ended.end.id
        guard let spec = ledger.specs[id] else { return }
        switch ended.end.state {
        case .succeeded:
            let mine = Array("\(id.rawValue)/\(ended.end.attempt.rawValue) in run".utf8)
            try check(
                ended.outcome?.bytes.starts(with: mine) == true,
                "job \(id.rawValue) succeeds with what its last attempt made"
            )
        case .failed:
            if ended.end.failure?.code == .dependencyFailed { return try checkStopped(ended.end) }
            let hasFailedChild = ledger.children[id, default: []].contains {
                ledger.final[$0].map { $0.state != .succeeded } ?? false
            }
            try check(
                hasFailedChild || ledger.spoilt.contains(id) || counts.hasNoChance(id, spec),
                "job \(id.rawValue) fails only when it has no chance left"
            )
        case .cancelled, .queued, .running: break
        }
    }

    func checkQueued(_ job: Waiting) throws(Violation) {
        let id = job.id.rawValue
        try check(!counts.hasNoChance(job.id, job.spec), "job \(id) is not tried too often")
        if counts.justFailed.contains(job.id) {
            try check(job.readyAt > now, "job \(id) pauses before it is tried again")
        }
    }
}
