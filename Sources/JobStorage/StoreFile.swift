internal import Glibc
internal import SQLite

/// Opens a store's file: what it is, how it is synced, which steps of the schema it lacks.
enum StoreFile {
    /// Pages in the log at which it is copied into the database: 16 MiB. Often enough for short
    /// reads, seldom enough that a page is copied once for many changes.
    private static let checkpointPages = 4_000
    /// What stays allocated of the log after a checkpoint, in bytes.
    private static let steadyLogBytes = 64 << 20
    /// Memory for pages, in KiB: the ready index and the ends of the tables stay there.
    private static let cacheKiB = 32_768
    private static let headerBytes = 100
    /// SQLITE_CANTOPEN.
    private static let cannotOpen: Int32 = 14
    /// How long a foreign writer is waited for, in ms.
    static let patienceMs = 5_000

    static func open(path: String, sync: StoreSync = .full) throws(StoreError) -> Connection {
        let before = try bytes(of: path)
        guard before != 0 else { throw .empty(path: path) }
        // SQLite would take what is shorter than its header for nothing, and write over it.
        if let before, before < headerBytes { throw .notAStore(path: path) }
        if before == nil {
            // The last trace of a store that somebody has moved away.
            guard logBytes(of: path) == 0 else { throw .onlyLog(path: path) }
            try make(path, sync)
        }
        return try openPrepared(path, sync)
    }

    private static func openPrepared(
        _ path: String,
        _ sync: StoreSync
    ) throws(StoreError) -> Connection {
        let connection = try naming(path) { () throws(SQLiteError) in
            try Connection(path: path, mode: .create, cachedStatements: 8)
        }
        try prepare(connection, path: path, sync)
        return connection
    }

    /// Makes a new store under another name first: a first start that is killed, or fails, leaves
    /// nothing that the next one would take for a loss.
    private static func make(_ path: String, _ sync: StoreSync) throws(StoreError) {
        let new = path + ".new"
        for suffix in ["", "-wal", "-shm"] { unlink(new + suffix) }
        do throws(StoreError) {
            _ = try openPrepared(new, sync)
        } catch {
            for suffix in ["", "-wal", "-shm"] { unlink(new + suffix) }
            throw error
        }
        // They would be taken for the new one's.
        for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        guard rename(new, path) == 0, syncDirectory(of: path) else {
            let reason = String(cString: strerror(errno))
            throw .sqlite(path: path, SQLiteError(extendedCode: cannotOpen, message: reason))
        }
    }

    private static func syncDirectory(of path: String) -> Bool {
        let end = path.lastIndex(of: "/")
        let directory = Glibc.open(end.map { "\(path[...$0])" } ?? ".", O_RDONLY | O_CLOEXEC)
        defer { close(directory) }
        return fsync(directory) == 0
    }

    static func openInMemory() throws(StoreError) -> Connection {
        let path = ":memory:"
        let connection = try naming(path) { () throws(SQLiteError) in
            try Connection(cachedStatements: 8)
        }
        try prepare(connection, path: path)
        return connection
    }

    /// A second connection beside the one that writes.
    static func openForReading(path: String) throws(StoreError) -> Connection {
        let connection = try naming(path) { () throws(SQLiteError) in
            try Connection(path: path, mode: .readOnly, cachedStatements: 8)
        }
        connection.setBusyTimeout(milliseconds: patienceMs)
        try check(connection, path: path, mayBeEmpty: false)
        try naming(path) { () throws(SQLiteError) in
            try connection.run("PRAGMA cell_size_check = ON")
        }
        return connection
    }

    /// How closely a file is looked at.
    enum Reach {
        /// Pages and rows, in a time that grows with the file.
        case quick
        /// Indices as well, which takes several times as long.
        case whole
    }

    /// What is wrong with a file, one sentence each; the first hundred.
    static func faults(
        in connection: Connection,
        reach: Reach
    ) throws(SQLiteError) -> [String] {
        let check = reach == .quick ? "PRAGMA quick_check" : "PRAGMA integrity_check"
        let found = try connection.prepare(check).all { $0.text(0) }
        return found == ["ok"] ? [] : found
    }

    /// Size of a store's write-ahead log, in bytes; zero when there is none.
    static func logBytes(of path: String) -> Int64 { (try? bytes(of: path + "-wal")) ?? 0 }

    /// Nil for a file that is not there. A link is, wherever it leads: its disk may not be mounted.
    private static func bytes(of path: String) throws(StoreError) -> Int64? {
        var file = stat()
        if stat(path, &file) == 0 { return Int64(file.st_size) }
        let reason = String(cString: strerror(errno))
        if errno == ENOENT, lstat(path, &file) != 0, errno == ENOENT { return nil }
        throw .unreachable(path: path, reason: reason)
    }

    private static func prepare(
        _ connection: Connection,
        path: String,
        _ sync: StoreSync = .full
    ) throws(StoreError) {
        connection.setBusyTimeout(milliseconds: patienceMs)
        // The check comes first: nobody else's database is changed.
        try check(connection, path: path, mayBeEmpty: true)
        try naming(path) { () throws(SQLiteError) in
            try configure(connection, sync)
            try migrate(connection)
        }
    }

    private static func check(
        _ connection: Connection,
        path: String,
        mayBeEmpty: Bool
    ) throws(StoreError) {
        let (isEmpty, application, version) = try naming(path) { () throws(SQLiteError) in
            (
                try number("SELECT count(*) FROM sqlite_schema", in: connection) == 0,
                try number("PRAGMA application_id", in: connection),
                try number("PRAGMA user_version", in: connection)
            )
        }
        guard application == Schema.applicationID || (isEmpty && mayBeEmpty) else {
            throw .notAStore(path: path)
        }
        guard version <= Schema.steps.count else {
            let found = Int(clamping: version)
            throw .schemaTooNew(path: path, found: found, known: Schema.steps.count)
        }
    }

    private static func configure(
        _ connection: Connection,
        _ sync: StoreSync
    ) throws(SQLiteError) {
        try connection.execute(
            script: """
                PRAGMA cell_size_check = ON;
                PRAGMA secure_delete = OFF;
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = \(sync.rawValue);
                PRAGMA wal_autocheckpoint = \(checkpointPages);
                PRAGMA journal_size_limit = \(steadyLogBytes);
                PRAGMA cache_size = -\(cacheKiB);
                """
        )
    }

    /// All missing steps and their number in one transaction, so that a crash leaves no half.
    private static func migrate(_ connection: Connection) throws(SQLiteError) {
        try connection.transaction { () throws(SQLiteError) in
            // Read under the lock: another process may have migrated meanwhile.
            let version = Int(clamping: try number("PRAGMA user_version", in: connection))
            guard version < Schema.steps.count else { return }
            for step in Schema.steps.dropFirst(max(version, 0)) {
                try connection.execute(script: step)
            }
            try connection.execute(
                script: """
                    PRAGMA application_id = \(Schema.applicationID);
                    PRAGMA user_version = \(Schema.steps.count);
                    """
            )
        }
    }

    private static func number(
        _ sql: String,
        in connection: Connection
    ) throws(SQLiteError) -> Int64 {
        guard case .integer(let number)? = try connection.row(sql)?.first else { return 0 }
        return number
    }

    /// What goes wrong with SQLite goes wrong with this file.
    private static func naming<Outcome>(
        _ path: String,
        _ body: () throws(SQLiteError) -> Outcome
    ) throws(StoreError) -> Outcome {
        do throws(SQLiteError) {
            return try body()
        } catch {
            throw StoreError(error, path: path)
        }
    }
}
