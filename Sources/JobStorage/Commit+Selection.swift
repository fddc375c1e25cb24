internal import JobCore
internal import SQLite

/// What clients do to jobs that are there, and to queues.
extension Commit {
    mutating func cancel(_ targets: [Target], _ ticket: Ticket) throws(SQLiteError) {
        try change(targets, ticket) { commit, target, before throws(SQLiteError) in
            try commit.callOff(target, before)
        } id: {
            $0.job
        }
    }

    /// - Returns: False when the job had ended, and stays as it is.
    private mutating func callOff(_ target: Target, _ before: Stored) throws(SQLiteError) -> Bool {
        // The run may have begun without a word to the store: its attempt is used up.
        let begun = target.active.flatMap { before.after(.started($0), at: now) }
        guard var after = (begun ?? before).after(.cancel, at: now) else { return false }
        if begun != nil, after.startedAt == nil { after.startedAt = now }
        try conclude(before.job, after)
        return true
    }

    mutating func close(_ targets: [Target], _ ticket: Ticket) throws(SQLiteError) {
        try change(targets, ticket) { commit, target, before throws(SQLiteError) in
            _ = try commit.callOff(target, before)
            guard before.parent == nil, let ended = try commit.fetch(target.job),
                ended.job.state.isFinal
            else { return false }
            try commit.remove(ended)
            return true
        } id: {
            $0.job
        }
    }

    mutating func retry(_ jobs: [JobID], _ ticket: Ticket) throws(SQLiteError) {
        try change(jobs, ticket) { commit, _, before throws(SQLiteError) in
            guard before.parent == nil else { return false }
            return try commit.reopen(before)
        } id: {
            $0
        }
    }

    mutating func delete(_ jobs: [JobID], _ ticket: Ticket) throws(SQLiteError) {
        try change(jobs, ticket) { commit, id, before throws(SQLiteError) in
            guard before.parent == nil, before.job.state.isFinal else { return false }
            try commit.remove(before)
            return true
        } id: {
            $0
        }
    }

    /// As `delete`, but only what is still old enough now, and what neither an open file nor a job
    /// that comes after it waits for.
    mutating func expire(
        _ jobs: [JobID],
        _ retention: Retention,
        _ ticket: Ticket
    ) throws(SQLiteError) {
        var count = 0
        for id in jobs {
            guard let before = try fetch(id), before.parent == nil,
                try isOver(before.job, retention),
                try before.file.map({ file throws(SQLiteError) in try isClosed(file) }) ?? true,
                try !hasOpenDependants(id)
            else { continue }
            try remove(before)
            count += 1
        }
        facts.append(.changed(ticket, count: count, unfit: nil))
    }

    private func isOver(_ job: Job, _ retention: Retention) throws(SQLiteError) -> Bool {
        let statement = try changes.with(.ending, job.id.rawValue)
        return try statement.first { statement in
            var row = Row(of: statement)
            let finishedAt = row.optionalMoment()
            let keepMs = row.optionalInteger()
            return retention.isOver(job.state, finishedAt: finishedAt, keepMs: keepMs, at: now)
        } ?? false
    }

    /// A file that is not in the ledger waits for nothing.
    private func isClosed(_ file: FileID) throws(SQLiteError) -> Bool {
        try changes.with(.fileIsClosed, file.rawValue).first { $0.integer(0) != 0 } ?? true
    }

    private mutating func remove(_ stored: Stored) throws(SQLiteError) {
        let job = stored.job
        if job.isSplit { try deleteChildren(of: job.id) }
        if stored.dependencies > 0 {
            try changes.with(.deleteDependencies, job.id.rawValue).run()
        }
        try deleteRows(of: job.id)
        add(-1, in: job.state, of: stored.queue, stored.file)
        if let file = stored.file { leftFiles.insert(file) }
    }

    /// Changes each job that can be changed, and tells how many, and the first that could not.
    private mutating func change<Choice>(
        _ choices: [Choice],
        _ ticket: Ticket,
        _ change: (inout Commit, Choice, Stored) throws(SQLiteError) -> Bool,
        id: (Choice) -> JobID
    ) throws(SQLiteError) {
        var count = 0
        var unfit: Unfit?
        for choice in choices {
            let id = id(choice)
            if let before = try fetch(id) {
                if try change(&self, choice, before) {
                    count += 1
                } else {
                    unfit = unfit ?? .wrongState(id, before.job.state)
                }
            } else {
                unfit = unfit ?? (isIssued(id) ? .gone(id) : .unknown(id))
            }
        }
        facts.append(.changed(ticket, count: count, unfit: unfit))
    }

    func isIssued(_ id: JobID) -> Bool {
        id.rawValue >= 1 && id.rawValue <= marks.highestID && !marks.isStaged(id)
    }

    mutating func setPaused(
        _ paused: Bool,
        _ queue: QueueName?,
        _ ticket: Ticket
    ) throws(SQLiteError) {
        try writeCounts()  // Queues that this transaction has made shall be there too.
        var names: [QueueName] = []
        if let queue {
            var values = Parameters(of: changes[.pauseQueue])
            try values.add(queue.rawValue)
            try values.add(paused)
            try values.statement.run()
            names = [queue]
            marks.queues.insert(queue)
        } else {
            let statement = try changes.with(.pauseAll, paused ? 1 : 0)
            names = try statement.all { statement throws(SQLiteError) in
                var row = Row(of: statement)
                return try row.word()
            }
        }
        facts.append(.paused(paused, names.sorted(), ticket))
    }
}
