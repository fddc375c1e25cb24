import JobClient
import JobCore
import JobWire
import Synchronization
import Testing
import ZeroMQ

/// Many tasks and one client, over real sockets.
@Suite struct AsyncJobClientTests {
    private static let id = JobID(rawValue: 5)

    private func client(of runner: FakeRunner, tries: Int = 10) throws -> AsyncJobClient {
        try AsyncJobClient(endpoint: runner.endpoint, options: .impatient(tries: tries))
    }

    @Test func `each of many tasks gets its own answer`() async throws {
        let runner = try FakeRunner { request in
            [.init(head: ["jobs": [request.body["ids"]?.arrayValue?[0] ?? .null]])]
        }
        let client = try client(of: runner)
        let numbers = await withTaskGroup(of: (Int64, JSON?).self) { tasks in
            for number in Int64(1)...1_000 {
                tasks.addTask { (number, try? await client.show([JobID(rawValue: number)])[0]) }
            }
            return await tasks.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        #expect(numbers.count == 1_000)
        #expect(numbers.allSatisfy { $0.value == .integer($0.key) })
    }

    /// There are fewer threads in the pool than tasks that wait.
    @Test func `tasks that wait keep no thread from others`() async throws {
        let runner = try FakeRunner(info: { ["run": 1] }) { _ in [] }
        let client = try client(of: runner, tries: 1_000)
        let waiting = (0..<200).map { _ in
            Task { try await client.result(of: Self.id) }
        }
        for _ in 0..<100 { #expect(try await client.info() == ["run": 1]) }
        for task in waiting { task.cancel() }
        for task in waiting {
            await #expect(throws: ClientError.cancelled) { try await task.value }
        }
        #expect(try await client.info() == ["run": 1])
    }

    @Test func `a task that was cancelled before it asks hears so`() async throws {
        let runner = try FakeRunner { _ in [] }
        let client = try client(of: runner)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.statistics()
        }
        await #expect(throws: ClientError.cancelled) { try await task.value }
        #expect(runner.heard.isEmpty)
    }

    @Test func `a submission whose reply is lost is sent again with the same key`() async throws {
        let runner = try FakeRunner { request in
            request.number < 2 ? [] : [.init(head: ["id": 7, "state": "queued", "created": false])]
        }
        let accepted = try await client(of: runner).submit(NewJob(.sql("select 1")))
        #expect(accepted == Accepted(id: JobID(rawValue: 7), state: .queued, created: false))
        let keys = runner.heard.map { $0.body["key"]?.stringValue }
        #expect(keys.count >= 3)
        #expect(keys[0] != nil && Set(keys).count == 1)
    }

    @Test func `a refusal says what the runner said, and a wrong answer what it lacks`()
        async throws
    {
        let runner = try FakeRunner { request in
            request.number == 0
                ? [.init(status: 429, head: ["error": ["code": "queue_full"]])] : [.init()]
        }
        let client = try client(of: runner)
        let refusal = Refusal(429, "queue_full", "The runner answered 429.")
        await #expect(throws: ClientError.refused(refusal)) { try await client.submit([:]) }
        await #expect(throws: ClientError.badReply(#"it has no array "queues""#)) {
            try await client.queues()
        }
    }

    @Test func `what may take long and must not be done twice is sent once`() async throws {
        let runner = try FakeRunner(info: { ["run": 1] }, lateBy: 2) { request in
            [.init(head: ["count": .integer(Int64(request.number) + 500)])]
        }
        let client = try client(of: runner)
        #expect(try await client.cancel(.filter(JobFilter(state: .queued))) == 500)
        #expect(try await client.retry(.filter(JobFilter(state: .failed))) == 501)
        #expect(try await client.delete(.ids([Self.id])) == 502)
        #expect(runner.heard.map(\.service) == ["job.cancel", "job.retry", "job.delete"])
    }

    @Test func `a large result comes whole or in pieces`() async throws {
        let bytes = (0..<20).map { UInt8($0) }
        let info: @Sendable () -> JSON = { ["limits": ["reply_bytes": 7]] }
        let runner = try FakeRunner(info: info, pieces(of: bytes, most: 7, longest: 7))
        let client = try client(of: runner)
        #expect(try await client.result(of: Self.id)?.bytes == bytes)
        var pieces: [[UInt8]] = []
        var iterator = client.pieces(of: Self.id, pieceBytes: 6).makeAsyncIterator()
        #expect(iterator.end == nil)
        while let piece = try await iterator.next() { pieces.append(piece) }
        #expect(pieces.map(\.count) == [6, 6, 6, 2])
        #expect(pieces.flatMap { $0 } == bytes)
        #expect(iterator.end?.end.state == .succeeded)
        #expect(try await iterator.next() == nil)
    }

    @Test func `waiting asks only for the jobs that are still open`() async throws {
        let runner = try FakeRunner(info: { [:] }) { request in
            let id = JSON.integer(Int64(request.number) + 1)
            let status = request.number == 0 ? 300 : 200
            return [.init(status: status, head: ["jobs": [["id": id, "state": "failed"]]])]
        }
        let ids = [1, 2].map { JobID(rawValue: $0) }
        let ends = try await client(of: runner).wait(for: ids)
        #expect(ends.map { $0["id"] } == [1, 2])
        #expect(runner.heard.map { $0.body["ids"] } == [[1, 2], [2]])
    }

    @Test func `waiting ends when the time is over`() async throws {
        let runner = try FakeRunner { _ in [.init(status: 300, head: ["jobs": []])] }
        let client = try client(of: runner)
        #expect(try await client.wait(for: [Self.id], timeout: .zero).isEmpty)
        #expect(try await client.result(of: Self.id, wait: .zero) == nil)
        #expect(runner.heard.count == 2)
    }

    @Test func `who waits hears when the client is closed`() async throws {
        let asked = Mutex<CheckedContinuation<Void, Never>?>(nil)
        let runner = try FakeRunner { _ in
            asked.withLock { $0.take() }?.resume()
            return []
        }
        let client = try client(of: runner, tries: 1_000)
        let task = Task { try await client.statistics() }
        await withCheckedContinuation { waiter in asked.withLock { $0 = waiter } }
        client.close()
        await #expect(throws: ClientError.closed) { try await task.value }
        await #expect(throws: ClientError.closed) { try await client.ping() }
        client.close()
    }

    @Test func `where nobody listens there is no runner, and what is no endpoint is refused`()
        async throws
    {
        let socket = try Socket(.router, in: Context())
        try socket.bind("tcp://127.0.0.1:*")
        var options = JobClient.Options()
        options.greeting = .milliseconds(50)
        let endpoint = try socket.lastEndpoint
        let client = try AsyncJobClient(endpoint: endpoint, options: options)
        await #expect(throws: ClientError.noRunner(endpoint: endpoint)) { try await client.info() }
        #expect(throws: ClientError.self) { try AsyncJobClient(endpoint: "nonsense") }
    }
}
