internal import JobCore
internal import SQLite

/// Divided jobs: children live and die with their parent.
extension Commit {
    mutating func split(
        _ report: Report,
        _ parts: [Part],
        _ ids: ClosedRange<Int64>
    ) throws(SQLiteError) {
        precondition(ids.count == parts.count, "each child has an id")

        let event = JobEvent.split(report.attempt, children: parts.count)
        guard let before = try fetch(report.job), let after = before.after(event, at: now) else {
            facts.append(.cameLate(report.job, report.attempt))
            return
        }
        guard hasRoom(for: parts.count) else {
            guard let crowded = before.after(.crowded(report.attempt), at: now) else { return }
            return try conclude(before.job, crowded)
        }
        guard let spec = try work(of: report.job)?.spec else { return try spoil(before) }
        let owner = try reader.owner(of: report.job) ?? .local
        let sums = SharedInputs.sums(of: parts)
        var children: [Waiting] = []
        for (place, part) in parts.enumerated() {
            let id = JobID(rawValue: ids.lowerBound + Int64(place))
            let child = spec.ofChild(part)
            try insert(
                Submission(spec: child, fingerprint: 0),
                as: id,
                of: .child(of: before.job, part: place + 1, owner, sums: sums),
                file: nil
            )
            let readyAt = before.job.partsReadyAt(now: now)
            children.append(
                Waiting(id: id, next: Attempt.none.next, readyAt: readyAt, spec: child)
            )
        }
        marks.openParts += Int64(parts.count)
        try conclude(before.job, after)
        facts.append(.split(report.job, children: children))
    }

    /// There may be as many parts as jobs; and whatever its parts, one job can always be divided.
    private func hasRoom(for parts: Int) -> Bool {
        marks.openParts <= 0 || marks.openParts + Int64(parts) <= limits.waitingJobs
    }

    /// `failure` is why the parent fails with this child; nil when the child succeeded.
    mutating func childEnded(_ parent: JobID, failure: Failure?) throws(SQLiteError) {
        let event = failure == nil ? JobEvent.childSucceeded : .childFailed
        // A parent that does not wait has ended before, and takes its other children with it.
        guard let before = try fetch(parent), let after = before.after(event, at: now) else {
            return
        }
        try conclude(before.job, after, failure: failure)
    }

    /// Nothing is looked at again: what the reader could not read no worker can put together.
    mutating func spoilWhole(_ parent: JobID, part: Int) throws(SQLiteError) {
        guard let before = try fetch(parent), before.job.isSplit,
            let after = before.after(.spoiled, at: now)
        else { return }
        try conclude(before.job, after, failure: .damagedResult.ofPart(part))
    }

    mutating func cancelChildren(of parent: JobID) throws(SQLiteError) {
        let ids = try changes.with(.openChildren, parent.rawValue).all { $0.integer(0) }
        for id in ids {
            guard let before = try fetch(JobID(rawValue: id)),
                let after = before.after(.cancel, at: now)
            else { continue }
            try conclude(before.job, after)
        }
    }

    func deleteChildren(of parent: JobID) throws(SQLiteError) {
        let ids = try changes.with(.children, parent.rawValue).all { $0.integer(0) }
        for id in ids { try deleteRows(of: JobID(rawValue: id)) }
    }

    func deleteRows(of id: JobID) throws(SQLiteError) {
        for table: Changes in [
            .deleteInputs, .deleteResult, .deleteResultParts, .deleteAttempts, .deleteFailure,
            .deleteJob,
        ] {
            try changes.with(table, id.rawValue).run()
        }
    }
}

extension Spec {
    /// The spec of a child: the parent's way, the part's work. It changes no database, so that it
    /// can be called off at any time.
    fileprivate func ofChild(_ part: Part) -> Spec {
        var child = Spec(kind: kind, body: part.body, timeoutMs: timeoutMs)
        child.frames = part.frames(sharedWith: self)
        child.queue = queue
        child.priority = priority
        child.retry = retry
        child.sort = sort
        child.skill = skill
        return child
    }
}
