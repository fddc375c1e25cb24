import JobCore
import SQLite
import Testing

@testable import JobRunner

/// Goal: orders that came together may read one state of a file, and it is never older than they
/// are.
@Suite("Jobs that read together") struct SharedReadTests {
    private let sum = "SELECT count(*) AS n FROM t"

    private func readOrder(_ sql: String) -> Order {
        var order = writeOrder(sql)
        let body = #"{"sql":"\#(sql)","database":"user","format":"csv"}"#
        order.body = Array(body.utf8)
        order.salt = nil
        return order
    }

    private func number(_ worker: ReceiptStage.Worker) throws -> Int? {
        let bytes = try worker.run(readOrder(sum)).bytes
        return Int(String(decoding: bytes, as: UTF8.self).filter(\.isNumber))
    }

    private func insert(_ stage: ReceiptStage) throws {
        let connection = try Connection(path: stage.path, mode: .readWrite)
        try connection.execute(script: "INSERT INTO t VALUES (1)")
    }

    @Test func `what was written before the orders came is seen by all of them`() throws {
        let stage = try ReceiptStage()
        let worker = stage.worker()
        #expect(try number(worker) == 0)
        try insert(stage)
        #expect(try number(worker) == 0)
        worker.databases.endReading()
        #expect(try number(worker) == 1)
    }

    @Test func `a job that writes is seen by those behind it`() throws {
        let stage = try ReceiptStage()
        let worker = stage.worker()
        #expect(try number(worker) == 0)
        _ = try worker.run(writeOrder())
        #expect(try number(worker) == 1)
    }

    @Test func `a run that fails leaves nothing open, and the next one reads`() throws {
        let stage = try ReceiptStage()
        let worker = stage.worker()
        #expect(try number(worker) == 0)
        try insert(stage)
        #expect(worker.failure(readOrder("SELECT nothing FROM t")) != nil)
        #expect(try number(worker) == 1)
    }

    @Test(arguments: ["DELETE", "WAL"])
    func `nobody is kept from writing when the orders are done`(journal: String) throws {
        let stage = try ReceiptStage(journal: journal)
        let worker = stage.worker()
        #expect(try number(worker) == 0)
        worker.databases.endReading()
        try insert(stage)
        #expect(try number(worker) == 1)
    }
}
