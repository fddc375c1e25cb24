public import JobCore
internal import SQLite

/// The durable record of all jobs: one SQLite file, written by one thread, synced with each commit.
///
/// Deliberately not `Sendable`: the thread that writes owns it. Others read through a
/// `StoreReader`.
public final class JobStore: Store {
    /// Ids that a start reserves; `Change.reserve` asks for more.
    public static let firstReservation: Int64 = 100_000

    private let connection: Connection
    private let path: String
    private let changes: Prepared<Changes>
    let reader: StoreReader
    private let limits: Limits
    private var marks: Marks

    /// Opens the store in this file, makes it when there is none, and brings its schema up to date.
    public convenience init(path: String, limits: Limits = Limits()) throws(StoreError) {
        try self.init(try StoreFile.open(path: path), path: path, limits: limits)
    }

    /// The same, synced in another way.
    package convenience init(path: String, limits: Limits, sync: StoreSync) throws(StoreError) {
        try self.init(try StoreFile.open(path: path, sync: sync), path: path, limits: limits)
    }

    /// A store that is gone with this object, for tests and trials.
    public convenience init(inMemory limits: Limits) throws(StoreError) {
        try self.init(try StoreFile.openInMemory(), path: ":memory:", limits: limits)
    }

    private init(_ connection: Connection, path: String, limits: Limits) throws(StoreError) {
        do throws(SQLiteError) {
            changes = try Prepared(on: connection)
            reader = try StoreReader(on: connection, path: path, limits: limits)
            marks = try Marks(by: changes)
        } catch {
            throw StoreError(error, path: path)
        }
        self.connection = connection
        self.path = path
        self.limits = limits
    }

    public func commit(_ changes: [Change], at now: Timestamp) throws(StoreError) -> [Fact] {
        try transaction(at: now) { commit throws(SQLiteError) in
            try commit.apply(changes)
            return commit.facts
        }
    }

    public func answer(_ query: Query) throws(StoreError) -> Answer {
        try reader.answer(query)
    }

    /// Begins a run of the program: settles what the last one left under way, and reserves ids.
    ///
    /// A run that is to blame for the end counts as lost; any other is put back and counts for
    /// nothing. For an end that was asked for only a crash is to blame. After an end that was not
    /// clean, ids that the last run had reserved are passed over, because it may have given them to
    /// workers.
    ///
    /// `inFlight` is what the ledger shows. Entries of any but the latest run were settled by an
    /// earlier start and are ignored.
    public func recover(
        inFlight: [InFlight],
        at now: Timestamp
    ) throws(StoreError) -> Recovery {
        try transaction(at: now) { commit throws(SQLiteError) in
            let recovery = try commit.recover(inFlight)
            try commit.writeTally()
            return recovery
        }
    }

    /// Writes down that the run has come to a clean end.
    public func stop(_ run: RunID, at now: Timestamp) throws(StoreError) {
        try transaction(at: now) { commit throws(SQLiteError) in try commit.stop(run) }
    }

    /// Size of the write-ahead log, in bytes.
    public var logBytes: Int64 { StoreFile.logBytes(of: path) }

    /// Copies what it can of the log into the database, and empties the log when nobody reads it.
    /// It waits for nobody.
    public func shrinkLog() throws(StoreError) {
        connection.setBusyTimeout(milliseconds: 0)
        defer { connection.setBusyTimeout(milliseconds: StoreFile.patienceMs) }
        do throws(SQLiteError) {
            try connection.checkpoint(.truncate)
        } catch {
            let error = StoreError(error, path: path)
            if case .busy = error { return }
            throw error
        }
    }

    /// How long a commit waits for another program that writes the file, in ms.
    func setPatience(ms: Int) { connection.setBusyTimeout(milliseconds: ms) }

    /// All that `body` writes, or nothing of it, synced. What the store knows by heart follows the
    /// file only when the commit has succeeded.
    private func transaction<Outcome>(
        at now: Timestamp,
        _ body: (inout Commit) throws(SQLiteError) -> Outcome
    ) throws(StoreError) -> Outcome {
        var commit = Commit(
            changes: changes,
            reader: reader,
            limits: limits,
            now: now,
            marks: marks
        )
        do throws(SQLiteError) {
            let outcome = try connection.transaction { () throws(SQLiteError) in
                try body(&commit)
            }
            marks = commit.marks
            return outcome
        } catch {
            throw StoreError(error, path: path)
        }
    }
}

/// What a store knows by heart of its file.
struct Marks: Equatable {
    /// The highest id of a job there ever was: whatever lies above was never told to anybody.
    var highestID: Int64
    var reservedUpTo: Int64
    /// Jobs that have not ended, in all queues, children apart.
    var openJobs: Int64
    /// Parts of divided jobs that have not ended.
    var openParts: Int64
    var queues: Set<QueueName>
    /// False when no job that is kept comes after others: then nobody need be told of an end.
    var hasDependencies: Bool
    /// Files whose jobs nobody sees, and those of which nobody knows how far they are.
    var stages: [FileID: Stage]

    /// Jobs that have not ended, those that nobody sees and those that are to come among them.
    var takenJobs: Int64 { stages.values.reduce(openJobs) { $0 + $1.reserved } }

    /// A job that nobody sees.
    func isStaged(_ id: JobID) -> Bool { stage(around: id) != nil }

    /// The file of a job that nobody sees.
    func stage(around id: JobID) -> Stage? {
        stages.isEmpty ? nil : stages.values.first { $0.isUnseen && $0.contains(id) }
    }

    /// Numbers that can have come about by counting.
    static let possible: ClosedRange<Int64> = 0...(1 << 53)

    init(by changes: Prepared<Changes>) throws(SQLiteError) {
        let ids = try changes[.marks].first { ($0.integer(0), $0.integer(1), $0.integer(2)) }
        openJobs = try changes[.openJobs].first { $0.integer(0) } ?? 0
        guard let ids, Self.possible.contains(ids.0), Self.possible.contains(ids.1),
            Self.possible.contains(openJobs)
        else { throw .damage("the ids that are taken are not known") }
        (highestID, reservedUpTo, openParts) = ids
        queues = try Self.queues(by: changes)
        stages = [:]
        for stage in try changes[.stages].all(Stage.init).map({ $0.checked(upTo: ids.0) })
        where stage.isUnseen || stage.isDamaged {
            stages[stage.file] = stage
        }
        hasDependencies = try changes[.newestDependency].first { !$0.isNull(0) } ?? false
    }

    static func queues(by changes: Prepared<Changes>) throws(SQLiteError) -> Set<QueueName> {
        Set(
            try changes[.queueNames].all { statement throws(SQLiteError) in
                var row = Row(of: statement)
                return try row.word()
            }
        )
    }
}
