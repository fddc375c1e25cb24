internal import CSQLite

/// Owns the C connection: open as long as the connection or any of its statements is alive.
final class Handle {
    let pointer: OpaquePointer
    let interrupt: Interrupt
    /// Asked while statements run; see `Connection.onProgress`.
    var mayGoOn: (() -> Bool)?
    /// The rules, once the connection is confined; see `Connection.confine`.
    var sandbox: Sandbox?
    /// True while our own SQL runs on a confined connection.
    var isLifted = false
    /// What the sandbox refused last, until it has become an error.
    var refusal: String?

    /// The name is what `sqlite3_open_v2` takes.
    init(opening name: String, flags: Int32) throws(SQLiteError) {
        SQLiteMemory.prepare()
        var opened: OpaquePointer?
        // One thread at a time uses a connection, so SQLite need not lock it.
        let always = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(name, &opened, flags | always, nil)
        guard code == SQLITE_OK, let opened else {
            let message = String(cString: opened.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw SQLiteError(extendedCode: code, message: "\(message): \(name)")
        }
        pointer = opened
        interrupt = Interrupt(opened)
    }

    deinit {
        interrupt.disarm()
        sqlite3_close_v2(pointer)
    }

    /// Prepares the first statement of a text.
    ///
    /// The text is UTF-8 that ends with a zero byte: SQLite reads it in place, while it would
    /// otherwise copy all that is left of a script for each of its statements. Returns nil when
    /// there are only blanks and comments; and the bytes that were read.
    func prepare(_ text: UnsafeBufferPointer<UInt8>) throws(SQLiteError)
        -> (statement: OpaquePointer?, length: Int)
    {
        refusal = nil
        var statement: OpaquePointer?
        var tail: UnsafePointer<CChar>?
        let start = UnsafeRawPointer(text.baseAddress)?.assumingMemoryBound(to: CChar.self)
        let length = Int32(clamping: text.count)
        let code = sqlite3_prepare_v2(pointer, start, length, &statement, &tail)
        guard code == SQLITE_OK, let start, let tail else {
            throw error(code, in: String(decoding: text.dropLast().prefix(1_000), as: UTF8.self))
        }
        return (statement, tail - start)
    }

    /// The error of the call that has just failed on this connection.
    ///
    /// A refusal becomes `SQLITE_AUTH` whatever code SQLite gave it: for a function it has none.
    func error(_ code: Int32, in sql: String) -> SQLiteError {
        let offset = sqlite3_error_offset(pointer)
        if let refusal {
            self.refusal = nil
            return SQLiteError(extendedCode: SQLITE_AUTH, message: refusal, sql: sql)
        }
        return SQLiteError(
            extendedCode: code,
            message: String(cString: sqlite3_errmsg(pointer)),
            sql: sql,
            offset: offset < 0 ? nil : Int(offset)
        )
    }
}
