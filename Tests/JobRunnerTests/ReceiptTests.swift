import JobCore
import JobTesting
import SQLite
import Testing

@testable import JobRunner

/// Receipts in a real database, by the code that workers run.
@Suite("Receipts") struct ReceiptTests {
    private let stage: ReceiptStage
    init() throws { stage = try ReceiptStage() }

    // MARK: Once

    @Test(arguments: ["WAL", "DELETE"])
    func `a later attempt answers with the first one's result and runs nothing`(
        journal: String
    ) throws {
        let stage = try ReceiptStage(journal: journal)
        let done = try stage.worker().run(writeOrder())
        #expect(done.rows == 1)
        for run in Int64(1)...3 {
            let again = try stage.worker(run: run).run(writeOrder(attempt: 2))
            #expect(again == done)
        }
        #expect(try stage.effects == 1)
        #expect(try stage.receipts == 1)
    }

    @Test func `a result comes back whole, in every format and of any size`() throws {
        let worker = stage.worker()
        let large = "SELECT hex(zeroblob(2000000 + column1)) FROM (VALUES (0),(1),(2),(3),(4),(5))"
        for (job, sql) in [large, "INSERT INTO t VALUES (1)", "SELECT 'é' WHERE 0"].enumerated() {
            for format in ["json", "jsonl", "csv"] {
                var order = writeOrder(sql, job: Int64(job))
                let body = String(decoding: order.body, as: UTF8.self).dropLast()
                order.body = Array("\(body),\"format\":\"\(format)\"}".utf8)
                order.job = JobID(rawValue: Int64(job * 3) + Int64(format.utf8.count))
                let done = try worker.run(order)
                if sql == large { #expect(done.bytes.count > 20_000_000) }
                order.attempt = order.attempt.next
                #expect(try worker.run(order) == done)
            }
        }
    }

    @Test func `a failed run leaves neither effect nor receipt`() throws {
        let worker = stage.worker()
        let sql = "INSERT INTO t VALUES (1); INSERT INTO nowhere VALUES (1)"
        #expect(worker.failure(writeOrder(sql))?.code == .sqlError)
        #expect(try stage.effects == 0)
        let tables = try stage.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'millrace%'")
        #expect(tables.isEmpty, "its table came with the run, and went with it")
        _ = try worker.run(writeOrder(attempt: 2))
        #expect(try stage.effects == 1)
        #expect(try stage.receipts == 1)
    }

    @Test func `somebody may drop the table while a worker has it prepared`() throws {
        let worker = stage.worker()
        _ = try worker.run(writeOrder())
        try Connection(path: stage.path, mode: .readWrite).run("DROP TABLE millrace_receipts")
        _ = try worker.run(writeOrder(job: 2))
        #expect(try stage.receipts == 1)
    }

    @Test func `a client sees nothing of receipts in what a run tells`() throws {
        let sql = "INSERT INTO t VALUES (1),(2),(3)"
        _ = try stage.worker().run(writeOrder(job: 1))
        let text = String(
            decoding: try stage.worker().run(writeOrder(sql, job: 2)).bytes,
            as: UTF8.self
        )
        #expect(text.hasSuffix(#""changes":3,"last_insert_rowid":4}"#), "\(text)")
    }

    // MARK: Whose receipt

    @Test func `a receipt answers for its job alone`() throws {
        _ = try stage.worker().run(writeOrder())
        _ = try stage.worker().run(writeOrder(job: 2))
        _ = try stage.worker().run(writeOrder(salt: 8))
        _ = try stage.worker(store: "two").run(writeOrder())
        #expect(try stage.effects == 4)
        #expect(try stage.receipts == 4)
    }

    @Test func `a receipt of other work is an error and never an answer`() throws {
        _ = try stage.worker().run(writeOrder())
        let failure = stage.worker().failure(writeOrder("INSERT INTO t VALUES (2)", attempt: 2))
        #expect(failure?.code == .receiptConflict)
        #expect(failure?.isPermanent == true)
        #expect(try stage.effects == 1)
    }

    // MARK: Removal

    @Test func `receipts go with a later run of the same store, but for those still needed`() throws
    {
        let one = stage.worker()
        for job in Int64(1)...4 { _ = try one.run(writeOrder(job: job)) }
        _ = try stage.worker(store: "two").run(writeOrder(job: 2))
        var order = writeOrder(job: 5)
        order.removable = [1...2, 4...4]
        let failing = writeOrder("INSERT INTO nowhere VALUES (1)", job: 6)
        #expect(one.failure(failing) != nil)
        _ = try one.run(order)
        let left = try stage.rows("SELECT store, job FROM millrace_receipts ORDER BY 1, 2")
        #expect(left == [["one", 3], ["one", 5], ["two", 2]])
    }

    @Test func `a run that only answers removes receipts too`() throws {
        let worker = stage.worker()
        for job in Int64(1)...3 { _ = try worker.run(writeOrder(job: job)) }
        var order = writeOrder(job: 3, attempt: 2)
        order.removable = [1...1]
        _ = try worker.run(order)
        #expect(try stage.rows("SELECT job FROM millrace_receipts ORDER BY 1") == [[2], [3]])
        #expect(try stage.effects == 3)
    }

    @Test func `a burial keeps back what earlier starts have left for a run that tells`() throws {
        _ = try stage.worker(run: 1).run(writeOrder(job: 1))
        let worker = stage.worker(run: 2)
        #expect(worker.bury(writeOrder(job: 2, phase: .bury)) == .brokenOff)
        #expect(worker.databases.takeLeftovers().isEmpty)
        _ = try worker.run(writeOrder(job: 3))
        #expect(worker.databases.takeLeftovers() == [JobID(rawValue: 1)])
    }

    @Test func `receipts of earlier starts are named once`() throws {
        for job in Int64(1)...3 { _ = try stage.worker(run: 1).run(writeOrder(job: job)) }
        _ = try stage.worker(store: "two").run(writeOrder(job: 9))
        let worker = stage.worker(run: 2)
        #expect(worker.databases.takeLeftovers().isEmpty)
        _ = try worker.run(writeOrder(job: 4))
        #expect(worker.databases.takeLeftovers() == [1, 2, 3].map(JobID.init))
        _ = try worker.run(writeOrder(job: 5))
        #expect(worker.databases.takeLeftovers().isEmpty)
    }

    // MARK: Given up

    @Test func `a buried attempt never runs, another attempt does`() throws {
        #expect(stage.worker().bury(writeOrder(phase: .bury)) == .brokenOff)
        #expect(stage.worker().bury(writeOrder(phase: .bury)) == .brokenOff)
        #expect(stage.worker().failure(writeOrder()) != nil)
        #expect(try stage.effects == 0)
        _ = try stage.worker().run(writeOrder(attempt: 2))
        #expect(stage.worker().failure(writeOrder()) != nil, "not even an answer")
        #expect(try stage.effects == 1)
    }

    @Test func `a tombstone outlives the removal of its job's receipt, until another start`() throws
    {
        let worker = stage.worker()
        #expect(worker.bury(writeOrder(phase: .bury)) == .brokenOff)
        _ = try worker.run(writeOrder(attempt: 2))
        var order = writeOrder(job: 2)
        order.removable = [1...1]
        _ = try worker.run(order)
        #expect(stage.worker().failure(writeOrder()) != nil)
        #expect(try stage.effects == 2)
        order.removable = [1...2]
        order.job = JobID(rawValue: 3)
        _ = try stage.worker(run: 2).run(order)
        #expect(try stage.rows("SELECT job FROM millrace_receipts") == [[3]])
    }

    @Test func `an attempt of an earlier start that had the same number is not buried by it`()
        throws
    {
        #expect(stage.worker(run: 1).bury(writeOrder(phase: .bury)) == .brokenOff)
        _ = try stage.worker(run: 2).run(writeOrder())
        #expect(try stage.effects == 1)
    }

    @Test func `a tombstone keeps the commit of a late run from succeeding by its key alone`()
        throws
    {
        let key = ReceiptBook.Key(writeOrder())
        let author = ReceiptBook.Author(store: StoreID(rawValue: "one"), run: RunID(rawValue: 1))
        #expect(stage.worker().bury(writeOrder(phase: .bury)) == .brokenOff)
        let connection = try Connection(path: stage.path, mode: .readWrite)
        let book = ReceiptBook(on: connection, by: author)
        let outcome = Outcome(format: .json, bytes: [])
        let error = #expect(throws: SQLiteError.self) {
            try book.write(outcome, for: key, at: Timestamp(rawValue: 1))
        }
        #expect(error?.isDuplicate == true)
    }

    @Test func `what has committed is found instead of buried`() throws {
        let done = try stage.worker().run(writeOrder())
        #expect(stage.worker().bury(writeOrder(phase: .bury)) == .succeeded(done))
    }

    @Test(arguments: ["WAL", "DELETE"])
    func `nothing is buried while the run holds the lock`(journal: String) throws {
        let stage = try ReceiptStage(journal: journal)
        let stuck = try Connection(path: stage.path, mode: .readWrite)
        try stuck.run("BEGIN IMMEDIATE")
        try stuck.run("INSERT INTO t VALUES (1)")
        #expect(stage.worker().bury(writeOrder(phase: .bury)) == .putBack)
        try stuck.run("ROLLBACK")
        #expect(stage.worker().bury(writeOrder(phase: .bury)) == .brokenOff)
    }

    @Test func `a job that was lost too often is only looked at`() throws {
        #expect(stage.worker().failure(writeOrder(phase: .look)) == .poisoned)
        #expect(try stage.effects == 0)
        let done = try stage.worker().run(writeOrder())
        #expect(try stage.worker().run(writeOrder(attempt: 4, phase: .look)) == done)
    }

    // MARK: Cancelled, out of time

    @Test func `a run that was told to stop before its commit leaves nothing`() throws {
        let run = KernelRun()
        run.cancel()
        #expect(stage.worker().failure(writeOrder(), run) != nil)
        #expect(stage.worker().failure(writeOrder(), KernelRun(deadline: .now)) != nil)
        #expect(try stage.effects == 0)
    }

    @Test func `a run that cannot get the lock still finds what has committed`() throws {
        let done = try stage.worker().run(writeOrder())
        let foreign = try Connection(path: stage.path, mode: .readWrite)
        try foreign.run("BEGIN IMMEDIATE")
        let soon = KernelRun(deadline: .now + .milliseconds(20))
        #expect(try stage.worker().run(writeOrder(attempt: 2), soon) == done)
        #expect(stage.worker().failure(writeOrder(job: 2), soon) != nil)
    }

    /// Goal: whenever a cancel comes, the run says what it did.
    @Test func `a cancel against a commit leaves an effect exactly with a success`() throws {
        let worker = stage.worker()
        var wins = 0
        for job in 1...Int64(testCount(200)) {
            let run = KernelRun()
            let canceller = Canceller(run, spins: Int.random(in: 0...40_000))
            let outcome = try? worker.run(
                writeOrder("INSERT INTO t VALUES (\(job))", job: job),
                run
            )
            canceller.join()
            let effects = try stage.number("SELECT count(*) FROM t WHERE n = \(job)")
            #expect(effects == (outcome == nil ? 0 : 1))
            if outcome != nil { wins += 1 }
        }
        print("\(wins) commits won")
    }

    // MARK: Databases that cannot hold receipts

    @Test(arguments: [
        "CREATE TABLE millrace_receipts (a)", "CREATE VIEW millrace_receipts AS SELECT 1 AS store",
        """
        CREATE TABLE millrace_receipts (store TEXT NOT NULL, job INTEGER NOT NULL,
        salt INTEGER NOT NULL, run INTEGER NOT NULL, attempt INTEGER NOT NULL,
        work INTEGER NOT NULL, format TEXT, rows INTEGER, result BLOB, written_at INTEGER)
        """,
    ])
    func `another table of that name fails the job for good, and nothing runs`(
        table: String
    ) throws {
        let stage = try ReceiptStage("CREATE TABLE t (n INTEGER); \(table)")
        let failure = stage.worker().failure(writeOrder())
        #expect(failure?.code == .noReceipt)
        #expect(failure?.isPermanent == true && failure?.hint != nil)
        #expect(try stage.effects == 0)
    }

    /// A higher number at that place of the file's head means: do not write.
    /// Source: <https://www.sqlite.org/fileformat2.html>, 1.3.3.
    @Test func `a file that cannot be written fails the job for good`() throws {
        let stage = try ReceiptStage(journal: "DELETE")
        try overwrite(stage.path, at: 18, with: 9)
        let failure = stage.worker().failure(writeOrder())
        #expect(failure?.code == .noReceipt, "\(failure?.message ?? "")")
        #expect(failure?.isPermanent == true)
    }

    @Test func `a database in memory needs no receipt`() throws {
        var order = writeOrder()
        order.body = Array(#"{"sql":"CREATE TABLE t(x); SELECT 1"}"#.utf8)
        order.salt = nil
        #expect(try stage.worker().run(order).rows == 1)
    }
}
