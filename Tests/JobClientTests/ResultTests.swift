import JobClient
import JobCore
import JobWire
import Testing

/// Waiting for jobs, and results of any size.
@Suite struct ResultTests {
    private static let id = JobID(rawValue: 5)

    private func client(of runner: FakeRunner) throws -> JobClient {
        var options = JobClient.Options()
        options.patience = .seconds(20)
        options.greeting = .seconds(20)
        return try JobClient(endpoint: runner.endpoint, options: options)
    }

    @Test func `a job that has not ended has no result`() throws {
        let runner = try FakeRunner { _ in [.init(status: 300, head: ["state": "running"])] }
        let client = try client(of: runner)
        #expect(try client.result(of: Self.id) == nil)
        #expect(try client.result(of: Self.id, wait: .milliseconds(1)) == nil)
        #expect(runner.heard[0].body["wait_ms"] == nil)
        #expect(runner.heard[1].body["wait_ms"] == 1)
    }

    @Test func `a client that waits for ever asks again until the job has ended`() throws {
        let runner = try FakeRunner { request in
            let head: JSON = [
                "id": 5, "state": "succeeded", "attempt": 2, "format": "csv", "total_bytes": 4,
            ]
            return request.number < 2
                ? [.init(status: 300, head: ["state": "queued"])]
                : [.init(head: head, frames: [Array("a\n1\n".utf8)])]
        }
        let result = try client(of: runner).result(of: Self.id, wait: nil)
        #expect(result?.end.state == .succeeded)
        #expect(result?.end.attempt.rawValue == 2)
        #expect(result?.head == ResultHead(format: .csv, totalBytes: 4))
        #expect(result?.bytes == Array("a\n1\n".utf8))
        #expect(runner.heard.map { $0.body["wait_ms"] } == [5_000, 5_000, 5_000])
    }

    @Test func `a failed job has an error and no bytes`() throws {
        let error: JSON = ["code": "sql_error", "message": "no such table: t", "hint": "Make it."]
        let runner = try FakeRunner { _ in
            [.init(head: ["id": 5, "state": "failed", "attempt": 3, "error": error])]
        }
        let result = try client(of: runner).result(of: Self.id)
        #expect(result?.end.state == .failed)
        #expect(result?.end.failure?.code == .sqlError)
        #expect(result?.end.failure?.hint == "Make it.")
        #expect(result?.bytes == [])
    }

    @Test(arguments: [1, 7, 10, 99])
    func `a result that is too large for one reply is put together from pieces`(most: Int) throws {
        let result = (0..<20).map { UInt8($0) }
        let runner = try FakeRunner(info: { [:] }, pieces(of: result, most: most))
        #expect(try client(of: runner).result(of: Self.id)?.bytes == result)
    }

    @Test func `no longer pieces are asked for than the runner allows`() throws {
        let result = (0..<20).map { UInt8($0) }
        let info: @Sendable () -> JSON = { ["limits": ["reply_bytes": 7]] }
        let runner = try FakeRunner(info: info, pieces(of: result, most: 7, longest: 7))
        #expect(try client(of: runner).result(of: Self.id)?.bytes == result)
    }

    @Test func `a result is handed on piece by piece, as long as it is taken`() throws {
        struct Full: Error {}
        let result = (0..<20).map { UInt8($0) }
        let runner = try FakeRunner(info: { [:] }, pieces(of: result, most: 99))
        let client = try client(of: runner)
        var taken: [[UInt8]] = []
        let end = try client.read(Self.id, pieceBytes: 8) { taken.append($0) }
        #expect(taken.map(\.count) == [8, 8, 4] && taken.flatMap { $0 } == result)
        #expect(end.end.state == .succeeded && end.bytes.isEmpty)
        #expect(throws: Full.self) { try client.read(Self.id, pieceBytes: 8) { _ in throw Full() } }
        #expect(runner.heard.count == 4)
    }

    @Test func `pieces of two attempts are never put together`() throws {
        let runner = try FakeRunner(
            info: { [:] },
            pieces(of: [1, 2], most: 1, attempt: { Int64($0) })
        )
        let client = try client(of: runner)
        #expect(throws: ClientError.badReply("the result changed while it was read")) {
            try client.result(of: Self.id)
        }
    }

    @Test func `an empty piece before the end is no reason to ask for ever`() throws {
        let runner = try FakeRunner(info: { [:] }, pieces(of: [1, 2], most: 0))
        let client = try client(of: runner)
        #expect(throws: ClientError.badReply("a piece of the result is empty")) {
            try client.result(of: Self.id)
        }
    }

    @Test func `waiting asks only for the jobs that are still open`() throws {
        let runner = try FakeRunner(info: { [:] }) { request in
            let end: JSON = ["id": .integer(Int64(request.number) + 1), "state": "succeeded"]
            return [.init(status: request.number < 2 ? 300 : 200, head: ["jobs": [end]])]
        }
        var counts: [Int] = []
        let ids = (1...3).map { JobID(rawValue: $0) }
        let ends = try client(of: runner).wait(for: ids) {
            counts.append($0)
            return true
        }
        #expect(counts == [1, 2, 3])
        #expect(ends.compactMap { $0["id"]?.integerValue } == [1, 2, 3])
        #expect(runner.heard.map { $0.body["ids"] } == [[1, 2, 3], [2, 3], [3]])
    }

    @Test func `no more ids are sent at once than the runner takes`() throws {
        let info: @Sendable () -> JSON = { ["limits": ["request_ids": 2]] }
        let runner = try FakeRunner(info: info) { request in
            let ids = request.body["ids"]?.arrayValue ?? []
            return [.init(head: ["jobs": .array(ids.map { ["id": $0, "state": "succeeded"] })])]
        }
        let client = try client(of: runner)
        let ids = (1...5).map { JobID(rawValue: $0) }
        #expect(try client.wait(for: ids).count == 5)
        #expect(try client.show(ids).compactMap { $0["id"]?.integerValue } == [1, 2, 3, 4, 5])
        let pieces: [JSON] = [[1, 2], [3, 4], [5]]
        #expect(runner.heard.map { $0.body["ids"] } == pieces + pieces)
    }

    @Test func `waiting ends when the time is over or nobody wants to go on`() throws {
        let runner = try FakeRunner { _ in [.init(status: 300, head: ["jobs": []])] }
        let client = try client(of: runner)
        #expect(try client.wait(for: [Self.id], timeout: .zero).isEmpty)
        #expect(try client.wait(for: [Self.id]) { _ in false }.isEmpty)
        #expect(runner.heard.count == 2)
    }
}
