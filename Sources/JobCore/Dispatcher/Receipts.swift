/// What the dispatcher knows of the receipts that jobs leave in the databases they write to: which
/// are needed no more, and which runs were given up without it being known whether they commit.
struct Receipts {
    /// Receipts of one database that wait to be removed. What is more is left to the next start.
    static let removableMax = 10_000
    /// Pause between two tries to bury an attempt, in ms.
    static let buryAgainMs: Int64 = 1_000
    /// Time-out of one try, in ms: what takes longer hangs where the attempt hangs.
    static let buryTimeoutMs: Int64 = 5_000

    /// A run whose worker does not stop, or is gone. One that writes may have committed, or do so
    /// at any time: until it is known that it has, or never can, its job counts as running, and
    /// nobody else has its turn.
    struct Abandoned {
        let job: Waiting
        /// Nil when it was a worker of an earlier start: then nobody is left who could commit, and
        /// no turn is held.
        let worker: WorkerID?
        let reason: String
        var tryAt: Timestamp
        var isBeingBuried = false
        /// False for a run that had ended and shared the transaction of one that had not.
        var isToBlame = true

        init(_ job: Waiting, _ worker: WorkerID?, reason: String, tryAt: Timestamp) {
            self.job = job
            self.worker = worker
            self.reason = reason
            self.tryAt = tryAt
        }
    }

    private(set) var abandoned: [JobID: Abandoned] = [:]
    /// Jobs that have succeeded by a report that is being written down, and the database.
    private var settling: [JobID: String] = [:]
    /// Jobs of which no run can follow, by database.
    private var removable: [String: Set<Int64>] = [:]
    /// Jobs of which a worker that was given up may still try to commit a run that another has
    /// found committed: their receipt is all that keeps it from it, and stays until the next start.
    private var kept: Set<JobID> = []
    /// Those that the run that has the database's turn was told to remove.
    private var handedOut: [String: Set<Int64>] = [:]

    /// True when it is known of every run how it ended, and no worker was told to remove receipts.
    var isSettled: Bool { abandoned.isEmpty && settling.isEmpty && handedOut.isEmpty }

    // MARK: Removal

    mutating func isSettling(_ job: Waiting) {
        if let database = job.spec.writes { settling[job.id] = database }
    }

    /// A receipt goes once the store has the result: what has succeeded never runs again. A job
    /// that ended otherwise may be retried and must find what it has left.
    mutating func ended(_ end: JobEnd) {
        guard let database = settling.removeValue(forKey: end.id), end.state == .succeeded else {
            return
        }
        remove(end.id, from: database)
    }

    /// The database holds receipts of these jobs, from earlier runs of the program. Those go that
    /// have succeeded, or that there were and that are no longer kept.
    mutating func found(
        _ jobs: [JobID],
        _ ends: [JobEnd?],
        _ isIssued: [Bool],
        in database: String
    ) {
        for ((job, end), isIssued) in zip(zip(jobs, ends), isIssued) {
            let isNeeded = end.map { $0.state != .succeeded } ?? !isIssued
            if !isNeeded { remove(job, from: database) }
        }
    }

    private mutating func remove(_ job: JobID, from database: String) {
        guard !kept.contains(job), removable[database, default: []].count < Self.removableMax
        else { return }
        removable[database, default: []].insert(job.rawValue)
    }

    /// For the one run that writes to the database now.
    mutating func hand(out database: String) -> [ClosedRange<Int64>] {
        guard let jobs = removable.removeValue(forKey: database) else { return [] }
        handedOut[database] = jobs
        return ranges(of: jobs)
    }

    /// That run is over, or one of those that share its transaction. When none of them has written,
    /// nothing was removed.
    mutating func takeBack(_ database: String, hasWritten: Bool, isLast: Bool) {
        guard hasWritten || isLast, let jobs = handedOut.removeValue(forKey: database),
            !hasWritten
        else { return }
        removable[database, default: []].formUnion(jobs)
    }

    // MARK: Abandoned runs

    mutating func abandon(_ run: Abandoned) { abandoned[run.job.id] = run }

    mutating func isBeingBuried(_ job: JobID) { abandoned[job]?.isBeingBuried = true }

    /// The next run to be buried in each database: those that were begun in one transaction wait
    /// for the same lock, and one who tries for it is enough.
    var toBury: [Abandoned] {
        let busy = Set(abandoned.values.filter(\.isBeingBuried).map(\.job.spec.writes))
        var next: [String?: Abandoned] = [:]
        for run in abandoned.values where !busy.contains(run.job.spec.writes) {
            if let other = next[run.job.spec.writes], other.comes(before: run) { continue }
            next[run.job.spec.writes] = run
        }
        return next.values.sorted { $0.job.id < $1.job.id }
    }

    /// This one cannot be buried yet, and so no other of its database.
    mutating func buryLater(_ job: JobID, at now: Timestamp) {
        guard let database = abandoned[job]?.job.spec.writes else { return }
        abandoned[job]?.isBeingBuried = false
        for (other, run) in abandoned where run.job.spec.writes == database {
            abandoned[other]?.tryAt = now.adding(ms: Self.buryAgainMs)
        }
    }

    /// The run was found to be committed, and whoever had it does not stop.
    mutating func keep(_ job: JobID) { kept.insert(job) }

    /// - Returns: The run, of which the end is known now; nil when it was known before.
    mutating func conclude(_ job: JobID, _ attempt: Attempt) -> Abandoned? {
        guard abandoned[job]?.job.next == attempt else { return nil }
        return abandoned.removeValue(forKey: job)
    }
}

extension Receipts.Abandoned {
    fileprivate func comes(before other: Self) -> Bool {
        (tryAt, job.id) < (other.tryAt, other.job.id)
    }
}

/// Numbers as ranges, ascending; what follows on another is in one with it.
private func ranges(of numbers: Set<Int64>) -> [ClosedRange<Int64>] {
    var ranges: [ClosedRange<Int64>] = []
    for number in numbers.sorted() {
        if let last = ranges.last, last.upperBound == number - 1 {
            ranges[ranges.count - 1] = last.lowerBound...number
        } else {
            ranges.append(number...number)
        }
    }
    return ranges
}
