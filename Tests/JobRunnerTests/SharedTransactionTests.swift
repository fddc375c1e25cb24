import JobCore
import JobTesting
import JobWire
import SQLite
import Testing

@testable import JobRunner

/// Jobs that write to one real database in one transaction.
@Suite("Jobs that share a transaction") struct SharedTransactionTests {
    private static let table = "CREATE TABLE t (n INTEGER CHECK (n < 100))"

    /// A database whose shared transaction is open to jobs, in this order.
    private struct Sharing {
        let stage: ReceiptStage
        let worker: ReceiptStage.Worker
        let shared: SharedTransaction

        init(_ schema: String = SharedTransactionTests.table, foreignKeys: Bool = false) throws {
            stage = try ReceiptStage(schema)
            worker = stage.worker(foreignKeys: foreignKeys)
            let opened = try worker.databases.connection(to: "user", .write)
            shared = try #require(opened.writing).shared
        }

        func run(
            _ sql: String = "INSERT INTO t VALUES (1)",
            job: Int64,
            attempt: Int = 1,
            _ run: KernelRun = KernelRun()
        ) throws -> SharedTransaction.Part {
            let order = writeOrder(sql, job: job, attempt: attempt)
            guard case .sql(let work) = try Work(order) else { throw NeverHappened("it is SQL") }
            let limits = worker.limits
            let sql = SQLRun(work: work, order: order, limits: limits, run: run, post: worker.post)
            return try #require(shared.run(sql, at: Timestamp(rawValue: 1_700_000_000_000)))
        }
    }

    @Test func `have one commit, and each its receipt`() throws {
        let sharing = try Sharing()
        for job in 1...10 {
            let part = try sharing.run(job: Int64(job))
            #expect(part.hasSucceeded && !part.needsOwnTransaction)
        }
        #expect(try sharing.stage.effects == 0)
        #expect(sharing.shared.commit(removing: []))
        #expect(try sharing.stage.effects == 10)
        #expect(try sharing.stage.receipts == 10)
    }

    /// A journal that is removed to commit is there again after a power cut, unless its directory
    /// is synced.
    @Test(arguments: ["WAL", "DELETE"])
    func `are synced with all that their journal needs`(journal: String) throws {
        let stage = try ReceiptStage(Self.table, journal: journal)
        let connection = try stage.worker().databases.connection(to: "user", .write).connection
        let mode = try connection.unconfined { () throws(SQLiteError) in
            try connection.row("PRAGMA synchronous")
        }
        #expect(mode == [.integer(3)])
    }

    @Test func `fail one by one`() throws {
        let sharing = try Sharing()
        #expect(try sharing.run(job: 1).hasSucceeded)
        let failed = try sharing.run("INSERT INTO t VALUES (5); INSERT INTO t VALUES (500)", job: 2)
        guard case .failed(let failure) = failed.ending else {
            Issue.record("\(failed)")
            return
        }
        #expect(failure.code == .sqlError && !failed.isUndone)
        #expect(try sharing.run(job: 3).hasSucceeded)
        #expect(sharing.shared.commit(removing: []))
        #expect(try sharing.stage.effects == 2)
        #expect(try sharing.stage.receipts == 2)
    }

    @Test func `are all undone by one that ends the transaction, which is to run alone`() throws {
        let sharing = try Sharing()
        #expect(try sharing.run(job: 1).hasSucceeded)
        let guilty = try sharing.run("INSERT OR ROLLBACK INTO t VALUES (500)", job: 2)
        #expect(guilty.isUndone && guilty.needsOwnTransaction && guilty.ending == .putBack)
        #expect(!sharing.shared.isOpen)
        #expect(try sharing.run(job: 3).hasSucceeded)
        #expect(sharing.shared.commit(removing: []))
        #expect(try sharing.stage.effects == 1)
        #expect(try sharing.stage.receipts == 1)
    }

    @Test func `do not fail with one whose rows refer to nothing at the commit`() throws {
        let schema = """
            CREATE TABLE parents (id INTEGER PRIMARY KEY);
            CREATE TABLE t (n INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED)
            """
        let sharing = try Sharing(schema, foreignKeys: true)
        #expect(try sharing.run("INSERT INTO t VALUES (NULL)", job: 1).hasSucceeded)
        let guilty = try sharing.run("INSERT INTO t VALUES (7)", job: 2)
        #expect(guilty.needsOwnTransaction && guilty.ending == .putBack && !guilty.isUndone)
        #expect(sharing.shared.commit(removing: []))
        #expect(try sharing.stage.effects == 1)
        #expect(try sharing.stage.receipts == 1)
    }

    @Test func `lose nothing by one that is called off`() throws {
        let sharing = try Sharing()
        #expect(try sharing.run(job: 1).hasSucceeded)
        let run = KernelRun()
        run.cancel()
        let calledOff = try sharing.run("INSERT INTO t VALUES (2)", job: 2, run)
        #expect(!calledOff.hasSucceeded && !calledOff.isUndone)
        #expect(try sharing.run(job: 3).hasSucceeded)
        #expect(sharing.shared.commit(removing: []))
        #expect(try sharing.stage.effects == 2)
    }

    @Test func `do not see the temporary objects of one another`() throws {
        let sharing = try Sharing()
        let maker = try sharing.run("CREATE TEMP TABLE x (n); INSERT INTO t VALUES (1)", job: 1)
        #expect(maker.needsOwnTransaction && maker.ending == .putBack)
        let looker = try sharing.run("INSERT INTO t SELECT count(*) FROM x", job: 2)
        #expect(!looker.hasSucceeded)
        _ = sharing.shared.commit(removing: [])
        #expect(try sharing.stage.effects == 0)
    }

    @Test func `give the answer of an earlier attempt that has committed`() throws {
        let sharing = try Sharing()
        let sql = "INSERT INTO t VALUES (1) RETURNING n"
        let first = try sharing.run(sql, job: 1)
        #expect(sharing.shared.commit(removing: []))
        let second = try sharing.run(sql, job: 1, attempt: 2)
        #expect(second.ending == first.ending && first.hasSucceeded)
        #expect(try sharing.run(job: 2).hasSucceeded)
        #expect(sharing.shared.commit(removing: []))
        #expect(try sharing.stage.effects == 2)
        #expect(try sharing.stage.receipts == 2)
    }
}

extension SharedTransaction.Part {
    fileprivate var hasSucceeded: Bool {
        if case .succeeded = ending { !isUndone } else { false }
    }
}
