import Foundation
import SQLite
import Testing

@Suite("Memory of SQLite") struct SQLiteMemoryTests {
    let connection: Connection

    /// Confined, and with a deadline so that a limit that fails does not hang the tests.
    init() throws {
        connection = try Connection()
        try connection.confine(to: Sandbox(access: .write))
        let deadline = ContinuousClock.now + .seconds(60)
        connection.onProgress(every: 1_000) { ContinuousClock.now < deadline }
    }

    /// About a gigabyte, in one row between two questions of the progress check.
    static let wideRow =
        "SELECT " + Array(repeating: "randomblob(16000000)", count: 60).joined(separator: ", ")

    @Test(arguments: [
        wideRow,
        """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT * FROM (SELECT randomblob(1000) AS x FROM n ORDER BY x)
        """,
        """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000)
        SELECT count(DISTINCT randomblob(1000000)) FROM n
        """,
        """
        CREATE TABLE t AS
          WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
          SELECT randomblob(1000) FROM n
        """,
    ])
    func `a statement that wants too much fails alone`(sql: String) throws {
        #expect(SQLiteMemory.isLimitable)
        let failure = #expect(throws: SQLiteError.self) {
            try SQLiteMemory.limiting(to: 50_000_000) { () throws(SQLiteError) in
                try connection.execute(script: sql)
            }
        }
        #expect(failure?.isNoMemory == true, "\(failure?.message ?? "")")
        #expect(try connection.row("SELECT 1") == [1])
    }

    /// Each table is the one before it, twice: SQLite would write 2^40 of them into its parse tree.
    @Test func `a statement that unfolds without end fails while it is prepared`() throws {
        var sql = "WITH a0 AS (SELECT 1 AS x)"
        for level in 1...40 {
            sql += ", a\(level) AS (SELECT p.x FROM a\(level - 1) AS p, a\(level - 1) AS q)"
        }
        let failure = #expect(throws: SQLiteError.self) {
            try SQLiteMemory.limiting(to: 50_000_000) { () throws(SQLiteError) in
                _ = try connection.prepare(sql + " SELECT count(*) FROM a40")
            }
        }
        #expect(failure?.isNoMemory == true)
    }

    /// SQLite compiles the triggers by recursion.
    @Test func `a chain of triggers that would use up the stack fails alone`() throws {
        let isDone = DispatchSemaphore(value: 0)
        let thread = Thread {
            defer { isDone.signal() }
            guard let connection = try? Connection() else { return }
            for link in 0...700 { try? connection.run("CREATE TABLE t\(link) (a)") }
            for link in 0..<700 {
                try? connection.run(
                    """
                    CREATE TRIGGER after\(link) AFTER INSERT ON t\(link) BEGIN
                        INSERT INTO t\(link + 1) VALUES (new.a);
                    END
                    """
                )
            }
            let failure = #expect(throws: SQLiteError.self) {
                try SQLiteMemory.limiting(to: 500_000_000) { () throws(SQLiteError) in
                    try connection.run("INSERT INTO t0 VALUES (1)")
                }
            }
            #expect(failure?.isNoMemory == true)
            #expect(SQLiteMemory.refusal == .stack)
            #expect((try? connection.row("SELECT count(*) FROM t0")) == [0])
        }
        thread.stackSize = 512 << 10
        thread.start()
        isDone.wait()
    }

    @Test func `compiling a statement asks whether it may go on`() throws {
        let sql =
            "WITH a0(a) AS (SELECT 1)"
            + (1...2_000).map { ", a\($0) AS (SELECT * FROM a\($0 - 1))" }.joined()
        var asked = 0
        let failure = #expect(throws: SQLiteError.self) {
            try SQLiteMemory.limiting(
                to: .max,
                mayGoOn: {
                    asked += 1
                    return asked < 10
                }
            ) { () throws(SQLiteError) in _ = try connection.prepare(sql + " SELECT * FROM a2000") }
        }
        #expect(failure?.isNoMemory == true)
        #expect(SQLiteMemory.refusal == .time)
    }

    @Test func `a large row asks whether it may go on`() throws {
        var asked = 0
        let failure = #expect(throws: SQLiteError.self) {
            try SQLiteMemory.limiting(
                to: .max,
                mayGoOn: {
                    asked += 1
                    return asked < 3
                }
            ) { () throws(SQLiteError) in try connection.execute(script: Self.wideRow) }
        }
        #expect(failure?.isNoMemory == true)
        #expect(asked >= 3 && asked < 60)
    }

    @Test func `the limit ends with its closure, and holds for its thread only`() throws {
        let isDone = DispatchSemaphore(value: 0)
        try SQLiteMemory.limiting(to: 1_000_000) { () throws(SQLiteError) in
            Thread.detachNewThread {
                let other = try? Connection()
                #expect((try? other?.row("SELECT length(randomblob(8000000))")) == [8_000_000])
                isDone.signal()
            }
            isDone.wait()
            #expect(throws: SQLiteError.self) { try connection.row("SELECT randomblob(8000000)") }
        }
        #expect(try connection.row("SELECT length(randomblob(8000000))") == [8_000_000])
    }

    @Test func `what was given back can be taken again`() throws {
        try SQLiteMemory.limiting(to: 20_000_000) { () throws(SQLiteError) in
            for _ in 1...10 { try connection.run("SELECT length(randomblob(8000000))") }
        }
    }
}
