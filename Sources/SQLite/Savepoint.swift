internal import CSQLite

/// A part of a transaction that can be undone by itself. One at a time on a connection, for our own
/// use: a client's SQL cannot say SAVEPOINT.
public final class Savepoint {
    private let connection: Connection
    private let beginning: Statement
    private let end: Statement
    private let undoing: Statement

    public init(on connection: Connection) throws(SQLiteError) {
        self.connection = connection
        (beginning, end, undoing) = try connection.unconfined { () throws(SQLiteError) in
            (
                try connection.prepare("SAVEPOINT part"),
                try connection.prepare("RELEASE part"),
                try connection.prepare("ROLLBACK TO part")
            )
        }
    }

    /// To be called inside a transaction.
    public func begin() throws(SQLiteError) { try run(beginning) }

    /// What was done since the beginning stays, if the transaction is committed.
    public func release() throws(SQLiteError) { try run(end) }

    /// Undoes what was done since the beginning, and ends it. When this fails the transaction as a
    /// whole is to be rolled back.
    public func undo() throws(SQLiteError) {
        try run(undoing)
        try run(end)
    }

    private func run(_ statement: Statement) throws(SQLiteError) {
        try connection.unconfined { () throws(SQLiteError) in try statement.run() }
    }
}

extension Connection {
    /// True while rows refer to others that are not there: the COMMIT would fail. Costs no query.
    public var hasUnresolvedForeignKeys: Bool {
        var found: Int32 = 0
        var unused: Int32 = 0
        let code = sqlite3_db_status(
            handle.pointer,
            SQLITE_DBSTATUS_DEFERRED_FKS,
            &found,
            &unused,
            0
        )
        return code != SQLITE_OK || found != 0
    }

    /// True when the file has a virtual table, such as a full-text index: a module keeps what was
    /// written in memory, and writes it down at a savepoint or a commit that is not its writer's.
    public var hasVirtualTables: Bool {
        get throws(SQLiteError) {
            try unconfined { () throws(SQLiteError) in
                let sql = "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND rootpage = 0"
                return try row(sql) != nil
            }
        }
    }
}
