// A short job that somebody waits for, and that changes nothing, runs before it is written: so it
// is written once, with its end, and waits for one sync instead of two.

/// A job that runs and is not written yet. While it is, nothing else happens: whatever is heard
/// next has it written first.
struct Early: Sendable {
    /// Expected length of a run, in µs, that is worth it: a sync takes about as long.
    static let longestMicros = 300.0
    /// For how long it is not written, in ms, should the run take longer than expected.
    static let longestMs: Int64 = 1

    let insertion: Insertion
    let writtenAt: Timestamp
}

extension Dispatcher {
    /// Gives the job to an idle worker at once, when nobody else is kept waiting by that.
    ///
    /// - Returns: False when it has to be written first.
    mutating func startEarly(_ purpose: Purpose, at now: Timestamp) -> Bool {
        guard let submission = purpose.early, unwrittenBytes == 0, unsettled.isEmpty,
            unwritable == nil, decisions.changes.isEmpty, isFitToRunEarly(submission),
            let seat = crew.mostFree(), crew[seat.worker]?.orders.isEmpty == true,
            let insertion = insertion(for: purpose)
        else { return false }

        let id = JobID(rawValue: insertion.ids.lowerBound)
        let job = Waiting(id: id, next: Attempt.none.next, readyAt: now, spec: submission.spec)
        give(job, to: seat, isLong, unwritten: submission.fingerprint)
        unborn[insertion.ticket] = id
        early = Early(insertion: insertion, writtenAt: now.adding(ms: Early.longestMs))
        return true
    }

    /// What has perhaps ended the program is written first, so that its losses can be counted.
    private func isFitToRunEarly(_ job: Submission) -> Bool {
        guard knowsPaused, !lanes.isPaused(job.spec.queue),
            let micros = pace.expectedMicros(job.spec.sort), micros <= Early.longestMicros
        else { return false }
        return !plan.suspects.contains(job.fingerprint)
    }

    /// Has the job written that runs and is not written yet, before anything else is.
    mutating func writeEarly() {
        guard let insertion = early?.insertion else { return }
        early = nil
        decisions.changes.insert(.insert(insertion), at: 0)
    }

    /// The job that ran early was refused: nobody will ever hear of it.
    mutating func forget(_ job: JobID) {
        lanes.remove(job)  // Its worker has died, perhaps, before it began.
        guard let attempt = active.removeValue(forKey: job) else { return }
        breakOff(job, attempt)
    }
}

extension Purpose {
    /// Nil when the job has to be written before it runs.
    fileprivate var early: Submission? {
        guard case .submission(_, let jobs, isBatch: false, let waitMs?) = self, waitMs > 0,
            let job = jobs.first, jobs.count == 1, job.key == nil, job.start == .now,
            job.spec.writes == nil, job.spec.parts == 1
        else { return nil }
        return job
    }
}
