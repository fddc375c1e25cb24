import JobCore
import SQLite
import Testing

@testable import JobRunner

/// What the SQL of one job may try with the receipts of others.
@Suite("Attacks on receipts") struct ReceiptAttackTests {
    private let stage: ReceiptStage
    init() throws {
        stage = try ReceiptStage("CREATE TABLE t (n INTEGER); CREATE TABLE loot (stolen)")
    }

    private static let columns = "store,job,salt,run,attempt,work,format,rows,result,written_at"

    private static let names = [
        // A temporary table in the place of ours, whose triggers would run as if they were ours.
        """
        CREATE TABLE a (x);
        CREATE TRIGGER m AFTER INSERT ON a
        BEGIN UPDATE millrace_receipts SET result = 'FORGED' WHERE job = 1; END;
        CREATE TEMP TABLE y (\(columns));
        CREATE TEMP TRIGGER g AFTER INSERT ON y
        BEGIN INSERT INTO loot SELECT salt FROM main.millrace_receipts; INSERT INTO a VALUES (1); END;
        ALTER TABLE temp.y RENAME TO millrace_receipts
        """,
        "CREATE TEMP VIEW v AS SELECT 1; CREATE TABLE x (a); ALTER TABLE x RENAME TO Millrace_x",
        "ALTER TABLE t RENAME TO millrace_t",
        "CREATE TABLE x (a); CREATE INDEX i ON x (a); ALTER TABLE x RENAME TO millrace_x",
        "CREATE VIRTUAL TABLE f USING fts5(x); ALTER TABLE f RENAME TO millrace",
        // Children, by which rows of ours could not be removed or would be known.
        "CREATE TABLE c (j REFERENCES millrace_receipts (job))",
        "CREATE TABLE c (j); ALTER TABLE c ADD COLUMN k REFERENCES \"MILLRACE_receipts\"",
        """
        CREATE TABLE c (a, b, c, d, e, FOREIGN KEY (a, b, c, d, e) REFERENCES millrace_receipts
        ON DELETE CASCADE)
        """,
        "CREATE TABLE c (j REFERENCES [millrace_receipts] (salt) DEFERRABLE INITIALLY DEFERRED)",
    ]

    @Test(arguments: names, [false, true])
    func `no job makes what has or refers to a reserved name`(
        sql: String,
        foreignKeys: Bool
    ) throws {
        let done = try stage.worker(foreignKeys: foreignKeys).run(writeOrder())
        var attack = writeOrder(sql, job: 2)
        attack.removable = [10...20]
        let failure = stage.worker(foreignKeys: foreignKeys).failure(attack)
        #expect(failure?.code == .denied, "\(failure?.message ?? "it has succeeded")")
        #expect(failure?.message.contains("reserved") == true)

        #expect(try stage.number("SELECT count(*) FROM loot") == 0)
        #expect(try stage.worker().run(writeOrder(attempt: 2)) == done)
        var other = writeOrder(job: 3)
        other.removable = [1...1]
        _ = try stage.worker(foreignKeys: foreignKeys).run(other)
        #expect(try stage.rows("SELECT job FROM millrace_receipts") == [[3]])
    }

    @Test func `a table with the name of a pragma closes the database for nobody`() throws {
        for (job, name) in ["pragma_table_info", "pragma_foreign_key_list"].enumerated() {
            _ = stage.worker().failure(
                writeOrder("CREATE TABLE \(name) (name, type, pk)", job: Int64(job))
            )
        }
        _ = try stage.worker().run(writeOrder(job: 3))
        _ = try stage.worker().run(writeOrder("CREATE TABLE x (a)", job: 4))
        #expect(try stage.effects == 1)
    }

    /// SQLite allows triggers on the tables of an FTS5 index, which are written with the commit; a
    /// table that a client has made can become one of an FTS3 index.
    @Test(arguments: [
        "SELECT salt FROM millrace_receipts", "SELECT hex(zeroblob(300000000))",
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 600)
        SELECT zeroblob(1000000) FROM n
        """,
    ])
    func `nothing of a client's runs outside of its bounds while it commits`(sql: String) throws {
        let stage = try ReceiptStage("CREATE TABLE loot (stolen)")
        var worker = stage.worker()
        worker.limits.growthBytes = 16 << 20
        let failure = worker.failure(
            writeOrder(
                """
                CREATE VIRTUAL TABLE f USING fts5(x);
                CREATE TRIGGER g AFTER INSERT ON f_data BEGIN INSERT INTO loot \(sql); END;
                INSERT INTO f VALUES ('a b c')
                """
            )
        )
        #expect(failure != nil)
        #expect(try stage.number("SELECT count(*) FROM loot") == 0)
    }

    @Test func `what is in a full-text index is committed with the job`() throws {
        let stage = try ReceiptStage("CREATE VIRTUAL TABLE d USING fts3(x)")
        _ = try stage.worker().run(
            writeOrder("CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES ('a b c')")
        )
        _ = try stage.worker().run(writeOrder("INSERT INTO d VALUES ('a b c')", job: 2))
        for table in ["d", "f"] {
            #expect(try stage.number("SELECT count(*) FROM \(table) WHERE x MATCH 'b'") == 1)
        }
    }
}
