// How many ready jobs the lanes keep in memory, and what they weigh.

extension Lanes {
    /// How much is kept in memory. Only tests have others.
    struct Bounds: Sendable {
        /// Jobs of one lane.
        var laneJobs = 16_384
        /// Jobs that need no turn.
        var allJobs = 65_536
        /// Bytes of their specs.
        var allBytes = 64 << 20
        /// Jobs that need the same turns, in all queues.
        var turnJobs = 256
        /// Bytes of their specs.
        var turnBytes = 4 << 20
        /// An incomplete lane is filled again when it falls below this many jobs, or below half of
        /// what the last load left in it.
        var refillBelow = 4_096
        /// A load of jobs that need no turn asks for at least this many.
        var loadJobs = 64
        /// Loads under way at a time.
        var loads = 16
    }
}

extension Waiting {
    /// True before the last run of a divided job until its children's results were gathered.
    var lacksOutputs: Bool { isSplit && outputs.isEmpty }
}

extension Spec {
    /// What it takes in memory, in bytes, roughly.
    var weight: Int { workBytes + 400 }
}
