internal import JobCore
internal import JobWire
internal import SQLite

/// Runs one SQL job: all its statements in one transaction; the rows of the last one that has
/// columns are the result.
struct SQLRun {
    /// Virtual machine steps between two looks at the clock: some ten microseconds.
    private static let stepsBetweenLooks = 1_000
    /// How long a foreign writer is waited for in one go, in ms.
    private static let patienceMs = 100

    /// What SQLite may take for one job beside its result: the settings bound the result.
    private static let memoryBytes = 512 << 20

    /// What a receipt may take beside the result: more than a few nodes of the table's tree.
    private static let receiptBytes = 1 << 20

    let work: SQLWork
    let order: Order
    let limits: Limits
    let run: KernelRun
    let post: WorkerPost
    let time: any TimeSource

    /// - Throws: A failure; when the run was broken off or out of time, the caller knows better
    ///   why.
    func outcome(using databases: Databases) throws(Failure) -> Outcome {
        guard let alias = work.database else {
            return try outcome(on: try databases.memory(), nil)
        }
        // What comes after a job that writes sees what it wrote.
        if work.mode == .write { databases.endReading() }
        // Opening reads a schema that somebody else may have written.
        let (connection, book) = try bounded { () throws(Failure) in
            try databases.connection(to: alias, work.mode)
        }
        guard let book else { return try outcome(on: connection, nil) }
        defer {
            let isUsedUp = (try? connection.hadTemporaryObjects) != false
            if isUsedUp { databases.forget(alias, work.mode) }
        }
        return try outcome(on: connection, (book, ReceiptBook.Key(order)))
    }

    /// In bounded memory, and for as long as the run may go on. Receipts are looked at outside of
    /// this: what has committed counts, also when the run was told to stop.
    private func bounded<Result, Problem: Error>(
        _ body: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try SQLiteMemory.limiting(
            to: Self.memoryBytes,
            mayGoOn: { [run] in !run.isCancelled },
            body
        )
    }

    private typealias Receipts = (book: ReceiptBook, key: ReceiptBook.Key)

    private func outcome(
        on connection: Connection,
        _ receipts: Receipts?
    ) throws(Failure) -> Outcome {
        post.interrupting { [interrupt = connection.interrupt] in interrupt() }
        connection.onProgress(every: Self.stepsBetweenLooks) { [run] in !run.isCancelled }
        defer {
            connection.removeProgress()
            if receipts != nil { try? connection.removeGrowthLimit() }
        }
        do throws(Problem) {
            if let outcome = try begin(connection, receipts) {
                if let (book, _) = receipts { removeLeft(book, connection) }
                connection.rollBack()
                return outcome
            }
            let outcome = try bounded { () throws(Problem) in try statements(on: connection) }
            if let receipts { try write(outcome, receipts, connection) }
            // The next order may see the same: see `Databases.endReading`.
            if isReading(receipts) { return outcome }
            // Full-text indices are written now, by triggers of the client's too.
            try bounded { () throws(Problem) in
                try patiently { () throws(SQLiteError) in try connection.commit() }
            }
            return outcome
        } catch {
            connection.rollBack()
            throw failure(error)
        }
    }

    /// In a file that nobody changes by this run.
    private func isReading(_ receipts: Receipts?) -> Bool {
        receipts == nil && work.database != nil
    }

    enum Problem: Error {
        case sqlite(SQLiteError, at: Int)
        case encoder(RowEncoder.Failure)
        case parameters(String)
        /// The database does not let a receipt be written, for this reason.
        case noReceipt(String)
        case receiptOfOtherWork
        case poisoned
        /// It was told to stop, or its time is over.
        case stopped
    }

    // MARK: The transaction

    /// - Returns: What an earlier attempt of the job has left that committed: the transaction may
    ///   be open, and nothing is to run.
    private func begin(
        _ connection: Connection,
        _ receipts: Receipts?
    ) throws(Problem) -> Outcome? {
        if isReading(receipts), connection.isInTransaction { return nil }
        connection.setBusyTimeout(milliseconds: Self.patienceMs)
        do throws(Problem) {
            try patiently { () throws(SQLiteError) in
                try connection.begin(to: isReading(receipts) ? .read : .write)
            }
        } catch {
            // Without the lock nothing can run. What has committed before counts all the same.
            guard let (book, key) = receipts, case .done(let outcome)? = try? book.find(key) else {
                throw error
            }
            return outcome
        }
        guard let (book, key) = receipts else { return nil }
        let entry: ReceiptBook.Entry
        do { entry = try book.look(for: key) } catch { throw Problem(error) }
        switch entry {
        case .done(let outcome): return outcome
        case .otherWork: throw .receiptOfOtherWork
        case .buried: throw .stopped
        case .none where order.phase == .look: throw .poisoned
        case .none where run.isCancelled: throw .stopped
        case .none: break
        }
        do {
            try connection.limitGrowth(bytes: Int(clamping: limits.growthBytes))
        } catch {
            throw .sqlite(error, at: 0)
        }
        return nil
    }

    /// A success says that the receipts are gone that the run was told to remove: so they go, if
    /// they can, also when nothing is to run.
    private func removeLeft(_ book: ReceiptBook, _ connection: Connection) {
        guard connection.isInTransaction, !order.removable.isEmpty else { return }
        do throws(SQLiteError) {
            try book.remove(order.removable)
            try connection.commit()
        } catch {
            // They are found and named again by the next start.
        }
    }

    private func write(
        _ outcome: Outcome,
        _ receipts: Receipts,
        _ connection: Connection
    ) throws(Problem) {
        // Outside of the transaction there would be a receipt without its effect.
        guard connection.isInTransaction, !run.isCancelled else { throw .stopped }
        do throws(SQLiteError) {
            try receipts.book.checkSchema()
            // The receipt is not of the job's making.
            try connection.raiseGrowthLimit(bytes: outcome.bytes.count + Self.receiptBytes)
            try receipts.book.remove(order.removable)
            try receipts.book.write(outcome, for: receipts.key, at: time.now())
        } catch {
            throw .sqlite(error, at: 0)
        }
    }

    /// Foreign writers are met with patience, a slice at a time so that a cancel is noticed.
    private func patiently(_ body: () throws(SQLiteError) -> Void) throws(Problem) {
        while true {
            do throws(SQLiteError) {
                return try body()
            } catch {
                guard error.isBusy, !run.isCancelled else { throw .sqlite(error, at: 0) }
            }
        }
    }

    private func statements(on connection: Connection) throws(Problem) -> Outcome {
        let changesBefore = connection.totalChanges
        var encoder: RowEncoder?
        var count = 0
        var script: Script
        do { script = try connection.script(work.sql) } catch { throw .sqlite(error, at: 0) }

        while let statement = try next(in: &script) {
            count += 1
            try bind(statement, isOnly: count == 1)
            if statement.columnCount > 0 {
                encoder = try rows(of: statement)
            } else {
                do { try statement.run() } catch { throw .sqlite(error, at: script.position) }
            }
            statement.clearBindings()
        }
        guard count > 0 else { throw .parameters("The SQL holds no statement.") }
        return try outcome(
            encoder,
            on: connection,
            changes: connection.totalChanges - changesBefore
        )
    }

    private func next(in script: inout Script) throws(Problem) -> Statement? {
        do { return try script.next() } catch { throw .sqlite(error, at: script.position) }
    }

    private func rows(of statement: Statement) throws(Problem) -> RowEncoder {
        do throws(RowEncoder.Failure) {
            var encoder = try RowEncoder(
                statement,
                as: work.format.rowFormat,
                limits: .init(rows: limits.resultRows, bytes: limits.resultBytes)
            )
            try encoder.appendRows(of: statement)
            return encoder
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

    // MARK: Parameters

    private func bind(_ statement: Statement, isOnly: Bool) throws(Problem) {
        switch work.params {
        case .none:
            guard statement.parameterCount == 0 else {
                throw .parameters("The statement has parameters and the job gives no values.")
            }
        case .list(let values):
            guard isOnly, statement.parameterCount == values.count else {
                throw .parameters(
                    "There are \(values.count) values for \(statement.parameterCount) parameters."
                )
            }
            for (place, value) in values.enumerated() {
                try bind(value, at: place + 1, of: statement)
            }
        case .named(let values):
            for place in 0..<statement.parameterCount {
                let name = statement.parameterName(at: place + 1) ?? "?\(place + 1)"
                guard let value = values.first(where: { $0.name == name.dropFirst() })?.value else {
                    throw .parameters("No value is given for the parameter \(name).")
                }
                try bind(value, at: place + 1, of: statement)
            }
        }
    }

    private func bind(_ value: SQLValue, at place: Int, of statement: Statement) throws(Problem) {
        do throws(SQLiteError) {
            switch value {
            case .null: try statement.bindNull(at: place)
            case .integer(let value): try statement.bind(integer: value, at: place)
            case .real(let value): try statement.bind(real: value, at: place)
            case .text(let value): try statement.bind(text: value, at: place)
            case .blob(let value): try statement.bind(blob: value, at: place)
            }
        } catch {
            throw .sqlite(error, at: 0)
        }
    }
}

extension ResultFormat {
    fileprivate var rowFormat: RowEncoder.Format {
        switch self {
        case .json, .bytes, .frames: .json
        case .jsonl: .jsonl
        case .csv: .csv
        }
    }
}
