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
        try unconfined { () throws(SQLiteError) in
            guard case .integer(let pages)? = try row("PRAGMA page_count")?.first,
                case .integer(let pageBytes)? = try row("PRAGMA page_size")?.first
            else { return }
            let (most, isEndless) = pages.addingReportingOverflow(
                Int64(clamping: max(bytes, 0)) / max(pageBytes, 1)
            )
            // Larger numbers and zero are ignored.
            let limit = isEndless ? Self.mostPages : min(max(most, 1), Self.mostPages)
            let code = sqlite3_exec(
                handle.pointer,
                "PRAGMA max_page_count = \(limit)",
                nil,
                nil,
                nil
            )
            guard code == SQLITE_OK else { throw handle.error(code, in: "") }
        }
    }

    /// SQLITE_MAX_PAGE_COUNT of all versions that have at least 3.33's.
    private static let mostPages: Int64 = 1_073_741_823

    /// True when there are temporary tables, views or triggers. They live as long as the connection
    /// and shadow those of the file: do not give it to somebody else.
    public var hasTemporaryObjects: Bool {
        get throws(SQLiteError) {
            try unconfined { () throws(SQLiteError) in
                try row("SELECT 1 FROM temp.sqlite_schema LIMIT 1") != nil
            }
        }
    }

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
