internal import JobCore
internal import SQLite

/// Jobs whose time is up, some at a time.
extension StoreReader {
    /// Jobs looked at in one step: some 20 ms.
    static let lookedAt = 10_000
    /// Jobs removed in one step, children counted, and bytes of their results: the commit should
    /// take at most 20 ms, and shares its time with what clients wait for.
    static let removedJobs: Int64 = 200
    static let removedBytes: Int64 = 4 << 20

    func expired(
        _ retention: Retention,
        after: JobID?,
        now: Timestamp
    ) throws(SQLiteError) -> Answer {
        let statement = try questions.with(.endings, after?.rawValue ?? .min)
        defer { statement.reset() }
        var expired: [JobID] = []
        var last: JobID?
        var (seen, jobs, bytes) = (0, Int64(0), Int64(0))
        while try statement.step() {
            guard seen < Self.lookedAt, jobs < Self.removedJobs, bytes < Self.removedBytes else {
                return .expired(expired, next: last)
            }
            seen += 1
            var row = Row(of: statement)
            let id = row.id()
            last = id
            let state = try row.word(JobState.self)
            let finishedAt = row.optionalMoment()
            let keepMs = row.optionalInteger()
            let isChild = row.optionalInteger() != nil
            guard !isChild,
                retention.isOver(state, finishedAt: finishedAt, keepMs: keepMs, at: now)
            else { continue }
            expired.append(id)
            jobs += 1 + (row.flag() ? row.integer() : 0)
            bytes += try questions.with(.resultBytes, id.rawValue).first { $0.integer(0) } ?? 0
        }
        return .expired(expired, next: nil)
    }
}
