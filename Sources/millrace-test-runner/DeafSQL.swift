internal import CSQLite
internal import Glibc
internal import SQLite

/// SQL that does not listen, as a long call of a function or a disk that hangs: nothing ends it
/// before its time.
///
/// Every connection from now on has a function that sleeps for so many ms, under the name `unistr`:
/// later SQLites have that one, so the sandbox lets it through. And while there is a file named
/// like a database with `-held` behind it, whoever takes away the one with `-hang` cannot open it.
func registerDeafSQL() {
    _ = SQLiteMemory.isLimitable  // SQLite takes no other memory once it is in use.
    let extend: @convention(c) (OpaquePointer?) -> CInt = { connection in
        if let path = sqlite3_db_filename(connection, "main") { hang(String(cString: path)) }
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
