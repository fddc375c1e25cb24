import JobCore
import JobWire
import Testing

/// Jobs that come after others, as clients write them.
@Suite("Predecessors") struct PredecessorTests {
    private func outcome(_ jobs: String) -> String {
        JobWireTests.outcome("job.submit", #"{"jobs":[\#(jobs)]}"#)
    }

    private func jobs(_ text: String) throws -> [Submission] {
        let found = request("job.submit", #"{"jobs":[\#(text)]}"#)
        guard case .submit(let jobs, _, _)? = found else {
            Issue.record("refused: \(String(describing: refusal("job.submit", text)))")
            return []
        }
        return jobs
    }

    @Test func `names stand for jobs of the same submission, in any order`() throws {
        let found = try jobs(
            #"""
            {"name":"c","sql":"select 1","after":["a","b",7,"a"],"on_failure":"run"},
            {"name":"a","sql":"select 1"},
            {"name":"b","sql":"select 1","after":["a"]}
            """#
        )
        #expect(
            found[0].after == [
                Predecessor(.sibling("a"), place: 1), Predecessor(.sibling("b"), place: 2),
                Predecessor(.job(JobID(rawValue: 7))),
            ]
        )
        #expect(found[0].onFailure == .run)
        #expect(found[1].after == [] && found[1].onFailure == .fail)
        #expect(found[2].after == [Predecessor(.sibling("a"), place: 1)])
    }

    @Test(arguments: [
        (
            #"{"name":"load","sql":"select 1"},{"sql":"select 1","after":["laod"]}"#,
            "422 unknown_predecessor jobs[1].after[0]"
        ),
        (
            #"{"name":"a","sql":"select 1"},{"name":"a","sql":"select 1"},"#
                + #"{"sql":"select 1","after":[3,"a"]}"#,
            "422 invalid_value jobs[2].after[1]"
        ),
        (
            #"{"name":"a","sql":"select 1","after":["a"]}"#,
            "422 dependency_cycle jobs[0].after"
        ),
        (
            #"{"name":"a","sql":"select 1"},{"name":"a","sql":"select 1","after":[1]}"#,
            "ok"
        ),
    ])
    func `a name means one job`(text: String, expected: String) {
        #expect(outcome(text) == expected)
    }

    @Test func `a name that nobody has is answered with one that was meant`() {
        let jobs = #"{"name":"load","sql":"select 1"},{"sql":"select 1","after":["laod"]}"#
        let refusal = refusal("job.submit", #"{"jobs":[\#(jobs)]}"#)
        #expect(refusal?.message == #"No job of this submission is called "laod"."#)
        #expect(refusal?.hint == "Did you mean load?")
    }

    @Test func `a circle is refused and named`() {
        let jobs = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")].map {
            #"{"name":"\#($0)","sql":"select 1","after":["\#($1)"]}"#
        }.joined(separator: ",")
        let refusal = refusal("job.submit", #"{"jobs":[\#(jobs)]}"#)
        #expect(refusal?.code == "dependency_cycle")
        let way = #""b", "c", "d", "b""#
        #expect(refusal?.message == "Jobs wait for each other in a circle: \(way).")
        #expect(refusal?.field == "jobs[1].after")
    }

    @Test func `a long circle is named by its beginning`() throws {
        let count = 10_000
        var jobs = (0..<count).map { number in
            #"{"name":"\#(number)","sql":"select 1","after":["\#((number + 1) % count)"]}"#
        }
        let refusal = refusal("job.submit", #"{"jobs":[\#(jobs.joined(separator: ","))]}"#)
        let way = #""0", "1", "2", "3", "4", "5", "6", "7", …, "0""#
        #expect(refusal?.message == "Jobs wait for each other in a circle: \(way).")
        jobs[count - 1] = #"{"name":"\#(count - 1)","sql":"select 1"}"#
        #expect(outcome(jobs.joined(separator: ",")) == "ok")
    }

    /// Many ways lead to each job, and each is followed once.
    @Test func `jobs of which each comes after all before it are no circle`() {
        let jobs = (0..<400).map { number in
            let others = (0..<number).map { #""\#($0)""# }.joined(separator: ",")
            return #"{"name":"\#(number)","sql":"select 1","after":[\#(others)]}"#
        }
        #expect(outcome(jobs.joined(separator: ",")) == "ok")
    }

    @Test func `a job comes after a thousand others at most`() {
        let most = (1...Limits.dependencies).map(String.init).joined(separator: ",")
        #expect(JobWireTests.outcome("job.submit", job(#""after":[\#(most)]"#)) == "ok")
        let more = job(#""after":[\#(most),1001]"#)
        #expect(JobWireTests.outcome("job.submit", more) == "422 out_of_bounds after")
        #expect(Limits.dependencies == 1_000)
    }

    @Test func `a submission has a bounded number of predecessors in all its jobs`() {
        let most = (1...Limits.dependencies).map(String.init).joined(separator: ",")
        let full = Limits.dependenciesTogether / Limits.dependencies
        let jobs = [String](repeating: job(#""after":[\#(most)]"#), count: full)
        #expect(outcome(jobs.joined(separator: ",")) == "ok")
        let one = job(#""after":[1]"#)
        let tooMany = (jobs + [job(""), one, one]).joined(separator: ",")
        #expect(outcome(tooMany) == "422 out_of_bounds jobs[\(full + 1)].after")
        #expect(Limits.dependenciesTogether == 100_000)
    }

    // MARK: Results

    @Test func `whose results are taken is found in the work`() throws {
        let found = try jobs(
            #"""
            {"name":"a","sql":"select 1"},{"name":"b","sql":"select 2"},
            {"kernel":"echo","after":["a","b",7],
             "input":[{"x":{"$result":"b","path":"rows.0"}},{"$result":7}]},
            {"after":["a",7],"sql":"select :x","params":{"x":{"path":["rows",0,0],"$result":"a"}}}
            """#
        )
        #expect(found[2].after.map(\.givesResult) == [false, true, true])
        #expect(found[3].after.map(\.givesResult) == [true, false])
        #expect(text(found[3].spec.body).contains(#"{"path":["rows",0,0],"$result":"a"}"#))
    }

    @Test(arguments: [
        (#"{"$result":1}"#, "ok"), (#"{"$result":1,"path":"a"}"#, "ok"),
        (#"{"$result":1,"path":0}"#, "ok"), (#"{"$result":1,"path":["a.b","",0]}"#, "ok"),
        (#"{"$result":2}"#, "422 invalid_value input"),
        (#"{"$result":"one"}"#, "422 invalid_value input"),
        (#"{"$result":null}"#, "422 wrong_type input.$result"),
        (#"{"$result":1,"paht":"a"}"#, "422 invalid_value input"),
        (#"{"$result":1,"path":""}"#, "422 invalid_value input.path"),
        (#"{"$result":1,"path":"a..b"}"#, "422 invalid_value input.path"),
        (#"{"$result":1,"path":[]}"#, "422 out_of_bounds input.path"),
        (#"{"$result":1,"path":[-1]}"#, "422 wrong_type input.path"),
        (#"{"$result":1,"path":-1}"#, "422 wrong_type input.path"),
        (#"{"$result":1,"path":0.5}"#, "422 wrong_type input.path"),
        (#"[[{"$result":1,"path":null}]]"#, "422 wrong_type input.path"),
        (#"{"path":"a"}"#, "ok"),
    ])
    func `a result is taken by one form, from a job that stands in after`(
        input: String,
        expected: String
    ) {
        let job = #"{"kernel":"echo","after":[1],"input":\#(input)}"#
        #expect(JobWireTests.outcome("job.submit", job) == expected)
    }

    /// The rows of `each` are read one by one when the job runs, and are as they were sent.
    @Test(arguments: [
        (#"[[1],[{"$result":"a"}]]"#, "422 invalid_value jobs[1].each[1][0]"),
        (#"[{"x":{"$result":"a","path":"0"}}]"#, "422 invalid_value jobs[1].each[0].x"),
        (#"{"$result":"a"}"#, "422 wrong_type jobs[1].each"),
    ])
    func `no result is taken into each`(each: String, expected: String) {
        let first = #"{"name":"a","sql":"select 1"}"#
        let taking = #"{"sql":"select :x","after":["a"],"each":\#(each)}"#
        #expect(outcome("\(first),\(taking)") == expected)
    }

    @Test func `a path is as long as JSON is deep`() {
        func outcome(_ steps: Int) -> String {
            let path = Array(repeating: "a", count: steps).joined(separator: ".")
            let input = #"{"$result":1,"path":"\#(path)"}"#
            return JobWireTests.outcome(
                "job.submit",
                #"{"kernel":"echo","after":[1],"input":\#(input)}"#
            )
        }
        #expect(outcome(Limits.pathSteps) == "ok")
        #expect(outcome(Limits.pathSteps + 1) == "422 out_of_bounds input.path")
    }

    @Test func `the same job with other predecessors is another one`() throws {
        let prints = try [#""key":"k""#, #""key":"k","after":[1]"#, #""key":"k","after":[2]"#].map {
            try submission(job($0)).fingerprint
        }
        #expect(Set(prints).count == 3)
    }
}
