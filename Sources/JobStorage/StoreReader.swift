public import JobCore
internal import SQLite

/// Answers queries from what is committed: each answer is as of one moment.
///
/// Deliberately not `Sendable`: each thread that reads opens one of its own. Reading waits for
/// nobody, and nobody waits for it.
public final class StoreReader {
    let connection: Connection
    let questions: Prepared<Questions>
    let limits: Limits
    let path: String
    /// Files of which not all jobs are seen and ready, as of the reading under way.
    private(set) var stages: [Stage] = []

    /// Opens a store that is there already, read-only.
    public convenience init(path: String, limits: Limits = Limits()) throws(StoreError) {
        let connection = try StoreFile.openForReading(path: path)
        do {
            try self.init(on: connection, path: path, limits: limits)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    init(on connection: Connection, path: String, limits: Limits) throws(SQLiteError) {
        self.connection = connection
        self.path = path
        self.limits = limits
        questions = try Prepared(on: connection)
    }

    public func answer(_ query: Query) throws(StoreError) -> Answer {
        try reading { () throws(SQLiteError) in try read(query) }
    }

    /// All that `body` reads is as of one moment.
    func reading<Answer>(_ body: () throws(SQLiteError) -> Answer) throws(StoreError) -> Answer {
        do throws(SQLiteError) {
            try questions[.begin].run()
            defer { try? questions[.end].run() }  // Nothing was written that could be lost.
            stages = try readStages()
            return try body()
        } catch {
            throw StoreError(error, path: path)
        }
    }

    private func read(_ query: Query) throws(SQLiteError) -> Answer {
        switch query {
        case .load(let lane, let limit, let now, let known):
            try load(lane, limit: limit, now: now, except: known)
        case .survey(let now): .surveyed(try survey(now: now))
        case .gather(let parent): try gather(parent)
        case .show(let ids): try show(ids)
        case .ends(let ids): try ends(ids)
        case .owners(let ids): try owners(of: ids)
        case .result(let id, let range): try result(id, range)
        case .titanicResult(let id):
            try titanicOwner(of: id) == nil
                ? .result(nil, isIssued: false) : try result(id.job, .whole)
        case .titanicOwner(let id):
            try answer(titanicOwner(of: id))
        case .list(let filter, let after, let limit): try list(filter, after: after, limit: limit)
        case .select(let filter, let after, let limit):
            try select(filter, after: after, limit: limit)
        case .queues(let name): .queues(try queues(name))
        case .statistics(let now): .statistics(try statistics(now: now))
        case .expired(let retention, let after, let now):
            try expired(retention, after: after, now: now)
        }
    }

    // MARK: - Files that are written in pieces

    private func readStages() throws(SQLiteError) -> [Stage] {
        let found = try questions[.stages].all(Stage.init)
        guard !found.isEmpty else { return [] }
        let highest = try highestID()
        return found.map { $0.checked(upTo: highest) }
    }

    /// A job of a file that is not written to its end.
    func isUnseen(_ id: JobID) -> Bool { stage(around: id)?.isUnseen ?? false }

    func stage(around id: JobID) -> Stage? { stages.first { $0.contains(id) } }

    // MARK: - Ids

    func highestID() throws(SQLiteError) -> Int64 {
        try questions[.marks].first { $0.integer(0) } ?? 0
    }

    /// How a job stands, and why it ended so; nil when it is not kept.
    func end(of id: JobID) throws(SQLiteError) -> JobEnd? {
        if isUnseen(id) { return nil }
        let standing = try questions.with(.standing, id.rawValue).first {
            statement throws(SQLiteError) in
            var row = Row(of: statement)
            let standing = (state: try row.word(JobState.self), attempt: try row.attempt())
            try row.check()
            return standing
        }
        guard let standing else { return nil }
        return JobEnd(
            id: id,
            state: standing.state,
            attempt: standing.attempt,
            failure: try failure(of: id, standing.state)
        )
    }

    func failure(of id: JobID, _ state: JobState) throws(SQLiteError) -> Failure? {
        switch state {
        case .queued, .running, .succeeded: nil
        case .cancelled: .calledOff
        case .failed:
            try questions.with(.failure, id.rawValue).first { statement throws(SQLiteError) in
                var row = Row(of: statement)
                return try row.failure()
            }
        }
    }

    private func ends(_ ids: [JobID]) throws(SQLiteError) -> Answer {
        var ends: [JobEnd?] = []
        for id in ids { ends.append(try end(of: id)) }
        return .ends(ends, isIssued: try areIssued(ids))
    }

    private func owners(of ids: [JobID]) throws(SQLiteError) -> Answer {
        var owners: [Owner?] = []
        for id in ids { owners.append(isUnseen(id) ? nil : try owner(of: id)) }
        return .owners(owners, isIssued: try areIssued(ids))
    }

    func owner(of id: JobID) throws(SQLiteError) -> Owner? {
        try questions.with(.owner, id.rawValue).first { Owner(rawValue: $0.text(0)) }
    }

    /// Of an id that nobody has it is not told whether a job has its number.
    private func answer(_ titanicOwner: Owner?) -> Answer {
        .owners([titanicOwner], isIssued: [titanicOwner != nil])
    }

    private func titanicOwner(of id: TitanicID) throws(SQLiteError) -> Owner? {
        if isUnseen(id.job) { return nil }
        return try questions.with(.titanicOwner, id.job.rawValue, id.token).first {
            Owner(rawValue: $0.text(0))
        }
    }

    func areIssued(_ ids: [JobID]) throws(SQLiteError) -> [Bool] {
        let highest = try highestID()
        return ids.map { $0.rawValue >= 1 && $0.rawValue <= highest && !isUnseen($0) }
    }
}
