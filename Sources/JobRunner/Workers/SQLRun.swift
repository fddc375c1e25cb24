internal import JobCore
internal import JobWire
internal import SQLite

/// Runs one SQL job: all its statements in one transaction; the rows of the last one that has
/// columns are the result.
struct SQLRun {
    /// Virtual machine steps between two looks at the clock: some ten microseconds.
    private static let stepsBetweenLooks = 1_000

    /// What SQLite may take for one job beside its result: the settings bound the result.
    private static let memoryBytes = 512 << 20

    let work: SQLWork
    let limits: Limits
    let run: KernelRun
    let post: WorkerPost

    /// - Throws: A failure; when the run was broken off or out of time, the caller knows better
    ///   why.
    func outcome(using databases: Databases) throws(Failure) -> Outcome {
        guard let alias = work.database else {
            return try outcome(on: try databases.memory(), isWriting: true)
        }
        let connection = try databases.connection(to: alias, work.mode)
        defer {
            let hasLeftovers = work.mode == .write && (try? connection.hasTemporaryObjects) != false
            if hasLeftovers { databases.forget(alias, work.mode) }
        }
        return try outcome(on: connection, isWriting: work.mode == .write)
    }

    private func outcome(on connection: Connection, isWriting: Bool) throws(Failure) -> Outcome {
        post.interrupting(connection.interrupt)
        connection.onProgress(every: Self.stepsBetweenLooks) { [run] in !run.isCancelled }
        defer { connection.removeProgress() }
        do throws(Problem) {
            try begin(connection, isWriting: isWriting)
            let outcome = try SQLiteMemory.limiting(
                to: Self.memoryBytes,
                mayGoOn: { [run] in !run.isCancelled }
            ) { () throws(Problem) in try statements(on: connection) }
            try commit(connection)
            return outcome
        } catch {
            connection.rollBack()
            throw failure(error)
        }
    }

    private enum Problem: Error {
        case sqlite(SQLiteError, at: Int)
        case encoder(RowEncoder.Failure)
        case parameters(String)
    }

    /// Foreign writers are met with patience, a slice at a time so that a cancel is noticed.
    private func begin(_ connection: Connection, isWriting: Bool) throws(Problem) {
        connection.setBusyTimeout(milliseconds: 100)
        while true {
            do throws(SQLiteError) {
                return try connection.begin(to: isWriting ? .write : .read)
            } catch {
                guard error.isBusy, !run.isCancelled else { throw .sqlite(error, at: 0) }
            }
        }
    }

    private func commit(_ connection: Connection) throws(Problem) {
        do throws(SQLiteError) { try connection.commit() } catch { throw .sqlite(error, at: 0) }
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

    // MARK: Failures

    private func failure(_ problem: Problem) -> Failure {
        switch problem {
        case .sqlite(let error, let place):
            var failure = Failure(error, what: "The SQL failed")
            // The authorizer is not asked about VACUUM; the transaction around every job stops it.
            if error.message.hasPrefix("cannot VACUUM") { failure.code = .denied }
            failure.offset = error.offset.map { $0 + place }
            return failure
        case .encoder(.sqlite(let error)): return Failure(error, what: "The SQL failed")
        case .encoder(.tooManyRows(let limit)): return tooLarge("\(limit) rows")
        case .encoder(.tooManyBytes(let limit)): return tooLarge("\(limit) bytes")
        case .parameters(let sentence):
            return Failure(
                .sqlError,
                sentence,
                hint: "Positional values need one statement and a value for each place; "
                    + "named values serve all statements.",
                isPermanent: true
            )
        }
    }

    private func tooLarge(_ limit: String) -> Failure {
        Failure(
            .resultTooLarge,
            "The result is larger than \(limit).",
            hint: "Ask for less, with LIMIT or fewer columns, or raise the limit in the settings.",
            isPermanent: true
        )
    }
}

extension ResultFormat {
    fileprivate var rowFormat: RowEncoder.Format {
        switch self {
        case .json, .bytes: .json
        case .jsonl: .jsonl
        case .csv: .csv
        }
    }
}
