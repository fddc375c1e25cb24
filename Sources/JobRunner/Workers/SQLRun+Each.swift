internal import JobCore
internal import JobWire
internal import SQLite

/// One statement, prepared once and run with many rows of values, all in the one transaction of the
/// job. Between two rows the run can be broken off.
extension SQLRun {
    /// Nothing runs before all rows are known to fit.
    ///
    /// - Returns: The rows that all runs give, one after the other; nil when the statement has no
    ///   columns.
    func runEach(of rows: EachRows, in script: inout Script) throws(Problem) -> RowEncoder? {
        let statement = try onlyStatement(in: &script)
        let total = try count(rows, for: statement)
        var encoder = try statement.columnCount > 0 ? self.encoder(for: statement) : nil
        var reader = try reader(of: rows, for: statement)
        var row = 0
        while let values = try next(from: &reader) {
            row += 1
            try runOnce(statement, with: values, row, &encoder)
            run.progress(done: row, total: total)
        }
        statement.clearBindings()
        return encoder
    }

    private func onlyStatement(in script: inout Script) throws(Problem) -> Statement {
        guard let statement = try next(in: &script) else { throw .noStatement }
        do { if try script.next() == nil { return statement } } catch {}  // It is one all the same.
        throw .parameters("The SQL holds several statements, and each is for one.")
    }

    /// - Throws: The number of the first row whose values do not fit.
    private func count(_ rows: EachRows, for statement: Statement) throws(Problem) -> Int {
        var reader = try reader(of: rows, for: statement)
        var count = 0
        while let values = try next(from: &reader) {
            count += 1
            if let misfit = misfit(values, of: statement) {
                throw .parameters("Row \(count): \(misfit)")
            }
        }
        return count
    }

    private func runOnce(
        _ statement: Statement,
        with values: StatementValues,
        _ row: Int,
        _ encoder: inout RowEncoder?
    ) throws(Problem) {
        do throws(Problem) {
            try bind(values, to: statement)
            guard encoder != nil else {
                do { return try statement.run() } catch { throw .sqlite(error, at: 0) }
            }
            do { try encoder?.appendRows(of: statement) } catch { throw .encoder(error) }
        } catch {
            switch error {
            case .sqlite(let error, _), .encoder(.sqlite(let error)): throw .inRow(row, error)
            default: throw error
            }
        }
    }

    // MARK: Rows

    private func next(from reader: inout EachRows.Reader) throws(Problem) -> StatementValues? {
        guard !run.isCancelled else { throw .stopped }
        do { return try reader.next() } catch { throw .parameters(error.summary) }
    }

    private func reader(
        of rows: EachRows,
        for statement: Statement
    ) throws(Problem) -> EachRows.Reader {
        var reader: EachRows.Reader
        do { reader = try rows.reader() } catch { throw .parameters(error.summary) }
        if let columns = reader.columns {
            reader.picked = try places(of: statement, in: columns)
        }
        return reader
    }

    /// Where the values of the statement's parameters stand in each row of a CSV: by their names
    /// when all of them have one; nil when they go by position.
    private func places(of statement: Statement, in columns: [String]) throws(Problem) -> [Int]? {
        let names = (0..<statement.parameterCount).map {
            statement.parameterName(at: $0 + 1) ?? "?"
        }
        guard !names.isEmpty, !names.contains(where: { $0.hasPrefix("?") }) else {
            guard names.count == columns.count else {
                throw .parameters(
                    "The CSV has \(columns.count) columns for \(names.count) parameters."
                )
            }
            return nil
        }
        let known = Dictionary(columns.enumerated().map { ($1, $0) }) { first, _ in first }
        return try names.map { (name) throws(Problem) in
            guard let place = known[String(name.dropFirst())] else {
                throw .parameters("The CSV has no column for the parameter \(name).")
            }
            return place
        }
    }
}
