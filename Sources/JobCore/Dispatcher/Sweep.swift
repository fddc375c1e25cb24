// The removal of jobs whose time is up: walks over all jobs in the order of their ids, in steps so
// small and so far apart that nobody notices.

/// How far the walk is.
struct Sweep {
    /// When the next step is due; nil while one is under way, or when nothing is ever removed.
    var nextStep: Timestamp?
    /// The job that was looked at last; nil at the beginning of a walk.
    var after: JobID?
    /// Where the step that is under way comes to; nil when the walk is over with it.
    var next: JobID?
    var begunAt = Timestamp(rawValue: 0)
    /// True once the walk has found something.
    var hasFound = false

    /// Pause after the start, in ms: the jobs that wait come first.
    static let firstMs: Int64 = 1_000
    /// Pause between two steps, in ms. A step takes a few ms of the writer's time or the reader's.
    static let stepMs: Int64 = 50
    /// How many times as long as a walk the pause after it is: a walk takes some 7 % of a
    /// processor, and who has nothing to do shall not be busy with what is kept.
    static let restTimes: Int64 = 100
    /// The same when the walk has found something to remove.
    static let busyRestTimes: Int64 = 10
    /// Bounds of these pauses, in ms.
    static let rests: ClosedRange<Int64> = 10_000...3_600_000
    /// Pause when the store could not be read or written, or the clock is not believed, in ms.
    static let troubleMs: Int64 = 60_000

    /// By how much the machine's clock may go apart from the run's time: an hour.
    static let driftMs: Int64 = 3_600_000
    /// How far a start may lie behind the last moment the store knows: a day. After a longer time
    /// the clock is not believed until the run itself is a day old.
    static let gapMs: Int64 = 86_400_000
}

extension Dispatcher {
    /// Why nothing is removed now, as a sentence for people; nil when all is well.
    ///
    /// A clock that is wrong by a year would make everything old at once.
    func sweepTrouble(at now: Timestamp) -> String? {
        guard plan.retention != nil else { return nil }
        if clockDriftMs.magnitude > Sweep.driftMs.magnitude {
            return "No old jobs are removed: the machine's clock was set by more than an hour "
                + "since the start. Start the runner again when the clock is right."
        }
        if let last = plan.newestTime, plan.startedAt.ms(since: last) > Sweep.gapMs,
            now.ms(since: plan.startedAt) < Sweep.gapMs
        {
            return "No old jobs are removed in the first day of this run: the clock is more than "
                + "a day past the last time in the store. Set the clock if it is wrong."
        }
        return nil
    }

    mutating func sweepIfDue(at now: Timestamp) {
        guard let due = sweep.nextStep, due <= now else { return }
        guard let retention = plan.retention, !stop.isDraining else {
            return sweep.nextStep = nil
        }
        guard sweepTrouble(at: now) == nil else { return sweepLater(at: now) }
        if sweep.after == nil {
            sweep.begunAt = now
            sweep.hasFound = false
        }
        sweep.nextStep = nil
        ask(.expired(retention, after: sweep.after, now: now), for: .sweep)
    }

    mutating func swept(to next: JobID?, _ expired: [JobID], at now: Timestamp) {
        sweep.next = next
        guard let retention = plan.retention, !expired.isEmpty else { return stepSwept(at: now) }
        sweep.hasFound = true
        decisions.changes.append(.expire(expired, retention, ticket(for: .sweep)))
    }

    mutating func stepSwept(at now: Timestamp) {
        sweep.after = sweep.next
        guard sweep.after == nil else {
            return sweep.nextStep = now.adding(ms: Sweep.stepMs)
        }
        let taken = max(now.ms(since: sweep.begunAt), 0)
        let times = sweep.hasFound ? Sweep.busyRestTimes : Sweep.restTimes
        let rest = min(taken, Sweep.rests.upperBound) * times
        let bounded = min(max(rest, Sweep.rests.lowerBound), Sweep.rests.upperBound)
        sweep.nextStep = now.adding(ms: bounded)
    }

    /// The same step again.
    mutating func sweepLater(at now: Timestamp) {
        sweep.nextStep = now.adding(ms: Sweep.troubleMs)
    }
}
