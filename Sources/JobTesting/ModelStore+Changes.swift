public import JobCore

/// What happens to jobs that are there.
extension ModelStore {
    /// The job after an event, or nil when there is no such job or the event does not fit it.
    func entry(_ id: JobID, after event: JobEvent) -> Entry? {
        guard var entry = entries[id] else { return nil }
        do {
            try entry.job.apply(event, at: now)
            return entry
        } catch {
            return nil
        }
    }

    mutating func settle(_ report: Report) {
        let event: JobEvent =
            switch report.ending {
            case .succeeded: .succeeded(report.attempt)
            case .failed(let failure): .failed(report.attempt, permanent: failure.isPermanent)
            case .brokenOff: .brokenOff(report.attempt)
            case .putBack: .putBack(report.attempt)
            case .split(let parts): .split(report.attempt, children: parts.count)
            }
        guard var entry = entry(report.job, after: event) else {
            facts.append(.cameLate(report.job, report.attempt))
            return
        }
        entry.startedAt = report.startedAt
        entry.worker = report.worker
        switch report.ending {
        case .succeeded(let outcome):
            entry.outcome = outcome
            conclude(entry)
        case .failed(let failure):
            entry.remember(failure, at: now)
            conclude(entry, failure: failure)
        case .brokenOff, .putBack, .split: conclude(entry)
        }
    }

    mutating func lose(_ id: JobID, _ attempt: Attempt, _ worker: WorkerID, _ reason: String) {
        guard var entry = entry(id, after: .lost(attempt)) else {
            facts.append(.cameLate(id, attempt))
            return
        }
        entry.worker = worker
        entry.remember(Failure(.lost, reason), at: now)
        conclude(entry, failure: .poisoned)
    }

    mutating func split(_ report: Report, _ parts: [Part], _ ids: ClosedRange<Int64>) {
        let event = JobEvent.split(report.attempt, children: parts.count)
        guard let parent = entry(report.job, after: event) else {
            facts.append(.cameLate(report.job, report.attempt))
            return
        }
        let open = entries.values.count { $0.parent != nil && !$0.job.state.isFinal }
        guard open == 0 || Int64(open + parts.count) <= limits.waitingJobs else {
            if let crowded = entry(report.job, after: .crowded(report.attempt)) {
                conclude(crowded)
            }
            return
        }
        let readyAt = entries[report.job]?.job.partsReadyAt(now: now) ?? now
        var children: [Waiting] = []
        for (place, (part, id)) in zip(parts, ids).enumerated() {
            var spec = parent.spec
            spec.body = part.body
            spec.frames = part.frames(sharedWith: parent.spec)
            spec.parts = 1
            spec.writes = nil
            spec.salt = nil
            spec.name = nil
            spec.tags = []
            spec.keepMs = nil
            let id = JobID(rawValue: id)
            insert(Submission(spec: spec, fingerprint: 0), as: id)
            entries[id]?.job = Job(id: id, readyAt: readyAt, retry: spec.retry)
            entries[id]?.parent = report.job
            entries[id]?.part = place + 1
            entries[id]?.owner = parent.owner
            children.append(
                Waiting(id: id, next: Attempt(rawValue: 1), readyAt: readyAt, spec: spec)
            )
        }
        conclude(parent)
        facts.append(.split(report.job, children: children))
    }

    /// Writes what a change has come to, and tells whoever depends on it.
    mutating func conclude(_ changed: Entry, failure: Failure? = nil) {
        var entry = changed
        let job = entry.job
        entry.finishedAt = job.state.isFinal ? now : nil
        entry.failure = job.state == .failed ? failure : job.state == .cancelled ? .calledOff : nil
        if job.state == .queued {
            entry.startedAt = nil
            entry.worker = nil
        }
        entries[job.id] = entry
        if let file = entry.file { touchedFiles.insert(file) }
        switch job.state {
        case .queued:
            if job.waitsFor == 0 { facts.append(.queued(waiting(entry))) }
        case .running:
            if job.cancelRequested { facts.append(.cancelRequested(job.id, job.attempt)) }
        case .succeeded, .failed, .cancelled: end(entry)
        }
    }

    private mutating func end(_ entry: Entry) {
        let job = entry.job
        facts.append(.ended(Ended(end: end(of: entry), outcome: entry.outcome)))
        endings.append((job.id, job.state))
        if job.isSplit, job.state != .succeeded {
            for child in children(of: job.id) {
                guard let child = self.entry(child.job.id, after: .cancel) else { continue }
                conclude(child)
            }
        }
        guard let parent = entry.parent else { return }

        let event: JobEvent = entry.failure == nil ? .childSucceeded : .childFailed
        if let parent = self.entry(parent, after: event) {
            conclude(parent, failure: entry.failure?.ofPart(entry.part))
        }
    }

    /// Nothing is ever damaged here.
    func soundWork(of id: JobID) -> Fact? {
        guard let entry = entries[id], entry.job.state == .queued, entry.job.waitsFor == 0 else {
            return nil
        }
        return .queued(waiting(entry))
    }

    mutating func spoilWhole(_ id: JobID, part: Int) {
        guard entries[id]?.job.isSplit == true, let entry = entry(id, after: .spoiled) else {
            return
        }
        conclude(entry, failure: .damagedResult.ofPart(part))
    }

    // MARK: - Clients

    mutating func cancel(_ targets: [Target], _ ticket: Ticket) {
        change(targets.map(\.job), ticket) { store, place in store.callOff(targets[place]) }
    }

    private mutating func callOff(_ target: Target) -> Bool {
        let before = entries[target.job]
        if let active = target.active, let begun = entry(target.job, after: .started(active)) {
            entries[target.job] = begun
            entries[target.job]?.startedAt = now
        }
        guard let entry = entry(target.job, after: .cancel) else {
            entries[target.job] = before
            return false
        }
        conclude(entry)
        return true
    }

    mutating func close(_ targets: [Target], _ ticket: Ticket) {
        change(targets.map(\.job), ticket) { store, place in
            _ = store.callOff(targets[place])
            guard let entry = store.entries[targets[place].job], entry.parent == nil,
                entry.job.state.isFinal
            else { return false }
            store.remove(entry)
            return true
        }
    }

    mutating func retry(_ jobs: [JobID], _ ticket: Ticket) {
        change(jobs, ticket) { store, place in
            guard let entry = store.entries[jobs[place]], entry.parent == nil else { return false }
            return store.reopen(entry)
        }
    }

    mutating func delete(_ jobs: [JobID], _ ticket: Ticket) {
        change(jobs, ticket) { store, place in
            guard let entry = store.entries[jobs[place]], entry.parent == nil,
                entry.job.state.isFinal
            else { return false }
            store.remove(entry)
            return true
        }
    }

    mutating func expire(_ jobs: [JobID], _ retention: Retention, _ ticket: Ticket) {
        var count = 0
        for id in jobs {
            guard let entry = entries[id], entry.parent == nil, isOver(entry, retention),
                entry.file.flatMap({ files[$0]?.isClosed }) ?? true, !hasOpenDependants(id)
            else { continue }
            remove(entry)
            count += 1
        }
        facts.append(.changed(ticket, count: count, unfit: nil))
    }

    private mutating func remove(_ entry: Entry) {
        deleteChildren(of: entry.job.id)
        entries[entry.job.id] = nil
    }

    private func isOver(_ entry: Entry, _ retention: Retention) -> Bool {
        let finishedAt = entry.finishedAt
        let keepMs = entry.spec.keepMs
        return retention.isOver(entry.job.state, finishedAt: finishedAt, keepMs: keepMs, at: now)
    }

    mutating func setPaused(_ paused: Bool, _ queue: QueueName?, _ ticket: Ticket) {
        if let queue { queueNames.insert(queue) }
        let names = queue.map { [$0] } ?? queueNames.sorted()
        if paused {
            pausedQueues.formUnion(names)
        } else {
            pausedQueues.subtract(names)
        }
        facts.append(.paused(paused, names, ticket))
    }

    private mutating func change(
        _ jobs: [JobID],
        _ ticket: Ticket,
        _ change: (inout ModelStore, Int) -> Bool
    ) {
        var count = 0
        var unfit: Unfit?
        for (place, id) in jobs.enumerated() {
            if let entry = entries[id] {
                if change(&self, place) {
                    count += 1
                } else {
                    unfit = unfit ?? .wrongState(id, entry.job.state)
                }
            } else {
                unfit = unfit ?? (isIssued(id) ? .gone(id) : .unknown(id))
            }
        }
        facts.append(.changed(ticket, count: count, unfit: unfit))
    }

    // MARK: - Starts

    /// The clock was set back since `latest`, the newest moment of the last run: what was ready
    /// then is ready now.
    public mutating func begin(at now: Timestamp, after latest: Timestamp) {
        let newest = entries.values.max { $0.job.id < $1.job.id }?.createdAt ?? now
        let latest = max(latest, newest)
        for (id, entry) in entries {
            let job = entry.job
            guard job.state == .queued, job.waitsFor == 0, job.readyAt > now,
                job.readyAt <= entry.createdAt || job.readyAt <= latest
            else { continue }
            var standing = job.standing
            standing.readyAt = now
            entries[id]?.job = Job(
                id: id,
                standing: standing,
                writes: job.writes,
                retry: job.retry
            )
        }
    }

    mutating func deleteChildren(of parent: JobID) {
        for child in children(of: parent) { entries[child.job.id] = nil }
    }
}

extension ModelStore.Entry {
    fileprivate mutating func remember(_ failure: Failure, at now: Timestamp) {
        let past = PastAttempt(
            attempt: job.attempt,
            worker: worker,
            startedAt: startedAt,
            endedAt: now,
            failure: failure
        )
        pastAttempts.append(past)
    }
}
