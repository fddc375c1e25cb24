internal import JobCore
internal import SQLite

/// How runs begin and end.
extension Commit {
    /// Bytes of a result in one row. Larger ones lie in parts of this size, so that a piece can be
    /// read without the whole.
    static let partBytes = 1 << 20
    /// The part, before all others, in which lies what a command has said beside its result.
    static let stderrPart = -1

    /// A job that has ended meanwhile stays as it is: the news is old.
    mutating func start(
        _ id: JobID,
        _ attempt: Attempt,
        _ worker: WorkerID,
        at moment: Timestamp
    ) throws(SQLiteError) {
        guard let before = try fetch(id), var after = before.after(.started(attempt), at: now)
        else { return }
        after.startedAt = moment
        after.worker = worker
        try update(before.job, to: after)
    }

    mutating func settle(_ report: Report) throws(SQLiteError) {
        if try succeed(report) { return }
        guard let before = try fetch(report.job),
            var after = before.after(report.event, at: now)
        else {
            facts.append(.cameLate(report.job, report.attempt))
            return
        }
        after.startedAt = report.startedAt
        after.worker = report.worker
        switch report.ending {
        case .succeeded(let outcome):
            try insert(outcome, of: report)
            try conclude(before.job, after, outcome: outcome)
        case .failed(let failure):
            try insertAttempt(after, failure)
            try conclude(before.job, after, failure: failure)
        case .brokenOff, .putBack, .split:
            try conclude(before.job, after)
        }
    }

    /// The successes among these changes that come to jobs of the same changes, where nothing else
    /// happens to them: their rows are written once, as they end.
    static func ends(in changes: [Change]) -> [JobID: Report] {
        guard changes.contains(where: { if case .insert = $0 { true } else { false } }) else {
            return [:]
        }
        var ends: [JobID: Report] = [:]
        // A report that comes before its job is late, and ids ascend.
        var newest = Int64.min
        for change in changes {
            switch change {
            case .insert(let insertion): newest = max(newest, insertion.ids.upperBound)
            case .settle(let report) where report.job.rawValue <= newest && report.succeedsAtOnce:
                ends[report.job] = report
            default: break
            }
        }
        guard !ends.isEmpty else { return [:] }
        for change in changes {
            switch change {
            case .cancel(let targets, _), .close(let targets, _):
                for target in targets { ends[target.job] = nil }
            case .lose(let job, _, _, _): ends[job] = nil
            case .retry(let jobs, _), .delete(let jobs, _), .expire(let jobs, _, _),
                .spoil(let jobs):
                // Whoever guesses its number finds it as it is by then: it has not ended.
                for job in jobs { ends[job] = nil }
            case .insert(let insertion):
                // Nor has it for what comes after it; and what comes after others has not run.
                for job in insertion.related { ends[job] = nil }
            case .settle, .start, .split, .spoilWhole, .setPaused, .reserve, .closeFile,
                .stage, .release, .unstage:
                break
            }
        }
        return ends
    }

    /// How most jobs end, without reading the row first: what `Job.apply` says of a job that stands
    /// as it was submitted is written only over a row that stands so, or stands there already.
    ///
    /// - Returns: False when it is another case, or a damaged row: nothing was written then.
    private mutating func succeed(_ report: Report) throws(SQLiteError) -> Bool {
        guard case .succeeded(let outcome) = report.ending, let queue = report.queue else {
            return false
        }
        if !bornEnded.contains(report.job) {
            guard report.succeedsAtOnce, try writeSuccess(report, in: queue) else { return false }
        }
        try insert(outcome, of: report)
        countSuccess(of: queue)
        let attempt = report.attempt
        let end = JobEnd(id: report.job, state: .succeeded, attempt: attempt, failure: nil)
        facts.append(.ended(Ended(end: end, outcome: outcome)))
        noteEnd(of: report.job, .succeeded)
        return true
    }

    /// - Returns: False when the row does not stand as it was submitted.
    private func writeSuccess(
        _ report: Report,
        in queue: QueueName
    ) throws(SQLiteError) -> Bool {
        do {
            var values = Parameters(of: changes[.succeed])
            try values.add(report.startedAt)
            try values.add(now)
            try values.add(report.worker.rawValue)
            try values.add(report.job)
            try values.add(queue.rawValue)
            try values.statement.run()
        } catch {
            // A value that the schema does not allow is found when the row is written again.
            guard error.isConstraint else { throw error }
            return false
        }
        return reader.connection.changes == 1
    }

    mutating func lose(
        _ id: JobID,
        _ attempt: Attempt,
        _ worker: WorkerID,
        _ reason: String
    ) throws(SQLiteError) {
        guard let before = try fetch(id), var after = before.after(.lost(attempt), at: now) else {
            facts.append(.cameLate(id, attempt))
            return
        }
        after.worker = worker
        try insertAttempt(after, Failure(.lost, reason))
        try conclude(before.job, after, failure: .poisoned)
    }

    /// Writes what a change has come to, and tells whoever depends on it.
    /// `failure` is why the job failed, if it did.
    mutating func conclude(
        _ before: Job,
        _ after: Stored,
        failure: Failure? = nil,
        outcome: Outcome? = nil
    ) throws(SQLiteError) {
        var after = after
        let job = after.job
        switch job.state {
        case .queued:
            after.startedAt = nil
            after.worker = nil
            try update(before, to: after)
            guard job.waitsFor == 0 else { return }
            guard let waiting = try work(of: job.id) else { return try spoil(after) }
            facts.append(.queued(waiting))
        case .running:
            try update(before, to: after)
            if job.cancelRequested { facts.append(.cancelRequested(job.id, job.attempt)) }
        case .succeeded, .failed, .cancelled:
            try update(before, to: after)
            try end(after, failure: failure, outcome: outcome)
        }
    }

    // MARK: - Damage

    /// Nil when it is damaged.
    func work(of id: JobID) throws(SQLiteError) -> Waiting? {
        do {
            return try reader.waiting(id)
        } catch {
            guard error.isDamage else { throw error }
            return nil
        }
    }

    /// A job whose work is damaged fails, and nobody else with it.
    mutating func spoil(_ stored: Stored) throws(SQLiteError) {
        guard let after = stored.after(.spoiled, at: now) else { return }
        try conclude(stored.job, after, failure: .damaged)
    }

    /// What the reader has found is looked at once more.
    mutating func spoil(_ jobs: [JobID]) throws(SQLiteError) {
        for id in jobs {
            guard let stored = try fetch(id), stored.job.state == .queued,
                stored.job.waitsFor == 0
            else { continue }
            if let waiting = try work(of: id) {
                facts.append(.queued(waiting))
            } else {
                try spoil(stored)
            }
        }
    }

    private mutating func end(
        _ stored: Stored,
        failure: Failure?,
        outcome: Outcome?
    ) throws(SQLiteError) {
        let job = stored.job
        let failure: Failure? =
            switch job.state {
            case .failed: failure
            case .cancelled: .calledOff
            default: nil
            }
        if job.state == .failed, let failure { try insertFailure(failure, of: job.id) }
        let end = JobEnd(id: job.id, state: job.state, attempt: job.attempt, failure: failure)
        facts.append(.ended(Ended(end: end, outcome: outcome)))
        noteEnd(of: job.id, job.state)
        if job.isSplit && job.state != .succeeded { try cancelChildren(of: job.id) }
        if let parent = stored.parent {
            try childEnded(parent, failure: failure?.ofPart(stored.part ?? 0))
        }
    }

    // MARK: - What is kept

    private func insert(_ outcome: Outcome, of report: Report) throws(SQLiteError) {
        let bytes = outcome.bytes
        let isWhole = bytes.count <= Self.partBytes
        var values = Parameters(of: changes[.insertResult])
        try values.add(report.job)
        try values.add(report.attempt.rawValue)
        try values.add(outcome.format.rawValue)
        try values.add(outcome.rows)
        try values.add(bytes.count)
        try values.add(report.durationMicros)
        let attempt = Int64(report.attempt.rawValue)
        try values.add(
            (isWhole ? bytes : []).withUnsafeBytes {
                Checksum.of(outcome.head, job: report.job, attempt: attempt, body: $0)
            }
        )
        if isWhole {
            try values.run(lendingBlob: bytes)
        } else {
            try values.add(Int64?.none)
            try values.statement.run()
            try insertParts(of: bytes, of: report)
        }
        if let stderr = outcome.stderr {
            try insert(part: Self.stderrPart, Array(stderr.utf8), of: report)
        }
    }

    private func insertParts(of bytes: [UInt8], of report: Report) throws(SQLiteError) {
        for (part, offset) in stride(from: 0, to: bytes.count, by: Self.partBytes).enumerated() {
            let end = min(offset + Self.partBytes, bytes.count)
            try insert(part: part, Array(bytes[offset..<end]), of: report)
        }
    }

    private func insert(part: Int, _ body: [UInt8], of report: Report) throws(SQLiteError) {
        let attempt = Int64(report.attempt.rawValue)
        var values = Parameters(of: changes[.insertResultPart])
        try values.add(report.job)
        try values.add(report.attempt.rawValue)
        try values.add(part)
        try values.add(
            body.withUnsafeBytes {
                Checksum.of(part: Int64(part), job: report.job, attempt: attempt, body: $0)
            }
        )
        try values.run(lendingBlob: body)
    }

    func insertAttempt(_ stored: Stored, _ failure: Failure) throws(SQLiteError) {
        var values = Parameters(of: changes[.insertAttempt])
        try values.add(stored.job.id)
        try values.add(stored.job.attempt.rawValue)
        try values.add(stored.worker.map { Int64($0.rawValue) })
        try values.add(stored.startedAt)
        try values.add(now)
        try values.add(failure)
        try values.statement.run()
    }

    private func insertFailure(_ failure: Failure, of id: JobID) throws(SQLiteError) {
        var values = Parameters(of: changes[.insertFailure])
        try values.add(id)
        try values.add(failure)
        try values.statement.run()
    }
}

extension Commit.Stored {
    /// The job after an event, or nil when the event does not fit it.
    func after(_ event: JobEvent, at now: Timestamp) -> Self? {
        var after = self
        do {
            try after.job.apply(event, at: now)
            return after
        } catch {
            return nil
        }
    }
}

extension Report {
    /// Whether this is how a job ends that stands as it was submitted. When it was ready, and how
    /// it is tried again, has no part in a success.
    fileprivate var succeedsAtOnce: Bool {
        guard case .succeeded = ending, queue != nil else { return false }
        var job = Job(id: job, readyAt: Timestamp(rawValue: 0))
        guard (try? job.apply(event, at: Timestamp(rawValue: 0))) != nil else { return false }
        return job.state == .succeeded
    }

    var event: JobEvent {
        switch ending {
        case .succeeded: .succeeded(attempt)
        case .failed(let failure): .failed(attempt, permanent: failure.isPermanent)
        case .brokenOff: .brokenOff(attempt)
        case .putBack: .putBack(attempt)
        case .split(let parts): .split(attempt, children: parts.count)
        }
    }
}
