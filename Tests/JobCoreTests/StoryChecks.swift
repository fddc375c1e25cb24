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
            case .delete, .retry, .expire:
                let ids = ledger.kept
                guard case .shown(let shown, _) = store.answer(.show(ids)) else { continue }
                for (id, details) in zip(ids, shown) where details == nil {
                    ledger.deleted.insert(id)
                }
            default: break
            }
        }
    }

    private mutating func learn(_ fact: Fact, _ changes: [Change]) throws(Violation) {
        switch fact {
        case .inserted(let ticket, let accepted, let file):
            for case .insert(let insertion) in changes where insertion.ticket == ticket {
                for (job, accepted) in zip(insertion.jobs, accepted) where accepted.created {
                    try created(accepted.id, job.spec)
                    if let key = job.key { try keyed(accepted.id, key) }
                }
                if let row = insertion.file { try filed(row, accepted, file) }
            }
        case .split(let parent, let jobs):
            ledger.children[parent] = jobs.map(\.id)
            for job in jobs { try created(job.id, job.spec) }
        case .ended(let ended):
            let end = ended.end
            try check(ledger.final[end.id] == nil, "job \(end.id.rawValue) ends once")
            ledger.final[end.id] = end
            ledger.ends[end.id, default: []].append(end)
            ledger.outcomes[end.id] = ended.outcome
            try checkEffects(of: ended)
            try checkReason(of: ended)
            if end.state != .succeeded { wantBack(end.id) }
        case .queued(let job):
            guard let end = ledger.final.removeValue(forKey: job.id) else {
                return try checkQueued(job)
            }
            counts.forget(job.id)
            ledger.children[job.id] = nil
            try check(end.state != .succeeded, "what succeeded stays")
            ledger.openings[job.id, default: 0] += 1
        case .paused(let isPaused, let queues, _):
            if isPaused { ledger.paused.formUnion(queues) } else { ledger.paused.subtract(queues) }
        case .reserved(let id): reservedUpTo = max(reservedUpTo, id)
        case .cancelRequested, .cameLate, .changed, .refused, .unwritable: break
        case .fileEnded(let file): try fileEnded(file)
        }
    }

    private mutating func created(_ id: JobID, _ spec: Spec) throws(Violation) {
        try check(ledger.specs[id] == nil, "id \(id.rawValue) is never used twice")
        ledger.specs[id] = spec
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
        guard let spec = ledger.specs[job] else {
            throw Violation(sentence: "job \(job.rawValue) starts after its insert is a fact")
        }
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
        try check(
            workers[given.worker]?.step == .working,
            "an order goes to a worker that is there"
        )
        if let details = details(job) {
            try check(details.job.readyAt <= now, "job \(job.rawValue) does not start early")
        }
        if order.phase == .reduce { try checkOutputs(order) }
    }

    private func checkOutputs(_ order: Order) throws(Violation) {
        guard ledger.final[order.job] == nil else { return }  // Cancelled: not known here yet.
        let outputs = ledger.children[order.job, default: []].compactMap {
            ledger.outcomes[$0]?.bytes
        }
        try check(order.outputs == outputs, "a last run gets what all parts have made, in order")
        try check(outputs.count == order.parts, "a last run waits for all parts")
    }

    func turns(of job: JobID) -> Set<Turn> {
        var turns: Set<Turn> = []
        if let database = ledger.specs[job]?.writes { turns.insert(.writing(database: database)) }
        if (details(job)?.job.losses ?? 0) > 0 { turns.insert(.suspect) }
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

    // MARK: What clients hear

    mutating func check(_ message: Message) throws(Violation) {
        let id = message.to.request ?? ""
        guard let asking = ledger.open.removeValue(forKey: id) else {
            throw Violation(sentence: "request \(id) is answered once")
        }
        if let ticket = asking.ticket {
            let isHeard = ledger.heardTickets.contains(ticket)
            try check(isHeard, "no reply comes before its fact")
        }
        switch message.reply {
        case .accepted(let accepted, _): try check(accepted, asking)
        case .ended(let ends, let all):
            for end in ends { try check(end) }
            if case .wait(let jobs, _) = asking.request, !all {
                try checkPending(Set(jobs).subtracting(ends.map(\.id)), asking)
            }
        case .pending(let job, let state, _):
            try check(!state.isFinal, "pending is not final")
            try checkPending([job], asking)
        case .result(let result): try check(result)
        case .statistics(let statistics):
            let sum = statistics.counts.sum
            try check(sum == ledger.statisticsSum, "the counters' sum is what is there")
        case .refused(let refusal): try check(refusal, asking)
        default: break
        }
    }

    private mutating func check(
        _ accepted: [Accepted],
        _ asking: StoryLedger.Asking
    ) throws(Violation) {
        guard case .submit(let jobs, _, _) = asking.request else {
            throw Violation(sentence: "only submissions are accepted")
        }
        try check(jobs.count == accepted.count, "each job of a submission has its id")
        for (job, accepted) in zip(jobs, accepted) {
            let isHeard = ledger.heardAccepted.contains(accepted.id)
            try check(isHeard, "job \(accepted.id.rawValue) is accepted when it is written")
            ledger.acknowledged.insert(accepted.id)
            guard let key = job.key else { continue }
            if let known = ledger.keys[key], !ledger.deleted.contains(known) {
                try check(known == accepted.id, "key \(key) stands for one job")
            }
            ledger.keys[key] = accepted.id
        }
    }

    private func check(_ end: JobEnd) throws(Violation) {
        let isWritten = ledger.ends[end.id, default: []].contains(end)
        try check(isWritten, "the end of job \(end.id.rawValue) is told after it was written")
    }

    /// Whatever had ended, and was known to have, before somebody asked, is not pending.
    private func checkPending(
        _ jobs: Set<JobID>,
        _ asking: StoryLedger.Asking
    ) throws(Violation) {
        // What was accepted is not refused, though its result cannot be read.
        if case .submit = asking.request, weather.faults { return }
        for job in jobs {
            guard let openings = asking.endedBefore[job],
                openings == ledger.openings[job, default: 0]
            else { continue }
            try check(false, "job \(job.rawValue) had ended and is told to be pending")
        }
    }

    private mutating func check(_ result: JobResult) throws(Violation) {
        try check(result.end)
        guard result.end.state == .succeeded else { return }
        let id = result.end.id
        try check(result.bytes == ledger.outcomes[id]?.bytes, "a result is what was written")
        if let before = ledger.told[id] {
            try check(before == result.bytes, "the result of job \(id.rawValue) never changes")
        }
        ledger.told[id] = result.bytes
    }

    private func check(
        _ refusal: Refusal,
        _ asking: StoryLedger.Asking
    ) throws(Violation) {
        guard case .submit = asking.request,
            let ticket = asking.ticket,
            let accepted = ledger.heardInserted[ticket]
        else { return }
        let wasDeleted = accepted.allSatisfy { ledger.deleted.contains($0.id) }
        try check(
            wasDeleted || accepted.allSatisfy { !$0.created },
            "a job that was accepted is not refused (\(refusal.code))"
        )
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

    func checkTheEnd() throws(Violation) {
        for job in ledger.acknowledged where !ledger.deleted.contains(job) {
            try check(details(job) != nil, "job \(job.rawValue) was accepted and is there")
        }
        for job in ledger.kept {
            let end = ledger.final[job]
            try check(details(job)?.job.state == end?.state, "the last word is the store's")
        }
        let waiting = ledger.open.keys.sorted()
        try check(waiting.isEmpty, "everybody is answered: \(waiting) are not")
        try checkFiles()
        try check(dispatcher.unwrittenBytes == 0, "nothing is left unwritten")
        try check(dispatcher.returning.isEmpty, "nothing is left returning")
        try check(dispatcher.pending.isEmpty, "nothing is left pending")
        try check(dispatcher.active.isEmpty, "nothing is left active")
        try check(dispatcher.leaving.isEmpty, "nothing is left leaving")
        try check(dispatcher.held.isEmpty, "nothing is left held")
        try check(dispatcher.receipts.abandoned.isEmpty, "no run is left unsettled")
        try check(dispatcher.waits.count == 0, "nobody is left waiting")
        for client in UInt8(0)..<4 {
            let account = Account.connection(ClientID(rawValue: [client]))
            let share = dispatcher.waits.share(of: account)
            try check(share == Waits.Share(), "client \(client) is not counted as waiting")
        }
        try check(dispatcher.crew.isIdle, "no worker is left with an order")
        var lanes = dispatcher.lanes
        try check(lanes.take() == nil, "no lane is left with a job")
        try check(lanes.present.isEmpty, "no job is left in memory")
    }
}

extension JobCounts {
    var sum: Int64 { JobState.allCases.reduce(0) { $0 + self[$1] } }
}
