import JobTesting
import JobWire
import Testing

/// Every service but `job.submit`, as a client meets it.
@Suite struct ServiceTests {
    let runner: RunnerProcess
    let client: Conversation

    init() throws {
        runner = try RunnerProcess()
        client = try Conversation(runner.tcp)
    }

    @Test func `a ping is answered by nothing but its code`() throws {
        let said = try client.ask("sys.ping")
        #expect(said.code == "200")
        #expect(said.head == [:])
        #expect(try client.ask("sys.ping", #"{"anything":1}"#).code == "200")
    }

    @Test func `info names version, protocol, run and limits`() throws {
        let said = try client.ask("sys.info")
        #expect(said["version"]?.stringValue?.isEmpty == false)
        #expect(said["protocol"] == 1)
        #expect(said["run"] == 1)
        #expect(said["workers"] == 2)
        #expect(said["limits"]?["submission_jobs"] == 10_000)
        #expect(said["limits"]?["message_bytes"] == 16_777_216)
        let kernels = said["kernels"]?.arrayValue?.compactMap(\.stringValue)
        #expect(kernels == ["count", "digest", "echo", "primes", "sleep", "sudoku", "sum"])
    }

    @Test func `statistics count jobs by state and tell what workers do`() throws {
        _ = try client.result(client.submit(#"{"sql":"select 1"}"#))
        _ = try client.result(client.submit(#"{"sql":"select"}"#))
        let running = try client.submit(#"{"kernel":"sleep","input":{"ms":60000}}"#)
        try client.waitUntilRunning(running)
        let later = try client.submit(#"{"sql":"select 1","delay_ms":600000}"#)
        let gone = try client.submit(#"{"sql":"select 1","delay_ms":600000}"#)
        _ = try client.ask("job.cancel", #"{"id":\#(gone)}"#)
        let said = try client.ask("sys.stats")
        let counts: JSON = ["queued": 1, "running": 1, "succeeded": 1, "failed": 1, "cancelled": 1]
        #expect(said["counts"] == counts, "\(later)")
        let workers = said["workers"]?.arrayValue ?? []
        #expect(workers.count == 2)
        #expect(workers.contains { $0["job"]?.integerValue == running })
        #expect((said["store_bytes"]?.integerValue ?? 0) > 0)
        #expect(said["waiting_ms"]?["p99"]?.realValue != nil)
        #expect(said["running_ms"]?["p50"]?.realValue != nil)
    }

    @Test(arguments: [
        ("job.submit", "200"), ("sys.drain", "200"), ("mmi.service", "200"),
        ("job.sumbit", "404"), ("", "404"), ("mmi.workers", "501"), ("titanic.request", "200"),
        ("echo", "200"), ("ecko", "404"),
    ])
    func `mmi service says what there is`(service: String, code: String) throws {
        let said = try client.ask("mmi.service", service)
        #expect(said.code == code)
        #expect(said.head == .null)
        #expect(said.frames.isEmpty)
    }

    @Test func `an unknown service is refused by name`() throws {
        let said = try client.ask("job.sumbit", "{}")
        #expect(said.code == "404")
        #expect(said.service == "job.sumbit")
        #expect(said["error"]?["hint"]?.stringValue?.contains("job.submit") == true)
    }

    @Test func `what was never issued is unknown to every service`() throws {
        for service in ["job.show", "job.result"] {
            let said = try client.ask(service, #"{"id":4711}"#)
            #expect(said.code == "404", "\(service) \(said.head)")
        }
        let wait = try client.ask("job.wait", #"{"ids":[4711],"wait_ms":10}"#)
        #expect(wait.code == "404")
    }

    @Test func `a wait ends when all jobs have ended, or with those that have`() throws {
        let short = try client.submit(#"{"kernel":"echo","input":1}"#)
        let long = try client.submit(#"{"kernel":"sleep","input":{"ms":60000}}"#)
        _ = try client.result(short)
        let some = try client.ask("job.wait", #"{"ids":[\#(short),\#(long)],"wait_ms":50}"#)
        #expect(some.code == "300")
        #expect(some["jobs"]?.arrayValue?.map { $0["id"]?.integerValue } == [short])

        try client.ask("job.cancel", #"{"id":\#(long)}"#)
        let all = try client.ask("job.wait", #"{"ids":[\#(short),\#(long)],"wait_ms":20000}"#)
        #expect(all.code == "200")
        let states = all["jobs"]?.arrayValue?.map { $0["state"]?.stringValue }
        #expect(states == ["succeeded", "cancelled"])
    }

    @Test func `a wait that began before the end hears of it`() throws {
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":300}}"#)
        let dealer = try Conversation(dealer: runner.ipc)
        try dealer.say("job.result", #"{"id":\#(id),"wait_ms":30000,"request":"wait"}"#)
        try dealer.say("sys.ping", #"{"request":"ping"}"#)
        #expect(try dealer.hear()["request"] == "ping")
        let said = try dealer.hear()
        #expect(said["request"] == "wait")
        #expect(said.text == #"{"slept_ms":300}"#)
    }

    @Test func `a list is paged by id and filtered by state, queue and kind`() throws {
        let ids = try client.ask(
            "job.submit",
            #"""
            {"jobs":[{"sql":"select 1","queue":"a","delay_ms":99999},{"kernel":"echo","queue":"a",
            "input":1,"delay_ms":99999},{"sql":"select 1","queue":"b","delay_ms":99999},
            {"sql":"select 1","queue":"a","delay_ms":99999}]}
            """#
        ).ids
        func list(_ body: String) throws -> (ids: [Int64], next: Int64?) {
            let said = try client.ask("job.list", body)
            try #require(said.code == "200", "\(said.head)")
            let jobs = said["jobs"]?.arrayValue ?? []
            return (jobs.compactMap { $0["id"]?.integerValue }, said["next"]?.integerValue)
        }
        var seen: [Int64] = []
        var after: Int64?
        repeat {
            let from = after.map { #","after":\#($0)"# } ?? ""
            let page = try list(#"{"limit":3\#(from)}"#)
            #expect(page.ids.count <= 3)
            seen += page.ids
            after = page.next
        } while after != nil
        #expect(seen.sorted() == ids)
        #expect(Set(try list(#"{"queue":"a"}"#).ids) == [ids[0], ids[1], ids[3]])
        #expect(try list(#"{"queue":"a","kind":"compute"}"#).ids == [ids[1]])
        #expect(try list(#"{"state":"running"}"#).ids == [])
        #expect(try client.ask("job.list", #"{"state":"lost"}"#).code == "422")
    }

    @Test func `a queued job is cancelled, once`() throws {
        let id = try client.submit(#"{"sql":"select 1","delay_ms":99999}"#)
        #expect(try client.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
        let shown = try client.show(id)
        #expect(shown.state == "cancelled")
        #expect(shown.errorCode == "cancelled")
        #expect(try client.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 0)
        #expect(try client.result(id).state == "cancelled")
    }

    @Test(arguments: [
        #"{"kernel":"sleep","input":{"ms":600000}}"#,
        #"{"kernel":"count","input":{"to":9000000000000000}}"#,
        #"{"sql":"with recursive n(i) as (select 1 union all select i+1 from n) select max(i) from n"}"#,
    ])
    func `a running job is cancelled, and its worker is free`(job: String) throws {
        let ids = [try client.submit(job), try client.submit(job)]
        for id in ids { try client.waitUntilRunning(id) }
        let said = try client.ask("job.cancel", #"{"ids":[\#(ids[0]),\#(ids[1])]}"#)
        #expect(said["count"] == 2)
        for id in ids { #expect(try client.result(id).state == "cancelled") }
        #expect(try client.result(client.submit(#"{"kernel":"echo","input":1}"#)).text == "1")
    }

    @Test func `a filter cancels all that it finds, page after page`() throws {
        let jobs = Array(
            repeating: #"{"sql":"select 1","queue":"q","delay_ms":99999}"#,
            count: 1_200
        )
        _ = try client.ask("job.submit", #"{"jobs":[\#(jobs.joined(separator: ","))]}"#)
        let other = try client.submit(#"{"sql":"select 1","delay_ms":99999}"#)
        let said = try client.ask("job.cancel", #"{"queue":"q","state":"queued"}"#)
        #expect(said["count"] == 1_200, "\(said.head)")
        #expect(try client.show(other).state == "queued")
        #expect(try client.ask("job.cancel", "{}").code == "422")
    }

    @Test func `a failed job is retried and keeps its history`() throws {
        let id = try client.submit(#"{"sql":"select * from nowhere"}"#)
        #expect(try client.result(id).state == "failed")
        #expect(try client.ask("job.retry", #"{"id":\#(id)}"#)["count"] == 1)
        let shown = try client.waitUntil(id) {
            $0.state == "failed" && $0["attempts"]?.arrayValue?.count == 2
        }
        #expect(shown["attempt"] == 2)
        let attempts = shown["attempts"]?.arrayValue?.map { $0["attempt"]?.integerValue }
        #expect(attempts == [1, 2])

        let good = try client.submit(#"{"sql":"select 1"}"#)
        _ = try client.result(good)
        let refused = try client.ask("job.retry", #"{"id":\#(good)}"#)
        #expect(refused.code == "409", "\(refused.head)")
    }

    @Test func `a deleted job is gone, and its id says so`() throws {
        let id = try client.submit(#"{"sql":"select 1"}"#)
        _ = try client.result(id)
        #expect(try client.ask("job.delete", #"{"id":\#(id)}"#)["count"] == 1)
        #expect(try client.show(id).code == "410")
        #expect(try client.ask("job.result", #"{"id":\#(id)}"#).code == "410")
        let waiting = try client.submit(#"{"sql":"select 1","delay_ms":99999}"#)
        #expect(try client.ask("job.delete", #"{"id":\#(waiting)}"#).code == "409")
        #expect(try client.show(waiting).state == "queued")
    }

    @Test func `a paused queue starts nothing until it is resumed, also after a restart`() throws {
        #expect(try client.ask("queue.pause", #"{"queue":"slow"}"#).code == "200")
        let id = try client.submit(#"{"sql":"select 1","queue":"slow"}"#)
        let other = try client.submit(#"{"sql":"select 1","queue":"fast"}"#)
        _ = try client.result(other)
        let shown = try client.show(id)
        #expect(shown.state == "queued")
        #expect(shown["why"] == "The queue slow is paused.")
        let queues = try client.ask("queue.list")["queues"]?.arrayValue ?? []
        #expect(queues.contains { $0["queue"] == "slow" && $0["paused"] == true })

        try runner.killAll()
        try runner.restart()
        let again = try Conversation(runner.tcp)
        _ = try again.result(again.submit(#"{"sql":"select 1","queue":"fast"}"#))
        #expect(try again.show(id).state == "queued")
        #expect(try again.ask("queue.resume", #"{"queue":"slow"}"#).code == "200")
        #expect(try again.result(id).state == "succeeded")
    }

    @Test func `why a job does not run yet is told in a sentence`() throws {
        let late = try client.submit(#"{"sql":"select 1","delay_ms":3600000}"#)
        let shown = try client.show(late)
        #expect(shown["waiting"] == "scheduled")
        #expect(shown["why"]?.stringValue?.hasPrefix("It is scheduled for 20") == true)
        for _ in 0..<2 {
            let id = try client.submit(#"{"kernel":"sleep","input":{"ms":60000}}"#)
            try client.waitUntilRunning(id)
        }
        // Another long one: a short one would have the express worker.
        let behind = try client.submit(#"{"kernel":"sleep","input":{"ms":60000}}"#)
        #expect(try client.show(behind)["why"] == "It waits for a free worker.")
    }

    @Test func `a drained runner refuses jobs, finishes and ends`() throws {
        let id = try client.submit(#"{"kernel":"sleep","input":{"ms":400}}"#)
        try client.waitUntilRunning(id)
        #expect(try client.ask("sys.drain")["draining"] == true)
        let refused = try client.ask("job.submit", #"{"sql":"select 1"}"#)
        #expect(refused.code == "503")
        #expect(refused.errorCode == "draining")
        #expect(try runner.process.waitForEnd() == 0)
        try runner.restart()
        let again = try Conversation(runner.tcp)
        #expect(try again.result(id).text == #"{"slept_ms":400}"#)
        #expect(try again.show(id)["attempt"] == 1)
    }
}
