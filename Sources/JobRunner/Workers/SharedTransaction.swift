internal import JobCore
internal import JobWire
internal import SQLite

/// A transaction that short jobs share which write to one database: each runs in a savepoint of its
/// own and leaves its own receipt, and one commit is for all of them.
///
/// Whatever comes of them holds once the transaction has committed. When it is gone before, because
/// a statement has ended it or the commit is refused, nothing has happened, and each has to run
/// again in a transaction of its own (`WriteRun`), which tells what is true of it alone.
///
/// Each connection that writes has one. Databases with virtual tables have no use for it: modules
/// write at savepoints and commits, where nobody could tell for which job.
final class SharedTransaction {
    /// A transaction that has been open for so long is committed before the next job, and a job
    /// that runs for so long beside others has to run alone: those before it wait for it.
    static let patience = Duration.milliseconds(10)

    /// What came of one job.
    struct Part {
        var ending: Report.Ending
        /// True when the transaction is gone, with all that was done in it before.
        var isUndone = false
        /// True when others must not be in the transaction of such a job.
        var needsOwnTransaction = false
    }

    private typealias Problem = SQLRun.Problem

    private let connection: Connection
    private let book: ReceiptBook
    private let savepoint: Savepoint
    private let clock = ContinuousClock()
    private var openedAt: ContinuousClock.Instant?
    /// Jobs that have succeeded if the transaction commits.
    private var successes = 0
    /// The schema that was looked through for virtual tables.
    private var knownSchema: Int64?
    private var hasVirtualTables = false

    init(on connection: Connection, _ book: ReceiptBook) throws(SQLiteError) {
        self.connection = connection
        self.book = book
        savepoint = try Savepoint(on: connection)
    }

    /// False for a database with virtual tables, as far as is known.
    var isPossible: Bool { !(hasVirtualTables && knownSchema == book.schemaVersion) }

    var isOpen: Bool { openedAt != nil }

    /// True when it should be committed before another job runs.
    var isOld: Bool { openedAt.map { clock.now - $0 >= Self.patience } ?? false }

    // MARK: One job

    /// Runs the job in the transaction, which begins with the first one.
    ///
    /// - Returns: Nil when the database has virtual tables: nothing was done.
    func run(_ sql: SQLRun, at now: Timestamp) -> Part? {
        sql.watching(connection) {
            var isBegun = false
            do throws(Problem) {
                let key = ReceiptBook.Key(sql.order)
                guard let entry = try isOpen ? find(key) : begin(for: sql, key) else { return nil }
                if let outcome = try sql.outcome(of: entry) { return succeeded(outcome) }
                // Before: a statement that says it was interrupted may have done its work.
                isBegun = true
                try sqlite { () throws(SQLiteError) in try savepoint.begin() }
                guard let outcome = try outcome(of: sql, key, at: now) else {
                    let isUndone = !undo(isBegun: true)
                    return Part(ending: .putBack, isUndone: isUndone, needsOwnTransaction: true)
                }
                try sqlite { () throws(SQLiteError) in try savepoint.release() }
                return succeeded(outcome)
            } catch {
                return failed(sql, error, isBegun: isBegun)
            }
        }
    }

    private func find(_ key: ReceiptBook.Key) throws(Problem) -> ReceiptBook.Entry {
        try sqlite { () throws(SQLiteError) in try book.find(key) }
    }

    /// - Returns: What an earlier attempt of the job has left; nil when there are virtual tables.
    private func begin(
        for sql: SQLRun,
        _ key: ReceiptBook.Key
    ) throws(Problem) -> ReceiptBook.Entry? {
        do throws(Problem) {
            try sql.begin(connection, to: .write)
        } catch {
            // Without the lock nothing can run. What has committed before counts all the same; a
            // transaction that was begun nevertheless shows more than that.
            connection.rollBack()
            guard !connection.isInTransaction, let entry = try? book.find(key), case .done = entry
            else { throw error }
            return entry
        }
        let entry: ReceiptBook.Entry
        do { entry = try book.look(for: key) } catch { throw Problem(error) }
        guard try !lookForVirtualTables() else {
            connection.rollBack()
            return nil
        }
        // All together may let the database grow as far as one of them: whoever meets the limit has
        // to run alone.
        let bytes = Int(clamping: sql.limits.growthBytes)
        try sqlite { () throws(SQLiteError) in try connection.limitGrowth(bytes: bytes) }
        openedAt = clock.now
        return entry
    }

    private func lookForVirtualTables() throws(Problem) -> Bool {
        guard knownSchema != book.schemaVersion else { return hasVirtualTables }
        try sqlite { () throws(SQLiteError) in
            hasVirtualTables = try connection.hasVirtualTables
        }
        knownSchema = book.schemaVersion
        return hasVirtualTables
    }

    /// - Returns: Nil when it has done what others must not be in one transaction with: they would
    ///   see its temporary objects, or fail with its COMMIT.
    private func outcome(
        of sql: SQLRun,
        _ key: ReceiptBook.Key,
        at now: Timestamp
    ) throws(Problem) -> Outcome? {
        let outcome = try sql.bounded { () throws(Problem) in try sql.statements(on: connection) }
        // Outside of the transaction there would be a receipt without its effect.
        guard connection.isInTransaction, !sql.run.isCancelled else { throw .stopped }
        return try sqlite { () throws(SQLiteError) in
            if connection.hasUnresolvedForeignKeys { return nil }
            if try book.hasSchemaMoved { return nil }
            try book.write(outcome, for: key, at: now)
            return outcome
        }
    }

    // MARK: Its end

    private func succeeded(_ outcome: Outcome) -> Part {
        if isOpen { successes += 1 }
        return Part(ending: .succeeded(outcome))
    }

    private func failed(_ sql: SQLRun, _ problem: Problem, isBegun: Bool) -> Part {
        let failure = sql.failure(problem)
        if !isOpen { connection.rollBack() }
        var part = Part(ending: .failed(failure), isUndone: isOpen && !undo(isBegun: isBegun))
        // Why a run was told to stop its caller knows; and what may be the others' fault, or may
        // pass, is tried alone.
        if !sql.run.isCancelled, part.isUndone || !failure.isPermanent {
            part.ending = .putBack
            part.needsOwnTransaction = part.isUndone && failure.isPermanent
        }
        return part
    }

    /// Undoes what one job has done.
    ///
    /// - Returns: False when all is undone.
    private func undo(isBegun: Bool) -> Bool {
        if connection.isInTransaction, !isBegun || (try? savepoint.undo()) != nil { return true }
        close()
        return false
    }

    // MARK: The end of all

    /// Commits what the jobs have done that succeeded, and with it removes the receipts of others.
    ///
    /// - Returns: False when nothing of it has happened.
    func commit(removing receipts: [ClosedRange<Int64>]) -> Bool {
        defer { close() }
        guard isOpen, successes > 0 else { return true }
        do throws(SQLiteError) {
            try book.remove(receipts)
            try connection.commit()
            return true
        } catch {
            return false
        }
    }

    private func close() {
        connection.rollBack()
        if isOpen { try? connection.removeGrowthLimit() }
        openedAt = nil
        successes = 0
    }

    private func sqlite<Result>(
        _ body: () throws(SQLiteError) -> Result
    ) throws(Problem) -> Result {
        do throws(SQLiteError) { return try body() } catch { throw .sqlite(error, at: 0) }
    }
}
