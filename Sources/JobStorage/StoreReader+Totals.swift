internal import JobCore
internal import SQLite

/// Queues and figures. Counts are kept with every commit, so reading them is cheap at any size.
extension StoreReader {
    func queues(_ name: QueueName?) throws(SQLiteError) -> [QueueDetails] {
        let statement = questions[name == nil ? .queues : .queue]
        if let name { try statement.bind(text: name.rawValue, at: 1) }
        return try statement.all { statement throws(SQLiteError) in
            var row = Row(of: statement)
            return QueueDetails(
                name: try row.word(),
                isPaused: row.flag(),
                counts: row.counts()
            )
        }
    }

    /// What the store knows of them; the rest is the runner's.
    func statistics(now: Timestamp) throws(SQLiteError) -> Statistics {
        var statistics = Statistics()
        let counts = try questions[.counts].first { statement in
            var row = Row(of: statement)
            return row.counts()
        }
        statistics.counts = counts ?? JobCounts()
        statistics.oldestWaitingMs = try oldestReady(now: now).map { now.ms(since: $0) }
        statistics.storeBytes = try number(.pageCount) * number(.pageSize)
        statistics.walBytes = connection.path.map(StoreFile.logBytes) ?? 0
        return statistics
    }

    private func number(_ question: Questions) throws(SQLiteError) -> Int64 {
        try questions[question].first { $0.integer(0) } ?? 0
    }
}

extension Row {
    fileprivate mutating func counts() -> JobCounts {
        var counts = JobCounts()
        for state in JobState.allCases { counts[state] = integer() }
        return counts
    }
}
