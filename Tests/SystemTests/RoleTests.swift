import JobCore
import JobTesting
import JobWire
import Testing

/// What clients of each role may do at the built runner, and whose their jobs are.
@Suite struct RoleTests {
    private let runner: KeyedRunner
    private let local: Conversation

    init() throws {
        runner = try KeyedRunner()
        local = try Conversation(runner.process.ipc)
    }

    private let later = #"{"sql":"select 1","delay_ms":600000}"#

    @Test func `who reads sees everything and changes nothing`() throws {
        let id = try local.submit(#"{"sql":"select 1"}"#)
        let reader = try runner.client(.read)
        #expect(try reader.result(id).code == "200")
        #expect(try reader.show(id)["owner"] == nil)
        for service in ["job.list", "queue.list", "sys.ping", "sys.info", "sys.stats"] {
            #expect(try reader.ask(service).code == "200")
        }
        for (service, body) in [
            ("job.submit", later), ("job.cancel", #"{"id":1}"#), ("job.retry", #"{"id":1}"#),
            ("job.delete", #"{"id":1}"#), ("queue.pause", ""), ("queue.resume", ""),
            ("sys.drain", ""),
        ] {
            let said = try reader.ask(service, body)
            #expect(said.code == "403", "\(service)")
            #expect(said.errorCode == "forbidden")
        }
    }

    @Test func `who submits changes only what is its own`() throws {
        let client = try runner.client(.submit)
        let own = try client.submit(later)
        let others = [try local.submit(later), try runner.client(.admin).submit(later)]
        #expect(try local.show(own)["owner"] == "submit")
        #expect(try local.show(others[1])["owner"] == "admin")
        for other in others {
            for verb in ["job.cancel", "job.retry", "job.delete"] {
                let said = try client.ask(verb, #"{"ids":[\#(own),\#(other)]}"#)
                #expect(said.code == "403")
                #expect(said.errorCode == "forbidden")
            }
        }
        #expect(try client.ask("job.cancel", #"{"state":"queued"}"#)["count"] == 1)
        #expect(try client.show(own).state == "cancelled")
        #expect(try client.show(others[0]).state == "queued")
        #expect(try client.ask("job.retry", #"{"id":\#(own)}"#)["count"] == 1)
        #expect(try client.result(own).state == "succeeded")
        #expect(try client.ask("job.delete", #"{"id":\#(own)}"#)["count"] == 1)
        #expect(try client.ask("job.cancel", #"{"id":\#(own)}"#).code == "410")
        #expect(try client.ask("job.cancel", #"{"id":99}"#).code == "404")
        let all = #"{"ids":[\#(others[0]),\#(others[1])]}"#
        #expect(try runner.client(.admin).ask("job.cancel", all)["count"] == 2)
    }

    @Test func `a key is each client's own, over all its connections and after a restart`() throws {
        let job = #"{"sql":"select 1","key":"nightly"}"#
        let ids = [
            try local.submit(job), try runner.client(.submit).submit(job),
            try runner.client(.admin).submit(job),
        ]
        #expect(Set(ids).count == 3)
        try runner.process.killAll()
        try runner.process.restart()
        let again = try runner.client(.submit).ask("job.submit", job)
        #expect(again.id == ids[1])
        #expect(again["created"] == false)
        let other = try runner.client(.submit).ask(
            "job.submit",
            #"{"sql":"select 2","key":"nightly"}"#
        )
        #expect(other.code == "409")
        let listed = try local.ask("job.list")["jobs"]?.arrayValue ?? []
        #expect(listed.map { $0["owner"]?.stringValue } == ["admin", "submit", nil])
    }

    @Test func `all connections of one key have one share of the limits`() throws {
        var options = RunnerProcess.Options()
        options.settings = [
            "LIMITS_WAITS_PER_CLIENT": "2", "LIMITS_JOBS_PER_SECOND_PER_CLIENT": "1",
        ]
        let runner = try KeyedRunner(options)
        let local = try Conversation(runner.process.ipc)
        let id = try local.submit(#"{"kernel":"sleep","input":{"ms":600000}}"#)
        let wait = #"{"id":\#(id),"wait_ms":60000}"#
        let waiting = try (0..<2).map { _ in
            try Conversation(dealer: runner.process.tcp, keys: runner.keys(.read))
        }
        for client in waiting {
            try client.say("job.result", wait)
            #expect(try client.ask("sys.ping").service == "sys.ping")  // Heard behind it.
        }
        let soonOver = #"{"id":\#(id),"wait_ms":1}"#
        let over = try runner.client(.read).ask("job.result", soonOver)
        #expect(over.code == "429")
        #expect(over.errorCode == "too_many_waits")
        #expect(over["error"]?["retry_after_ms"]?.integerValue ?? 0 > 0)
        let other = try runner.client(.admin).ask("job.result", soonOver)
        #expect(other.code == "300")

        let batch = #"{"jobs":[\#((0..<600).map { _ in later }.joined(separator: ","))]}"#
        #expect(try runner.client(.submit).ask("job.submit", batch).code == "200")
        let soon = try runner.client(.submit).ask("job.submit", later)
        #expect(soon.code == "429")
        #expect(soon.errorCode == "too_many_jobs")
        #expect(soon["error"]?["retry_after_ms"]?.integerValue ?? 0 > 300_000)
        #expect(try runner.client(.admin).ask("job.submit", later).code == "200")
        #expect(try local.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
        for client in waiting { #expect(try client.hear().state == "cancelled") }
    }
}
