public import JobCore

/// What is known of the jobs.
extension ModelStore {
    public func answer(_ query: Query) throws(Never) -> Answer {
        switch query {
        case .load(let lane, let limit, let now, let known):
            load(lane, limit: limit, now: now, except: known)
        case .survey(let now): .surveyed(survey(now: now))
        case .gather(let parent): gather(parent)
        case .show(let ids):
            .shown(ids.map { entries[$0].map(allDetails) }, isIssued: ids.map(isIssued))
        case .ends(let ids): .ends(ids.map { entries[$0].map(end) }, isIssued: ids.map(isIssued))
        case .owners(let ids): .owners(ids.map { entries[$0]?.owner }, isIssued: ids.map(isIssued))
        case .result(let id, let range):
            .result(entries[id].map { result(of: $0, range) }, isIssued: isIssued(id))
        case .titanicResult(let id):
            .result(titanic(id).map { result(of: $0, .whole) }, isIssued: titanic(id) != nil)
        case .titanicOwner(let id):
            .owners([titanic(id)?.owner], isIssued: [titanic(id) != nil])
        case .list(let filter, let after, let limit): list(filter, after: after, limit: limit)
        case .select(let filter, let after, let limit):
            select(filter, after: after, limit: limit)
        case .queues(let name):
            .queues(
                queueNames.sorted().filter { name == nil || name == $0 }.map {
                    let isPaused = pausedQueues.contains($0)
                    return QueueDetails(name: $0, isPaused: isPaused, counts: counts(of: $0))
                }
            )
        case .statistics(let now): .statistics(statistics(now: now))
        case .expired(let retention, let after, let now):
            expired(retention, after: after, now: now)
        }
    }

    /// Of a job that is not to be put together yet parts are missing.
    private func gather(_ parent: JobID) -> Answer {
        let parts = children(of: parent).filter { $0.outcome != nil }
        let missing = parts.enumerated().first { $0.element.part != $0.offset + 1 }
        if let missing { return .partDamaged(parent, part: missing.offset + 1) }
        return .gathered(parent, parts.compactMap(\.outcome?.bytes))
    }

    // MARK: - Ready jobs

    private func ready(now: Timestamp) -> [Entry] {
        entries.values.filter {
            $0.job.state == .queued && $0.job.waitsFor == 0 && $0.job.readyAt <= now
        }
    }

    private func load(
        _ lane: Lane,
        limit: Int,
        now: Timestamp,
        except known: Set<JobID>
    ) -> Answer {
        let ready = ready(now: now).filter { $0.lane == lane && !known.contains($0.job.id) }
            .sorted {
                ($1.spec.priority, $0.job.readyAt, $0.job.id)
                    < ($0.spec.priority, $1.job.readyAt, $1.job.id)
            }
        var loaded: [Waiting] = []
        var bytes = 0
        for entry in ready {
            let isFull = loaded.count >= limit || bytes >= Self.loadBytes
            let isFirst = entry.spec.priority != loaded.last?.spec.priority
            guard !isFull || isFirst else { continue }
            let waiting = waiting(entry)
            loaded.append(waiting)
            bytes += waiting.spec.workBytes
        }
        return .loaded(lane, loaded, isAll: loaded.count == ready.count)
    }

    func waiting(_ entry: Entry) -> Waiting {
        var waiting = Waiting(
            id: entry.job.id,
            next: entry.job.attempt.next,
            readyAt: entry.job.readyAt,
            losses: entry.job.losses,
            isSplit: entry.job.isSplit,
            spec: entry.spec.leavingFrames()
        )
        waiting.sources = entry.links.filter(\.isSource).map { Source($0.job, name: $0.name) }
        return waiting
    }

    private func survey(now: Timestamp) -> Survey {
        var survey = Survey()
        survey.ready = Set(ready(now: now).map(\.lane)).sorted {
            ($0.queue, $0.turns) < ($1.queue, $1.turns)
        }
        survey.paused = pausedQueues.sorted()
        survey.nextReadyAt =
            entries.values.filter {
                $0.job.state == .queued && $0.job.waitsFor == 0 && $0.job.readyAt > now
                    && ($0.job.readyAt > $0.createdAt || $0.job.attempt > .none)
            }.map(\.job.readyAt).min()
        return survey
    }

    // MARK: - Single jobs

    func isIssued(_ id: JobID) -> Bool {
        id.rawValue >= 1 && id.rawValue <= highestID && !isStaged(id)
    }

    private func titanic(_ id: TitanicID) -> Entry? {
        entries[id.job].flatMap { $0.spec.titanicToken == id.token ? $0 : nil }
    }

    func end(of entry: Entry) -> JobEnd {
        let job = entry.job
        return JobEnd(id: job.id, state: job.state, attempt: job.attempt, failure: entry.failure)
    }

    /// Files whose jobs have ended and whose results do not lie beside them.
    public var endedFiles: [FileID] {
        files.filter { id, file in
            !file.isClosed
                && !entries.values.contains { $0.file == id && !$0.job.state.isFinal }
        }.map(\.key).sorted { $0.rawValue < $1.rawValue }
    }

    func children(of parent: JobID) -> [Entry] {
        entries.values.filter { $0.parent == parent }.sorted { $0.part < $1.part }
    }

    private func result(of entry: Entry, _ range: ByteRange) -> JobResult {
        guard let outcome = entry.outcome else { return JobResult(end: end(of: entry)) }
        let rest = outcome.bytes.dropFirst(Int(clamping: max(range.offset, 0)))
        let wanted = min(Int(clamping: max(range.limit ?? .max, 0)), limits.replyBytes)
        return JobResult(
            end: end(of: entry),
            head: outcome.head,
            offset: Int64(outcome.bytes.count - rest.count),
            bytes: Array(rest.prefix(wanted))
        )
    }

    private func details(of entry: Entry) -> JobDetails {
        var details = JobDetails(
            job: shown(entry),
            kind: entry.spec.kind,
            queue: entry.spec.queue,
            timeoutMs: entry.spec.timeoutMs,
            createdAt: entry.createdAt
        )
        details.queueIsPaused = pausedQueues.contains(entry.spec.queue)
        details.owner = entry.owner
        details.onFailure = entry.onFailure
        details.writes = entry.spec.writes
        details.skill = entry.spec.skill
        details.priority = entry.spec.priority
        details.name = entry.spec.name
        details.key = entry.key
        details.tags = entry.spec.tags
        details.startedAt = entry.startedAt
        details.finishedAt = entry.finishedAt
        details.worker = entry.worker
        if entry.job.isSplit {
            let children = children(of: entry.job.id)
            let done = children.count { $0.job.state.isFinal }
            details.progress = Progress(done: Int64(done), total: Int64(children.count))
        }
        details.pastAttempts = entry.pastAttempts
        details.failure = entry.failure
        details.result = entry.outcome?.head
        return details
    }

    private func allDetails(of entry: Entry) -> JobDetails {
        var details = details(of: entry)
        details.after = entry.links.map { link in
            let other = entries[link.job]
            return PredecessorDetails(
                id: link.job,
                name: other?.spec.name,
                state: other?.job.state,
                isOpen: link.isOpen
            )
        }
        return details
    }

    // MARK: - Many jobs

    private func list(_ filter: JobFilter, after: JobID?, limit: Int) -> Answer {
        let isRare = [.running, .failed, .cancelled].contains(filter.state)
        let candidates = entries.values.filter {
            $0.job.id < after ?? JobID(rawValue: .max)
                && (!isRare || $0.job.state == filter.state)
        }
        var found: [JobDetails] = []
        var last: JobID?
        for (seen, entry) in candidates.sorted(by: { $0.job.id > $1.job.id }).enumerated() {
            guard seen < Self.listJobs, found.count < limit else {
                return .listed(found, next: last)
            }
            last = entry.job.id
            if filter.matches(entry) { found.append(details(of: entry)) }
        }
        return .listed(found, next: nil)
    }

    private func select(_ filter: JobFilter, after: JobID?, limit: Int) -> Answer {
        let ids = entries.values.filter(filter.matches).map(\.job.id).sorted()
        let found = Array(ids.filter { $0 > after ?? JobID(rawValue: .min) }.prefix(limit))
        return .selected(found, next: found.count == limit ? found.last : nil)
    }

    private func expired(_ retention: Retention, after: JobID?, now: Timestamp) -> Answer {
        let rest = entries.values.filter { $0.job.id > after ?? JobID(rawValue: .min) }
            .sorted { $0.job.id < $1.job.id }
        let looked = rest.prefix(expiryJobs)
        let expired = looked.filter { entry in
            entry.parent == nil
                && retention.isOver(
                    entry.job.state,
                    finishedAt: entry.finishedAt,
                    keepMs: entry.spec.keepMs,
                    at: now
                )
        }
        let next = looked.count < rest.count ? looked.last?.job.id : nil
        return .expired(expired.map(\.job.id), next: next)
    }

    func counts(of queue: QueueName?) -> JobCounts {
        var counts = JobCounts()
        for entry in entries.values
        where entry.parent == nil && (queue == nil || entry.spec.queue == queue) {
            counts[entry.job.state] += 1
        }
        return counts
    }

    private func statistics(now: Timestamp) -> Statistics {
        var statistics = Statistics()
        statistics.counts = counts(of: nil)
        statistics.oldestWaitingMs = ready(now: now).map(\.job.readyAt).min().map(now.ms)
        return statistics
    }
}

extension JobFilter {
    fileprivate func matches(_ entry: ModelStore.Entry) -> Bool {
        entry.parent == nil
            && (state == nil || state == entry.job.state)
            && (queue == nil || queue == entry.spec.queue)
            && (kind == nil || kind == entry.spec.kind)
            && (owner == nil || owner == entry.owner)
    }
}
