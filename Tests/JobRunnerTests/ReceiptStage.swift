import JobCore
import JobTesting
import JobWire
import SQLite

@testable import JobRunner

/// A database, and workers of runners that write to it: each has connections of its own.
final class ReceiptStage {
    let directory: TemporaryDirectory
    let path: String

    init(_ schema: String = "CREATE TABLE t (n INTEGER)", journal: String = "WAL") throws {
        directory = try TemporaryDirectory()
        path = directory.path + "/user.db"
        try Connection(path: path, mode: .create).execute(
            script: "PRAGMA journal_mode = \(journal); \(schema);"
        )
    }

    func worker(store: String = "one", run: Int64 = 1, foreignKeys: Bool = false) -> Worker {
        var database = Settings.Database(path: path, allowsWriting: true)
        database.enforcesForeignKeys = foreignKeys
        let author = ReceiptBook.Author(
            store: StoreID(rawValue: store),
            run: RunID(rawValue: run)
        )
        return Worker(databases: Databases(["user": database], Limits(), author: author))
    }

    /// What somebody sees with a tool of theirs.
    func rows(_ sql: String) throws -> [[Value]] {
        try Connection(path: path, mode: .readOnly).rows(sql)
    }

    func number(_ sql: String) throws -> Int64 {
        guard case .integer(let number)? = try rows(sql).first?.first else { return -1 }
        return number
    }

    var effects: Int64 { get throws { try number("SELECT count(*) FROM t") } }
    var receipts: Int64 {
        get throws {
            try number("SELECT count(*) FROM millrace_receipts WHERE format IS NOT NULL")
        }
    }

    struct Worker {
        let databases: Databases
        var limits = Limits()
        let post = WorkerPost(worker: WorkerID(rawValue: 1))

        func run(_ order: Order, _ run: KernelRun = KernelRun()) throws -> Outcome {
            guard case .sql(let work) = try Work(order) else { throw NeverHappened("it is SQL") }
            let sql = SQLRun(work: work, order: order, limits: limits, run: run, post: post)
            guard work.mode == .write, let alias = work.database else {
                return try sql.outcome(using: databases)
            }
            let write = WriteRun(sql: sql, alias: alias, time: FixedTime())
            return try write.outcome(using: databases).outcome
        }

        /// The code of its failure.
        func failure(_ order: Order, _ run: KernelRun = KernelRun()) -> Failure? {
            do {
                _ = try self.run(order, run)
                return nil
            } catch {
                return error as? Failure
            }
        }

        func bury(_ order: Order) -> Report.Ending {
            Burial(order: order, database: "user", now: FixedTime().now()).ending(using: databases)
        }
    }
}

private struct FixedTime: TimeSource {
    func now() -> Timestamp { Timestamp(rawValue: 1_700_000_000_000) }
}

/// An order to write.
func writeOrder(
    _ sql: String = "INSERT INTO t VALUES (1) RETURNING n",
    job: Int64 = 1,
    attempt: Int = 1,
    salt: Int64 = 7,
    phase: Order.Phase = .run
) -> Order {
    let work: JSON = ["sql": .string(sql), "database": "user", "mode": "write"]
    var spec = Spec(kind: .sql, body: work.encoded(), timeoutMs: 60_000)
    spec.writes = "user"
    spec.salt = salt
    let waiting = Waiting(
        id: JobID(rawValue: job),
        next: Attempt(rawValue: attempt),
        readyAt: Timestamp(rawValue: 0),
        spec: spec
    )
    return Order(sequence: 1, job: waiting, phase: phase)
}
