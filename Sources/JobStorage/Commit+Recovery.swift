internal import JobCore
internal import SQLite

/// The start and the end of a run of the program.
extension Commit {
    mutating func recover(_ inFlight: [InFlight]) throws(SQLiteError) -> Recovery {
        let newest = try newestRun()
        let run = RunID(rawValue: (newest?.id.rawValue ?? 0) + 1)
        let newestTime = try newestTime(in: newest)
        try changes.with(.insertRun, run.rawValue, now.rawValue).run()

        let isClean = newest?.isClean ?? true
        let blamed = inFlight.filter {
            // Whoever asks twice for a stop leaves runs behind that harmed nobody.
            $0.run == newest?.id && ($0.blame == .crashed || $0.blame == .suspected && !isClean)
        }
        let suspects = try unwritten(of: blamed)
        let lost = try lose(blamed)
        let calledOff = try putBackRunning()
        try tellDependants()
        try makeReadyAgain(upTo: newestTime ?? now)
        facts = []  // Nobody is there to hear them: the program begins with what is written.

        let free = isClean ? marks.highestID : max(marks.highestID, marks.reservedUpTo)
        let reserved = (free + 1)...(free + JobStore.firstReservation)
        marks.reservedUpTo = max(marks.reservedUpTo, reserved.upperBound)
        try forgetIdleQueues()
        let store = try identify()
        var recovery = Recovery(
            run: run,
            lost: lost.filter { !$0.isPoisoned }.map(\.id),
            poisoned: lost.filter(\.isPoisoned).map(\.id),
            reserved: reserved,
            store: store,
            calledOff: calledOff
        )
        recovery.newestTime = newestTime
        recovery.suspects = suspects
        recovery.stages = try stagesLeft()
        recovery.hasCrashed = blamed.contains { $0.blame == .crashed }
        return recovery
    }

    /// A store that begins from a backup is another one: the ids that it will issue were issued
    /// before, and what jobs of that time have left in databases must not answer for new ones.
    private func identify() throws(SQLiteError) -> StoreID {
        try changes[.renewIdentity].run()
        guard let id = try changes[.identity].first({ StoreID(rawValue: $0.text(0)) }) else {
            throw SQLiteError.damage("the store has no identity")
        }
        return id
    }

    /// What is half done of the files that are written in pieces. Of one whose pieces did not all
    /// come the spool knows whether they will.
    private func stagesLeft() throws(SQLiteError) -> Recovery.Stages {
        var left = Recovery.Stages()
        for stage in try changes[.stages].all(Stage.init) {
            let stage = stage.checked(upTo: marks.highestID)
            if stage.isDamaged {
                left.damaged.append(stage.file)
            } else if stage.phase == .opening {
                left.releasing.append(stage.file)
            }
        }
        let statement = changes[.stageNames]
        try statement.bind(text: Stage.Phase.removing.rawValue, at: 1)
        left.removing = try statement.all { $0.text(0) }
        return left
    }

    /// - Returns: The fingerprints of jobs that have no row to blame.
    private func unwritten(of runs: [InFlight]) throws(SQLiteError) -> Set<UInt64> {
        var prints: Set<UInt64> = []
        for run in runs {
            guard let print = run.unwritten, try fetch(run.job) == nil else { continue }
            prints.insert(print)
        }
        return prints
    }

    /// Of a job that was queued the run had begun without a word to the store.
    private mutating func lose(
        _ runs: [InFlight]
    ) throws(SQLiteError) -> [(id: JobID, isPoisoned: Bool)] {
        var lost: [(id: JobID, isPoisoned: Bool)] = []
        for run in runs {
            guard let before = try fetch(run.job), !before.job.cancelRequested,
                var after = before.after(.lost(run.attempt), at: now)
            else { continue }
            after.startedAt = run.startedAt
            try insertAttempt(after, Failure(.lost, "The program ended during this run."))
            try conclude(before.job, after, failure: .poisoned)
            lost.append((run.job, isPoisoned: after.job.state == .failed))
        }
        return lost
    }

    /// Runs that are not to blame count for nothing.
    ///
    /// - Returns: Those that were asked to stop and may have committed all the same: they are left
    ///   as they are.
    private mutating func putBackRunning() throws(SQLiteError) -> [Waiting] {
        var calledOff: [Waiting] = []
        for id in try changes[.runningJobs].all({ JobID(rawValue: $0.integer(0)) }) {
            guard let before = try fetch(id) else { continue }
            if before.job.cancelRequested {
                guard var waiting = try work(of: id) else {
                    try spoil(before)
                    continue
                }
                waiting.next = before.job.attempt
                calledOff.append(waiting)
            } else if let after = before.after(.putBack(before.job.attempt), at: now) {
                try conclude(before.job, after)
            }
        }
        return calledOff
    }

    /// The clock was set back since the last run: what was ready then is ready now. Jobs that wait
    /// for a moment of their submitter's choice go on waiting for it. Looked at in every start: the
    /// clock may have been set back before the last run, and no survey shows what is to be ready
    /// before it was created.
    private func makeReadyAgain(upTo latest: Timestamp) throws(SQLiteError) {
        try reader.eachLane { lane throws(SQLiteError) in
            try reader.eachPriority(of: lane) { priority throws(SQLiteError) in
                var values = Parameters(of: changes[.readyAgain])
                try values.add(now)
                try values.add(lane)
                try values.add(priority)
                try values.add(latest)
                try values.statement.run()
            }
        }
    }

    func stop(_ run: RunID) throws(SQLiteError) {
        try changes.with(.stopRun, now.rawValue, run.rawValue).run()
    }

    private struct LastRun {
        var id: RunID
        var stoppedAt: Timestamp?
        var startedAt: Timestamp

        var isClean: Bool { stoppedAt != nil }
    }

    private func newestRun() throws(SQLiteError) -> LastRun? {
        try changes[.newestRun].first { statement throws(SQLiteError) in
            var row = Row(of: statement)
            let id = row.integer()
            let stoppedAt = row.optionalMoment()
            let startedAt = row.moment()
            try row.check()
            guard Marks.possible.contains(id) else { throw .damage("\(id) is not a run") }
            return LastRun(id: RunID(rawValue: id), stoppedAt: stoppedAt, startedAt: startedAt)
        }
    }

    /// Of what is quickly found: the last run, and the job that came last.
    private func newestTime(in run: LastRun?) throws(SQLiteError) -> Timestamp? {
        guard let run else { return nil }
        let ofJob = try changes.with(.newestJob, .max).first { statement in
            var row = Row(of: statement)
            return max(row.moment(), row.optionalMoment() ?? run.startedAt)
        }
        return [run.startedAt, run.stoppedAt, ofJob].compactMap(\.self).max()
    }
}
