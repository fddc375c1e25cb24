import SQLite
import Testing

@Suite("Limits of SQL") struct SQLLimitsTests {
    let connection: Connection

    /// In memory, confined, and with a deadline so that a limit that fails does not hang the tests.
    init() throws {
        connection = try Connection()
        try connection.run("CREATE TABLE t (a)")
        try connection.confine(to: Sandbox(access: .write))
        let deadline = ContinuousClock.now + .seconds(600)
        connection.onProgress(every: 1_000) { ContinuousClock.now < deadline }
    }

    @Test(arguments: [
        "SELECT hex(zeroblob(400000000))", "SELECT zeroblob(16777217)",
        "SELECT randomblob(1 << 30)",
        "SELECT replace(hex(zeroblob(4000000)), '00', 'long long long')",
        "WITH RECURSIVE s(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM s) SELECT length(x) FROM s",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) "
            + "SELECT group_concat(hex(zeroblob(20000)) || i) FROM n",
    ])
    func `a value that is too long is refused`(sql: String) throws {
        let failure = #expect(throws: SQLiteError.self) { try connection.rows(sql) }
        #expect(failure?.isTooBig == true, "\(failure?.message ?? "")")
    }

    @Test func `a statement that is too long, deep or wide is refused`() throws {
        for sql in [
            "SELECT '" + String(repeating: "x", count: 1 << 20) + "'",
            "SELECT " + String(repeating: "(", count: 500) + "1"
                + String(repeating: ")", count: 500),
            "SELECT 1" + String(repeating: " + 1", count: 300),
            "SELECT 1" + String(repeating: " UNION ALL SELECT 1", count: 200),
            "SELECT 1" + String(repeating: ", 1", count: 3_000),
            "SELECT max(1" + String(repeating: ", 1", count: 110) + ")",
            "SELECT 'x' LIKE '" + String(repeating: "%a", count: 100) + "'",
            "SELECT ?40000",
            String(repeating: "SELECT * FROM (", count: 300) + "SELECT 1"
                + String(repeating: ")", count: 300),
        ] {
            #expect(throws: SQLiteError.self, "\(sql.prefix(40))") { try connection.rows(sql) }
        }
    }

    @Test func `a compiled statement that is too large is refused`() throws {
        let sql = "SELECT CASE 1" + String(repeating: " WHEN abs(a) THEN 1", count: 50_000) + " END"
        let failure = #expect(throws: SQLiteError.self) { try connection.rows(sql + " FROM t") }
        #expect(failure?.isNoMemory == true, "\(failure?.message ?? "")")
        #expect(try connection.row("SELECT 1") == [1])
    }

    @Test func `a chain of triggers that is too deep is refused`() throws {
        for link in 0...40 { try connection.run("CREATE TABLE t\(link) (a)") }
        for link in 0..<40 {
            try connection.run(
                """
                CREATE TRIGGER after\(link) AFTER INSERT ON t\(link) BEGIN
                    INSERT INTO t\(link + 1) VALUES (new.a);
                END
                """
            )
        }
        #expect(throws: SQLiteError.self) { try connection.run("INSERT INTO t0 VALUES (1)") }
        try connection.run("INSERT INTO t10 VALUES (1)")
        #expect(try connection.row("SELECT count(*) FROM t40") == [1])
    }

    @Test func `endless recursion ends with the progress check`() throws {
        var asked = 0
        connection.onProgress(every: 1_000) {
            asked += 1
            return asked < 100
        }
        let failure = #expect(throws: SQLiteError.self) {
            try connection.rows(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
            )
        }
        #expect(failure?.isInterrupted == true)
    }
}
