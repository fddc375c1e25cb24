@testable import JobCore

/// Long jobs, and short ones that pass them: how many may run, and who never waits.
extension StoryWorld {
    /// Workers that may be there at a time, those that were given up aside.
    var mostWorkers: Int { temper.hasExpress ? 2 * workerCount : workerCount }

    private var present: [StoryWorker] {
        workers.values.filter { $0.step != .gone && !$0.isGivenUp }
    }

    /// Whether an express worker may take a job that waits: it is in memory, and not known to be
    /// long.
    func isShort(_ job: JobID) -> Bool {
        guard let spec = ledger.specs[job], dispatcher.lanes.contains(job) else { return false }
        return !dispatcher.isLong(spec.sort)
    }

    /// - Returns: True when the job is known to be long.
    func checkExpress(_ given: Decisions.Given) throws(Violation) -> Bool {
        try check(present.count <= mostWorkers, "there are not too many workers")
        let member = dispatcher.crew[given.worker]
        guard let order = member?.orders.first(where: { $0.sequence == given.order.sequence })
        else { throw Violation(sentence: "an order is known") }
        let isLong = order.job.losses == 0 && dispatcher.isLong(order.job.spec.sort)
        let holders = ledger.holders.values.joined()
            .filter { workers[$0.worker]?.isGivenUp == false }
        guard order.isExpress else {
            let busy = Set(holders.map(\.worker))
            let isFirst = !busy.contains(given.worker)
            try check(!isFirst || busy.count < workerCount, "no more are busy than may be")
            let held = Set(holders.filter(\.isLong).map(\.worker)).subtracting([given.worker])
            try check(!isLong || held.count < workerCount, "no more long jobs run than may")
            return isLong
        }
        try check(!isLong && order.job.losses == 0, "an express worker gets what may be short")
        let held = dispatcher.crew.members.values.count { $0.isLong }
        try check(held >= workerCount, "an express worker helps when long jobs hold all others")
        return isLong
    }

    // MARK: Liveness

    var hasIdleWorker: Bool {
        workers.values.contains { $0.step == .working && !$0.isGivenUp && !$0.isBusy }
    }

    /// True when runs that last hold all workers, and one more may be had.
    var mayHaveAnother: Bool {
        let there = workers.filter { $0.value.step != .gone && !$0.value.isGivenUp }
        return there.count < mostWorkers && there.keys.allSatisfy(whims.lasting.contains)
    }

    /// True for a job that waits rightly: all workers are busy, and it is long itself, or not all
    /// of them are held by runs that last.
    func mayWait(_ job: JobID) -> Bool {
        guard present.count(where: \.isBusy) >= workerCount else { return false }
        let held = workers.filter { $0.value.isBusy && !$0.value.isGivenUp }.keys
            .filter(whims.lasting.contains)
        return held.count < workerCount || !isShort(job)
    }
}
