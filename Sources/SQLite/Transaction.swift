internal import CSQLite

/// Transactions, and what they leave in the write-ahead log.
extension Connection {
    public enum Purpose: Sendable {
        /// One unchanging view of the file, from the first statement on.
        case read
        /// Takes the write lock at once, so that `isBusy` can only come from the start and never
        /// from the middle of the work.
        case write
    }

    /// Runs `body` in one transaction: all of it or nothing of it.
    public func transaction<Result>(
        to purpose: Purpose = .write,
        _ body: () throws(SQLiteError) -> Result
    ) throws(SQLiteError) -> Result {
        try begin(to: purpose)
        do {
            let result = try body()
            try commit()
            return result
        } catch {
            rollBack()
            throw error
        }
    }

    public func begin(to purpose: Purpose = .write) throws(SQLiteError) {
        try unconfined { () throws(SQLiteError) in
            try run(purpose == .write ? "BEGIN IMMEDIATE" : "BEGIN")
        }
    }

    /// When this fails the transaction is still open, or has been rolled back: see
    /// `isInTransaction`.
    public func commit() throws(SQLiteError) {
        guard let sandbox = handle.sandbox else { return try run("COMMIT") }
        // Who only reads has put nothing into them.
        if sandbox.access == .read {
            return try unconfined { () throws(SQLiteError) in try run("COMMIT") }
        }
        // Virtual tables write down now what a client has put into them, by SQL that fires the
        // client's triggers: only the COMMIT itself steps out of the sandbox. It is prepared
        // afresh, for SQLite would prepare an older one again while it runs.
        let commit = try unconfined { () throws(SQLiteError) in
            try afresh("COMMIT")
        }
        try commit.run()
    }

    /// Undoes the transaction, if there is one.
    public func rollBack() {
        guard isInTransaction else { return }
        // A rollback that fails has ended the transaction all the same, or the connection is lost
        // and the next statement says so.
        try? unconfined { () throws(SQLiteError) in try run("ROLLBACK") }
    }

    /// How far a checkpoint goes.
    public enum Checkpoint: Sendable {
        /// As far as it gets without waiting for anybody.
        case passive
        /// Waits for readers and writers up to the busy timeout, then empties the file.
        case truncate
    }

    /// Copies the write-ahead log into the database.
    ///
    /// - Returns: Frames in the log, and how many of them are in the database now; -1 for both when
    ///   the database has no such log.
    @discardableResult
    public func checkpoint(_ reach: Checkpoint) throws(SQLiteError)
        -> (logged: Int, checkpointed: Int)
    {
        let mode =
            switch reach {
            case .passive: SQLITE_CHECKPOINT_PASSIVE
            case .truncate: SQLITE_CHECKPOINT_TRUNCATE
            }
        var logged: Int32 = -1
        var done: Int32 = -1
        let code = sqlite3_wal_checkpoint_v2(handle.pointer, "main", mode, &logged, &done)
        guard code == SQLITE_OK else { throw handle.error(code, in: "") }
        return (Int(logged), Int(done))
    }
}
