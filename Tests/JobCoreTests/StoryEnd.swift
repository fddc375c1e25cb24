@testable import JobCore

/// The end of a story: all promises are kept, and no book has an entry too much.
extension StoryWorld {
    mutating func checkTheEnd() throws(Violation) {
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
        try checkJobBooks()
        try checkClientBooks()
        try checkWorkerBooks()
        try checkRemoval()
    }

    private func checkJobBooks() throws(Violation) {
        try check(dispatcher.unwrittenBytes == 0, "nothing is left unwritten")
        try check(dispatcher.returning.isEmpty, "nothing is left returning")
        try check(dispatcher.pending.isEmpty, "nothing is left pending")
        try check(dispatcher.active.isEmpty, "nothing is left active")
        try check(dispatcher.gathering.isEmpty, "nothing is left to be gathered")
        try check(dispatcher.leaving.isEmpty, "nothing is left leaving")
        try check(dispatcher.damaged.isEmpty, "nothing is taken to be damaged")
        try check(dispatcher.held.isEmpty, "nothing is left held")
        try check(!dispatcher.isSurveying, "no survey is left under way")
        var lanes = dispatcher.lanes
        try check(lanes.take() == nil, "no lane is left with a job")
        try check(lanes.present.isEmpty, "no job is left in memory")
        try check(lanes.isUnused, "no byte, no turn and no load is left counted in the lanes")
        let unsettled = dispatcher.unsettled
        try check(unsettled.isEmpty && unsettled.bytes == 0, "no report is left unsettled")
        try check(dispatcher.stopping.isEmpty, "nothing is left stopping")
    }

    private func checkClientBooks() throws(Violation) {
        try check(dispatcher.waits.count == 0, "nobody is left waiting")
        let calls = dispatcher.calls
        try check(calls.count == 0 && calls.jobs == 0, "no call is left under way")
        try check(dispatcher.quotas.isIdle, "no request is left counted")
        for client in peers.indices {
            let share = dispatcher.waits.share(of: caller(client, "").account)
            try check(share == Waits.Share(), "client \(client) is not counted as waiting")
        }
    }

    private func checkWorkerBooks() throws(Violation) {
        try check(dispatcher.receipts.isSettled, "no run and no receipt is left unsettled")
        try check(dispatcher.crew.isIdle, "no worker is left with an order")
        let isBusy = dispatcher.externals.members.values.contains { $0.run != nil }
        try check(!isBusy, "no external worker is left with an order")
        try check(dispatcher.externals.isSound, "what is known of external workers fits together")
        let crew = dispatcher.crew
        try check(crew.members.count == crew.wanted, "no worker is missing")
        try check(crew.wanted <= mostWorkers, "there are not too many workers")
        let out = workers.filter(\.value.isOut)
        try check(dispatcher.abandoned == Set(out.keys), "who is still out is known")
    }

    /// After a whole walk nothing is left that was old before.
    private mutating func checkRemoval() throws(Violation) {
        guard let retention else { return }
        let children = Set(ledger.children.values.joined())
        let old = ledger.kept.filter { id in
            guard !children.contains(id), let details = details(id) else { return false }
            let finishedAt = details.finishedAt
            return retention.isOver(details.job.state, finishedAt: finishedAt, keepMs: nil, at: now)
        }
        var walks = 0
        for _ in 0..<2_000 where walks < 2 {
            guard let next = dispatcher.sweep.nextStep else {
                throw Violation(sentence: "the removal of old jobs goes on")
            }
            try passTime(ms: max(0, next.ms(since: now)))
            try answerAll()
            try write()
            try deliverFacts()
            if dispatcher.sweep.after == nil { walks += 1 }
        }
        for job in old { try check(details(job) == nil, "job \(job.rawValue) is old, and goes") }
    }
}
