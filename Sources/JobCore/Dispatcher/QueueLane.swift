/// The ready jobs of one queue in memory: windows over the store's index, sorted by what they need.
///
/// Jobs that need a turn (to write to a database, to be the only suspect) stand apart from those
/// that do not, so that a turn that is taken holds up nobody else.
struct QueueLane {
    /// Every eighth start takes the job that has been ready longest, so that no priority starves.
    static let agingEvery = 8

    /// The jobs that need the same turns.
    struct Window {
        var jobs = ReadyJobs()
        /// False when the store holds ready jobs of this lane that are not here.
        var isComplete = true
        /// With fewer jobs than this an incomplete window is filled again; 0 while a load is under
        /// way.
        var refillBelow: Int
        /// True while a turn that its jobs need is known to be taken.
        var isBlocked = false

        var wantsMore: Bool { !isComplete && jobs.count < refillBelow }
        /// Nothing is known of it that would have to be kept.
        var isDone: Bool { jobs.isEmpty && isComplete && !isBlocked }
    }

    var windows: [Turns: Window] = [:]
    private var starts = 0
    private var shortStarts = 0
    private var outsideStarts = 0

    /// The windows whose jobs may be able to start here.
    var unblocked: [Turns] {
        windows.filter { !$1.jobs.isEmpty && !$1.isBlocked && $0.skill == nil }.map(\.key)
    }

    private var isAged: Bool { starts % Self.agingEvery == Self.agingEvery - 1 }

    /// Takes the job whose turn it is, of those in windows that are not blocked and not for
    /// external workers.
    mutating func take() -> Waiting? {
        let isAged = isAged
        var chosen: Waiting?
        for (turns, window) in windows where !window.isBlocked && turns.skill == nil {
            let job = isAged ? window.jobs.longestReady : window.jobs.best
            chosen = .first(of: chosen, job, isAged: isAged)
        }
        if let chosen { take(chosen) }
        return chosen
    }

    /// The job whose turn it is, of those that need these turns, whether or not somebody has them.
    func next(in turns: Turns) -> Waiting? {
        isAged ? windows[turns]?.jobs.longestReady : windows[turns]?.jobs.best
    }

    mutating func take(_ job: Waiting) {
        windows[job.turns]?.jobs.remove(job.place)
        starts += 1
    }

    /// The same among those that are not long, and no suspects: it is not known what those do.
    /// `looks` is how many jobs may still be looked at: at 0 the search was broken off.
    mutating func takeShort(_ isLong: (UInt64) -> Bool, _ looks: inout Int) -> Waiting? {
        let isAged = shortStarts % Self.agingEvery == Self.agingEvery - 1
        var chosen: Waiting?
        for turns in windows.keys
        where windows[turns]?.isBlocked == false && !turns.isSuspect && turns.skill == nil {
            windows[turns]?.jobs.setAside(isLong, atMost: &looks)
            guard looks > 0 else { return nil }
            let job = windows[turns]?.jobs.short(isAged: isAged, isLong)
            chosen = .first(of: chosen, job, isAged: isAged)
        }
        guard let chosen else { return nil }
        windows[chosen.turns]?.jobs.remove(chosen.place)
        shortStarts += 1
        return chosen
    }

    /// Takes the job whose turn it is, of those of one external kernel.
    mutating func takeOutside(_ turns: Turns) -> Waiting? {
        let isAged = outsideStarts % Self.agingEvery == Self.agingEvery - 1
        guard let jobs = windows[turns]?.jobs,
            let job = isAged ? jobs.longestReady : jobs.best
        else { return nil }
        windows[turns]?.jobs.remove(job.place)
        outsideStarts += 1
        return job
    }
}

extension Waiting? {
    /// The one of both that starts first, as far as they are there.
    static func first(of one: Self, _ other: Self, isAged: Bool) -> Self {
        guard let one, let other else { return one ?? other }
        return other.isBefore(one, byPriority: !isAged) ? other : one
    }
}

extension Waiting {
    func isBefore(_ other: Waiting, byPriority: Bool) -> Bool {
        if byPriority && spec.priority != other.spec.priority {
            return spec.priority > other.spec.priority
        }
        return (readyAt, id) < (other.readyAt, other.id)
    }
}
