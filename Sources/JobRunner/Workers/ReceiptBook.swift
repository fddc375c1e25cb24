internal import JobCore
internal import JobWire
internal import SQLite

/// The receipts in one database, over one worker's connection: which jobs have committed there, and
/// what came of them.
///
/// A receipt is written in the transaction of the job itself, so that there is none without the
/// job's effect, and no effect without one. Whoever holds the write lock and finds none knows that
/// no attempt has committed. All but `find` is for a write transaction.
final class ReceiptBook {
    /// Whose receipts these are.
    struct Author: Sendable {
        let store: StoreID
        /// Tombstones hold for the attempts of one run of the program: threads do not outlive it.
        let run: RunID
    }

    /// The attempt that looks, or writes.
    struct Key {
        let job: JobID
        let salt: Int64
        let attempt: Attempt
        let work: UInt64

        init(_ order: Order) {
            job = order.job
            salt = order.salt ?? 0
            attempt = order.attempt
            work = order.workDigest
        }
    }

    enum Entry: Equatable {
        /// No attempt of the job has committed.
        case none
        case done(Outcome)
        /// An attempt has committed, but the job was another one then.
        case otherWork
        /// This very attempt was given up, and must not go on.
        case buried
    }

    enum Problem: Error {
        case sqlite(SQLiteError)
        /// There is a table of this name, and it is not ours.
        case foreignTable
    }

    /// Jobs that one look at the receipts of earlier runs names.
    private static let leftoversMax = 10_000

    private let connection: Connection
    private let author: Author
    private var statements: Statements?
    /// As the last look found it.
    private(set) var schemaVersion: Int64?
    /// Jobs with receipts of earlier runs of the program, until they were taken.
    private var leftovers: [JobID] = []

    private struct Statements {
        let find: Statement
        let insert: Statement
        let remove: Statement
    }

    init(on connection: Connection, by author: Author) {
        self.connection = connection
        self.author = author
    }

    // MARK: Looking

    /// Makes the table when there is none, and looks.
    func look(for key: Key) throws(Problem) -> Entry {
        let entry = try found(key)
        schemaVersion = try sqlite { () throws(SQLiteError) in try connection.schemaVersion }
        return entry
    }

    private func found(_ key: Key) throws(Problem) -> Entry {
        if statements == nil { try open() }
        do throws(SQLiteError) {
            return try find(key)
        } catch  where error.code == 1 {  // SQLITE_ERROR: the table is gone.
            try open()
        } catch {
            throw .sqlite(error)
        }
        return try sqlite { () throws(SQLiteError) in try find(key) }
    }

    /// Looks, without the write lock too.
    func find(_ key: Key) throws(SQLiteError) -> Entry {
        try connection.unbounded { () throws(SQLiteError) in
            let statement = try prepared().find
            defer { statement.reset() }
            try statement.bind(text: author.store.rawValue, at: 1)
            try statement.bind(integer: key.job.rawValue, at: 2)
            try statement.bind(integer: key.salt, at: 3)
            var entry = Entry.none
            while try statement.step() {
                let found = self.entry(in: statement, for: key)
                if found == .buried { return found }
                if found != .none { entry = found }
            }
            return entry
        }
    }

    private func entry(in row: Statement, for key: Key) -> Entry {
        guard let format = row.isNull(3) ? nil : row.text(3) else {
            let isThis =
                row.integer(0) == author.run.rawValue
                && row.integer(1) == Int64(key.attempt.rawValue)
            return isThis ? .buried : .none
        }
        guard UInt64(bitPattern: row.integer(2)) == key.work,
            let format = ResultFormat(rawValue: format)
        else { return .otherWork }
        let rows = row.isNull(4) ? nil : row.integer(4)
        return .done(Outcome(format: format, bytes: row.bytes(5), rows: rows))
    }

    func takeLeftovers() -> [JobID] {
        defer { leftovers = [] }
        return leftovers
    }

    // MARK: Writing

    /// Refuses what the job has made of the schema since the look, when it concerns this table.
    func checkSchema() throws(SQLiteError) {
        if try hasSchemaMoved { try connection.checkReservedNames(but: Self.name) }
    }

    /// Whether the schema is another one than the look has found, or there are temporary objects.
    var hasSchemaMoved: Bool {
        get throws(SQLiteError) {
            if try connection.schemaVersion != schemaVersion { return true }
            return try connection.hadTemporaryObjects
        }
    }

    /// A receipt of this outcome; without one, a tombstone.
    func write(_ outcome: Outcome?, for key: Key, at now: Timestamp) throws(SQLiteError) {
        try connection.unbounded { () throws(SQLiteError) in
            let insert = try prepared().insert
            insert.clearBindings()
            try insert.bind(text: author.store.rawValue, at: 1)
            try insert.bind(integer: key.job.rawValue, at: 2)
            try insert.bind(integer: key.salt, at: 3)
            try insert.bind(integer: author.run.rawValue, at: 4)
            try insert.bind(integer: Int64(key.attempt.rawValue), at: 5)
            try insert.bind(integer: Int64(bitPattern: key.work), at: 6)
            try insert.bind(integer: now.rawValue, at: 7)
            guard let outcome else { return try insert.run() }
            try insert.bind(text: outcome.format.rawValue, at: 8)
            if let rows = outcome.rows { try insert.bind(integer: rows, at: 9) }
            try insert.lending(blob: outcome.bytes, at: 10) { () throws(SQLiteError) in
                try insert.run()
            }
        }
    }

    /// Removes what these jobs have left, but for the tombstones of this run of the program: who
    /// was given up may still come.
    func remove(_ jobs: [ClosedRange<Int64>]) throws(SQLiteError) {
        guard !jobs.isEmpty else { return }
        try connection.unconfined { () throws(SQLiteError) in
            let remove = try prepared().remove
            for range in jobs {
                try remove.bind(text: author.store.rawValue, at: 1)
                try remove.bind(integer: range.lowerBound, at: 2)
                try remove.bind(integer: range.upperBound, at: 3)
                try remove.bind(integer: author.run.rawValue, at: 4)
                try remove.run()
            }
        }
    }

    // MARK: The table

    // All SQL here names the database `main`: in `temp` a client may have a table of this name.
    static let name = "millrace_receipts"

    /// Not STRICT: an older SQLite could read nothing at all of a database with such a table.
    private static let table = """
        CREATE TABLE IF NOT EXISTS main.millrace_receipts (
            store      TEXT    NOT NULL,  -- store_id of the runner that wrote
            job        INTEGER NOT NULL,
            salt       INTEGER NOT NULL,  -- from the job's row there
            run        INTEGER NOT NULL,  -- of the runner
            attempt    INTEGER NOT NULL,  -- that has committed, or never shall
            work       INTEGER NOT NULL,  -- hash of what the job does
            format     TEXT,              -- of the result; NULL in a tombstone
            rows       INTEGER,
            result     BLOB,
            written_at INTEGER NOT NULL,  -- ms since 1970, UTC
            PRIMARY KEY (store, job, salt, run, attempt)
        ) WITHOUT ROWID
        """

    private static let layout = [
        "store TEXT 1", "job INTEGER 2", "salt INTEGER 3", "run INTEGER 4", "attempt INTEGER 5",
        "work INTEGER 0", "format TEXT 0", "rows INTEGER 0", "result BLOB 0",
        "written_at INTEGER 0",
    ]

    private func open() throws(Problem) {
        statements = nil
        let layout = try sqlite { () throws(SQLiteError) in
            try connection.unconfined { () throws(SQLiteError) in
                try connection.run(Self.table)
                // As a table, pragma_table_info gives way to one that a client has made.
                return try connection.prepare("PRAGMA main.table_info(millrace_receipts)").all {
                    "\($0.text(1)) \($0.text(2)) \($0.integer(5))"
                }
            }
        }
        guard layout == Self.layout else { throw .foreignTable }
        leftovers = try sqlite { () throws(SQLiteError) in try findLeftovers() }
    }

    private func findLeftovers() throws(SQLiteError) -> [JobID] {
        try connection.unconfined { () throws(SQLiteError) in
            let statement = try connection.prepare(
                """
                SELECT DISTINCT job FROM main.millrace_receipts
                 WHERE store = ? AND run <> ? LIMIT ?
                """
            )
            try statement.bind(text: author.store.rawValue, at: 1)
            try statement.bind(integer: author.run.rawValue, at: 2)
            try statement.bind(integer: Int64(Self.leftoversMax), at: 3)
            return try statement.all { JobID(rawValue: $0.integer(0)) }
        }
    }

    /// For `unconfined` callers. Fails when there is no table.
    private func prepared() throws(SQLiteError) -> Statements {
        if let statements { return statements }
        let statements = Statements(
            find: try connection.prepare(
                """
                SELECT run, attempt, work, format, rows, result
                  FROM main.millrace_receipts
                 WHERE store = ? AND job = ? AND salt = ?
                """
            ),
            insert: try connection.prepare(
                """
                INSERT INTO main.millrace_receipts
                    (store, job, salt, run, attempt, work, written_at, format, rows, result)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
            ),
            remove: try connection.prepare(
                """
                DELETE FROM main.millrace_receipts
                 WHERE store = ? AND job BETWEEN ? AND ? AND (format IS NOT NULL OR run <> ?)
                """
            )
        )
        self.statements = statements
        return statements
    }

    private func sqlite<Result>(
        _ body: () throws(SQLiteError) -> Result
    ) throws(Problem) -> Result {
        do throws(SQLiteError) { return try body() } catch { throw .sqlite(error) }
    }
}
