import Foundation
import SQLite
import Testing

@Suite("Sandbox") struct SandboxTests {
    let directory: TemporaryDirectory
    let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("a.db")
        let owner = try Connection(path: path, mode: .create)
        try owner.execute(
            script: """
                PRAGMA synchronous = OFF;
                BEGIN;
                CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);
                INSERT INTO t VALUES (1, 'one'), (2, 'two');
                CREATE VIEW v AS SELECT b FROM t;
                CREATE TABLE millrace_receipts (a);
                CREATE VIEW over_receipts AS SELECT a FROM millrace_receipts;
                CREATE VIRTUAL TABLE words USING fts5(b);
                INSERT INTO words VALUES ('one'), ('two');
                CREATE TABLE indexed (b);
                CREATE TRIGGER indexed_words AFTER INSERT ON indexed BEGIN
                    INSERT INTO words VALUES (new.b);
                END;
                COMMIT;
                """
        )
    }

    /// A confined connection on which no statement runs for more than 60 s.
    func confined(_ access: Sandbox.Access, trustsSchema: Bool = false) throws -> Connection {
        let connection = try Connection(path: path, mode: .readWrite)
        try connection.run("PRAGMA synchronous = OFF")
        try connection.confine(
            to: Sandbox(
                access: access,
                reservedPrefix: "Millrace_",
                trustsSchema: trustsSchema
            )
        )
        let deadline = ContinuousClock.now + .seconds(60)
        connection.onProgress(every: 1_000) { ContinuousClock.now < deadline }
        return connection
    }

    func refusal(of sql: String, on connection: Connection) throws -> String {
        let failure = #expect(throws: SQLiteError.self, "\(sql)") {
            try connection.execute(script: sql)
        }
        #expect(failure?.isAuthorization == true, "\(sql): \(failure?.message ?? "")")
        return failure?.message ?? ""
    }

    @Test(arguments: [
        "SELECT a, upper(b) FROM t", "SELECT * FROM v", "SELECT count(*) FROM t",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9) SELECT * FROM n",
        "SELECT * FROM words WHERE words MATCH 'one' ORDER BY rank",
        "SELECT highlight(words, 0, '<', '>') FROM words('two')",
        "SELECT value FROM json_each('[1,2]')",
        "SELECT name FROM sqlite_schema", "EXPLAIN QUERY PLAN SELECT * FROM t",
        "SELECT b, row_number() OVER (ORDER BY b) FROM t",
        "PRAGMA table_info(t)", "SELECT * FROM pragma_table_info('t')", "PRAGMA TABLE_LIST",
        "PRAGMA user_version", "PRAGMA encoding", "PRAGMA integrity_check", "PRAGMA quick_check(1)",
        "SELECT * FROM pragma_function_list", "PRAGMA main.page_count",
        "SELECT strftime('%Y', 'now'), date('now'), round(2.5, 1), sqrt(2)",
    ])
    func `a reader may read`(sql: String) throws {
        for access in [Sandbox.Access.read, .write] {
            try confined(access).execute(script: sql)
        }
    }

    @Test(arguments: [
        ("ATTACH 'other.db' AS other", "ATTACH"), ("ATTACH ':memory:' AS other", "ATTACH"),
        ("DETACH main", "DETACH"),
        ("BEGIN", "BEGIN"), ("COMMIT", "COMMIT"), ("END", "COMMIT"), ("ROLLBACK", "ROLLBACK"),
        ("SAVEPOINT x", "SAVEPOINT"), ("RELEASE x", "SAVEPOINT"), ("ROLLBACK TO x", "SAVEPOINT"),
        ("PRAGMA query_only = OFF", "query_only"), ("PRAGMA query_only", "query_only"),
        ("PRAGMA database_list", "database_list"),
        ("SELECT file FROM pragma_database_list", "database_list"),
        ("SELECT count(*) FROM Pragma_Database_List", "database_list"),
        ("PRAGMA writable_schema = ON", "writable_schema"),
        ("PRAGMA trusted_schema = ON", "trusted_schema"),
        ("PRAGMA journal_mode = DELETE", "journal_mode"),
        ("PRAGMA journal_mode", "journal_mode"),
        ("PRAGMA temp_store_directory = '/'", "temp_store_directory"),
        ("PRAGMA hard_heap_limit = 1", "hard_heap_limit"),
        ("PRAGMA user_version = 7", "user_version"), ("PRAGMA user_version(7)", "user_version"),
        ("PRAGMA schema_version = 7", "schema_version"), ("PRAGMA encoding = 'UTF-8'", "encoding"),
        ("PRAGMA page_size = 512", "page_size"), ("PRAGMA main.user_version = 7", "user_version"),
        ("SELECT load_extension('x.so')", "load_extension"),
        ("SELECT fts3_tokenizer('simple')", "fts3_tokenizer"),
        ("SELECT sql FROM sqlite_stmt", "sqlite_stmt"),
        ("SELECT count(*) FROM SQLITE_STMT", "sqlite_stmt"),
        ("SELECT rtreecheck('t')", "rtreecheck"), ("SELECT sqlite_log(1, 'x')", "sqlite_log"),
        ("SELECT * FROM millrace_receipts", "reserved"),
        ("SELECT count(*) FROM MILLRACE_receipts", "reserved"),
        ("SELECT * FROM over_receipts", "reserved"),
        ("EXPLAIN ATTACH 'x' AS y", "ATTACH"),
    ])
    func `nobody gets out`(sql: String, reason: String) throws {
        for access in [Sandbox.Access.read, .write] {
            let message = try refusal(of: sql, on: confined(access))
            #expect(message.lowercased().contains(reason.lowercased()))
        }
        #expect(try directory.names == ["a.db"])
    }

    static let writes = [
        "INSERT INTO t VALUES (3, 'three')", "UPDATE t SET b = 'x'", "DELETE FROM t",
        "REPLACE INTO t VALUES (1, 'x')",
        "INSERT INTO t VALUES (1, 'x') ON CONFLICT DO UPDATE SET b = 'y' RETURNING b",
        "CREATE TABLE x (a); DROP TABLE x", "CREATE TEMP TABLE x (a)",
        "CREATE TABLE x AS SELECT * FROM t",
        "CREATE INDEX i ON t (b); REINDEX i; DROP INDEX i",
        "CREATE VIEW w AS SELECT 1; DROP VIEW w", "CREATE TEMP VIEW w AS SELECT 1",
        "CREATE TRIGGER tr AFTER UPDATE ON t BEGIN DELETE FROM t; END; DROP TRIGGER tr",
        "CREATE TEMP TRIGGER tr AFTER UPDATE ON t BEGIN DELETE FROM t; END",
        "ALTER TABLE t ADD COLUMN c; ALTER TABLE t RENAME COLUMN c TO d; ALTER TABLE t RENAME TO s",
        "ALTER TABLE indexed ADD COLUMN c; ALTER TABLE indexed DROP COLUMN c", "ANALYZE",
        "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES ('y'); DROP TABLE f",
        "CREATE VIRTUAL TABLE r USING rtree(id, a, b); INSERT INTO r VALUES (1, 2, 3)",
        "INSERT INTO words(words) VALUES ('optimize')",
    ]

    @Test(arguments: writes)
    func `a writer may write`(sql: String) throws {
        try confined(.write).execute(script: sql)
    }

    @Test(arguments: writes)
    func `a reader may not`(sql: String) throws {
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        let message = try refusal(of: sql, on: confined(.read))
        #expect(message == "this SQL job may only read")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test(arguments: [
        "SELECT * FROM dbstat", "SELECT * FROM fts3tokenize('a')", "SELECT * FROM sqlite_dbpage",
        "CREATE VIRTUAL TABLE x USING dbstat(main)", "CREATE VIRTUAL TABLE x USING fts4(a)",
        "UPDATE sqlite_schema SET sql = ''", "DELETE FROM sqlite_master",
        "INSERT INTO words_data VALUES (1, 2)", "DROP TABLE words_data",
        "VACUUM", "VACUUM INTO 'copy.db'", "ALTER TABLE t RENAME TO millrace_receipts",
    ])
    func `a writer may not break the file, nor make another`(sql: String) throws {
        #expect(throws: SQLiteError.self) { try confined(.write).execute(script: sql) }
        #expect(throws: SQLiteError.self) { try confined(.read).execute(script: sql) }
        #expect(try directory.names == ["a.db"])
        #expect(!FileManager.default.fileExists(atPath: "copy.db"))
    }

    @Test(arguments: [
        "INSERT INTO millrace_receipts VALUES (1)", "DROP TABLE Millrace_receipts",
        "DELETE FROM millrace_receipts", "CREATE TABLE millrace_x (a)",
        "CREATE INDEX i ON millrace_receipts (a)", "CREATE VIEW millrace_v AS SELECT 1",
        "ALTER TABLE millrace_receipts RENAME TO x",
        "CREATE TRIGGER x AFTER INSERT ON millrace_receipts BEGIN SELECT 1; END",
        "CREATE TEMP TABLE millrace_receipts (a)",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM millrace_receipts; END; "
            + "INSERT INTO t VALUES (9, 'x')",
        "CREATE VIRTUAL TABLE millrace_f USING fts5(a)",
        "PRAGMA table_info(millrace_receipts)",
    ])
    func `what is reserved stays ours`(sql: String) throws {
        let message = try refusal(of: sql, on: confined(.write))
        #expect(message.lowercased().contains("is reserved"))
    }

    /// Whatever version of SQLite this is, and wherever the function stands.
    @Test func `functions that are on no list are taken away`() throws {
        let connection = try confined(.write)
        let rows = try connection.rows("SELECT DISTINCT name, narg FROM pragma_function_list")
        let open = ["fts3_tokenizer", "load_extension", "optimize", "rtreecheck", "fts5"]
        for row in rows {
            guard case .text(let name)? = row.first, case .integer(let count)? = row.last,
                open.contains(name)
            else { continue }
            let values = Array(repeating: "a", count: max(Int(count), 1)).joined(separator: ",")
            try connection.execute(script: "CREATE TABLE g (a); INSERT INTO g VALUES (1)")
            try connection.execute(script: "ALTER TABLE g ADD COLUMN b AS (\(name)(\(values)))")
            let failure = #expect(throws: SQLiteError.self) {
                try connection.run("SELECT b FROM g")
            }
            #expect(failure?.message.contains("not allowed") == true, "\(name)")
            try connection.run("DROP TABLE g")
        }
    }

    @Test func `a transaction grows the file no further than it may`() throws {
        let connection = try confined(.write)
        let sql = "INSERT INTO t (b) VALUES (hex(zeroblob(400000)))"
        try connection.transaction { () throws(SQLiteError) in
            try connection.limitGrowth(bytes: 1_000_000)
            try connection.run(sql)
        }
        let failure = #expect(throws: SQLiteError.self) {
            try connection.transaction { () throws(SQLiteError) in
                try connection.limitGrowth(bytes: 1_000_000)
                try connection.run(sql)
                try connection.run(sql)
            }
        }
        #expect(failure?.isFull == true)
        #expect(try connection.row("SELECT count(*) FROM t") == [3])
        try connection.transaction { () throws(SQLiteError) in
            try connection.removeGrowthLimit()
            try connection.run(sql)
        }
    }

    @Test func `our own transaction runs around the client's statements`() throws {
        let connection = try confined(.write)
        try connection.transaction { () throws(SQLiteError) in
            try connection.run("INSERT INTO t VALUES (3, 'three')")
            try connection.unconfined { () throws(SQLiteError) in
                try connection.run("SAVEPOINT job")
                try connection.run("INSERT INTO millrace_receipts VALUES (1)")
                try connection.run("RELEASE job")
            }
        }
        #expect(try connection.row("SELECT b FROM t WHERE a = 3") == ["three"])
        #expect(try refusal(of: "SAVEPOINT job", on: connection).contains("SAVEPOINT"))
    }

    @Test func `a trigger may use a virtual table when the schema is trusted`() throws {
        let sql = "INSERT INTO indexed VALUES ('three')"
        #expect(throws: SQLiteError.self) { try confined(.write).run(sql) }

        let connection = try confined(.write, trustsSchema: true)
        try connection.run(sql)
        #expect(try connection.rows("SELECT b FROM words('three')") == [["three"]])
    }

    @Test func `a reader's transaction sees one state of the file`() throws {
        let reader = try Connection(path: path, mode: .readOnly)
        try reader.confine(to: Sandbox(access: .read))
        let writer = try Connection(path: path, mode: .readWrite)
        try writer.run("PRAGMA journal_mode = WAL")
        try reader.transaction(to: .read) { () throws(SQLiteError) in
            #expect(try reader.row("SELECT count(*) FROM t") == [2])
            try writer.run("DELETE FROM t")
            #expect(try reader.row("SELECT count(*) FROM t") == [2])
        }
        #expect(try reader.row("SELECT count(*) FROM t") == [0])
    }

    @Test func `a foreign key cannot hold on to what is reserved`() throws {
        let connection = try confined(.write)
        try connection.unconfined { () throws(SQLiteError) in
            try connection.execute(
                script: """
                    PRAGMA foreign_keys = ON;
                    CREATE UNIQUE INDEX millrace_unique ON millrace_receipts (a);
                    INSERT INTO millrace_receipts VALUES (1);
                    """
            )
        }
        try connection.run("CREATE TABLE k (a REFERENCES millrace_receipts (a))")
        #expect(throws: SQLiteError.self) { try connection.run("INSERT INTO k VALUES (1)") }
        try connection.unconfined { () throws(SQLiteError) in
            try connection.run("DELETE FROM millrace_receipts")
        }
    }

    @Test func `a statement of ours is never handed to a client`() throws {
        let connection = try confined(.write)
        let sql = "SELECT * FROM millrace_receipts"
        try connection.unconfined { () throws(SQLiteError) in try connection.run(sql) }
        #expect(try refusal(of: sql, on: connection).contains("reserved"))

        let early = try Connection(path: path, mode: .readWrite)
        try early.run(sql)
        try early.confine(to: Sandbox(access: .read, reservedPrefix: "millrace_"))
        #expect(try refusal(of: sql, on: early).contains("reserved"))
    }

    @Test func `changes of the schema and temporary objects are noticed`() throws {
        let connection = try confined(.write)
        let before = try connection.schemaVersion
        #expect(throws: SQLiteError.self) {
            try connection.transaction { () throws(SQLiteError) in
                try connection.run("CREATE TABLE x (a)")
                try connection.run("CREATE TEMP TABLE y (a)")
                #expect(try connection.schemaVersion != before)
                try connection.run("SELECT missing")
            }
        }
        #expect(try connection.schemaVersion == before)
        #expect(try !connection.hadTemporaryObjects)
        try connection.run("CREATE TEMP VIEW t AS SELECT 'not the real one' AS b")
        #expect(try connection.hadTemporaryObjects)
        #expect(try connection.schemaVersion == before)
    }

    @Test func `an error that is no refusal keeps its own code`() throws {
        let connection = try confined(.read)
        _ = try refusal(of: "SELECT Json_Patch('{}', '{}')", on: connection)
        let failure = #expect(throws: SQLiteError.self) { try connection.run("SELECT missing") }
        #expect(failure?.isAuthorization == false)
        #expect(failure?.message == "no such column: missing")
    }
}
