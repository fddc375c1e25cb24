/// The ready jobs of one queue in memory: a window over the store's index, sorted by what they
/// need.
///
/// Jobs that need a turn (to write to a database, to be the only suspect) stand apart from those
/// that do not, so that a turn that is taken holds up nobody else.
struct QueueLane {
    /// Every eighth start takes the job that has been ready longest, so that no priority starves.
    static let agingEvery = 8

    private var windows: [Turn?: ReadyWindow] = [:]
    private var starts = 0
    private(set) var count = 0
    /// False when the store holds ready jobs of the queue that are not here.
    var isComplete = true
    /// With fewer jobs than this an incomplete lane is filled again; 0 while a load is under way.
    var refillBelow: Int

    init(refillBelow: Int) { self.refillBelow = refillBelow }

    mutating func add(_ job: Waiting) {
        windows[job.turns.first, default: ReadyWindow()].add(job)
        count += 1
    }

    /// Takes the job whose turn it is, of those for which all turns they need are free.
    mutating func take(where isFree: (Turn) -> Bool) -> Waiting? {
        let isAged = starts % Self.agingEvery == Self.agingEvery - 1
        var chosen: Waiting?
        for window in windows.values {
            guard let job = isAged ? window.longestReady : window.best,
                job.turns.allSatisfy(isFree)
            else { continue }
            if let other = chosen, !job.isBefore(other, byPriority: !isAged) { continue }
            chosen = job
        }
        guard let chosen else { return nil }
        remove(chosen.place, turn: chosen.turns.first)
        starts += 1
        return chosen
    }

    /// The job that would start last, were all turns free.
    var worst: Waiting? {
        windows.values.lazy.compactMap(\.worst).max { $0.isBefore($1, byPriority: true) }
    }

    mutating func remove(_ job: Waiting.Place, turn: Turn?) {
        guard windows[turn]?.remove(job) == true else { return }
        count -= 1
        if windows[turn]?.isEmpty == true { windows[turn] = nil }
    }
}

/// What only one run may have at a time.
enum Turn: Hashable {
    /// Of the jobs of which a run was lost, only one runs: if it kills the process, it is known.
    case suspect
    case writing(database: String)
}

extension Waiting {
    /// What this job needs for itself while it runs.
    var turns: [Turn] {
        var turns: [Turn] = []
        if losses > 0 { turns.append(.suspect) }
        if let database = spec.writes { turns.append(.writing(database: database)) }
        return turns
    }

    func isBefore(_ other: Waiting, byPriority: Bool) -> Bool {
        if byPriority && spec.priority != other.spec.priority {
            return spec.priority > other.spec.priority
        }
        return (readyAt, id) < (other.readyAt, other.id)
    }
}
