internal import CSQLite

/// Putting a connection into a sandbox, and stepping out of it for our own SQL.
extension Connection {
    /// From here on statements are held to the sandbox. There is no way back but closing.
    ///
    /// A refused statement fails as `isAuthorization`, and the error's message is one sentence that
    /// says what was refused. Open the file `readOnly` for readers: the sandbox is a second fence.
    public func confine(to sandbox: Sandbox) throws(SQLiteError) {
        cache.removeAll()
        sandbox.limits.apply(to: handle.pointer)
        try setSwitch(SQLITE_DBCONFIG_DEFENSIVE, on: true)
        try setSwitch(SQLITE_DBCONFIG_TRUSTED_SCHEMA, on: sandbox.trustsSchema)
        try setSwitch(SQLITE_DBCONFIG_WRITABLE_SCHEMA, on: false)
        try setSwitch(SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, on: false)
        try setSwitch(SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, on: false)
        // None of these reads the file yet. Nothing of a job goes to the disk but what it writes to
        // its database; a file is read and not mapped, so that who shortens it meanwhile ends
        // no process.
        try run("PRAGMA temp_store = MEMORY")
        try run("PRAGMA mmap_size = 0")
        try run("PRAGMA cell_size_check = ON")
        if sandbox.access == .read { try run("PRAGMA query_only = ON") }
        try Sandbox.takeAwayModules(from: handle)
        try BoundedFunctions.register(on: handle)
        try Sandbox.takeAwayFunctions(from: handle)
        cache.removeAll()
        handle.authorize(by: sandbox)
    }

    /// Runs our own SQL as if there were no sandbox; its limits, and `query_only`, stay.
    ///
    /// For receipts, savepoints and the like. Nothing that a client wrote may be prepared or
    /// stepped inside.
    public func unconfined<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let before = handle.isLifted
        handle.isLifted = true
        defer { handle.isLifted = before }
        return try body()
    }

    /// The same without the sandbox's bound on the length of values: what is ours is bounded
    /// elsewhere.
    public func unbounded<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let before = sqlite3_limit(handle.pointer, SQLITE_LIMIT_LENGTH, .max)
        defer { sqlite3_limit(handle.pointer, SQLITE_LIMIT_LENGTH, before) }
        return try unconfined(body)
    }

    /// Lets the database grow by no more than this in the transaction that has just begun. What
    /// would go further fails as `isFull`.
    public func limitGrowth(bytes: Int) throws(SQLiteError) {
        let pages = try number("PRAGMA page_count")
        try limitPages(pages.addingReportingOverflow(try self.pages(in: bytes)))
    }

    /// Lets it grow by that much more than it was allowed to.
    public func raiseGrowthLimit(bytes: Int) throws(SQLiteError) {
        let limit = try number("PRAGMA max_page_count")
        try limitPages(limit.addingReportingOverflow(try pages(in: bytes)))
    }

    public func removeGrowthLimit() throws(SQLiteError) { try limitPages((0, overflow: true)) }

    private func limitPages(_ pages: (Int64, overflow: Bool)) throws(SQLiteError) {
        // Larger numbers and zero are ignored.
        let limit = pages.overflow ? Self.mostPages : min(max(pages.0, 1), Self.mostPages)
        let sql = "PRAGMA max_page_count = \(limit)"
        let code = unconfined { sqlite3_exec(handle.pointer, sql, nil, nil, nil) }
        guard code == SQLITE_OK else { throw handle.error(code, in: "") }
    }

    private func pages(in bytes: Int) throws(SQLiteError) -> Int64 {
        Int64(clamping: max(bytes, 0)) / max(try number("PRAGMA page_size"), 1)
    }

    private func number(_ sql: String) throws(SQLiteError) -> Int64 {
        try unconfined { () throws(SQLiteError) in
            try prepare(sql).first { $0.integer(0) } ?? 0
        }
    }

    /// SQLITE_MAX_PAGE_COUNT of all versions that have at least 3.33's.
    private static let mostPages: Int64 = 1_073_741_823

    /// Moves with every change of the file's schema, and back when the change is undone.
    public var schemaVersion: Int64 {
        get throws(SQLiteError) { try number("PRAGMA main.schema_version") }
    }

    /// True once temporary tables, views or triggers were made. They live as long as the connection
    /// and shadow those of the file: do not give it to somebody else.
    public var hadTemporaryObjects: Bool {
        get throws(SQLiteError) { try number("PRAGMA temp.schema_version") != 0 }
    }

    /// Looks for what the authorizer is not told of: the new name of a table that is renamed, and
    /// the table that REFERENCES names. Such a child can keep rows of ours from being removed, and
    /// run its triggers with them.
    ///
    /// Call it when there is something new in a schema, before SQL of ours writes and before the
    /// commit.
    ///
    /// - Parameter ours: The table whose name is reserved for good reason.
    /// - Throws: `isAuthorization`.
    public func checkReservedNames(but ours: String) throws(SQLiteError) {
        guard let prefix = handle.sandbox?.reservedPrefix else { return }
        let name = try unconfined { () throws(SQLiteError) in
            try row(Self.reservedNames, .text(prefix), .text(ours))?.first
        }
        guard case .text(let name)? = name else { return }
        throw SQLiteError(
            extendedCode: SQLITE_AUTH,
            message: "\(name) bears, or REFERENCES, a name with \(prefix), which is reserved"
        )
    }

    private static let reservedNames = """
        WITH found (name, word) AS (
            SELECT name, name FROM main.sqlite_schema WHERE type <> 'table' OR name <> ?2
             UNION ALL
            SELECT name, tbl_name FROM main.sqlite_schema WHERE type <> 'table'
             UNION ALL SELECT name, name FROM temp.sqlite_schema
             UNION ALL SELECT name, tbl_name FROM temp.sqlite_schema
             UNION ALL
            SELECT child.name, foreign_key."table"
              FROM main.sqlite_schema AS child,
                   pragma_foreign_key_list(child.name, 'main') AS foreign_key
             WHERE child.type = 'table'
        )
        SELECT name FROM found WHERE lower(substr(word, 1, length(?1))) = ?1 LIMIT 1
        """

    private func setSwitch(_ option: Int32, on: Bool) throws(SQLiteError) {
        let code = csqlite_switch(handle.pointer, option, on ? 1 : 0)
        guard code == SQLITE_OK else { throw handle.error(code, in: "") }
    }
}

extension Handle {
    func authorize(by sandbox: Sandbox) {
        self.sandbox = sandbox
        sqlite3_set_authorizer(
            pointer,
            { context, action, first, second, _, _ in
                guard let context else { return SQLITE_DENY }
                let handle = Unmanaged<Handle>.fromOpaque(context).takeUnretainedValue()
                return handle.answer(
                    Sandbox.Request(
                        action: action,
                        first: first.map { String(cString: $0) },
                        second: second.map { String(cString: $0) }
                    )
                )
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    private func answer(_ request: Sandbox.Request) -> Int32 {
        guard !isLifted, let refusal = sandbox?.refusal(of: request) else { return SQLITE_OK }
        self.refusal = refusal
        return SQLITE_DENY
    }
}
