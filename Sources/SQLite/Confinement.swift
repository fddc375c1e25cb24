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
        try run("PRAGMA temp_store = MEMORY")
        try run("PRAGMA cell_size_check = ON")
        if sandbox.access == .read { try run("PRAGMA query_only = ON") }
        try BoundedFunctions.register(on: handle)
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
