import JobTesting

@testable import JobCore

/// Times in which nothing goes wrong: the end of every story, and while some runs last.
extension StoryWorld {
    mutating func calmDown() throws(Violation) {
        note("the world calms down")
        weather = Weather(faults: false)
        if isDraining || hasExited {
            for _ in 0..<300 where !hasExited { try turn() }
            try check(hasExited, "a stop ends within reasonable time")
            try recover(cleanly: true)
        }
        var quietMoments = 6
        for round in 0..<3_000 {
            if hasExited { try recover(cleanly: true) }
            try turn()
            if round % 8 == 7 { try askForTheRest() }
            guard isQuiet, !hasExited, ledger.paused.isEmpty, unanswered.isEmpty else { continue }
            if try !allHaveEnded() {
                try leap()
            } else if quietMoments > 0 {
                quietMoments -= 1
                try useTheMoment()
            } else {
                return try checkTheEnd()
            }
        }
        try check(false, "every accepted job ends: \(unended()) did not")
    }

    /// While nothing is being written a short job that somebody waits for runs before it is, and
    /// now and then the runner ends under it.
    private mutating func useTheMoment() throws(Violation) {
        var jobs = jobs(1)
        jobs[0].key = nil
        jobs[0].after = []
        jobs[0].start = .now
        jobs[0].spec.kind = .sql
        jobs[0].spec.parts = 1
        jobs[0].spec.writes = nil
        jobs[0].spec.skill = nil
        jobs[0].spec.name = nil
        jobs[0].spec.sort = 0
        try ask(.submit(jobs, isBatch: false, waitMs: 60_000), client: 0)
        for _ in 0..<Int.random(in: 0...3, using: &chance) { try letAWorkerAct() }
        let runsUnwritten = ledger.running.values.contains { $0.unwritten != nil }
        guard runsUnwritten, Bool.random(using: &chance) else { return }
        note("the runner is killed")
        try recover(cleanly: false)
    }

    /// For three seconds some runs do not end, those that write first of all, and everybody else
    /// does what they can.
    mutating func letRunsLast() throws(Violation) {
        let isBusy = workers.values.contains { $0.current != nil }
        guard isBusy, !isDraining, !hasExited else { return }
        let before = weather
        weather = Weather(faults: false)
        for (worker, actor) in workers.sorted(by: { $0.key < $1.key }) {
            guard let order = actor.current?.order else { continue }
            let database = ledger.specs[order.job]?.writes
            if database != nil || Bool.random(using: &chance) { whims.lasting.insert(worker) }
            if let database { try crowd(database) }
        }
        note("the runs of workers \(whims.lasting.map(\.rawValue).sorted()) last")
        for _ in 0..<30 where !isDraining && !hasExited { try turn() }
        whims.lasting = []
        weather = before
    }

    /// Many jobs wait for a turn that is taken, or for external workers, and behind them some that
    /// need none.
    private mutating func crowd(_ database: String) throws(Violation) {
        if let kernel = externals.kernels.first {
            var jobs = jobs(Int(Self.batch))
            for place in jobs.indices { jobs[place].isFor(kernel) }
            try ask(.submit(jobs, isBatch: true, waitMs: nil), client: 0)
        }
        for writes in [database, database, database, database, nil] {
            var jobs = jobs(Int(Self.batch))
            for place in jobs.indices {
                jobs[place].key = nil
                jobs[place].after = []
                jobs[place].spec.name = nil  // Else it may kill whoever runs it.
                jobs[place].start = .now
                jobs[place].spec.kind = .sql
                jobs[place].spec.parts = 1
                jobs[place].spec.writes = writes
                jobs[place].spec.skill = nil
            }
            try ask(.submit(jobs, isBatch: true, waitMs: nil), client: 0)
        }
    }

    /// A round in which everybody does all that they can.
    private mutating func turn() throws(Violation) {
        try write()
        while !facts.isEmpty && !hasExited { try deliverFacts() }
        try answerAll()
        if !hasWriters { for _ in 0..<4 { try moveFiles() } }
        for _ in 0..<6 { try letAWorkerAct() }
        // Meanwhile jobs for them pile up, and nobody else's wait for that.
        if whims.lasting.isEmpty { try letAllExternalsAct() }
        try look()
        try deliverWhispers()
        try passTime(ms: 100)
        try checkOverlooked()
    }

    private var isQuiet: Bool {
        unwritten.isEmpty && facts.isEmpty && questions.isEmpty && answers.isEmpty
            && whispers.isEmpty && externals.isQuiet && !spool.isBusy
            && dispatcher.retryLoadsAt == nil
            && dispatcher.startWorkersAt == nil && !dispatcher.calls.isAnswering
            && workers.values.allSatisfy { $0.isGivenUp || $0.step != .born && !$0.isBusy }
    }

    // MARK: Liveness

    /// A job that waits for nothing but a worker starts soon when there is one, or when there can
    /// be one for short jobs.
    ///
    /// Whoever begins a run in a round was idle at its end only because the run was short. What
    /// could not be read or started is tried again after a second, or ten rounds.
    private mutating func checkOverlooked() throws(Violation) {
        let nobodyBegan = counts.begun.count == whims.begun
        whims.begun = counts.begun.count
        guard nobodyBegan, hasIdleWorker || mayHaveAnother, !isDraining, !hasExited else {
            return whims.overlooked = [:]
        }
        let before = whims.overlooked
        whims.overlooked = [:]
        for job in startable() where !mayWait(job) {
            let rounds = before[job, default: 0] + 1
            try check(rounds < 24, "job \(job.rawValue) starts when a worker is idle")
            whims.overlooked[job] = rounds
        }
    }

    /// Jobs that need no turn and no moment, and that no worker has.
    private func startable() -> [JobID] {
        guard case .shown(let shown, _) = store.answer(.show(ledger.kept)) else { return [] }
        return shown.compactMap(\.self).filter { details in
            let job = details.job
            return job.state == .queued && job.waitsFor == 0 && job.readyAt <= now
                && turns(of: job.id).isEmpty && ledger.specs[job.id]?.skill == nil
                && !ledger.paused.contains(details.queue)
                && ledger.holders[job.id, default: []].isEmpty
        }.map(\.job.id)
    }
}
