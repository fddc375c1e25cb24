internal import SQLite

/// Opens a store's file: what it is, how it is synced, which steps of the schema it lacks.
enum StoreFile {
    /// Pages in the log at which it is copied into the database: 16 MiB. Often enough for short
    /// reads, seldom enough that a page is copied once for many changes.
    private static let checkpointPages = 4_000
    /// What stays allocated of the log after a checkpoint, in bytes.
    private static let logBytes = 64 << 20
    /// Memory for pages, in KiB: the ready index and the ends of the tables stay there.
    private static let cacheKiB = 65_536
    /// How long a foreign writer is waited for, in ms.
    private static let patienceMs = 5_000

    static func open(path: String) throws(StoreError) -> Connection {
        do {
            let connection = try Connection(path: path, mode: .create, cachedStatements: 8)
            try prepare(connection, path: path)
            return connection
        } catch {
            throw explained(error, path: path)
        }
    }

    static func openInMemory() throws(StoreError) -> Connection {
        do {
            let connection = try Connection(cachedStatements: 8)
            try prepare(connection, path: ":memory:")
            return connection
        } catch {
            throw explained(error, path: ":memory:")
        }
    }

    /// A second connection beside the one that writes.
    static func openForReading(path: String) throws(StoreError) -> Connection {
        do {
            let connection = try Connection(path: path, mode: .readOnly, cachedStatements: 8)
            connection.setBusyTimeout(milliseconds: patienceMs)
            guard try isStore(connection) else { throw StoreError.notAStore(path: path) }
            try checkVersion(of: connection)
            return connection
        } catch {
            throw explained(error, path: path)
        }
    }

    private static func explained(_ error: any Error, path: String) -> StoreError {
        switch error {
        case let error as StoreError: error
        case let error as SQLiteError: StoreError(error, path: path)
        default: preconditionFailure("SQLite throws nothing else")
        }
    }

    private static func prepare(_ connection: Connection, path: String) throws {
        connection.setBusyTimeout(milliseconds: patienceMs)
        // The check comes first: nobody else's database is changed.
        guard try isEmpty(connection) || isStore(connection) else {
            throw StoreError.notAStore(path: path)
        }
        try checkVersion(of: connection)
        try connection.execute(
            script: """
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = FULL;
                PRAGMA wal_autocheckpoint = \(checkpointPages);
                PRAGMA journal_size_limit = \(logBytes);
                PRAGMA cache_size = -\(cacheKiB);
                """
        )
        try migrate(connection)
    }

    private static func isEmpty(_ connection: Connection) throws -> Bool {
        try number("SELECT count(*) FROM sqlite_schema", in: connection) == 0
    }

    private static func isStore(_ connection: Connection) throws -> Bool {
        try number("PRAGMA application_id", in: connection) == Schema.applicationID
    }

    private static func checkVersion(of connection: Connection) throws {
        let version = try number("PRAGMA user_version", in: connection)
        guard version <= Schema.steps.count else {
            throw StoreError.schemaTooNew(
                found: Int(clamping: version),
                known: Schema.steps.count
            )
        }
    }

    /// All missing steps and their number in one transaction, so that a crash leaves no half.
    private static func migrate(_ connection: Connection) throws {
        try connection.begin()
        do {
            // Read under the lock: another process may have migrated meanwhile.
            let version = try Int(clamping: number("PRAGMA user_version", in: connection))
            for (step, script) in Schema.steps.enumerated().dropFirst(version) {
                try connection.execute(script: script)
                try connection.execute(
                    script: """
                        PRAGMA application_id = \(Schema.applicationID);
                        PRAGMA user_version = \(step + 1);
                        """
                )
            }
            try connection.commit()
        } catch {
            connection.rollBack()
            throw error
        }
    }

    private static func number(_ sql: String, in connection: Connection) throws -> Int64 {
        guard case .integer(let number)? = try connection.row(sql)?.first else { return 0 }
        return number
    }
}
