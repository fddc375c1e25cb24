import JobCore
import JobWire
import SQLite
import Testing

@testable import JobRunner

/// One statement with many rows, on a real database.
@Suite("Each row of a job") struct EachRunTests {
    private func order(
        _ sql: String,
        _ each: JSON,
        csv: String? = nil,
        mode: String = "write",
        job: Int64 = 1,
        attempt: Int = 1
    ) -> Order {
        var order = writeOrder(sql, job: job, attempt: attempt)
        let work: JSON = [
            "sql": .string(sql), "each": each, "database": "user", "mode": .string(mode),
        ]
        order.body = work.encoded()
        order.frames = csv.map { [Spec.Frame(number: 2, bytes: Array($0.utf8))] } ?? []
        if mode == "read" { order.salt = nil }
        return order
    }

    private func order(_ sql: String, csv: String) -> Order {
        order(sql, ["$frame": 2], csv: csv)
    }

    private func text(_ outcome: Outcome) -> String {
        String(decoding: outcome.bytes, as: UTF8.self)
    }

    @Test func `changes are summed, and progress tells the rows`() throws {
        let stage = try ReceiptStage()
        let run = KernelRun()
        let insert = order("INSERT INTO t VALUES (?), (? + 1)", [[1, 5], [2, 6], [3, 7]])
        let outcome = try stage.worker().run(insert, run)
        #expect(
            text(outcome) == #"{"columns":[],"rows":[],"changes":6,"last_insert_rowid":6}"#
        )
        #expect(run.progress == KernelRun.Progress(done: 3, total: 3))
        #expect(try stage.number("SELECT sum(n) FROM t") == 27)
    }

    @Test func `rows of a query are collected, in the order of the rows given`() throws {
        let stage = try ReceiptStage(
            "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), (2), (3)"
        )
        let worker = stage.worker()
        let query = order(
            "SELECT n, :to AS up_to FROM t WHERE n <= :to",
            [["to": 2], ["to": 0], ["to": 1]],
            mode: "read"
        )
        #expect(
            text(try worker.run(query))
                == #"{"columns":["n","up_to"],"rows":[[1,2],[2,2],[1,1]],"changes":0}"#
        )
        let returned = try worker.run(order("INSERT INTO t VALUES (?) RETURNING n", [[8], [9]]))
        #expect(text(returned).contains(#""rows":[[8],[9]],"changes":2"#))
    }

    @Test func `without rows nothing runs, and that is a success`() throws {
        let stage = try ReceiptStage()
        let worker = stage.worker()
        let outcome = try worker.run(order("INSERT INTO t VALUES (?)", []))
        #expect(text(outcome) == #"{"columns":[],"rows":[],"changes":0}"#)
        let query = order("SELECT n FROM t WHERE n = :n", csv: "n\n")
        var other = query
        other.job = JobID(rawValue: 2)
        #expect(text(try worker.run(other)).hasPrefix(#"{"columns":["n"],"rows":[]"#))
        #expect(try stage.effects == 0)
    }

    /// Nothing of it is done, also not the rows before the one that is wrong.
    @Test(arguments: [
        ("INSERT INTO t VALUES (?)", [[1], [2], [2]] as JSON, "Row 3: The SQL failed: UNIQUE"),
        ("INSERT INTO t VALUES (?)", [[1], [2, 3]] as JSON, "Row 2: There are 2 values for 1"),
        ("INSERT INTO t VALUES (?, 2)", [[1]] as JSON, "The SQL failed: table t has 1 columns"),
        ("INSERT INTO t VALUES (:a)", [["a": 1], ["b": 2]] as JSON, "Row 2: No value is given"),
        (
            "INSERT INTO t VALUES (?) RETURNING abs(n)", [[1], [.integer(.min)]] as JSON,
            "Row 2: The SQL failed: integer overflow"
        ),
        ("INSERT INTO t VALUES (?); SELECT 1", [[1]] as JSON, "each is for one"),
        ("INSERT INTO t VALUES (?); nonsense", [[1]] as JSON, "each is for one"),
        (" -- nothing", [[1]] as JSON, "holds no statement"),
    ])
    func `a row that fails is named, and nothing is half done`(
        sql: String,
        each: JSON,
        words: String
    ) throws {
        let stage = try ReceiptStage("CREATE TABLE t (n INTEGER UNIQUE)")
        let failure = try #require(stage.worker().failure(order(sql, each)))
        #expect(failure.message.contains(words), "\(failure.message)")
        #expect(failure.isPermanent && failure.code == .sqlError)
        #expect(try stage.effects == 0)
    }

    @Test func `a comment behind the statement is no second one`() throws {
        let stage = try ReceiptStage()
        _ = try stage.worker().run(order("INSERT INTO t VALUES (?); -- that is all", [[1], [2]]))
        #expect(try stage.effects == 2)
    }

    @Test func `the receipt is of all rows, and they take effect once`() throws {
        let stage = try ReceiptStage()
        let first = try stage.worker().run(order("INSERT INTO t VALUES (?)", [[1], [2], [3]]))
        let again = order("INSERT INTO t VALUES (?)", [[1], [2], [3]], attempt: 2)
        #expect(try stage.worker(run: 2).run(again) == first)
        #expect(try stage.effects == 3)
        let other = order("INSERT INTO t VALUES (?)", [[1], [2], [4]], attempt: 3)
        #expect(stage.worker(run: 2).failure(other)?.code == .receiptConflict)
    }

    @Test func `a run that is over stops between two rows, with nothing done`() throws {
        let stage = try ReceiptStage()
        let rows = JSON.array((0..<50_000).map { [.integer($0)] })
        for spins in [0, 100_000, 1_000_000, 4_000_000] {
            let run = KernelRun()
            let canceller = Canceller(run, spins: spins)
            defer { canceller.join() }
            do {
                _ = try stage.worker().run(order("INSERT INTO t VALUES (?)", rows), run)
                #expect(try stage.effects == 50_000, "It came too late.")
                return
            } catch {
                #expect(run.isCancelled)
                #expect(try stage.effects == 0)
            }
        }
    }

    // MARK: CSV

    @Test func `a CSV gives named parameters by its header, in any order`() throws {
        let stage = try ReceiptStage("CREATE TABLE t (n INTEGER, name TEXT, price REAL)")
        let csv = "price,extra,name,n\r\n1.5,x,pen,1\r\n,,\"\",2\r\n"
        _ = try stage.worker().run(order("INSERT INTO t VALUES (:n, @name, $price)", csv: csv))
        #expect(
            try stage.rows("SELECT * FROM t ORDER BY n")
                == [[1, "pen", 1.5], [2, "", nil]]
        )
    }

    @Test func `a CSV gives positional parameters by the order of its columns`() throws {
        let stage = try ReceiptStage("CREATE TABLE t (n INTEGER, name TEXT)")
        _ = try stage.worker().run(order("INSERT INTO t VALUES (?, ?)", csv: "x,y\n1,a\n2,b"))
        #expect(try stage.rows("SELECT * FROM t ORDER BY n") == [[1, "a"], [2, "b"]])
    }

    @Test(arguments: [
        ("INSERT INTO t VALUES (?)", "a,b\n1,2\n", "The CSV has 2 columns for 1 parameters."),
        ("INSERT INTO t VALUES (1)", "a\n1\n", "The CSV has 1 columns for 0 parameters."),
        ("INSERT INTO t VALUES (:n)", "a\n1\n", "The CSV has no column for the parameter :n."),
        ("INSERT INTO t VALUES (:n + ?)", "n\n1\n", "The CSV has 1 columns for 2 parameters."),
    ])
    func `a CSV that does not fit is refused before anything runs`(
        sql: String,
        csv: String,
        words: String
    ) throws {
        let stage = try ReceiptStage()
        #expect(stage.worker().failure(order(sql, csv: csv))?.message == words)
        #expect(try stage.effects == 0)
    }

    @Test func `what a job gives as CSV another can take`() throws {
        let stage = try ReceiptStage("CREATE TABLE t (v)")
        let worker = stage.worker()
        let values = "(1), (-2.5), (NULL), (''), ('a,b'), ('say \"x\"'), ('é\n☃'), (' pen')"
        _ = try worker.run(writeOrder("INSERT INTO t VALUES \(values)"))
        var query = writeOrder("", job: 2)
        query.salt = nil
        query.body = Array(
            #"{"sql":"SELECT v FROM t ORDER BY rowid","database":"user","format":"csv"}"#.utf8
        )
        let csv = text(try worker.run(query))
        worker.databases.endReading()
        var copy = order("INSERT INTO t VALUES (:v)", csv: csv)
        copy.job = JobID(rawValue: 3)
        _ = try worker.run(copy)
        let rows = try stage.rows("SELECT v, typeof(v) FROM t ORDER BY rowid")
        #expect(rows.count == 16 && rows.prefix(8) == rows.suffix(8))
    }
}
