internal import JobCore
internal import JobWire
internal import SQLite

/// One worker's connections to the databases of the settings, opened when first used and kept.
///
/// Every one is confined before a client's SQL reaches it.
final class Databases {
    /// Statements kept prepared on each connection.
    private static let statements = 128
    /// How long opening waits for a commit of somebody else, in ms.
    private static let openPatienceMs = 1_000
    /// What a write-ahead log is cut down to after it was copied, in bytes.
    private static let journalBytes = 64 << 20

    private struct Key: Hashable {
        let alias: String
        let mode: SQLMode
    }

    /// A connection, and what belongs to it when it is for writing.
    typealias Opened = (connection: Connection, writing: Writing?)

    /// What a connection for writing has beside it.
    struct Writing {
        let receipts: ReceiptBook
        let shared: SharedTransaction
    }

    private let aliases: [String: Settings.Database]
    private let author: ReceiptBook.Author
    private let limits: SQLLimits
    private var open: [Key: Opened] = [:]

    init(
        _ aliases: [String: Settings.Database],
        _ limits: Limits,
        author: ReceiptBook.Author
    ) {
        self.aliases = aliases
        self.author = author
        var sql = SQLLimits()
        sql.length = limits.valueBytes
        sql.sqlLength = max(sql.sqlLength, limits.specBytes)
        self.limits = sql
    }

    /// - Throws: A failure for the job that asked.
    func connection(to alias: String, _ mode: SQLMode) throws(Failure) -> Opened {
        let key = Key(alias: alias, mode: mode)
        if let opened = open[key] { return opened }
        guard let database = aliases[alias], mode == .read || database.allowsWriting else {
            throw Failure(
                .denied,
                "The database \(alias) is not open to this job.",
                hint: "See the settings of the runner.",
                isPermanent: true
            )
        }
        do throws(SQLiteError) {
            let connection = try Connection(
                path: database.path,
                mode: mode == .read ? .readOnly : .readWrite,
                cachedStatements: Self.statements
            )
            try prepare(connection, database, mode)
            let writing = mode == .write ? try writing(on: connection) : nil
            open[key] = (connection, writing)
            return (connection, writing)
        } catch {
            throw Failure(error, what: "The database \(alias) cannot be opened")
        }
    }

    private func writing(on connection: Connection) throws(SQLiteError) -> Writing {
        let receipts = ReceiptBook(on: connection, by: author)
        return Writing(
            receipts: receipts,
            shared: try SharedTransaction(on: connection, receipts)
        )
    }

    /// The transaction that jobs may share that write to the database; nil when they cannot, or
    /// nobody has written there yet over this connection.
    func sharedTransaction(in alias: String) -> SharedTransaction? {
        let shared = open[Key(alias: alias, mode: .write)]?.writing?.shared
        return shared.flatMap { $0.isPossible ? $0 : nil }
    }

    private func prepare(
        _ connection: Connection,
        _ database: Settings.Database,
        _ mode: SQLMode
    ) throws(SQLiteError) {
        connection.setBusyTimeout(milliseconds: Self.openPatienceMs)
        // Before the file is read for the first time: its schema, too, may be somebody's trap.
        try connection.confine(
            to: Sandbox(
                access: mode == .read ? .read : .write,
                limits: limits,
                reservedPrefix: "millrace_",
                trustsSchema: database.trust == .full
            )
        )
        try connection.unconfined { () throws(SQLiteError) in
            if mode == .write { try prepareForWriting(connection) }
            let foreignKeys = database.enforcesForeignKeys ? "ON" : "OFF"
            try connection.run("PRAGMA foreign_keys = \(foreignKeys)")
        }
    }

    private func prepareForWriting(_ connection: Connection) throws(SQLiteError) {
        let journal = try connection.row("PRAGMA journal_mode")?.first
        guard journal != .text("off"), journal != .text("memory") else {
            throw SQLiteError(
                extendedCode: 1,
                message: "its journal mode is off or memory, which a crash would not survive"
            )
        }
        // FULL, and the directory too when the end of a transaction is a file that is removed.
        try connection.run("PRAGMA synchronous = EXTRA")
        try connection.run("PRAGMA journal_size_limit = \(Self.journalBytes)")
    }

    /// A connection to an empty database in memory, for one job.
    func memory() throws(Failure) -> Connection {
        do throws(SQLiteError) {
            let connection = try Connection()
            try connection.confine(to: Sandbox(access: .write, limits: limits))
            return connection
        } catch {
            throw Failure(error, what: "A database in memory cannot be opened")
        }
    }

    /// Orders that came in one message read one state of a database, as it was when the first of
    /// them began: all were given before, so none of them can miss what somebody had written before
    /// the job was submitted. To begin and to end a look at the file are half a dozen system calls.
    ///
    /// Call it when the orders of a message are done, before one that writes, and when a run was
    /// long: what is read is never older than that.
    func endReading() {
        for (key, opened) in open where key.mode == .read && opened.connection.isInTransaction {
            do { try opened.connection.commit() } catch { opened.connection.rollBack() }
        }
    }

    /// Jobs of which receipts of earlier runs of the program were found since the last call.
    func takeLeftovers() -> [JobID] {
        open.values.flatMap { $0.writing?.receipts.takeLeftovers() ?? [] }
    }

    /// Closes a connection that a job has left in a state that others must not see.
    func forget(_ alias: String, _ mode: SQLMode) {
        open[Key(alias: alias, mode: mode)] = nil
    }
}

extension Failure {
    /// What SQLite said, as a job's failure. Where the trouble may pass, another attempt is made.
    init(_ error: SQLiteError, what: String) {
        let refusal = error.isNoMemory ? SQLiteMemory.refusal : nil
        let mayPass =
            error.isBusy || error.isFull || error.isIOError || (error.isNoMemory && refusal == nil)
            || error.isCannotOpen
        let code: Code = error.isAuthorization ? .denied : .sqlError
        let reason =
            switch refusal {
            case .memory: "it takes more memory than a job may have"
            case .stack: "its views or triggers use each other too deeply"
            case .time, nil: error.message
            }
        self.init(code, "\(what): \(reason).", isPermanent: !mayPass)
        if error.isFull {
            hint = "The disk is full, or the database would grow by more than growth_bytes."
        }
        sqliteCode = Int(error.extendedCode)
        offset = error.offset
    }
}
