internal import JobCore
internal import SQLite

/// All about single jobs, and pages of them.
extension StoreReader {
    /// Rows that one page looks at. A page may so be short, even empty, though more follow: `next`
    /// tells.
    static let listRows = 10_000
    /// Attempts that are told of a job: the last ones. Every retry grants more of them.
    static let shownAttempts = 100

    /// All of them, or a refusal when they would be longer than `limits.replyBytes`. One alone is
    /// always shown.
    func show(_ ids: [JobID]) throws(SQLiteError) -> Answer {
        let paused = Set(try pausedQueues())
        var room = limits.replyBytes
        var shown: [JobDetails?] = []
        for id in ids {
            let found = try questions.with(.details, id.rawValue).first {
                statement throws(SQLiteError) in
                try details(in: statement)
            }
            if let found, !isUnseen(id) {
                var details = try completed(found.details, paused: paused)
                if found.comesAfterOthers { details.after = try predecessors(of: id) }
                room -= details.bytes
                guard room >= 0 || ids.count == 1 else { return .unreadable(tooManyToShow) }
                shown.append(details)
            } else {
                shown.append(nil)
            }
        }
        return .shown(shown, isIssued: try areIssued(ids))
    }

    private var tooManyToShow: Refusal {
        Refusal(
            413,
            "too_large",
            "What there is to tell is longer than \(limits.replyBytes) bytes.",
            hint: "Ask for fewer jobs at a time."
        )
    }

    /// Newest first, no more than fits into `limits.replyBytes`. `after` is the last id of the page
    /// before.
    func list(
        _ filter: JobFilter,
        after: JobID?,
        limit: Int
    ) throws(SQLiteError) -> Answer {
        let paused = Set(try pausedQueues())
        var values = Parameters(of: questions[filter.isRare ? .listRare : .listAll])
        try values.add(after?.rawValue ?? .max)
        if filter.isRare { try values.add(filter.state?.rawValue) }
        let statement = values.statement
        defer { statement.reset() }
        var found: [JobDetails] = []
        var next: JobID?
        var seen = 0
        var room = limits.replyBytes
        while try statement.step() {
            if let stage = stage(around: JobID(rawValue: statement.integer(Self.idColumn))),
                stage.isUnseen
            {
                statement.reset()
                try statement.bind(integer: stage.first, at: 1)
                continue
            }
            guard seen < Self.listRows, found.count < limit else {
                return .listed(found, next: next)
            }
            if matches(filter, statement) {
                let details = try completed(
                    try details(in: statement).details,
                    paused: paused
                )
                room -= details.bytes
                if room < 0, !found.isEmpty { return .listed(found, next: next) }
                found.append(details)
            }
            seen += 1
            next = JobID(rawValue: statement.integer(Self.idColumn))
        }
        return .listed(found, next: nil)
    }

    /// Ascending. Looks at no more rows than a page of a list does.
    func select(
        _ filter: JobFilter,
        after: JobID?,
        limit: Int
    ) throws(SQLiteError) -> Answer {
        var values = Parameters(of: questions[filter.isRare ? .selectRare : .selectAll])
        try values.add(after?.rawValue ?? .min)
        if filter.isRare { try values.add(filter.state?.rawValue) }
        let statement = values.statement
        defer { statement.reset() }
        var found: [JobID] = []
        var last: JobID?
        var seen = 0
        while seen < Self.listRows, found.count < limit {
            guard try statement.step() else { return .selected(found, next: nil) }
            seen += 1
            let id = JobID(rawValue: statement.integer(Self.idColumn))
            if let stage = stage(around: id), stage.isUnseen {
                statement.reset()
                try statement.bind(integer: stage.first + stage.total - 1, at: 1)
                continue
            }
            last = id
            if matches(filter, statement) { found.append(id) }
        }
        return .selected(found, next: last)
    }

    /// Where a job's id is in every list; before it stand what filters compare, after it the state.
    private static let idColumn = 4

    private func matches(_ filter: JobFilter, _ statement: Statement) -> Bool {
        guard statement.isNull(2) else { return false }  // A child.
        return (filter.kind.map { $0.rawValue == statement.text(0) } ?? true)
            && (filter.queue.map { $0.rawValue == statement.text(1) } ?? true)
            && (filter.owner.map { $0.rawValue == statement.text(3) } ?? true)
            && (filter.state.map { $0.rawValue == statement.text(Self.idColumn + 1) } ?? true)
    }

    // MARK: - Details

    private func details(
        in statement: Statement
    ) throws(SQLiteError) -> (details: JobDetails, comesAfterOthers: Bool) {
        var row = Row(of: statement)
        let kind = try row.word(Spec.Kind.self)
        let queue = try row.word(QueueName.self)
        _ = row.optionalInteger()
        let owner = Owner(rawValue: row.text())
        let job = released(try row.job())
        let priority = row.int()
        let timeoutMs = row.integer()
        let name = row.optionalText()
        let key = row.optionalText()
        let tags = TagLines.split(row.optionalText())
        var details = JobDetails(
            job: job,
            kind: kind,
            queue: queue,
            timeoutMs: timeoutMs,
            createdAt: row.moment()
        )
        details.owner = owner
        details.priority = priority
        details.name = name
        details.key = key
        details.tags = tags
        details.startedAt = row.optionalMoment()
        details.finishedAt = row.optionalMoment()
        details.worker = row.optionalInteger().map { WorkerID(rawValue: Int(clamping: $0)) }
        details.writes = row.optionalText()
        details.skill = Turns(text: row.text()).skill
        details.onFailure = try row.word()
        let comesAfterOthers = row.integer() > 0
        try row.check()
        return (details, comesAfterOthers)
    }

    /// A job that waits for nothing but the other jobs of its file is shown as it will be.
    private func released(_ job: Job) -> Job {
        guard job.mayBeHeld, let stage = stage(around: job.id), !stage.isDamaged,
            job.id.rawValue >= stage.first + stage.released
        else { return job }
        var standing = job.standing
        standing.waitsFor = 0
        return Job(id: job.id, standing: standing, writes: job.writes, retry: job.retry)
    }

    /// With what lies in other tables.
    private func completed(
        _ details: JobDetails,
        paused: Set<QueueName>
    ) throws(SQLiteError) -> JobDetails {
        var details = details
        let job = details.job
        details.queueIsPaused = paused.contains(details.queue)
        details.failure = try failure(of: job.id, job.state)
        if job.attempt > .none { details.pastAttempts = try pastAttempts(of: job.id) }
        if job.state == .succeeded { details.result = try head(of: job.id)?.head }
        if job.isSplit {
            let children = try questions.with(.children, job.id.rawValue).first { $0.integer(0) }
            let total = children ?? 0
            details.progress = Progress(done: total - Int64(job.waitsFor), total: total)
        }
        return details
    }

    private func pastAttempts(of id: JobID) throws(SQLiteError) -> [PastAttempt] {
        let all = try questions.with(.pastAttempts, id.rawValue).all {
            statement throws(SQLiteError) in
            var row = Row(of: statement)
            return PastAttempt(
                attempt: try row.attempt(),
                worker: row.optionalInteger().map { WorkerID(rawValue: Int(clamping: $0)) },
                startedAt: row.optionalMoment(),
                endedAt: row.moment(),
                failure: try row.failure()
            )
        }
        return all.suffix(Self.shownAttempts)
    }
}

extension JobDetails {
    /// Of its JSON, roughly, and rather more than less.
    fileprivate var bytes: Int {
        let texts = [name, key, result?.stderr].compactMap(\.self) + tags
        let failures = pastAttempts.map(\.failure) + [failure].compactMap(\.self)
        let others = after.reduce(0) { $0 + 80 + ($1.name?.bytesInJSON ?? 0) }
        return 600 + others + 150 * failures.count + texts.reduce(0) { $0 + $1.bytesInJSON }
            + failures.reduce(0) {
                $0 + $1.message.bytesInJSON + ($1.hint?.bytesInJSON ?? 0)
            }
    }
}

extension String {
    /// Control characters are written in six bytes.
    fileprivate var bytesInJSON: Int {
        utf8.reduce(2) {
            $0 + ($1 < 0x20 ? 6 : $1 == UInt8(ascii: "\"") || $1 == UInt8(ascii: "\\") ? 2 : 1)
        }
    }
}

extension JobFilter {
    /// States that few jobs are in have an index of their own.
    fileprivate var isRare: Bool {
        switch state {
        case .running?, .failed?, .cancelled?: true
        case .queued?, .succeeded?, nil: false
        }
    }
}
