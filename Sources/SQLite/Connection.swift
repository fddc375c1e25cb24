internal import CSQLite

/// One connection to one database, for one thread: deliberately not `Sendable`.
public final class Connection {
    public enum Mode: Sendable {
        case readOnly
        case readWrite
        /// Reads and writes, and makes the file when there is none.
        case create
    }

    /// The file as it was given; nil for a database in memory.
    public let path: String?
    /// Lets other threads end what runs here.
    public var interrupt: Interrupt { handle.interrupt }

    let handle: Handle
    var cache: StatementCache

    /// Opens a file. Whether it is a database shows when it is first read.
    ///
    /// The path is always a file's path: `file:` and `:memory:` have no special meaning.
    public init(path: String, mode: Mode, cachedStatements: Int = 64) throws(SQLiteError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw SQLiteError(extendedCode: SQLITE_CANTOPEN, message: "not a file's path: \(path)")
        }
        let flags =
            switch mode {
            case .readOnly: SQLITE_OPEN_READONLY
            case .readWrite: SQLITE_OPEN_READWRITE
            case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            }
        // Debian's library reads URIs everywhere.
        let isSpecial = path.hasPrefix("file:") || path.hasPrefix(":")
        handle = try Handle(opening: isSpecial ? "./" + path : path, flags: flags)
        self.path = path
        cache = StatementCache(capacity: cachedStatements)
    }

    /// Opens an empty database in memory, gone with the connection.
    public init(cachedStatements: Int = 64) throws(SQLiteError) {
        handle = try Handle(
            opening: ":memory:",
            flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        )
        path = nil
        cache = StatementCache(capacity: cachedStatements)
    }

    /// How long a statement waits for another connection's lock, in milliseconds. 0 does not wait.
    ///
    /// The wait does not notice an interrupt.
    public func setBusyTimeout(milliseconds: Int) {
        sqlite3_busy_timeout(handle.pointer, Int32(clamping: milliseconds))
    }

    /// How many prepared statements are kept. Statements in use are not affected.
    public var cachedStatements: Int {
        get { cache.capacity }
        set { cache.capacity = newValue }
    }

    /// Rows that the last INSERT, UPDATE or DELETE changed by itself, triggers not counted.
    public var changes: Int { Int(sqlite3_changes64(handle.pointer)) }
    /// Rows changed since the connection was opened, triggers counted.
    public var totalChanges: Int { Int(sqlite3_total_changes64(handle.pointer)) }
    /// The row that was inserted last, by whomever; may be set, so as to know by whom.
    public var lastInsertRowID: Int64 {
        get { sqlite3_last_insert_rowid(handle.pointer) }
        set { sqlite3_set_last_insert_rowid(handle.pointer, newValue) }
    }
    /// Some errors end a transaction by themselves: after one, look here.
    public var isInTransaction: Bool { sqlite3_get_autocommit(handle.pointer) == 0 }

    /// Has `mayGoOn` asked while statements run; false ends the statement as `isInterrupted`.
    ///
    /// Operations are steps of SQLite's virtual machine, at least 1. A single call of a function or
    /// a sort counts as one operation, however long it takes.
    public func onProgress(every operations: Int, _ mayGoOn: @escaping () -> Bool) {
        handle.mayGoOn = mayGoOn
        let ask: @convention(c) (UnsafeMutableRawPointer?) -> Int32 = { context in
            guard let context else { return 0 }
            let handle = Unmanaged<Handle>.fromOpaque(context).takeUnretainedValue()
            return handle.mayGoOn?() ?? true ? 0 : 1
        }
        sqlite3_progress_handler(
            handle.pointer,
            Int32(clamping: max(operations, 1)),
            ask,
            Unmanaged.passUnretained(handle).toOpaque()
        )
    }

    public func removeProgress() {
        sqlite3_progress_handler(handle.pointer, 0, nil, nil)
        handle.mayGoOn = nil
    }
}
