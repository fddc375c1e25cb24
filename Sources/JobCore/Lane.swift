/// Ready jobs that can start alike: those of one queue that need the same turns.
///
/// A turn that is taken holds up whole lanes, and never one job before another of its lane.
public struct Lane: Hashable, Sendable {
    public var queue: QueueName
    public var turns: Turns

    public init(_ queue: QueueName, _ turns: Turns = Turns()) {
        self.queue = queue
        self.turns = turns
    }
}

/// What only one run may have at a time.
public enum Turn: Hashable, Sendable {
    /// Of the jobs of which a run was lost, only one runs: if it kills the process, it is known.
    case suspect
    case writing(database: String)
}

/// What a job needs for itself while it runs.
public struct Turns: Hashable, Comparable, Sendable {
    public var isSuspect: Bool
    public var writes: String?
    /// The external kernel that it runs. Such jobs wait for workers of their own.
    public var skill: String?

    public init(isSuspect: Bool = false, writes: String? = nil, skill: String? = nil) {
        self.isSuspect = isSuspect
        self.writes = writes
        self.skill = skill
    }

    /// Of a job with so many losses. What runs elsewhere ends nobody here, and is no suspect.
    public init(losses: Int, writes: String?, skill: String?) {
        self.init(isSuspect: losses > 0 && skill == nil, writes: writes, skill: skill)
    }

    var all: [Turn] {
        var turns: [Turn] = []
        if isSuspect { turns.append(.suspect) }
        if let writes { turns.append(.writing(database: writes)) }
        return turns
    }

    var isEmpty: Bool { !isSuspect && writes == nil && skill == nil }

    /// Whether several jobs that need them may run in one transaction.
    var canBeShared: Bool { writes != nil && !isSuspect }

    /// Those that need nothing come first, then suspects; external kernels last.
    public static func < (a: Turns, b: Turns) -> Bool { a.order < b.order }

    private var order: (Int, String) {
        if let skill { return (3, skill) }
        return (isEmpty ? 0 : isSuspect ? 1 : 2, writes ?? "")
    }
}

extension JobDetails {
    var turns: Turns { Turns(losses: job.losses, writes: writes, skill: skill) }
}

extension Waiting {
    public var turns: Turns {
        Turns(losses: losses, writes: spec.writes, skill: spec.skill)
    }
    public var lane: Lane { Lane(spec.queue, turns) }
}
