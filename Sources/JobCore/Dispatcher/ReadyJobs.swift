/// Ready jobs that can start alike, those apart that were found to be long.
///
/// Nothing is sorted out before somebody looks for a short job, and then what stands before it.
struct ReadyJobs {
    /// What was not looked at, or found to be short.
    private var open = ReadyWindow()
    /// What was found to be long, by sort; none is empty.
    private var aside: [UInt64: ReadyWindow] = [:]

    private(set) var count = 0
    var isEmpty: Bool { count == 0 }

    /// The job that starts next by priority.
    var best: Waiting? { first(isAged: false) { _ in true } }

    /// The job that has been ready longest, whatever its priority.
    var longestReady: Waiting? { first(isAged: true) { _ in true } }

    /// The job that would start last.
    var worst: Waiting? {
        var found = open.worst
        for job in aside.values.lazy.compactMap(\.worst) {
            if let other = found, job.isBefore(other, byPriority: true) { continue }
            found = job
        }
        return found
    }

    mutating func add(_ job: Waiting) {
        open.add(job)
        count += 1
    }

    mutating func remove(_ job: Waiting.Place) {
        guard open.remove(job) || aside[job.sort]?.remove(job) == true else { return }
        count -= 1
        if aside[job.sort]?.isEmpty == true { aside[job.sort] = nil }
    }

    // MARK: Short jobs

    /// Puts the long jobs apart that stand before short ones. `looks` is how many jobs may still be
    /// looked at: at 0 there may be more of them.
    mutating func setAside(_ isLong: (UInt64) -> Bool, atMost looks: inout Int) {
        for job in open.takeHeads(where: { isLong($0.spec.sort) }, atMost: &looks) {
            aside[job.spec.sort, default: ReadyWindow()].add(job)
        }
    }

    /// The short job whose turn it is, once the long ones before it are set aside. Of those that
    /// were set aside before, some may be of a sort that is short by now.
    func short(isAged: Bool, _ isLong: (UInt64) -> Bool) -> Waiting? {
        first(isAged: isAged) { !isLong($0) }
    }

    private func first(isAged: Bool, _ isMeant: (UInt64) -> Bool) -> Waiting? {
        var found = isAged ? open.longestReady : open.best
        for (sort, window) in aside where isMeant(sort) {
            let job = isAged ? window.longestReady : window.best
            found = .first(of: found, job, isAged: isAged)
        }
        return found
    }
}
