import JobTesting

@testable import JobCore

extension StoryWorker {
    /// A transaction that is open: its jobs have ended, and nothing of them has happened yet.
    struct Shared {
        let database: String
        let group: UInt64
        var parts: [Part] = []
        /// True when its commit does not return.
        var isStuck = false
    }

    struct Part {
        let order: Order
        let startedAt: Timestamp
        var ending: Report.Ending
        var needsOwn = false
        /// True when an earlier attempt was found to have committed.
        var isKnown = false
    }

    /// The next order, when it shares the transaction that is open.
    var continues: Bool {
        guard let shared, let next = orders.first(where: { $0.sequence > void }) else {
            return false
        }
        return next.group == shared.group
    }
}

/// Runs that share a transaction, as workers do them.
extension StoryWorld {
    /// Sorts of jobs of which some end the transaction of others, or must not be in it.
    private static let conflictingSort: UInt64 = 5
    private static let apartSort: UInt64 = 6

    mutating func goOnSharing(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        in name: String
    ) throws(Violation) {
        switch current.step {
        case .outside: enterShared(current, worker, name)
        case .inside, .committed: goOnInsideShared(current, worker)
        }
        guard workers[worker]?.current == nil, workers[worker]?.continues == true, weather.faults,
            Int.random(in: 0..<12, using: &chance) == 0
        else { return }
        try endSharing(worker)  // It has been open for long enough.
    }

    private mutating func enterShared(
        _ current: StoryWorker.Current,
        _ worker: WorkerID,
        _ name: String
    ) {
        let order = current.order
        let run = Run(job: order.job, attempt: order.attempt)
        let known = databases[name]?.outcome(of: order.job)
        let isFirst = workers[worker]?.shared == nil
        if isFirst, databases[name]?.writer != nil {
            return waitForLock(current, worker, known)
        }
        if isFirst {
            findLeftovers(worker, name)
            databases[name]?.writer = worker
            workers[worker]?.shared = .init(database: name, group: order.group ?? 0)
        }
        if databases[name]?.isBuried(run, in: self.run) == true {
            return part(worker, current, .failed(Failure(.sqlError, "It was buried.")))
        }
        if let known { return part(worker, current, .succeeded(known), isKnown: true) }
        workers[worker]?.current?.step = .inside
    }

    private mutating func goOnInsideShared(_ current: StoryWorker.Current, _ worker: WorkerID) {
        let order = current.order
        let reason = workers[worker]?.brokenOff[Run(job: order.job, attempt: order.attempt)]
        let stopped: Report.Ending = reason == .cancelled ? .brokenOff : .putBack
        let isBeside = workers[worker]?.shared?.parts.isEmpty == false
        switch current.fate {
        case .fails, .failsForGood:
            let failure = Failure(
                .kernelError,
                "It went wrong.",
                isPermanent: current.fate == .failsForGood
            )
            part(worker, current, reason == nil ? .failed(failure) : stopped)
        case .takesLong where reason == nil && !isBeside:
            guard !weather.faults || Int.random(in: 0..<8, using: &chance) == 0 else { return }
            release(current, worker)
        case .takesLong:
            // To stop a statement that writes ends the whole transaction.
            if Bool.random(using: &chance) { undo(worker) }
            part(worker, current, reason == nil ? .putBack : stopped)
        case .succeeds, .dies, .isStuck: release(current, worker)
        }
    }

    private mutating func release(_ current: StoryWorker.Current, _ worker: WorkerID) {
        let sort = ledger.specs[current.order.job]?.sort
        let isOdd = weather.faults && Bool.random(using: &chance)
        if isOdd, sort == Self.conflictingSort { undo(worker) }
        if isOdd, sort == Self.conflictingSort || sort == Self.apartSort {
            return part(worker, current, .putBack, needsOwn: true)
        }
        part(worker, current, .succeeded(outcome(of: current.order)))
    }

    /// The run ends, and what it says has to wait for the commit, if there is still one to come.
    private mutating func part(
        _ worker: WorkerID,
        _ current: StoryWorker.Current,
        _ ending: Report.Ending,
        needsOwn: Bool = false,
        isKnown: Bool = false
    ) {
        note("worker \(worker.rawValue) is done with \(words(current.order)): \(words(ending))")
        let part = StoryWorker.Part(
            order: current.order,
            startedAt: current.startedAt,
            ending: ending,
            needsOwn: needsOwn,
            isKnown: isKnown
        )
        leave(worker, current.order)
        guard workers[worker]?.shared == nil else {
            workers[worker]?.shared?.parts.append(part)
            return
        }
        keepReport(worker, part)
    }

    /// Nothing has happened of what was done so far: all of it has to run again.
    private mutating func undo(_ worker: WorkerID) {
        guard let shared = workers[worker]?.shared else { return }
        note("worker \(worker.rawValue) has lost its transaction")
        databases[shared.database]?.writer = nil
        workers[worker]?.shared = nil
        for var part in shared.parts {
            if part.ending != .brokenOff { part.ending = .putBack }
            keepReport(worker, part)
        }
    }

    /// The last of the group has ended: the commit, and what may come in between.
    mutating func endSharing(_ worker: WorkerID) throws(Violation) {
        guard let shared = workers[worker]?.shared else { return }
        if shared.isStuck, workers[worker]?.isGivenUp == false { return }
        let fate = weather.faults && !shared.isStuck ? Int.random(in: 0..<40, using: &chance) : 40
        switch fate {
        case 0: try die(worker)
        case 1: undo(worker)  // The commit is refused.
        case 2: workers[worker]?.shared?.isStuck = true
        case 3:
            try commit(shared, worker)
            try die(worker)  // Before it could say so.
        default:
            try commit(shared, worker)
            for part in shared.parts { keepReport(worker, part) }
        }
    }

    private mutating func commit(
        _ shared: StoryWorker.Shared,
        _ worker: WorkerID
    ) throws(Violation) {
        let name = shared.database
        databases[name]?.writer = nil
        workers[worker]?.shared = nil
        note("worker \(worker.rawValue) commits group \(shared.group)")
        guard shared.parts.contains(where: \.ending.isSuccess) else { return }
        try removeReceipts(workers[worker]?.removable[shared.group] ?? [], in: name)
        workers[worker]?.removable[shared.group] = nil
        for part in shared.parts where !part.isKnown {
            if case .succeeded(let outcome) = part.ending {
                try write(outcome, of: part.order, in: name)
            }
        }
    }

    private mutating func keepReport(_ worker: WorkerID, _ part: StoryWorker.Part) {
        report(worker, part.order, part.startedAt, part.ending, needsOwn: part.needsOwn)
    }

    // MARK: Promises

    /// Orders that share a transaction are first runs of jobs that write to one database, and come
    /// one after the other.
    func checkGroups(_ orders: [Decisions.Given]) throws(Violation) {
        var before: Decisions.Given?
        for given in orders {
            defer { before = given }
            guard let group = given.order.group else { continue }
            let order = given.order
            try check(order.salt != nil && order.phase == .run, "only what writes shares")
            try check(order.attempt == Attempt.none.next, "only first runs share")
            try check(order.sequence - group < 128, "a group is bounded")
            guard order.sequence > group else { continue }
            let isNext =
                before?.worker == given.worker && before?.order.group == group
                && before?.order.sequence == order.sequence - 1
            try check(isNext, "\(words(order)) comes with its group")
            let database = before.flatMap { ledger.specs[$0.order.job]?.writes }
            try check(ledger.specs[order.job]?.writes == database, "a group has one database")
        }
    }

    /// Whoever has given up a worker waits for all that it may still commit.
    func mayStillCommit(_ actor: StoryWorker, in name: String) -> [Order] {
        let parts = actor.shared.map { $0.database == name ? $0.parts.map(\.order) : [] } ?? []
        guard let current = actor.current, current.order.phase == .run,
            current.step != .committed, ledger.specs[current.order.job]?.writes == name
        else { return parts }
        return parts + [current.order]
    }
}

extension Report.Ending {
    var isSuccess: Bool { if case .succeeded = self { true } else { false } }
}
