/// Ready jobs that can start alike, those apart that were found to be long.
///
/// Nothing is sorted out before somebody looks for a short job, and then only what stands before it.
struct ReadyJobs {
    /// What was not looked at, or found to be short.
    private var open = ReadyWindow()
    private var long = ReadyWindow()

    var count: Int { open.count + long.count }
    var isEmpty: Bool { count == 0 }

    /// The job that starts next by priority.
    var best: Waiting? {
        guard let other = long.best else { return open.best }
        guard let job = open.best else { return other }
        return job.isBefore(other, byPriority: true) ? job : other
    }

    /// The job that has been ready longest, whatever its priority.
    var longestReady: Waiting? {
        guard let other = long.longestReady else { return open.longestReady }
        guard let job = open.longestReady else { return other }
        return job.isBefore(other, byPriority: false) ? job : other
    }

    /// The job that would start last.
    var worst: Waiting? {
        guard let other = long.worst else { return open.worst }
        guard let job = open.worst else { return other }
        return job.isBefore(other, byPriority: true) ? other : job
    }

    mutating func add(_ job: Waiting) { open.add(job) }

    mutating func remove(_ job: Waiting.Place) {
        if !open.remove(job) { long.remove(job) }
    }

    // MARK: Short jobs

    /// Puts the long jobs apart that stand before short ones. `looks` is how many jobs may still be
    /// looked at: at 0 there may be more of them.
    mutating func setAside(_ isLong: (Waiting) -> Bool, atMost looks: inout Int) {
        for job in open.takeHeads(where: isLong, atMost: &looks) { long.add(job) }
    }

    /// The short job whose turn it is, once the long ones before it are set aside.
    func short(isAged: Bool) -> Waiting? { isAged ? open.longestReady : open.best }

    func isSetAside(_ job: Waiting.Place) -> Bool { long.contains(job) }
}
