internal import CSQLite
internal import Glibc
internal import SQLite

/// SQL that does not listen, as a long call of a function or a disk that hangs: nothing ends it
/// before its time.
enum DeafSQL {
    /// Gives every connection from now on the function `deaf(ms)`. While there is a file named like
    /// a database with `-held` behind it, whoever takes away the one with `-hang` cannot open the
    /// database.
    static func register() {
        _ = SQLiteMemory.isLimitable  // SQLite takes no other memory once it is in use.
        let entry:
            @convention(c) (
                OpaquePointer?, UnsafeMutableRawPointer?, UnsafeRawPointer?
            ) -> CInt = { connection, _, _ in
                sqlite3_create_function_v2(
                    connection,
                    "deaf",
                    1,
                    SQLITE_UTF8,
                    nil,
                    { context, _, values in
                        guard let value = values?.pointee else { return }
                        sleep(ms: sqlite3_value_int64(value))
                        sqlite3_result_value(context, value)
                    },
                    nil,
                    nil,
                    nil
                )
                if let path = sqlite3_db_filename(connection, "main") {
                    hang(String(cString: path))
                }
                return SQLITE_OK
            }
        sqlite3_auto_extension(unsafeBitCast(entry, to: (@convention(c) () -> Void).self))
    }

    private static func hang(_ path: String) {
        guard unlink(path + "-hang") == 0 else { return }
        while access(path + "-held", F_OK) == 0 { sleep(ms: 1) }
    }

    private static func sleep(ms: Int64) {
        let deadline = ContinuousClock.now + .milliseconds(ms)
        while ContinuousClock.now < deadline { usleep(1_000) }
    }
}
