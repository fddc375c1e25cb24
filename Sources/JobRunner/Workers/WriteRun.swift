internal import JobCore
internal import JobWire
internal import SQLite

/// Runs one SQL job that writes to a file in a transaction of its own: it looks for the receipt of
/// an earlier attempt, runs, leaves a receipt, and commits (DocC: ExactlyOnce).
struct WriteRun {
    /// What a receipt may take beside the result: more than a few nodes of the table's tree.
    private static let receiptBytes = 1 << 20

    let sql: SQLRun
    let alias: String
    let time: any TimeSource

    private typealias Problem = SQLRun.Problem
    private typealias Opened = (connection: Connection, book: ReceiptBook, key: ReceiptBook.Key)

    /// What has come of the job, and how long the commit took, in µs.
    typealias Done = (outcome: Outcome, commitMicros: Int64)

    /// - Throws: A failure; when the run was broken off or out of time, the caller knows better
    ///   why.
    func outcome(using databases: Databases) throws(Failure) -> Done {
        // What comes after a job that writes sees what it wrote.
        databases.endReading()
        // Opening reads a schema that somebody else may have written.
        let (connection, writing) = try sql.bounded { () throws(Failure) in
            try databases.connection(to: alias, .write)
        }
        guard let book = writing?.receipts else {
            preconditionFailure("a connection for writing has receipts")
        }
        defer {
            let isUsedUp = (try? connection.hadTemporaryObjects) != false
            if isUsedUp { databases.forget(alias, .write) }
        }
        let opened = (connection, book, ReceiptBook.Key(sql.order))
        do throws(Problem) {
            return try sql.watching(connection) { () throws(Problem) in try outcome(on: opened) }
        } catch {
            connection.rollBack()
            try? connection.removeGrowthLimit()
            throw sql.failure(error)
        }
    }

    private func outcome(on opened: Opened) throws(Problem) -> Done {
        let connection = opened.connection
        if let outcome = try begin(opened) {
            removeLeft(opened)
            connection.rollBack()
            return (outcome, 0)
        }
        let outcome = try sql.bounded { () throws(Problem) in
            try sql.statements(on: connection)
        }
        try write(outcome, opened)
        let start = ContinuousClock.now
        // Full-text indices are written now, by triggers of the client's too.
        try sql.bounded { () throws(Problem) in
            try sql.patiently { () throws(SQLiteError) in try connection.commit() }
        }
        let micros = (ContinuousClock.now - start).microseconds
        try? connection.removeGrowthLimit()
        return (outcome, micros)
    }

    /// - Returns: What an earlier attempt of the job has left that committed: the transaction may
    ///   be open, and nothing is to run.
    private func begin(_ opened: Opened) throws(Problem) -> Outcome? {
        do throws(Problem) {
            try sql.begin(opened.connection, to: .write)
        } catch {
            // Without the lock nothing can run. What has committed before counts all the same; a
            // transaction that was begun nevertheless shows more than that.
            opened.connection.rollBack()
            guard !opened.connection.isInTransaction,
                case .done(let outcome)? = try? opened.book.find(opened.key)
            else { throw error }
            return outcome
        }
        let entry: ReceiptBook.Entry
        do { entry = try opened.book.look(for: opened.key) } catch { throw Problem(error) }
        if let outcome = try sql.outcome(of: entry) { return outcome }
        do {
            try opened.connection.limitGrowth(bytes: Int(clamping: sql.limits.growthBytes))
        } catch {
            throw .sqlite(error, at: 0)
        }
        return nil
    }

    /// A success says that the receipts are gone that the run was told to remove: so they go, if
    /// they can, also when nothing is to run.
    private func removeLeft(_ opened: Opened) {
        guard opened.connection.isInTransaction, !sql.order.removable.isEmpty else { return }
        do throws(SQLiteError) {
            try opened.book.remove(sql.order.removable)
            try opened.connection.commit()
        } catch {
            // They are found and named again by the next start.
        }
    }

    private func write(_ outcome: Outcome, _ opened: Opened) throws(Problem) {
        // Outside of the transaction there would be a receipt without its effect.
        guard opened.connection.isInTransaction, !sql.run.isCancelled else { throw .stopped }
        do throws(SQLiteError) {
            try opened.book.checkSchema()
            // The receipt is not of the job's making.
            try opened.connection.raiseGrowthLimit(
                bytes: outcome.bytes.count + Self.receiptBytes
            )
            try opened.book.remove(sql.order.removable)
            try opened.book.write(outcome, for: opened.key, at: time.now())
        } catch {
            throw .sqlite(error, at: 0)
        }
    }
}

extension SQLRun {
    /// - Returns: What an earlier attempt has left; nil when the job is to run.
    func outcome(of entry: ReceiptBook.Entry) throws(Problem) -> Outcome? {
        switch entry {
        case .done(let outcome): return outcome
        case .otherWork: throw .receiptOfOtherWork
        case .buried: throw .stopped
        case .none where order.phase == .look: throw .poisoned
        case .none where run.isCancelled: throw .stopped
        case .none: return nil
        }
    }
}
