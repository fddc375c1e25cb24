import Foundation
import SQLite
import Testing

@Suite("Connection") struct ConnectionTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func `a file is made only in create mode`() throws {
        let path = directory.file("a.db")
        for mode in [Connection.Mode.readOnly, .readWrite] {
            let failure = #expect(throws: SQLiteError.self) {
                try Connection(path: path, mode: mode)
            }
            #expect(failure?.isCannotOpen == true)
        }
        #expect(try directory.names == [])

        let made = try Connection(path: path, mode: .create)
        try made.run("CREATE TABLE t (a)")
        #expect(made.path == path)
        #expect(try directory.names == ["a.db"])
    }

    @Test func `a read only connection refuses to write`() throws {
        let path = directory.file("a.db")
        try Connection(path: path, mode: .create).run("CREATE TABLE t (a)")
        let reader = try Connection(path: path, mode: .readOnly)

        let failure = #expect(throws: SQLiteError.self) {
            try reader.run("INSERT INTO t VALUES (1)")
        }
        #expect(failure?.isReadOnly == true)
        #expect(failure?.sql == "INSERT INTO t VALUES (1)")
    }

    @Test(arguments: ["file:x?mode=memory", ":memory:"])
    func `a path is always a file's path`(name: String) throws {
        let path = directory.path + "/" + name
        try Connection(path: path, mode: .create).run("CREATE TABLE t (a)")
        #expect(try directory.names == [name])
    }

    @Test(arguments: ["", "a\0b"])
    func `a text that is no path is refused`(path: String) {
        let failure = #expect(throws: SQLiteError.self) {
            try Connection(path: path, mode: .create)
        }
        #expect(failure?.isCannotOpen == true)
    }

    @Test func `a file that is no database is named as such`() throws {
        let path = directory.file("a.db")
        try "this is no database, but it is long enough to look at".write(
            toFile: path,
            atomically: false,
            encoding: .utf8
        )
        let connection = try Connection(path: path, mode: .readOnly)
        let failure = #expect(throws: SQLiteError.self) {
            try connection.rows("SELECT * FROM sqlite_schema")
        }
        #expect(failure?.isNotADatabase == true)
    }

    @Test func `a transaction is kept whole or not at all`() throws {
        let connection = try Connection()
        try connection.run("CREATE TABLE t (a UNIQUE)")
        let failure = #expect(throws: SQLiteError.self) {
            try connection.transaction { () throws(SQLiteError) in
                #expect(connection.isInTransaction)
                try connection.run("INSERT INTO t VALUES (1)")
                try connection.run("INSERT INTO t VALUES (1)")
            }
        }
        #expect(failure?.isDuplicate == true)
        #expect(failure?.isConstraint == true)
        #expect(!connection.isInTransaction)
        #expect(try connection.rows("SELECT a FROM t") == [])

        try connection.transaction { () throws(SQLiteError) in
            try connection.run("INSERT INTO t VALUES (2), (3)")
        }
        #expect(try connection.rows("SELECT a FROM t") == [[2], [3]])
        #expect(connection.changes == 2)
        #expect(connection.totalChanges == 3)
        #expect(connection.lastInsertRowID == 2)
    }

    @Test func `a second writer is told that the database is busy`() throws {
        let path = directory.file("a.db")
        let one = try Connection(path: path, mode: .create)
        let other = try Connection(path: path, mode: .readWrite)
        other.setBusyTimeout(milliseconds: 1)
        try one.begin()
        let failure = #expect(throws: SQLiteError.self) { try other.begin() }
        #expect(failure?.isBusy == true)
        one.rollBack()
        try other.begin()
        try other.commit()
    }

    @Test func `a truncating checkpoint empties the log`() throws {
        let path = directory.file("a.db")
        let connection = try Connection(path: path, mode: .create)
        #expect(try connection.checkpoint(.passive) == (-1, -1))

        try connection.run("PRAGMA journal_mode = WAL")
        try connection.run("CREATE TABLE t (a)")
        let passive = try connection.checkpoint(.passive)
        #expect(passive.logged > 0)
        #expect(passive.checkpointed == passive.logged)
        #expect(try connection.checkpoint(.truncate) == (0, 0))
    }

    @Test func `a full database says so`() throws {
        let connection = try Connection()
        try connection.run("PRAGMA max_page_count = 3")
        try connection.run("CREATE TABLE t (a)")
        let failure = #expect(throws: SQLiteError.self) {
            try connection.run("INSERT INTO t VALUES (zeroblob(100000))")
        }
        #expect(failure?.isFull == true)
    }

    @Test func `the progress check ends an endless statement, until it is removed`() throws {
        let connection = try Connection()
        var asked = 0
        connection.onProgress(every: 100) {
            asked += 1
            return asked < 5
        }
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        let failure = #expect(throws: SQLiteError.self) {
            try connection.rows(endless + " SELECT count(*) FROM n")
        }
        #expect(failure?.isInterrupted == true)
        #expect(asked == 5)

        connection.removeProgress()
        let counted = try connection.row(
            endless + " SELECT count(*) FROM (SELECT i FROM n LIMIT 1000)"
        )
        #expect(counted == [1_000])
        #expect(asked == 5)
    }
}
