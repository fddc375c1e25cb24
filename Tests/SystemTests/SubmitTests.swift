import JobTesting
import JobWire
import Testing

/// Jobs go in and their results come out, seen as bytes on a socket.
@Suite struct SubmitTests {
    let runner: RunnerProcess
    let client: Conversation

    init() throws {
        runner = try RunnerProcess()
        client = try Conversation(runner.ipc)
    }

    enum Transport: CaseIterable { case tcp, ipc }

    @Test(arguments: Transport.allCases, ["req", "dealer"])
    func `a job is submitted, shown and answered over every transport`(
        transport: Transport,
        socket: String
    ) throws {
        let endpoint = transport == .tcp ? runner.tcp : runner.ipc
        let client = try socket == "req" ? Conversation(endpoint) : Conversation(dealer: endpoint)

        let accepted = try client.ask("job.submit", #"{"kind":"sql","sql":"select 6*7 as answer"}"#)
        #expect(accepted.service == "job.submit")
        #expect(accepted.code == "200")
        #expect(accepted.id > 0)
        #expect(accepted["created"] == true)
        #expect(accepted.frames.isEmpty)

        let result = try client.result(accepted.id)
        #expect(result.code == "200")
        #expect(result.text == #"{"columns":["answer"],"rows":[[42]],"changes":0}"#)
        #expect(result.state == "succeeded")
        #expect(result["attempt"] == 1)
        #expect(result["format"] == "json")
        #expect(result["rows"] == 1)
        #expect(result["offset"] == 0)
        #expect(result["eof"] == true)
        #expect(result["total_bytes"]?.integerValue == Int64(result.frames[0].count))

        let shown = try client.show(accepted.id)
        #expect(shown.state == "succeeded")
        #expect(shown["kind"] == "sql")
        #expect(shown["queue"] == "default")
        #expect(shown["max_attempts"] == 3)
        #expect(shown["attempts"] == [])
        #expect(shown["why"] == nil)
        let times = ["created_at", "started_at", "finished_at"].map { shown[$0]?.integerValue ?? 0 }
        #expect(times[0] > 1_700_000_000_000 && times == times.sorted())
    }

    @Test func `the ten lines of the protocol get their answer`() throws {
        let said = try client.ask(
            "job.submit",
            #"{"kind": "sql", "sql": "select 6*7 as answer", "wait_ms": 5000}"#
        )
        #expect(said.code == "200")
        #expect(said.state == "succeeded")
        #expect(said.text?.contains(#""columns":["answer"],"rows":[[42]]"#) == true)
    }

    @Test func `a submission that waits too briefly is told pending, with its id`() throws {
        let said = try client.ask(
            "job.submit",
            #"{"kernel":"sleep","input":{"ms":60000},"wait_ms":30}"#
        )
        #expect(said.code == "300")
        #expect(said.id > 0)
        #expect(["queued", "running"].contains(said.state))
        #expect(try client.show(said.id).state != nil)
    }

    @Test func `a waiting client hears of a failure as of a result`() throws {
        let said = try client.ask("job.submit", #"{"sql":"select * from nowhere","wait_ms":20000}"#)
        #expect(said.code == "200")
        #expect(said.state == "failed")
        #expect(said.errorCode == "sql_error")
        #expect(said.frames.isEmpty)
    }

    @Test func `many jobs go in at once, in order, all or none`() throws {
        let said = try client.ask(
            "job.submit",
            #"{"jobs":[{"sql":"select 1"},{"kernel":"echo","input":"two"},{"sql":"select 3"}]}"#
        )
        #expect(said.code == "200")
        #expect(said.ids.count == 3)
        #expect(said.ids == said.ids.sorted())
        #expect(said["created"] == [true, true, true])
        #expect(try client.result(said.ids[1]).text == #""two""#)

        let refused = try client.ask(
            "job.submit",
            #"{"jobs":[{"sql":"select 1"},{"sql":"select 2","prioritty":3}]}"#
        )
        #expect(refused.code == "422")
        #expect(refused["error"]?["field"]?.stringValue?.contains("jobs[1]") == true)
        let all = try client.ask("job.list", #"{"limit":100}"#)
        #expect(all["jobs"]?.arrayValue?.count == 3)
    }

    @Test func `ten thousand jobs fit into one submission and one more does not`() throws {
        func jobs(_ count: Int) -> String {
            #"{"jobs":["#
                + Array(repeating: #"{"kernel":"echo","input":1}"#, count: count)
                .joined(separator: ",") + "]}"
        }
        let said = try client.ask("job.submit", jobs(10_000))
        #expect(said.code == "200")
        #expect(Set(said.ids).count == 10_000)
        #expect(try client.result(said.ids[9_999]).text == "1")
        let refused = try client.ask("job.submit", jobs(10_001))
        #expect(["413", "422"].contains(refused.code), "\(refused.head)")
    }

    @Test func `the same key and job give the same id, another job a conflict`() throws {
        let job = #"{"sql":"select 1","key":"once"}"#
        let first = try client.ask("job.submit", job)
        let second = try client.ask("job.submit", job)
        #expect(second.code == "200")
        #expect(second.id == first.id)
        #expect(first["created"] == true)
        #expect(second["created"] == false)

        let waiting = try client.ask(
            "job.submit",
            #"{"sql":"select 1","key":"once","wait_ms":9000}"#
        )
        #expect(waiting.id == first.id)
        #expect(waiting.state == "succeeded")

        let other = try client.ask("job.submit", #"{"sql":"select 2","key":"once"}"#)
        #expect(other.code == "409")
        #expect(other.errorCode == "key_conflict")
        let twice = try client.ask(
            "job.submit",
            #"{"jobs":[{"sql":"select 1","key":"a"},{"sql":"select 1","key":"a"}]}"#
        )
        #expect(twice.code == "422")
    }

    @Test func `a key is remembered by the next run`() throws {
        let job = #"{"sql":"select 1","key":"kept"}"#
        let id = try client.submit(job)
        try runner.killAll()
        try runner.restart()
        let again = try Conversation(runner.ipc).ask("job.submit", job)
        #expect(again.id == id)
        #expect(again["created"] == false)
    }

    @Test func `a request's name comes back, also with a refusal`() throws {
        #expect(try client.ask("sys.ping", #"{"request":"a"}"#)["request"] == "a")
        #expect(try client.ask("job.show", #"{"id":99,"request":"b"}"#)["request"] == "b")
        let refused = try client.ask("job.submit", #"{"sql":1,"request":"c"}"#)
        #expect(refused["request"] == "c")
        let accepted = try client.ask("job.submit", #"{"sql":"select 1","request":"d"}"#)
        #expect(accepted["request"] == "d")
    }

    @Test(arguments: [
        (#"{"sql":"select 1","prioritty":1}"#, "422", "unknown_field", "prioritty"),
        (#"{"sql":"select 1","priority":101}"#, "422", nil, "priority"),
        (#"{"sql":"select 1","priority":"high"}"#, "422", nil, "priority"),
        (#"{"sql":"select 1","max_attempts":0}"#, "422", nil, "max_attempts"),
        (#"{"sql":"select 1","timeout_ms":0}"#, "422", nil, "timeout_ms"),
        (#"{"sql":"select 1","delay_ms":-1}"#, "422", nil, "delay_ms"),
        (#"{"kernel":"sum","input":{},"parts":1025}"#, "422", nil, "parts"),
        (#"{"kernel":"nope","input":{}}"#, "422", nil, "kernel"),
        (#"{"sql":"select 1","kernel":"echo"}"#, "422", nil, nil),
        (#"{"kind":"command","command":["ls"]}"#, "403", "denied", "command"),
        (#"{"sql":"select 1","database":"nowhere"}"#, "422", nil, "database"),
        (#"{"sql":"select 1","wait_ms":60001}"#, "422", nil, "wait_ms"),
        (#"{"sql":"select 1","sql":"select 2"}"#, "400", nil, nil),
        (#"{"sql":"select 1""#, "400", nil, nil),
        (#"[]"#, "422", nil, nil),
        ("", "400", nil, nil),
        (#"{}"#, "422", nil, nil),
    ])
    func `what is wrong with a job is said by code and field`(
        job: String,
        code: String,
        error: String?,
        field: String?
    ) throws {
        let said = try client.ask("job.submit", job)
        #expect(said.code == code, "\(said.head)")
        if let error { #expect(said.errorCode == error) }
        if let field { #expect(said["error"]?["field"]?.stringValue == field, "\(said.head)") }
        #expect(said["error"]?["message"]?.stringValue?.isEmpty == false)
    }

    @Test func `a misspelt field gets a hint at the right one`() throws {
        let said = try client.ask("job.submit", #"{"sql":"select 1","prioritty":1}"#)
        #expect(said["error"]?["hint"]?.stringValue?.contains("priority") == true, "\(said.head)")
    }

    @Test func `a result is read in pieces`() throws {
        let id = try client.submit(#"{"kernel":"echo","input":"0123456789"}"#)
        #expect(try client.result(id).text == #""0123456789""#)
        let head = try client.ask("job.result", #"{"id":\#(id),"offset":0,"limit":5}"#)
        #expect(head.text == #""0123"#)
        #expect(head["eof"] == false)
        #expect(head["total_bytes"] == 12)
        let tail = try client.ask("job.result", #"{"id":\#(id),"offset":5,"limit":100}"#)
        #expect(tail.text == #"456789""#)
        #expect(tail["eof"] == true)
        #expect(tail["offset"] == 5)
        let beyond = try client.ask("job.result", #"{"id":\#(id),"offset":99}"#)
        #expect(beyond.code == "200")
        #expect(beyond.frames == [[]])
        #expect(beyond["eof"] == true)
    }

    @Test func `a result beyond sixteen megabytes is read in pieces and never cut`() throws {
        let rows = "with recursive n(i) as (select 1 union all select i+1 from n where i < 18000)"
        let id = try client.submit(
            #"{"sql":"\#(rows) select hex(zeroblob(500)) from n","format":"csv"}"#
        )
        let whole = try client.result(id)
        #expect(whole.code == "413", "\(whole.head)")
        #expect(whole.errorCode == "read_in_pieces")
        let total = try #require(whole["error"]?["total_bytes"]?.integerValue)
        #expect(total > 18_000_000 && total < 19_000_000)
        var bytes: [UInt8] = []
        while bytes.count < total {
            let body = #"{"id":\#(id),"offset":\#(bytes.count),"limit":4000000}"#
            bytes += try #require(try client.ask("job.result", body).frames.first)
        }
        #expect(bytes.count == total)
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        #expect(lines.count == 18_002)
        #expect(lines[1..<18_001].allSatisfy { $0.count == 1_001 })
    }

    @Test func `pipelined requests are all answered, each under its name`() throws {
        let dealer = try Conversation(dealer: runner.tcp)
        for n in 0..<300 {
            try dealer.say("job.submit", #"{"kernel":"echo","input":\#(n),"request":"r\#(n)"}"#)
        }
        var ids: [String: Int64] = [:]
        for _ in 0..<300 {
            let said = try dealer.hear()
            ids[try #require(said["request"]?.stringValue)] = said.id
        }
        #expect(ids.count == 300)
        for n in [0, 7, 299] {
            let id = try #require(ids["r\(n)"])
            #expect(try client.result(id).text == "\(n)")
        }
    }
}
