internal import JobCore
internal import SQLite

/// What clients do to jobs that are there, and to queues.
extension Commit {
    mutating func cancel(_ targets: [Target], _ ticket: Ticket) throws(SQLiteError) {
        try change(targets, ticket) { commit, target, before throws(SQLiteError) in
            // The run may have begun without a word to the store: its attempt is used up.
            let begun = target.active.flatMap { before.after(.started($0), at: commit.now) }
            guard var after = (begun ?? before).after(.cancel, at: commit.now) else {
                return false
            }
            if begun != nil, after.startedAt == nil { after.startedAt = commit.now }
            try commit.conclude(before.job, after)
            return true
        } id: {
            $0.job
        }
    }

    mutating func retry(_ jobs: [JobID], _ ticket: Ticket) throws(SQLiteError) {
        try change(jobs, ticket) { commit, id, before throws(SQLiteError) in
            guard before.parent == nil, let after = before.after(.retry, at: commit.now) else {
                return false
            }
            if before.job.isSplit { try commit.deleteChildren(of: id) }
            try commit.changes.with(.deleteFailure, id.rawValue).run()
            try commit.conclude(before.job, after)
            return true
        } id: {
            $0
        }
    }

    mutating func delete(_ jobs: [JobID], _ ticket: Ticket) throws(SQLiteError) {
        try change(jobs, ticket) { commit, id, before throws(SQLiteError) in
            guard before.parent == nil, before.job.state.isFinal else { return false }
            if before.job.isSplit { try commit.deleteChildren(of: id) }
            try commit.deleteRows(of: id)
            commit.add(-1, in: before.job.state, of: before.queue, before.file)
            return true
        } id: {
            $0
        }
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

    private func isIssued(_ id: JobID) -> Bool {
        id.rawValue >= 1 && id.rawValue <= marks.highestID
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
