import JobTesting
import JobWire
import Testing

/// When jobs run, in which order, and how often: with one worker, so that there is an order.
@Suite struct SchedulingTests {
    let runner: RunnerProcess
    let client: Conversation

    init() throws {
        var options = RunnerProcess.Options()
        options.workers = 1
        options.settings = ["EXPRESS": "false"]
        options.databases = ["log=@/log.db:write"]
        runner = try RunnerProcess(options)
        client = try Conversation(runner.ipc)
    }

    /// Keeps the only worker busy until it is cancelled.
    private func plug() throws -> Int64 {
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":600000},"queue":"plug"}"#)
        try client.waitUntilRunning(id)
        return id
    }

    private func starts(of ids: [Int64]) throws -> [Int64] {
        for id in ids { _ = try client.result(id) }
        let times = try ids.map { (try client.show($0)["started_at"]?.integerValue ?? 0, $0) }
        return times.sorted { $0 < $1 }.map(\.1)
    }

    @Test func `higher priority goes first, then who came first`() throws {
        let plug = try plug()
        // Long enough for their starts to differ by more than the millisecond that is told.
        func job(_ priority: Int) -> String {
            #"{"kernel":"sleep","input":{"ms":15},"priority":\#(priority)}"#
        }
        let jobs = [0, 0, -100, 100, 5, 5].map(job).joined(separator: ",")
        let ids = try client.ask("job.submit", #"{"jobs":[\#(jobs)]}"#).ids
        try client.ask("job.cancel", #"{"id":\#(plug)}"#)
        #expect(try starts(of: ids) == [ids[3], ids[4], ids[5], ids[0], ids[1], ids[2]])
    }

    @Test func `no priority starves what has waited longest`() throws {
        let plug = try plug()
        let low = try client.submit(#"{"kernel":"sleep","input":{"ms":5},"priority":-100}"#)
        let jobs = Array(
            repeating: #"{"kernel":"sleep","input":{"ms":5},"priority":100}"#,
            count: 30
        )
        let high = try client.ask("job.submit", #"{"jobs":[\#(jobs.joined(separator: ","))]}"#).ids
        try client.ask("job.cancel", #"{"id":\#(plug)}"#)
        let order = try starts(of: [low] + high)
        let place = try #require(order.firstIndex(of: low))
        #expect(place < 16, "It was number \(place) of 31.")
    }

    @Test func `queues take turns`() throws {
        let plug = try plug()
        let many = Array(
            repeating: #"{"kernel":"sleep","input":{"ms":5},"queue":"many"}"#,
            count: 20
        )
        let crowd = try client.ask("job.submit", #"{"jobs":[\#(many.joined(separator: ","))]}"#).ids
        let lone = try client.submit(#"{"kernel":"sleep","input":{"ms":5},"queue":"lone"}"#)
        try client.ask("job.cancel", #"{"id":\#(plug)}"#)
        let order = try starts(of: crowd + [lone])
        let place = try #require(order.firstIndex(of: lone))
        #expect(place <= 3, "It was number \(place) of 21.")
    }

    @Test func `a delayed job starts no sooner than it may`() throws {
        let id = try client.submit(#"{"kernel":"echo","input":1,"delay_ms":400}"#)
        let first = try client.show(id)
        #expect(first.state == "queued")
        #expect(first["waiting"] == "scheduled")
        _ = try client.result(id)
        let shown = try client.show(id)
        let ready = try #require(shown["ready_at"]?.integerValue)
        let created = try #require(shown["created_at"]?.integerValue)
        #expect(ready >= created + 400)
        #expect((shown["started_at"]?.integerValue ?? 0) >= ready)

        let dated = try client.submit(#"{"kernel":"echo","input":1,"ready_at":\#(ready)}"#)
        #expect(try client.result(dated).state == "succeeded")
    }

    @Test func `jobs that become ready together while nobody asks start by themselves`() throws {
        let jobs = Array(repeating: #"{"kernel":"echo","input":1,"delay_ms":300}"#, count: 50)
        let ids = try client.ask("job.submit", #"{"jobs":[\#(jobs.joined(separator: ","))]}"#).ids
        let list = ids.map(String.init).joined(separator: ",")
        let said = try client.ask("job.wait", #"{"ids":[\#(list)],"wait_ms":20000}"#)
        #expect(said.code == "200")
    }

    @Test(arguments: [
        #""kernel":"sleep","input":{"ms":600000}"#,
        #""kernel":"count","input":{"to":9000000000000000}"#,
        #""sql":"with recursive n(i) as (select 1 union all select i+1 from n) select max(i) from n""#,
    ])
    func `an attempt that takes too long fails as a time-out and is made again`(work: String) throws
    {
        let id = try client.submit(
            #"{\#(work),"timeout_ms":100,"max_attempts":2,"backoff":{"first_ms":10,"longest_ms":10}}"#
        )
        let said = try client.result(id)
        #expect(said.state == "failed")
        #expect(said.errorCode == "timeout")
        #expect(said["attempt"] == 2)
        let attempts = try client.show(id)["attempts"]?.arrayValue ?? []
        #expect(attempts.map { $0["error"]?["code"] } == ["timeout", "timeout"])
    }

    @Test func `failures are retried with growing pauses, each kept in the history`() throws {
        // A database file that is not there yet: it may come.
        let id = try client.submit(
            #"""
            {"sql":"select 1","database":"log","mode":"write","max_attempts":4,
            "backoff":{"first_ms":200,"longest_ms":100000}}
            """#
        )
        let said = try client.result(id)
        #expect(said.state == "failed")
        #expect(said.errorCode == "sql_error", "\(said.head)")
        #expect(said["attempt"] == 4, "\(said.head)")
        let attempts = try client.show(id)["attempts"]?.arrayValue ?? []
        #expect(attempts.map { $0["attempt"]?.integerValue } == [1, 2, 3, 4])
        let starts = attempts.compactMap { $0["started_at"]?.integerValue }
        let ends = attempts.compactMap { $0["ended_at"]?.integerValue }
        let pauses = zip(starts.dropFirst(), ends).map { $0 - $1 }
        // Full pauses are 200, 400 and 800 ms; jitter takes at most a quarter off.
        #expect(pauses.count == 3)
        for (pause, least) in zip(pauses, [150, 300, 600]) { #expect(pause >= least, "\(pauses)") }
    }

    @Test func `a job between two attempts says that it is retrying`() throws {
        let id = try client.submit(
            #"""
            {"sql":"select 1","database":"log","mode":"write","max_attempts":2,
            "backoff":{"first_ms":600000,"longest_ms":600000}}
            """#
        )
        let shown = try client.waitUntil(id) { $0["attempts"]?.arrayValue?.isEmpty == false }
        #expect(shown.state == "queued")
        #expect(shown["waiting"] == "retrying")
        #expect(shown["why"]?.stringValue?.hasPrefix("It failed once and is tried again") == true)
    }

    @Test func `a long job that is running holds up only its own worker's queue for a moment`()
        throws
    {
        // Short ones of the same sort teach the runner to give credit; then a long one comes.
        for _ in 0..<20 {
            _ = try client.result(client.submit(#"{"kernel":"sleep","input":{"ms":0}}"#))
        }
        let long = try client.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        let short = try client.submit(#"{"kernel":"sleep","input":{"ms":0}}"#)
        try client.waitUntilRunning(long)
        #expect(try client.show(short).state == "queued")
        try client.ask("job.cancel", #"{"id":\#(long)}"#)
        #expect(try client.result(short).state == "succeeded")
    }
}
