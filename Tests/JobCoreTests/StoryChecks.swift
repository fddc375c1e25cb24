import JobTesting

@testable import JobCore

/// The promises, each looked at when something happens that could break it.
extension StoryWorld {
    func details(_ job: JobID) -> JobDetails? {
        guard case .shown(let shown, _) = store.answer(.show([job])) else { return nil }
        return shown.first ?? nil
    }

    // MARK: What was written

    mutating func learn(_ changes: [Change], _ facts: [Fact]) throws(Violation) {
        try checkLosses(changes)
        counts.count(changes, facts)
        for fact in facts { try learn(fact, changes) }
        for change in changes {
            switch change {
            case .delete, .close, .retry, .expire:
                let ids = ledger.kept
                guard case .shown(let shown, _) = store.answer(.show(ids)) else { continue }
                for (id, details) in zip(ids, shown) where details == nil {
                    try checkRemoval(of: id, by: changes)
                    ledger.deleted.insert(id)
                }
            default: break
            }
        }
    }

    private mutating func learn(_ fact: Fact, _ changes: [Change]) throws(Violation) {
        switch fact {
        case .inserted(let ticket, let accepted, let file):
            let ids = accepted.map(\.id)
            for case .insert(let insertion) in changes where insertion.ticket == ticket {
                for (job, accepted) in zip(insertion.jobs, accepted) where accepted.created {
                    try created(accepted.id, job.spec, of: insertion.owner)
                    linked(accepted.id, job, of: insertion, ids)
                    guard let key = job.key else { continue }
                    try keyed(accepted.id, StoryLedger.Key(owner: insertion.owner, name: key))
                }
                if let row = insertion.file { try filed(row, accepted, file) }
            }
        case .split(let parent, let jobs):
            ledger.children[parent] = jobs.map(\.id)
            let parts = changes.compactMap { (change) -> Int? in
                guard case .split(let report, _, _) = change, report.job == parent else {
                    return nil
                }
                return ledger.parts[Run(job: parent, attempt: report.attempt)]
            }
            try check(parts.contains(jobs.count), "job \(parent.rawValue) has all of its parts")
            for job in jobs { try created(job.id, job.spec, of: ledger.owners[parent] ?? .local) }
        case .ended(let ended):
            let end = ended.end
            try check(ledger.final[end.id] == nil, "job \(end.id.rawValue) ends once")
            ledger.final[end.id] = end
            ledger.ends[end.id, default: []].append(end)
            ledger.outcomes[end.id] = ended.outcome
            ledger.kin.ended(end.id)
            try checkEffects(of: ended)
            try checkReason(of: ended)
            if end.state != .succeeded { wantBack(end.id) }
        case .queued(let job):
            if ledger.final[job.id] == nil { try checkQueued(job) } else { try reopened(job.id) }
            try checkReleased(job)
        case .blocked(let job, _, _): try reopened(job)
        case .paused(let isPaused, let queues, _):
            if isPaused { ledger.paused.formUnion(queues) } else { ledger.paused.subtract(queues) }
        case .reserved(let id): reservedUpTo = max(reservedUpTo, id)
        case .cancelRequested, .cameLate, .changed, .settled, .refused, .unwritable, .released,
            .unstaged:
            break
        case .staged(let ticket, let accepted, let file, let isAll):
            for case .stage(let staging) in changes where staging.ticket == ticket {
                try staged(staging, accepted, file, isAll: isAll)
            }
        case .fileEnded(let file): try fileEnded(file)
        }
    }

    private mutating func reopened(_ job: JobID) throws(Violation) {
        let end = ledger.final.removeValue(forKey: job)
        try check(end != nil, "job \(job.rawValue) had ended when it was tried again")
        try check(end?.state != .succeeded, "what succeeded stays")
        counts.forget(job)
        ledger.children[job] = nil
        ledger.openings[job, default: 0] += 1
        guard let before = ledger.kin.before[job] else { return }
        let open = before.filter { ledger.specs[$0] != nil && ledger.final[$0] == nil }
        ledger.kin.awaited[job] = Set(open)
    }

    mutating func created(_ id: JobID, _ spec: Spec, of owner: Owner) throws(Violation) {
        try check(ledger.specs[id] == nil, "id \(id.rawValue) is never used twice")
        ledger.specs[id] = spec
        ledger.owners[id] = owner
        highestUsedID = max(highestUsedID, id.rawValue)
        if spec.name == "killer" { ledger.killers.insert(id) }
    }

    // MARK: Orders and runs

    mutating func check(_ given: Decisions.Given) throws(Violation) {
        let order = given.order
        let job = order.job
        let holders = ledger.holders[job, default: []]
        try check(
            holders.isEmpty,
            "job \(job.rawValue) is with one worker at a time"
        )
        // A survey may find in the store what is written, and of which the fact is on its way.
        if let early = earlySpec(of: job), details(job) == nil { try checkEarly(order, early) }
        guard let spec = earlySpec(of: job) ?? ledger.specs[job] else {
            throw Violation(sentence: "job \(job.rawValue) starts after its insert is a fact")
        }
        try check(spec.skill == nil, "what external workers run goes to nobody else")
        try check(
            workers[given.worker]?.step == .working,
            "an order goes to a worker that is there"
        )
        try checkMayStart(job, spec)
        if order.phase == .reduce { try checkOutputs(order) }
        if spec.kind == .sql { try checkFrames(order, spec) }
        try checkPredecessors(of: order)
    }

    func checkMayStart(_ job: JobID, _ spec: Spec) throws(Violation) {
        try check(
            !(ledger.heardFinal.contains(job) && ledger.final[job] != nil),
            "job \(job.rawValue) does not start after its end"
        )
        try check(!ledger.deleted.contains(job) || !ledger.heardFinal.contains(job), "it is gone")
        // A survey may know of a resumption whose fact is still on its way.
        let isPaused =
            ledger.heardPaused.contains(spec.queue) && ledger.paused.contains(spec.queue)
            && !facts.joined().contains { if case .paused = $0 { true } else { false } }
        try check(!isPaused, "a paused queue starts nothing")
        try check(!isDraining, "a stop starts nothing")
        if let details = details(job) {
            try check(details.job.readyAt <= now, "job \(job.rawValue) does not start early")
        }
    }

    /// What is too large to be carried is found in the store, where it is once it is written.
    private func checkFrames(_ order: Order, _ spec: Spec) throws(Violation) {
        guard order.framesAreStored else {
            return try check(order.frames == spec.frames, "an order has the frames of its job")
        }
        let isLeft = spec.leavingFrames().storedFrameBytes > 0
        try check(
            isLeft && order.frames.isEmpty && order.unwritten == nil,
            "what job \(order.job.rawValue) left in the store is there"
        )
    }

    /// What may run though it is not written yet.
    private func checkEarly(_ order: Order, _ spec: Spec) throws(Violation) {
        try check(spec.isPure, "what changes something starts after its insert is on disk")
        try check(order.attempt == Attempt.none.next, "only a first run comes before its insert")
    }

    /// Of a job that began before it was written, until it is.
    func earlySpec(of job: JobID) -> Spec? {
        let found = dispatcher.unborn.first { $0.value.contains(job.rawValue) }
        guard let (ticket, ids) = found, let jobs = dispatcher.pending[ticket]?.jobs else {
            return nil
        }
        return jobs[Int(job.rawValue - ids.lowerBound)].spec
    }

    private func checkOutputs(_ order: Order) throws(Violation) {
        guard ledger.final[order.job] == nil else { return }  // Cancelled: not known here yet.
        let outputs = ledger.children[order.job, default: []].compactMap {
            ledger.outcomes[$0]?.bytes
        }
        try check(order.outputs == outputs, "a last run gets what all parts have made, in order")
        let parts = ledger.children[order.job, default: []].count
        try check(outputs.count == parts, "a last run waits for all parts")
    }

    func turns(of job: JobID) -> Set<Turn> {
        var turns: Set<Turn> = []
        if let database = ledger.specs[job]?.writes { turns.insert(.writing(database: database)) }
        let isOutside = ledger.specs[job]?.skill != nil
        if !isOutside, (details(job)?.job.losses ?? 0) > 0 { turns.insert(.suspect) }
        return turns
    }

    mutating func checkBegin(_ order: Order, _ worker: WorkerID) throws(Violation) {
        let job = order.job
        let turns = turns(of: job)
        if let last = ledger.lastBegun[job] {
            try check(order.attempt > last, "the attempts of job \(job.rawValue) ascend")
        }
        ledger.lastBegun[job] = order.attempt
        for (other, run) in ledger.running where workers[other]?.isGivenUp == false {
            try check(run.job != job, "job \(job.rawValue) runs once at a time")
            let shared = turns.intersection(self.turns(of: run.job))
            try check(
                shared.isEmpty,
                "jobs \(job.rawValue) and \(run.job.rawValue) take turns: \(shared)"
            )
        }
        ledger.running[worker] = order
    }

    // MARK: Ends

    func checkExit() throws(Violation) {
        guard dispatcher.stop.step == .exited else { return }
        let open = ledger.open.keys.sorted()
        try check(isForced || open.isEmpty, "everybody was answered before the end: \(open) not")
    }

    func allHaveEnded() throws(Violation) -> Bool {
        for job in ledger.kept {
            guard let details = details(job) else {
                throw Violation(sentence: "job \(job.rawValue) is lost")
            }
            if !details.job.state.isFinal { return false }
        }
        return true
    }

    func unended() -> [Int64] {
        ledger.kept.filter { details($0)?.job.state.isFinal != true }.map(\.rawValue)
    }
}

extension JobCounts {
    var sum: Int64 { JobState.allCases.reduce(0) { $0 + self[$1] } }
}
