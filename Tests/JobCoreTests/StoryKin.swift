import JobTesting

@testable import JobCore

/// What an observer of a story knows of jobs that come after others.
struct StoryKin {
    /// The jobs that each comes after.
    var before: [JobID: [JobID]] = [:]
    /// Those whose results it takes.
    var sources: [JobID: [JobID]] = [:]
    var onFailure: [JobID: OnFailure] = [:]
    /// Those of them that have not ended since the job was submitted, or was tried again.
    var awaited: [JobID: Set<JobID>] = [:]

    mutating func ended(_ job: JobID) {
        for other in awaited.keys { awaited[other]?.remove(job) }
    }
}

extension StoryWorld {
    /// A client has the job come after jobs of the same submission, of which none comes after it,
    /// or after any that there may be.
    mutating func linkToOthers(_ jobs: inout [Submission], _ place: Int) {
        for _ in 0..<Int.random(in: 1...2, using: &chance) {
            let givesResult = Bool.random(using: &chance)
            if place > 0, Bool.random(using: &chance) {
                let other = Int.random(in: 0..<place, using: &chance)
                jobs[place].after.append(
                    Predecessor(.sibling("\(other)"), place: other, givesResult: givesResult)
                )
            } else {
                jobs[place].after.append(Predecessor(.job(someJob()), givesResult: givesResult))
            }
        }
        jobs[place].onFailure = Bool.random(using: &chance) ? .run : .fail
    }

    mutating func linked(
        _ id: JobID,
        _ job: Submission,
        of insertion: Insertion,
        _ ids: [JobID]
    ) {
        guard !job.after.isEmpty else { return }
        func found(_ predecessor: Predecessor) -> JobID? {
            predecessor.place.map { ids[$0] } ?? insertion.job(of: predecessor)
        }
        let before = job.after.compactMap(found)
        ledger.kin.before[id] = before
        ledger.kin.sources[id] = job.after.filter(\.givesResult).compactMap(found)
        ledger.kin.onFailure[id] = job.onFailure
        ledger.kin.awaited[id] = Set(before.filter { ledger.final[$0] == nil })
    }

    // MARK: Promises

    /// A job may start when all that it comes after have ended.
    func checkReleased(_ job: Waiting) throws(Violation) {
        let awaited = ledger.kin.awaited[job.id] ?? []
        try check(
            awaited.isEmpty,
            "job \(job.id.rawValue) waits for \(awaited.map(\.rawValue).sorted())"
        )
    }

    func checkPredecessors(of order: Order) throws(Violation) {
        guard let before = ledger.kin.before[order.job], ledger.final[order.job] == nil else {
            return
        }
        let awaited = ledger.kin.awaited[order.job] ?? []
        try check(
            awaited.isEmpty,
            "job \(order.job.rawValue) starts after \(awaited.map(\.rawValue).sorted()) have ended"
        )
        let sources = ledger.kin.sources[order.job] ?? []
        try check(order.sources.map(\.job) == sources, "a run is told whose results it takes")
        guard ledger.kin.onFailure[order.job] == .fail else { return }
        for other in before where !ledger.deleted.contains(other) {
            try check(
                ledger.final[other]?.state == .succeeded,
                "job \(order.job.rawValue) starts after the success of job \(other.rawValue)"
            )
        }
        for other in sources where !ledger.deleted.contains(other) {
            guard case .result(let found, _) = store.answer(.result(other, .whole)) else {
                continue
            }
            try check(
                found?.bytes == ledger.outcomes[other]?.bytes && found?.head != nil,
                "the result of job \(other.rawValue) is there for job \(order.job.rawValue)"
            )
        }
    }

    /// It fails with one that it comes after, and not because of any other.
    func checkStopped(_ end: JobEnd) throws(Violation) {
        let others = ledger.kin.before[end.id] ?? []
        let hasBad = others.contains {
            ledger.ends[$0]?.last.map { $0.state == .failed || $0.state == .cancelled } ?? false
        }
        try check(
            hasBad && ledger.kin.onFailure[end.id] == .fail,
            "job \(end.id.rawValue) fails with a job that it comes after"
        )
    }

    /// Nobody removes what a job that has not ended comes after, unless a client says so.
    func checkRemoval(of job: JobID, by changes: [Change]) throws(Violation) {
        let isOld = changes.contains {
            if case .expire(let jobs, _, _) = $0 { jobs.contains(job) } else { false }
        }
        let isDeleted = changes.contains {
            switch $0 {
            case .delete(let jobs, _): jobs.contains(job)
            case .close(let targets, _): targets.contains { $0.job == job }
            default: false
            }
        }
        guard isOld, !isDeleted else { return }
        // Within one transaction something else may have ended it.
        let open = ledger.kin.before.filter { $0.value.contains(job) }.keys.filter {
            details($0)?.job.state.isFinal == false
        }
        guard !open.isEmpty else { return }
        let came = changes.contains {
            switch $0 {
            case .insert, .retry: true
            default: false
            }
        }
        try check(came, "job \(job.rawValue) is kept for \(open.map(\.rawValue).sorted())")
    }
}
