import JobCore
import JobWire
import Testing

/// Jobs as clients write them: every field, its bounds, and what goes together.
struct SubmissionTests {
    @Test func `a job has the defaults of the protocol`() throws {
        let found = try submission(#"{"sql":"select 1"}"#)
        #expect(found.spec.kind == .sql)
        #expect(text(found.spec.body) == #"{"sql":"select 1","mode":"read","format":"json"}"#)
        #expect(found.spec.queue == .standard)
        #expect(found.spec.priority == 0)
        #expect(found.spec.timeoutMs == 3_600_000)
        #expect(found.spec.retry == .standard)
        #expect(found.spec.parts == 1)
        #expect(found.spec.writes == nil)
        #expect(found.start == .now)
        #expect(found.key == nil)
        #expect(found.spec.name == nil)
        #expect(found.spec.tags == [])
        #expect(found.spec.keepMs == nil)
    }

    @Test func `every field of an SQL job is read`() throws {
        let found = try submission(
            #"""
            {"tags":["a","b"],"keep_ms":7,"name":"n","key":"k","queue":"q","priority":-5,
             "delay_ms":9,"timeout_ms":11,"max_attempts":4,
             "backoff":{"first_ms":5,"longest_ms":6},"format":"csv","mode":"write",
             "database":"sales","params":[1, 2.50,"x"],"sql":"insert","kind":"sql"}
            """#
        )
        #expect(
            text(found.spec.body)
                == #"{"sql":"insert","params":[1, 2.50,"x"],"database":"sales","#
                + #""mode":"write","format":"csv"}"#
        )
        #expect(found.spec.writes == "sales")
        #expect(found.spec.tags == ["a", "b"])
        #expect(found.spec.keepMs == 7)
        #expect(found.spec.name == "n")
        #expect(found.key == "k")
        #expect(found.spec.queue.rawValue == "q")
        #expect(found.spec.priority == -5)
        #expect(found.start == .after(ms: 9))
        #expect(found.spec.timeoutMs == 11)
        #expect(found.spec.retry == RetryPolicy(maxAttempts: 4, firstMs: 5, longestMs: 6))
    }

    @Test func `every field of a compute job is read, and its input kept byte for byte`() throws {
        let found = try submission(
            #"{"input": { "b": [1.0, 2] ,"a":"\u0041"} ,"parts":8,"kernel":"sum","ready_at":5}"#
        )
        #expect(
            text(found.spec.body)
                == #"{"kernel":"sum","input":{ "b": [1.0, 2] ,"a":"\u0041"},"parts":8}"#
        )
        #expect(found.spec.kind == .compute)
        #expect(found.spec.parts == 8)
        #expect(found.start == .at(Timestamp(rawValue: 5)))
        let bare = try submission(#"{"kernel":"echo"}"#)
        #expect(text(bare.spec.body) == #"{"kernel":"echo"}"#)
    }

    static let long = String(repeating: "x", count: 200)

    /// Each field at the edges of its bounds, from both sides.
    @Test(arguments: [
        (#""priority":-100"#, "ok"), (#""priority":-101"#, "422 out_of_bounds priority"),
        (#""priority":100"#, "ok"), (#""priority":101"#, "422 out_of_bounds priority"),
        (#""priority":"1""#, "422 wrong_type priority"),
        (#""priority":1.0"#, "422 wrong_type priority"),
        (#""priority":null"#, "422 wrong_type priority"),
        (#""ready_at":0"#, "ok"), (#""ready_at":-1"#, "422 out_of_bounds ready_at"),
        (#""ready_at":253402300799999"#, "ok"),
        (#""ready_at":253402300800000"#, "422 out_of_bounds ready_at"),
        (#""delay_ms":0"#, "ok"), (#""delay_ms":-1"#, "422 out_of_bounds delay_ms"),
        (#""delay_ms":31622400000"#, "ok"),
        (#""delay_ms":31622400001"#, "422 out_of_bounds delay_ms"),
        (#""timeout_ms":1"#, "ok"), (#""timeout_ms":0"#, "422 out_of_bounds timeout_ms"),
        (#""timeout_ms":604800000"#, "ok"),
        (#""timeout_ms":604800001"#, "422 out_of_bounds timeout_ms"),
        (#""max_attempts":1"#, "ok"), (#""max_attempts":0"#, "422 out_of_bounds max_attempts"),
        (#""max_attempts":100"#, "ok"),
        (#""max_attempts":101"#, "422 out_of_bounds max_attempts"),
        (#""keep_ms":0"#, "ok"), (#""keep_ms":-1"#, "422 out_of_bounds keep_ms"),
        (#""keep_ms":31622400000"#, "ok"),
        (#""keep_ms":31622400001"#, "422 out_of_bounds keep_ms"),
        (#""backoff":{}"#, "ok"), (#""backoff":1"#, "422 wrong_type backoff"),
        (#""backoff":{"first_ms":0,"longest_ms":0}"#, "ok"),
        (#""backoff":{"first_ms":604800000}"#, "ok"),
        (#""backoff":{"first_ms":604800001}"#, "422 out_of_bounds backoff.first_ms"),
        (#""backoff":{"longest_ms":-1}"#, "422 out_of_bounds backoff.longest_ms"),
        (#""backoff":{"first_ms":2,"longest_ms":1}"#, "422 out_of_bounds backoff.first_ms"),
        (#""backoff":{"frist_ms":2}"#, "422 unknown_field backoff.frist_ms"),
        (#""key":"""#, "422 out_of_bounds key"), (#""key":"\#(long)""#, "ok"),
        (#""key":"\#(long)x""#, "422 out_of_bounds key"), (#""key":5"#, "422 wrong_type key"),
        (#""name":"""#, "422 out_of_bounds name"), (#""name":"\#(long)""#, "ok"),
        (#""name":"\#(long)x""#, "422 out_of_bounds name"),
        (#""queue":"""#, "422 out_of_bounds queue"), (#""queue":"\#(long)""#, "ok"),
        (#""queue":"\#(long)x""#, "422 out_of_bounds queue"),
        (#""queue":"a/b""#, "422 invalid_value queue"), (#""queue":1"#, "422 wrong_type queue"),
        (#""tags":[]"#, "ok"), (#""tags":["\#(long)"]"#, "ok"),
        (#""tags":["a","\#(long)x"]"#, "422 out_of_bounds tags[1]"),
        (#""tags":[1]"#, "422 wrong_type tags[0]"), (#""tags":"a""#, "422 wrong_type tags"),
        (#""tags":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16"]"#, "ok"),
        (
            #""tags":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]"#,
            "422 out_of_bounds tags"
        ),
        (#""ready_at":1,"delay_ms":1"#, "422 conflicting_fields delay_ms"),
        (#""kind":"sql""#, "ok"), (#""kind":"sqll""#, "422 invalid_value kind"),
        (#""kind":"compute""#, "422 conflicting_fields sql"),
        (#""kind":"command""#, "422 conflicting_fields sql"),
        (#""kernel":"sum""#, "422 conflicting_fields kernel"),
        (#""input":1"#, "422 conflicting_fields input"),
        (#""parts":1"#, "422 conflicting_fields parts"),
        (#""database":"sales""#, "ok"), (#""database":"sale""#, "422 unknown_database database"),
        (#""database":"archive""#, "ok"), (#""mode":"write""#, "ok"),
        (#""database":"archive","mode":"write""#, "403 not_allowed mode"),
        (#""mode":"append""#, "422 invalid_value mode"),
        (#""format":"json""#, "ok"), (#""format":"jsonl""#, "ok"), (#""format":"csv""#, "ok"),
        (#""format":"bytes""#, "422 invalid_value format"),
        (#""format":"xml""#, "422 invalid_value format"),
        (#""params":[null,true,1,1.5,"x",{"base64":"AA=="},{"real":"inf"},{"real":"-inf"}]"#, "ok"),
        (#""params":{"a":1}"#, "ok"), (#""params":1"#, "422 wrong_type params"),
        (#""params":[[1]]"#, "422 wrong_type params[0]"),
        (#""params":{"a":{"b":1}}"#, "422 invalid_value params.a"),
        (#""params":[{"base64":"A==="}]"#, "422 invalid_value params[0]"),
        (#""params":[{"base64":"AB=="}]"#, "422 invalid_value params[0]"),
        (#""params":[{"real":"nan"}]"#, "422 invalid_value params[0]"),
        (#""params":[9223372036854775808]"#, "422 out_of_bounds params[0]"),
        (#""params":[1e999]"#, "422 out_of_bounds params[0]"),
        (#""command":["gzip"]"#, "422 conflicting_fields command"),
        (#""env":{}"#, "422 conflicting_fields env"),
        (#""after":[1,2,1]"#, "ok"), (#""after":[]"#, "ok"),
        (#""after":1"#, "422 wrong_type after"), (#""after":[0]"#, "422 out_of_bounds after[0]"),
        (#""after":[1,""]"#, "422 out_of_bounds after[1]"),
        (#""after":[1,null]"#, "422 wrong_type after[1]"),
        (#""after":["a"]"#, "422 unknown_predecessor after[0]"),
        (#""on_failure":"run""#, "ok"), (#""on_failure":"go""#, "422 invalid_value on_failure"),
        (#""dry_run":true"#, "501 not_implemented dry_run"),
        (#""prioritty":1"#, "422 unknown_field prioritty"),
        (#""wait_ms":60000"#, "ok"), (#""wait_ms":60001"#, "422 out_of_bounds wait_ms"),
        (#""wait_ms":-1"#, "422 out_of_bounds wait_ms"), (#""request":"r""#, "ok"),
    ])
    func `a field is taken within its bounds only`(fields: String, expected: String) {
        #expect(outcome("job.submit", job(fields)) == expected)
    }

    @Test(arguments: [
        (#"{"kernel":"sum","parts":1}"#, "ok"), (#"{"kernel":"sum","parts":1024}"#, "ok"),
        (#"{"kernel":"sum","parts":0}"#, "422 out_of_bounds parts"),
        (#"{"kernel":"sum","parts":1025}"#, "422 out_of_bounds parts"),
        (#"{"kernel":"sun"}"#, "422 unknown_kernel kernel"),
        (#"{"kernel":"sum","params":[]}"#, "422 conflicting_fields params"),
        (#"{"kernel":"sum","env":{}}"#, "422 conflicting_fields env"),
        (#"{"kernel":"sum","kind":"sql"}"#, "422 conflicting_fields kernel"),
        (#"{"kind":"sql"}"#, "422 missing_field sql"),
        (#"{"kind":"compute"}"#, "422 missing_field kernel"),
        (#"{"kind":"command"}"#, "422 missing_field command"),
        (#"{}"#, "422 missing_field kind"), (#"{"sql":""}"#, "422 out_of_bounds sql"),
        (#"{"sql":1}"#, "422 wrong_type sql"),
        (#"{"jobs":[]}"#, "422 out_of_bounds jobs"), (#"{"jobs":{}}"#, "422 wrong_type jobs"),
        (#"{"jobs":[1]}"#, "422 wrong_type jobs[0]"),
        (#"{"jobs":[{"sql":"a"},{"sql":"b","priority":"x"}]}"#, "422 wrong_type jobs[1].priority"),
        (#"{"jobs":[{"sql":"a"},{"sql":"b","x":"x"}]}"#, "422 unknown_field jobs[1].x"),
        (#"{"jobs":[{"sql":"a","wait_ms":5}]}"#, "422 unknown_field jobs[0].wait_ms"),
        (#"{"jobs":[{"sql":"a"}],"wait_ms":5}"#, "422 conflicting_fields wait_ms"),
        (#"{"jobs":[{"sql":"a"}],"queue":"q"}"#, "422 conflicting_fields queue"),
        (#"{"note":1,"jobs":[{"sql":"a"}],"request":"r"}"#, "ok"),
        (#"{"sql":"a","sql":"b"}"#, "400 malformed_json -"),
    ])
    func `a submission is taken whole or refused by the name of its field`(
        body: String,
        expected: String
    ) {
        #expect(outcome("job.submit", body) == expected)
    }

    @Test func `hints name the nearest known word`() {
        #expect(
            refusal("job.submit", job(#""prioritty":1"#))?.hint == "Did you mean priority?"
        )
        #expect(refusal("job.submit", #"{"kernel":"prime"}"#)?.hint == "Did you mean primes?")
        #expect(
            refusal("job.submit", job(#""database":"zzzzzz""#))?.hint
                == "Known are: archive, sales."
        )
    }

    @Test func `one job waits, a batch is answered with a list`() {
        guard
            case .submit(let one, isBatch: false, waitMs: 5)? = request(
                "job.submit",
                job(#""wait_ms":5"#)
            )
        else {
            Issue.record("one job")
            return
        }
        #expect(one.count == 1)
        guard
            case .submit(let two, isBatch: true, waitMs: nil)? = request(
                "job.submit",
                #"{"jobs":[{"sql":"a"},{"sql":"b"}]}"#
            )
        else {
            Issue.record("two jobs")
            return
        }
        #expect(two.count == 2)
    }

    @Test func `as many jobs as allowed come in one submission, and each of bounded size`() {
        var small = catalog
        small.limits.submissionJobs = 2
        small.limits.specBytes = 20
        let reader = JobReader(small)
        func code(_ text: String) -> String? {
            do {
                _ = try reader.jobs(Array(text.utf8))
                return nil
            } catch {
                return "\(error.code) \(error.field ?? "-")"
            }
        }
        #expect(code(#"{"jobs":[{"sql":"a"},{"sql":"b"}]}"#) == nil)
        #expect(code(#"{"jobs":[{"sql":"a"},{"sql":"b"},{"sql":"c"}]}"#) == "out_of_bounds jobs")
        #expect(code(#"{"jobs":[{"sql":"1234567890"}]}"#) == nil)
        #expect(code(#"{"jobs":[{"sql":"12345678901"}]}"#) == "too_large jobs[0]")
        #expect(code(#"{"sql":"a"}"#) == "missing_field jobs")
    }

    @Test func `one pause of the two moves the other's default`() throws {
        let slow = try submission(job(#""backoff":{"first_ms":700000}"#)).spec.retry
        #expect((slow.firstMs, slow.longestMs) == (700_000, 700_000))
        let fast = try submission(job(#""backoff":{"longest_ms":10}"#)).spec.retry
        #expect((fast.firstMs, fast.longestMs) == (10, 10))
    }

    @Test func `a job is read from the middle of other bytes, under a path`() throws {
        let bytes = Array(#"xx {"sql":"a"} yy"#.utf8)
        let found = try JobReader(catalog).job(bytes, in: 3..<14)
        #expect(found.spec.kind == .sql)
        #expect(try JobReader(catalog).job(["sql": "a"]) == found)
        #expect {
            try JobReader(catalog).job(Array(#"{"sqll":"a"}"#.utf8), at: "line 3")
        } throws: {
            ($0 as? Refusal)?.field == "line 3.sqll"
        }
    }
}

/// Binary frames beside the JSON.
struct FrameReferenceTests {
    let two = [Array("first".utf8), Array("second".utf8)]

    @Test func `jobs get the frames that they refer to, under their numbers`() throws {
        let found = try submission(
            #"{"kernel":"echo","input":[{"$frame":3},{"$frame":2}]}"#,
            frames: two
        )
        #expect(
            found.spec.frames == [
                Spec.Frame(number: 2, bytes: two[0]), Spec.Frame(number: 3, bytes: two[1]),
            ]
        )
        let batch =
            #"{"jobs":[{"sql":"a","params":[{"$frame":2}]},{"sql":"b","params":{"x":{"$frame":3}}}]}"#
        let jobs = try JobReader(catalog).jobs(Array(batch.utf8), frames: two)
        #expect(jobs.map { $0.spec.frames.map(\.number) } == [[2], [3]])
    }

    @Test(arguments: [
        (#"[{"$frame":2},{"$frame":3}]"#, "ok"), (#"[{"$frame":2}]"#, "422 unused_frame -"),
        (#"[{"$frame":2},{"$frame":4}]"#, "422 missing_frame params"),
        (#"[{"$frame":1}]"#, "422 missing_frame params"),
        (#"[{"$frame":-9223372036854775808}]"#, "422 missing_frame params"),
        (#"[{"$frame":"2"}]"#, "422 invalid_value params[0]"),
        (#"[{"$frame":2,"x":1}]"#, "422 invalid_value params[0]"),
    ])
    func `every reference has a frame, and every frame a reference`(
        params: String,
        expected: String
    ) {
        #expect(outcome("job.submit", job("\"params\":\(params)"), frames: two) == expected)
    }

    @Test func `the bytes that many jobs refer to are bounded together`() {
        var small = catalog
        small.limits.messageBytes = 1_000
        let body =
            #"{"jobs":[{"sql":"a","params":[{"$frame":2}]},{"sql":"b","params":[{"$frame":2}]}]}"#
        func code(_ size: Int) -> String? {
            do {
                let frame = [UInt8](repeating: 0, count: size)
                _ = try JobReader(small).jobs(Array(body.utf8), frames: [frame])
                return nil
            } catch {
                return "\(error.code) \(error.field ?? "-")"
            }
        }
        #expect(code(500) == nil)
        #expect(code(501) == "too_large jobs[1].params")
    }
}
