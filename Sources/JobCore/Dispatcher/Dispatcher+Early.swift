// Jobs that change nothing may run before they are written. What they report is handed to the
// writer after them, and nobody hears of it before both are on disk; a row whose job has ended by
// then is written once, with its end.

/// A short job that somebody waits for, that runs and is not even handed to the writer: so it waits
/// for one sync instead of two. While it is, nothing else happens: whatever is heard next has it
/// written first.
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
        guard let submission = purpose.early, mayRunEarly(submission), unwrittenBytes == 0, !isWary,
            unsettled.isEmpty, unwritable == nil, decisions.changes.isEmpty, knowsPaused,
            !lanes.isPaused(submission.spec.queue),
            let micros = pace.expectedMicros(submission.spec.sort), micros <= Early.longestMicros,
            let seat = crew.mostFree(), crew[seat.worker]?.orders.isEmpty == true,
            let insertion = insertion(for: purpose)
        else { return false }

        let id = JobID(rawValue: insertion.ids.lowerBound)
        give(Waiting(submission, as: id, readyAt: now), to: seat, isLong)
        unborn[insertion.ticket] = insertion.ids
        early = Early(insertion: insertion, writtenAt: now.adding(ms: Early.longestMs))
        return true
    }

    /// Whether it does no harm should the job be refused, or known already, after all. What has
    /// perhaps ended the program is written first, so that its losses can be counted.
    private func mayRunEarly(_ job: Submission) -> Bool {
        job.key == nil && job.start == .now && job.after.isEmpty && job.spec.isPure
            && job.spec.parts == 1 && !plan.suspects.contains(job.fingerprint)
    }

    /// Has the job written that runs and is not written yet, before anything else is.
    mutating func writeEarly() {
        guard let insertion = early?.insertion else { return }
        early = nil
        decisions.changes.insert(.insert(insertion), at: 0)
    }

    /// Lets those of new jobs begin that change nothing and are short, as far as is known, while
    /// their insert waits for the writer or for the disk.
    mutating func admitEarly(_ insertion: Insertion, of purpose: Purpose, at now: Timestamp) {
        guard purpose.isOfAClient, unwritable == nil, knowsPaused, !stop.isDraining, !isWary
        else { return }
        var isShort: (sort: UInt64, answer: Bool)?
        var mayRun = false
        for (id, job) in zip(insertion.ids, insertion.jobs) where mayRunEarly(job) {
            let sort = job.spec.sort
            if isShort?.sort != sort { isShort = (sort, pace.knows(sort) && !pace.isLong(sort)) }
            guard isShort?.answer == true else { continue }
            lanes.add(Waiting(job, as: JobID(rawValue: id), readyAt: now))
            mayRun = true
        }
        if mayRun { unborn[insertion.ticket] = insertion.ids }
    }

    /// A job that may have run early was refused: nobody will ever hear of it.
    mutating func forget(_ job: JobID) {
        lanes.remove(job)
        guard let attempt = active.removeValue(forKey: job) else { return }
        breakOff(job, attempt)
    }
}

extension Purpose {
    /// The job that somebody waits for, and nothing else.
    fileprivate var early: Submission? {
        isAwaited && jobs.count == 1 ? jobs.first : nil
    }

    private var isAwaited: Bool {
        switch self {
        case .submission(_, _, isBatch: false, let waitMs?): waitMs > 0
        case .call: true
        default: false
        }
    }

    /// True unless a file's row of the ledger has to be written, too.
    fileprivate var isOfAClient: Bool {
        switch self {
        case .submission, .call: true
        default: false
        }
    }
}

extension Waiting {
    /// A job that is not written yet.
    fileprivate init(_ job: Submission, as id: JobID, readyAt: Timestamp) {
        self.init(id: id, next: Attempt.none.next, readyAt: readyAt, spec: job.spec)
        unwritten = job.fingerprint
    }
}
