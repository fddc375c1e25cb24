internal import CSQLite

/// One prepared statement: bind, step, read the columns, and again.
///
/// Belongs to its connection's thread and is deliberately not `Sendable`. Bindings stay until they
/// are replaced. Parameters count from 1, columns from 0, as in SQLite.
public final class Statement {
    let pointer: OpaquePointer
    let handle: Handle

    init(_ pointer: OpaquePointer, of handle: Handle) {
        self.pointer = pointer
        self.handle = handle
    }

    deinit {
        sqlite3_finalize(pointer)
    }

    /// Runs up to the next row.
    ///
    /// - Returns: False at the end. Then, and after an error, the statement is reset by itself: it
    ///   holds no lock and can be bound and run again.
    public func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(pointer) {
        case SQLITE_ROW:
            return true
        case SQLITE_DONE:
            sqlite3_reset(pointer)
            return false
        case let code:
            let failure = handle.error(code, in: sql)
            sqlite3_reset(pointer)
            throw failure
        }
    }

    /// Ends a run before its last row. Its locks are released, its bindings stay.
    public func reset() {
        sqlite3_reset(pointer)
    }

    /// Runs to the end; rows are passed over.
    public func run() throws(SQLiteError) {
        while try step() {}
    }

    /// Reads the first row, or nil when there is none; later rows are not looked for.
    public func first<Row>(_ read: (Statement) throws(SQLiteError) -> Row) throws(SQLiteError)
        -> Row?
    {
        guard try step() else { return nil }
        defer { reset() }
        return try read(self)
    }

    /// Reads all rows.
    public func all<Row>(_ read: (Statement) throws(SQLiteError) -> Row) throws(SQLiteError)
        -> [Row]
    {
        defer { reset() }
        var rows: [Row] = []
        while try step() { rows.append(try read(self)) }
        return rows
    }

    public var sql: String { sqlite3_sql(pointer).map { String(cString: $0) } ?? "" }
    /// True between a row and the end or a reset.
    public var isRunning: Bool { sqlite3_stmt_busy(pointer) != 0 }
    /// True when the statement itself writes to no database file. BEGIN, COMMIT and the like count
    /// as reading.
    public var isReadOnly: Bool { sqlite3_stmt_readonly(pointer) != 0 }
    /// Zero for a statement that can give no rows.
    public var columnCount: Int { Int(sqlite3_column_count(pointer)) }

    public func columnName(_ column: Int) -> String {
        sqlite3_column_name(pointer, Int32(column)).map { String(cString: $0) } ?? ""
    }

    public var columnNames: [String] { (0..<columnCount).map(columnName) }
}
