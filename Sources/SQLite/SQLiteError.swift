internal import CSQLite

/// A call into SQLite failed.
///
/// Source of the codes: <https://www.sqlite.org/rescode.html>.
public struct SQLiteError: Error, Equatable, Sendable {
    /// The primary result code: the low byte of `extendedCode`.
    public var code: Int32 { extendedCode & 0xFF }
    /// The code with its details, such as which constraint failed.
    public let extendedCode: Int32
    public let message: String
    /// The first 200 characters of the statement; empty when there was none.
    public let sql: String
    /// Where in `sql` SQLite met the mistake, in UTF-8 bytes; nil when it cannot say.
    public let offset: Int?

    public init(extendedCode: Int32, message: String, sql: String = "", offset: Int? = nil) {
        self.extendedCode = extendedCode
        self.message = message
        self.sql = String(sql.prefix(200))
        self.offset = offset
    }

    /// Another connection holds the lock that this one needed.
    public var isBusy: Bool { code == SQLITE_BUSY || code == SQLITE_LOCKED }
    public var isConstraint: Bool { code == SQLITE_CONSTRAINT }
    /// The row would have had a key or unique value that another row has.
    ///
    /// The details are 1 << 8 and so on, macros that Swift does not import.
    public var isDuplicate: Bool {
        isConstraint && [6, 8, 10].contains(extendedCode >> 8)  // PRIMARYKEY, UNIQUE, ROWID
    }
    /// An `Interrupt` or the progress check ended the statement.
    public var isInterrupted: Bool { code == SQLITE_INTERRUPT }
    /// The disk, or the database's page limit, is full.
    public var isFull: Bool { code == SQLITE_FULL }
    public var isReadOnly: Bool { code == SQLITE_READONLY }
    public var isIOError: Bool { code == SQLITE_IOERR }
    public var isCorrupt: Bool { code == SQLITE_CORRUPT }
    public var isNoMemory: Bool { code == SQLITE_NOMEM }
    /// A value, row or statement passed a limit.
    public var isTooBig: Bool { code == SQLITE_TOOBIG }
    /// The sandbox refused; the message says what.
    public var isAuthorization: Bool { code == SQLITE_AUTH }
    public var isNotADatabase: Bool { code == SQLITE_NOTADB }
    /// The file could not be opened, or not be made.
    public var isCannotOpen: Bool { code == SQLITE_CANTOPEN }
}
