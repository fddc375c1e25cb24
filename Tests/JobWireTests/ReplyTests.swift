import JobCore
import JobWire
import Testing

/// Replies as a client reads them.
struct ReplyTests {
    private let id = JobID(rawValue: 7)
    private let now = Timestamp(rawValue: 1_000_000)

    private func frames(
        _ reply: Reply,
        service: String = "job.show",
        request: String? = nil
    ) -> [[UInt8]] {
        let client = ClientID(rawValue: address)
        let caller = Caller(client: client, service: Array(service.utf8), request: request)
        return JobWire.frames(for: Message(to: caller, reply), now: now)
    }

    /// What is left after the routing id, as a DEALER gets it.
    private func response(_ reply: Reply, request: String? = nil) throws -> Response {
        try Response(Array(frames(reply, request: request).dropFirst()))
    }

    private func head(_ reply: Reply) throws -> JSON { .object(try response(reply).head) }

    @Test func `a reply has the frames of Majordomo, and echoes service and request`() throws {
        let found = frames(.pong, service: "sys.ping", request: "r\"1")
        #expect(
            found.map(text) == [
                text(address), "", "MDPC01", "sys.ping", "200", #"{"request":"r\"1"}"#,
            ]
        )
        let odd = Caller(client: ClientID(rawValue: [1]), service: [0xFF, 0])
        let refused = JobWire.frames(
            for: Message(to: odd, .refused(Refusal(404, "unknown_service", "No."))),
            now: now
        )
        #expect(refused[3] == [0xFF, 0])
        #expect(try response(.pong, request: "r").request == "r")
        #expect(try Response(Array(found.dropFirst(2))).service == Array("sys.ping".utf8), "REQ")
    }

    @Test func `the management interface answers with digits alone`() throws {
        let yes = frames(.served(true), service: "mmi.service", request: "r")
        #expect(yes.map(text).dropFirst(2) == ["MDPC01", "mmi.service", "200"])
        #expect(frames(.served(false), service: "mmi.service").map(text).last == "404")
        let refused = Reply.refused(Refusal(501, "not_implemented", "No."))
        #expect(frames(refused, service: "mmi.workers").map(text).last == "501")
        #expect(try Response(Array(yes.dropFirst())).isDone)
    }

    @Test func `accepted jobs are told alone or as lists`() throws {
        let one = Accepted(id: id, state: .queued, created: true)
        let two = [one, Accepted(id: JobID(rawValue: 8), state: .failed, created: false)]
        let single = try response(.accepted([one], isBatch: false))
        #expect(single.ids == [id])
        #expect(single.state == .queued)
        #expect(JSON.object(single.head) == ["id": 7, "state": "queued", "created": true])
        let batch = try response(.accepted(two, isBatch: true))
        #expect(batch.ids.map(\.rawValue) == [7, 8])
        #expect(JSON.object(batch.head) == ["ids": [7, 8], "created": [true, false]])
        #expect(try response(.accepted([one], isBatch: true)).head["ids"] == [7])
    }

    @Test func `results come back with their bytes`() throws {
        let end = JobEnd(id: id, state: .succeeded, attempt: Attempt(rawValue: 2), failure: nil)
        let head = ResultHead(format: .csv, totalBytes: 10, rows: 3)
        let whole = JobResult(end: end, head: head, bytes: Array("0123456789".utf8))
        let piece = JobResult(end: end, head: head, offset: 4, bytes: Array("45".utf8))
        let empty = JobResult(end: end, head: ResultHead(format: .bytes, totalBytes: 0))
        let said = ResultHead(format: .text, totalBytes: 2, stderr: "Ä\n")
        let command = JobResult(end: end, head: said, bytes: Array("ok".utf8))
        for (result, eof) in [(whole, true), (piece, false), (empty, true), (command, true)] {
            let found = try response(.result(result))
            #expect(found.result == result)
            #expect(found.head["eof"] == .bool(eof))
            #expect(found.frames == [result.bytes])
            let code: JSON? = result.head?.stderr == nil ? nil : 0
            #expect(found.head["exit_code"] == code)
        }
    }

    @Test func `failed and cancelled jobs are results without bytes`() throws {
        var failure = Failure(.sqlError, "No such table.", hint: "Make it.")
        failure.sqliteCode = 1
        failure.offset = 14
        failure.exitCode = 3
        for code in Failure.Code.allCases {
            failure.code = code
            let attempt = Attempt(rawValue: 1)
            let end = JobEnd(id: id, state: .failed, attempt: attempt, failure: failure)
            let found = try response(.result(JobResult(end: end)))
            #expect(found.status == 200)
            #expect(found.result == JobResult(end: end))
            #expect(found.frames == [])
            #expect(found.refusal == nil)
        }
    }

    @Test func `what is not done yet is 300`() throws {
        let found = try response(.pending(id, .running, retryAfterMs: 250))
        #expect(found.status == 300)
        #expect(found.state == .running)
        #expect(found.retryAfterMs == 250)
        #expect(found.result == nil)
        #expect(found.refusal == nil)
        let end = JobEnd(id: id, state: .cancelled, attempt: .none, failure: nil)
        #expect(try response(.ended([end], all: false)).status == 300)
        #expect(try response(.ended([end], all: true)).status == 200)
        #expect(
            try head(.ended([end], all: true))
                == ["jobs": [["id": 7, "state": "cancelled", "attempt": 0]]]
        )
    }

    @Test func `refusals come back whole`() throws {
        for status in [400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 501, 503] {
            var refusal = Refusal(status, "a_code", "A \"sentence\".", hint: "Do.", field: "x")
            #expect(try response(.refused(refusal)).refusal == refusal)
            refusal.retryAfterMs = 5
            refusal.totalBytes = 1 << 40
            refusal.hint = nil
            refusal.field = nil
            #expect(try response(.refused(refusal)).refusal == refusal)
        }
    }

    @Test func `all about a job is told in the protocol's words`() throws {
        var standing = Job.Standing(readyAt: Timestamp(rawValue: 1_060_000))
        standing.failures = 1
        standing.attempt = Attempt(rawValue: 1)
        var job = details(standing)
        job.name = "n"
        job.key = "k"
        job.tags = ["t"]
        job.progress = Progress(done: 1, total: 2)
        job.result = ResultHead(format: .json, totalBytes: 5, rows: nil)
        job.pastAttempts = [
            PastAttempt(
                attempt: Attempt(rawValue: 1),
                worker: WorkerID(rawValue: 2),
                startedAt: nil,
                endedAt: Timestamp(rawValue: 9),
                failure: Failure(.timeout, "Late.")
            )
        ]
        let expected: JSON = [
            "id": 7, "state": "queued", "waiting": "retrying",
            "why": "It failed once and is tried again at 1970-01-01T00:17:40Z.",
            "kind": "sql", "queue": "default", "priority": 0, "name": "n", "key": "k",
            "tags": ["t"], "attempt": 1, "max_attempts": 3, "timeout_ms": 60,
            "created_at": 5, "ready_at": 1_060_000, "waits_for": 0,
            "progress": ["done": 1, "total": 2],
            "attempts": [
                [
                    "attempt": 1, "worker": 2, "ended_at": 9,
                    "error": ["code": "timeout", "message": "Late."],
                ]
            ],
            "result": ["format": "json", "total_bytes": 5],
        ]
        #expect(try head(.shown([job], isBatch: false)) == expected)
        #expect(try head(.shown([job], isBatch: true)) == ["jobs": [expected]])
        #expect(try head(.listed([job], next: id)) == ["jobs": [expected], "next": 7])
        #expect(try head(.listed([], next: nil)) == ["jobs": [], "next": nil])
    }

    private func details(_ standing: Job.Standing) -> JobDetails {
        JobDetails(
            job: Job(id: id, standing: standing, writes: true, retry: .standard),
            kind: .sql,
            queue: .standard,
            timeoutMs: 60,
            createdAt: Timestamp(rawValue: 5)
        )
    }

    @Test func `a job that has not ended says why`() {
        var standing = Job.Standing(readyAt: now)
        var job = details(standing)
        #expect(job.why(now: now) == "It waits for a free worker.")
        #expect(job.waiting(now: now) == nil)
        job.takenTurn = .writing(database: "x")
        #expect(job.why(now: now) == "It waits for its turn to write to the database x.")
        job.takenTurn = .suspect
        #expect(job.why(now: now)?.hasPrefix("A run of it was lost.") == true)
        job.queueIsPaused = true
        #expect(job.why(now: now) == "The queue default is paused.")
        standing.waitsFor = 2
        standing.isSplit = true
        #expect(details(standing).why(now: now) == "It waits for 2 parts.")
        #expect(details(standing).waiting(now: now) == .blocked)
        standing.waitsFor = 0
        standing.isSplit = false
        standing.readyAt = now.adding(ms: 1)
        #expect(details(standing).waiting(now: now) == .scheduled)
        standing.state = .running
        standing.attempt = Attempt(rawValue: 3)
        standing.cancelRequested = true
        job = details(standing)
        job.worker = WorkerID(rawValue: 4)
        #expect(
            job.why(now: now) == "Attempt 3 runs on worker 4, which was asked to stop."
        )
        standing.cancelRequested = false
        standing.state = .succeeded
        #expect(details(standing).why(now: now) == nil)
    }

    @Test(arguments: [
        ([], 3, "It waits for 3 jobs."), ([7], 1, "It waits for 1 job: 7."),
        ([3, 7], 2, "It waits for 2 jobs: 3 and 7."),
        ([3, 7, 9, 12], 4, "It waits for 4 jobs: 3, 7, 9 and 12."),
        ([3, 7, 9, 12, 15], 5, "It waits for 5 jobs: 3, 7, 9 and 2 others."),
    ])
    func `a job that comes after others names those that it waits for`(
        open: [Int64],
        count: Int,
        sentence: String
    ) {
        var standing = Job.Standing(readyAt: now)
        standing.waitsFor = count
        var job = details(standing)
        let over = PredecessorDetails(
            id: JobID(rawValue: 1),
            name: "load",
            state: .succeeded,
            isOpen: false
        )
        job.after =
            [over]
            + open.map {
                PredecessorDetails(
                    id: JobID(rawValue: $0),
                    name: nil,
                    state: .queued,
                    isOpen: true
                )
            }
        #expect(job.why(now: now) == sentence)
        #expect(job.waiting(now: now) == .blocked)
    }

    @Test func `what a job comes after is told with it`() throws {
        var job = details(Job.Standing(readyAt: now))
        #expect(try head(.shown([job], isBatch: false))["after"] == nil)
        job.onFailure = .run
        job.after = [
            PredecessorDetails(id: id, name: "load", state: .failed, isOpen: false),
            PredecessorDetails(id: JobID(rawValue: 8), name: nil, state: nil, isOpen: false),
        ]
        let head = try head(.shown([job], isBatch: false))
        #expect(head["after"] == [["id": 7, "name": "load", "state": "failed"], ["id": 8]])
        #expect(head["on_failure"] == "run")
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"), (1_709_251_199_999, "2024-02-29T23:59:59Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59Z"),
        (253_402_300_800_000, "253402300800000 ms"),
        (Int64.max, "9223372036854775807 ms"), (Int64.min, "-9223372036854775808 ms"),
        (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
    ])
    func `moments are written as dates`(ms: Int64, expected: String) {
        #expect(Timestamp(rawValue: ms).utcText == expected)
    }

    @Test func `the small replies are told`() throws {
        #expect(try head(.count(3)) == ["count": 3])
        #expect(try head(.draining) == ["draining": true])
        var counts = JobCounts()
        counts.failed = 2
        let queue = QueueDetails(name: .standard, isPaused: true, counts: counts)
        let told: JSON = [
            "queued": 0, "running": 0, "succeeded": 0, "failed": 2, "cancelled": 0,
        ]
        #expect(
            try head(.queues([queue]))
                == ["queues": [["queue": "default", "paused": true, "counts": told]]]
        )
    }

    @Test func `the runner tells about itself`() throws {
        var about = About(
            run: RunID(rawValue: 3),
            workers: 4,
            limits: Limits(),
            kernels: ["sum"],
            databases: ["sales"]
        )
        about.events = ["ipc:///run/events.sock"]
        let info = try head(.about(about))
        #expect(info["version"]?.stringValue == Program.version)
        #expect(info["protocol"] == 1)
        #expect(info["run"] == 3)
        #expect(info["limits"]?["message_bytes"] == 16_777_216)
        #expect(info["limits"]?["job_parts"] == [1, 1_024])
        #expect(info["kernels"] == ["sum"])
        #expect(info["events"] == ["ipc:///run/events.sock"])

        var statistics = Statistics()
        statistics.endedPerSecond = 2.5
        statistics.waiting = Percentiles(p50: 1, p99: .infinity)
        statistics.workers = [WorkerDetails(worker: WorkerID(rawValue: 1), job: id, runningMs: 9)]
        statistics.alarms = ["The disk is slow."]
        statistics.expressStarts = 4
        statistics.announcements.subscriptions = 2
        statistics.announcements.published = 9
        statistics.staging = FileProgress(name: "day.jsonl", staged: 3, total: 20)
        let stats = try head(.statistics(statistics))
        #expect(stats["counts"]?["queued"] == 0)
        #expect(stats["ended_per_second"] == 2.5)
        #expect(stats["waiting_ms"] == ["p50": 1.0, "p99": nil])
        #expect(stats["running_ms"] == ["p50": nil, "p99": nil])
        #expect(stats["workers"] == [["worker": 1, "job": 7, "running_ms": 9]])
        #expect(stats["alarms"] == ["The disk is slow."])
        #expect(stats["express"] == 4)
        #expect(stats["staging"] == [["file": "day.jsonl", "staged": 3, "jobs": 20]])
        #expect(stats["events"] == ["subscriptions": 2, "published": 9, "dropped": 0])
    }

    @Test func `what is no reply is an error of its own`() {
        let name = Array("MDPC01".utf8)
        let strays: [[[UInt8]]] = [
            [], [[]], [name], [name, name], [[], name, name], [name, name, Array("20".utf8)],
            [name, name, Array("+20".utf8)], [name, name, Array("2000".utf8)],
            [name, name, Array("200".utf8), Array("[]".utf8)],
            [name, name, Array("200".utf8), Array("{".utf8)],
            [Array("MDPC02".utf8), name, Array("200".utf8)],
        ]
        for frames in strays { #expect(throws: FrameError.self) { try Response(frames) } }
    }

    @Test func `a call is heard as it was meant`() {
        let call = Call("job.submit", ["sql": "a", "params": [["$frame": 2]]], frames: [[1]])
        guard
            case .request(.submit(let jobs, isBatch: false, waitMs: nil), _) =
                Ear(catalog).hear([address, []] + call.message)
        else {
            Issue.record("refused")
            return
        }
        #expect(jobs.first?.spec.frames == [Spec.Frame(number: 2, bytes: [1])])
        #expect(Ear(catalog).hear([address, []] + Call("sys.ping").message) != .dropped)
    }
}
