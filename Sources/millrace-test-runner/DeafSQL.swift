internal import CSQLite
internal import Glibc
internal import SQLite

/// SQL that does not listen, as a long call of a function or a disk that hangs: nothing ends it
/// before its time.
///
/// Every connection from now on has a function that sleeps for so many ms, under the name `unistr`:
/// later SQLites have that one, so the sandbox lets it through. And while there is a file named
/// like a database with `-held` behind it, whoever takes away the one with `-hang` cannot open it.
/// Whoever takes away one with `-before-COMMIT`, `-after-COMMIT` or `-after-RELEASE`, by such a
/// statement, is killed at once.
func registerDeafSQL() {
    _ = SQLiteMemory.isLimitable  // SQLite takes no other memory once it is in use.
    let extend: @convention(c) (OpaquePointer?) -> CInt = { connection in
        if let path = sqlite3_db_filename(connection, "main") { hang(String(cString: path)) }
        watchForDeath(connection)
        let flags = SQLITE_UTF8
        return sqlite3_create_function_v2(connection, "unistr", 1, flags, nil, deaf, nil, nil, nil)
    }
    sqlite3_auto_extension(unsafeBitCast(extend, to: (@convention(c) () -> Void).self))
}

private func deaf(
    _ context: OpaquePointer?,
    _ count: CInt,
    _ values: UnsafeMutablePointer<OpaquePointer?>?
) {
    let ms = sqlite3_value_int64(values?.pointee)
    sleep(ms: ms)
    sqlite3_result_int64(context, ms)
}

private func hang(_ path: String) {
    guard unlink(path + "-hang") == 0 else { return }
    while access(path + "-held", F_OK) == 0 { sleep(ms: 1) }
}

private func sleep(ms: Int64) {
    let deadline = ContinuousClock.now + .milliseconds(ms)
    while ContinuousClock.now < deadline { usleep(1_000) }
}

/// A statement is traced before its first step, and again when it has ended: a COMMIT is durable by
/// then, and nobody has heard of it.
private func watchForDeath(_ connection: OpaquePointer?) {
    let events = UInt32(SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE)
    let watch:
        @convention(c) (
            UInt32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?,
            UnsafeMutableRawPointer?
        ) -> CInt = { event, _, statement, _ in
            let statement = OpaquePointer(statement)
            guard let text = sqlite3_sql(statement) else { return 0 }
            let word = String(cString: text).prefix { $0 != " " }
            guard word == "COMMIT" || word == "RELEASE",
                let path = sqlite3_db_filename(sqlite3_db_handle(statement), "main")
            else { return 0 }
            let moment = event == UInt32(SQLITE_TRACE_STMT) ? "before" : "after"
            if unlink("\(String(cString: path))-\(moment)-\(word)") == 0 { kill(getpid(), SIGKILL) }
            return 0
        }
    sqlite3_trace_v2(connection, events, watch, nil)
}
