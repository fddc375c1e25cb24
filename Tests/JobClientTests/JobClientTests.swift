import Foundation
import JobClient
import JobCore
import JobWire
import Synchronization
import Testing
import ZeroMQ

/// What a client does when replies come, come late, come twice, or never.
@Suite struct JobClientTests {
    /// A client that gives up on a try soon, as the tests lose replies on purpose.
    private func client(of runner: FakeRunner, tries: Int = 10) throws -> JobClient {
        try JobClient(endpoint: runner.endpoint, options: .impatient(tries: tries))
    }

    @Test func `a submission whose reply is lost is sent again with the same key`() throws {
        let runner = try FakeRunner { request in
            request.number < 2 ? [] : [.init(head: ["id": 7, "state": "queued", "created": false])]
        }
        let accepted = try client(of: runner).submit(NewJob(.sql("select 1")))

        #expect(accepted == Accepted(id: JobID(rawValue: 7), state: .queued, created: false))
        let keys = runner.heard.map { $0.body["key"]?.stringValue }
        #expect(keys.count >= 3)
        #expect(keys[0] != nil)
        #expect(Set(keys).count == 1)
    }

    @Test func `a runner that takes the place of another is found`() throws {
        let name = "millrace-\(UInt64.random(in: 0 ... .max))"
        let place = "ipc://\(FileManager.default.temporaryDirectory.path())\(name).sock"
        // A second bind of the path succeeds, and leaves the first with the clients it has.
        let second = Mutex<FakeRunner?>(nil)
        let first = try FakeRunner(at: place) { _ in
            second.withLock { runner in
                if runner == nil {
                    runner = try? FakeRunner(at: place) { _ in [.init(head: ["run": 2])] }
                }
            }
            return []
        }
        #expect(try client(of: first).info() == ["run": 2])
        #expect(second.withLock { $0?.heard.map(\.service) } == ["sys.info"])
    }

    @Test func `a key of the caller's own is kept and two submissions get two keys`() throws {
        let runner = try FakeRunner { _ in [.init(head: ["id": 1, "state": "queued"])] }
        let client = try client(of: runner)
        _ = try client.submit(["kernel": "echo", "key": "mine"])
        _ = try client.submit(["kernel": "echo"])
        _ = try client.submit(["kernel": "echo"])

        let keys = runner.heard.compactMap { $0.body["key"]?.stringValue }
        #expect(keys[0] == "mine")
        #expect(Set(keys).count == 3)
    }

    @Test func `replies to other requests and messages of another shape are dropped`() throws {
        let runner = try FakeRunner(info: { ["run": 1] }) { request in
            [
                .init(head: ["count": 1], request: "of another try"),
                .init(status: 7, head: ["count": 2]),
                .init(head: ["count": 3]),
                .init(head: ["count": 4]),
            ]
        }
        let client = try client(of: runner)
        #expect(try client.cancel(.ids([JobID(rawValue: 1)])) == 3)
        // The fourth answer is still on its way and answers nothing any more.
        #expect(try client.retry(.filter(JobFilter(state: .failed))) == 3)
        #expect(runner.heard[0].body["ids"] == [1])
        #expect(runner.heard[1].body["state"] == "failed")
    }

    @Test func `a refusal says what the runner said`() throws {
        let runner = try FakeRunner { _ in
            let error: JSON = [
                "code": "queue_full", "message": "The queue is full.", "hint": "Wait.",
                "retry_after_ms": 250, "field": "queue",
            ]
            return [.init(status: 429, head: ["error": error])]
        }
        var refusal = Refusal(429, "queue_full", "The queue is full.", hint: "Wait.")
        refusal.field = "queue"
        refusal.retryAfterMs = 250
        let client = try client(of: runner)
        #expect(throws: ClientError.refused(refusal)) { try client.submit(["sql": "select 1"]) }
    }

    @Test func `a refusal without the request's name is the answer to what was just asked`() throws
    {
        let runner = try FakeRunner { _ in [.init(status: 400, request: .null)] }
        let client = try client(of: runner)
        let refusal = Refusal(400, "unknown", "The runner answered 400.")
        #expect(throws: ClientError.refused(refusal)) { try client.statistics() }
    }

    @Test func `an answer that lacks what the protocol promises is told as such`() throws {
        let runner = try FakeRunner { _ in [.init()] }
        let client = try client(of: runner)
        #expect(throws: ClientError.badReply(#"it has no array "queues""#)) { try client.queues() }
        #expect(throws: ClientError.badReply("it has no job id and state")) {
            try client.submit([:])
        }
        #expect(throws: ClientError.badReply(#"it has no integer "count""#)) {
            try client.delete(.filter(JobFilter()))
        }
    }

    @Test(arguments: [true, false])
    func `a drain is asked for once, and silence will do when the runner is gone`(
        isGone: Bool
    ) throws {
        let gate = DispatchSemaphore(value: 0)
        let runner = try FakeRunner { _ in
            if isGone { gate.wait() }
            return []
        }
        defer { gate.signal() }
        var options = JobClient.Options()
        options.patience = .milliseconds(50)
        let client = try JobClient(endpoint: runner.endpoint, options: options)
        if isGone {
            try client.drain()
        } else {
            let error = ClientError.timedOut(service: "sys.drain", endpoint: runner.endpoint)
            #expect(throws: error) { try client.drain() }
        }
        #expect(runner.heard.map(\.service) == ["sys.drain"])
    }

    @Test func `what may take long and must not be done twice is sent once`() throws {
        let runner = try FakeRunner(info: { ["run": 1] }, lateBy: 2) { request in
            [.init(head: ["count": .integer(Int64(request.number) + 500)])]
        }
        let client = try client(of: runner)
        #expect(try client.cancel(.filter(JobFilter(state: .queued))) == 500)
        #expect(try client.retry(.filter(JobFilter(state: .failed))) == 501)
        #expect(try client.delete(.ids([JobID(rawValue: 1)])) == 502)
        #expect(runner.heard.map(\.service) == ["job.cancel", "job.retry", "job.delete"])
    }

    @Test func `what was sent once is not waited for when the runner has started anew`() throws {
        let run = Atomic(Int64(0))
        let info: @Sendable () -> JSON = {
            ["run": .integer(run.wrappingAdd(1, ordering: .relaxed).newValue)]
        }
        let runner = try FakeRunner(info: info) { _ in [] }
        let client = try client(of: runner)
        let error = ClientError.timedOut(service: "job.retry", endpoint: runner.endpoint)
        #expect(throws: error) { try client.retry(.filter(JobFilter(state: .failed))) }
        #expect(runner.heard.count == 1)
    }

    @Test func `many requests are under way at a time, and replies come in the order of asking`()
        throws
    {
        let names = Mutex<[JSON]>([])
        let runner = try FakeRunner { request in
            let all = names.withLock { names in
                names.append(request.body["request"] ?? .null)
                return names
            }
            // Whoever asks one after the other waits for ever.
            guard all.count == 3 else { return [] }
            return all.enumerated().reversed().map { number, name in
                let status = number == 1 ? 404 : 200
                return .init(
                    status: status,
                    head: ["number": .integer(Int64(number))],
                    request: name
                )
            }
        }
        let client = try client(of: runner, tries: 1)
        let letters = (1...3).map { Letter("job.show", ["id": .integer($0)]) }
        let replies = try client.replies(to: letters)
        #expect(replies.map { $0.head["number"] } == [0, 1, 2])
        #expect(replies.map(\.isDone) == [true, false, true])
        #expect(try client.replies(to: []).isEmpty)
    }

    @Test func `of many requests those without a reply are sent again`() throws {
        let runner = try FakeRunner { request in
            request.number % 2 == 0 ? [] : [.init(head: ["id": request.body["id"] ?? .null])]
        }
        let letters = (0..<20).map { Letter("job.show", ["id": .integer($0)]) }
        let replies = try client(of: runner).replies(to: letters)
        #expect(replies.map { $0.head["id"] } == (0..<20).map { .integer($0) })
    }

    @Test func `where nobody listens there is no runner`() throws {
        let socket = try Socket(.router, in: Context())
        try socket.bind("tcp://127.0.0.1:*")
        var options = JobClient.Options()
        options.greeting = .milliseconds(50)
        let endpoint = try socket.lastEndpoint
        let client = try JobClient(endpoint: endpoint, options: options)
        #expect(throws: ClientError.noRunner(endpoint: endpoint)) { try client.info() }
    }

    @Test func `a runner that answers pings alone is not waited for without end`() throws {
        let runner = try FakeRunner { _ in [] }
        let client = try client(of: runner, tries: 2)
        #expect(throws: ClientError.timedOut(service: "sys.info", endpoint: runner.endpoint)) {
            try client.info()
        }
        #expect(runner.heard.count == 2)
    }

    @Test func `an endpoint that is none is refused at once`() {
        #expect(throws: ClientError.self) { try JobClient(endpoint: "nonsense") }
    }
}
