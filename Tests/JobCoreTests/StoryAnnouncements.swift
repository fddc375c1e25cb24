@testable import JobCore

/// What listeners hear in a story: nothing that is not written, no run that is not under way, and
/// every end.
extension StoryWorld {
    func checkAnnouncements(_ decisions: Decisions, after event: Event) throws(Violation) {
        var ends: [JobID] = []
        if case .wrote(let facts) = event, hasListeners {
            for case .ended(let ended) in facts { ends.append(ended.end.id) }
        }
        var told: [JobID] = []
        for case .ended(let job, _, _, _) in decisions.announcements { told.append(job) }
        try check(told == ends, "listeners hear of each end once: \(told), not \(ends)")
        try check(hasListeners || decisions.announcements.isEmpty, "nobody listens")
        for announcement in decisions.announcements { try check(announcement) }
    }

    private func check(_ announcement: Announcement) throws(Violation) {
        switch announcement {
        case .queued(let job):
            try check(ledger.specs[job.id] != nil, "job \(job.id.rawValue) is written")
        case .running(let job, let attempt, _), .progress(let job, let attempt, _):
            try check(ledger.specs[job] != nil, "job \(job.rawValue) is written")
            let holders = ledger.holders[job, default: []]
            let isOutside = externals.orders.values.contains {
                $0.job == job && $0.attempt == attempt
            }
            try check(
                isOutside || holders.contains { $0.run.attempt == attempt },
                "attempt \(attempt.rawValue) of job \(job.rawValue) is under way"
            )
        case .ended(let job, let state, let attempt, _):
            let ends = ledger.ends[job, default: []]
            try check(
                ends.contains { $0.state == state && $0.attempt == attempt },
                "the end of job \(job.rawValue) is written"
            )
        case .paused: break
        }
    }
}
