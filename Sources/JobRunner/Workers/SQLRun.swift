internal import JobCore
internal import JobWire
internal import SQLite

/// Runs the statements of one SQL job: the rows of the last one that has columns are the result.
///
/// What writes to a file does so in a `WriteRun` or a `SharedTransaction`; the others are all here.
struct SQLRun {
    /// Virtual machine steps between two looks at the clock: some ten microseconds.
    private static let stepsBetweenLooks = 1_000
    /// How long a foreign writer is waited for in one go, in ms.
    static let patienceMs = 100

    /// What SQLite may take for one job beside its result: the settings bound the result.
    private static let memoryBytes = 512 << 20

    let work: SQLWork
    let order: Order
    let limits: Limits
    let run: KernelRun
    let post: WorkerPost

    enum Problem: Error {
        case sqlite(SQLiteError, at: Int)
        case encoder(RowEncoder.Failure)
        /// A statement has failed with this row of `each`, counted from 1.
        case inRow(Int, SQLiteError)
        case parameters(String)
        /// The database does not let a receipt be written, for this reason.
        case noReceipt(String)
        case receiptOfOtherWork
        case poisoned
        /// It was told to stop, or its time is over.
        case stopped
    }

    /// The result of a job that writes to no file.
    ///
    /// - Throws: A failure; when the run was broken off or out of time, the caller knows better
    ///   why.
    func outcome(using databases: Databases) throws(Failure) -> Outcome {
        guard let alias = work.database else {
            return try outcome(inMemory: try databases.memory())
        }
        // Opening reads a schema that somebody else may have written.
        let opened = try bounded { () throws(Failure) in try databases.connection(to: alias, .read)
        }
        return try reading(opened.connection) { () throws(Problem) in
            // The orders before it may have read the same: see `Databases.endReading`.
            if !opened.connection.isInTransaction { try begin(opened.connection, to: .read) }
            return try statements(on: opened.connection)
        }
    }

    private func outcome(inMemory connection: Connection) throws(Failure) -> Outcome {
        try reading(connection) { () throws(Problem) in
            try begin(connection, to: .write)
            let outcome = try statements(on: connection)
            try patiently { () throws(SQLiteError) in try connection.commit() }
            return outcome
        }
    }

    private func reading(
        _ connection: Connection,
        _ body: () throws(Problem) -> Outcome
    ) throws(Failure) -> Outcome {
        do throws(Problem) {
            return try watching(connection) { () throws(Problem) in try bounded(body) }
        } catch {
            connection.rollBack()
            throw failure(error)
        }
    }

    // MARK: Bounds

    /// In bounded memory, and for as long as the run may go on. Receipts are looked at outside of
    /// this: what has committed counts, also when the run was told to stop.
    func bounded<Result, Problem: Error>(
        _ body: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try SQLiteMemory.limiting(
            to: Self.memoryBytes,
            mayGoOn: { [run] in !run.isCancelled },
            body
        )
    }

    /// So that the run can be broken off by others, and by its time.
    func watching<Result, Problem: Error>(
        _ connection: Connection,
        _ body: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        post.interrupting { [interrupt = connection.interrupt] in interrupt() }
        connection.onProgress(every: Self.stepsBetweenLooks) { [run] in !run.isCancelled }
        defer { connection.removeProgress() }
        return try body()
    }

    func begin(_ connection: Connection, to purpose: Connection.Purpose) throws(Problem) {
        connection.setBusyTimeout(milliseconds: Self.patienceMs)
        try patiently { () throws(SQLiteError) in try connection.begin(to: purpose) }
    }

    /// Foreign writers are met with patience, a slice at a time so that a cancel is noticed.
    func patiently(_ body: () throws(SQLiteError) -> Void) throws(Problem) {
        while true {
            do throws(SQLiteError) {
                return try body()
            } catch {
                guard error.isBusy, !run.isCancelled else { throw .sqlite(error, at: 0) }
            }
        }
    }

    // MARK: Statements

    /// In a transaction that is open.
    func statements(on connection: Connection) throws(Problem) -> Outcome {
        let changesBefore = connection.totalChanges
        connection.lastInsertRowID = 0  // What others have inserted is theirs.
        var script: Script
        do { script = try connection.script(work.sql) } catch { throw .sqlite(error, at: 0) }
        let encoder: RowEncoder?
        if let rows = work.each {
            encoder = try runEach(of: rows, in: &script)
        } else {
            encoder = try runAll(of: &script)
        }
        return try outcome(
            encoder,
            on: connection,
            changes: connection.totalChanges - changesBefore
        )
    }

    /// - Returns: The rows of the last statement that has columns; nil when none has.
    private func runAll(of script: inout Script) throws(Problem) -> RowEncoder? {
        var encoder: RowEncoder?
        var count = 0
        while let statement = try next(in: &script) {
            count += 1
            if let misfit = misfit(work.params, of: statement, isOnly: count == 1) {
                throw .parameters(misfit)
            }
            try bind(work.params, to: statement)
            if statement.columnCount > 0 {
                encoder = try self.encoder(for: statement)
                do { try encoder?.appendRows(of: statement) } catch { throw .encoder(error) }
            } else {
                do { try statement.run() } catch { throw .sqlite(error, at: script.position) }
            }
            statement.clearBindings()
        }
        guard count > 0 else { throw .noStatement }
        return encoder
    }

    func next(in script: inout Script) throws(Problem) -> Statement? {
        do { return try script.next() } catch { throw .sqlite(error, at: script.position) }
    }

    func encoder(for statement: Statement) throws(Problem) -> RowEncoder {
        do throws(RowEncoder.Failure) {
            return try RowEncoder(
                statement,
                as: work.format.rowFormat,
                limits: .init(rows: limits.resultRows, bytes: limits.resultBytes)
            )
        } catch {
            throw .encoder(error)
        }
    }

    private func outcome(
        _ encoder: RowEncoder?,
        on connection: Connection,
        changes: Int
    ) throws(Problem) -> Outcome {
        let rowID = changes > 0 ? connection.lastInsertRowID : nil
        guard var encoder else {
            var bytes: [UInt8] = []
            if work.format == .json {
                bytes = Array("{\"columns\":[],\"rows\":[],\"changes\":\(changes)".utf8)
                if let rowID { bytes += Array(",\"last_insert_rowid\":\(rowID)".utf8) }
                bytes.append(UInt8(ascii: "}"))
            }
            return Outcome(format: work.format, bytes: bytes, rows: 0)
        }
        do { try encoder.finish(changes: changes, lastInsertRowID: rowID) } catch {
            throw .encoder(error)
        }
        return Outcome(format: work.format, bytes: encoder.bytes, rows: Int64(encoder.rows))
    }
}

extension SQLRun.Problem {
    static var noStatement: Self { .parameters("The SQL holds no statement.") }
}

extension ResultFormat {
    fileprivate var rowFormat: RowEncoder.Format {
        switch self {
        case .json, .text, .bytes, .frames: .json
        case .jsonl: .jsonl
        case .csv: .csv
        }
    }
}
