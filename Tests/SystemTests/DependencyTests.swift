import Foundation
import JobTesting
import JobWire
import Testing

/// Jobs that come after others, from the socket, from files and from the command line.
@Suite struct DependencyTests {
    let runner: RunnerProcess
    let client: Conversation

    init() throws {
        var options = RunnerProcess.Options()
        options.settings = ["LIMITS_INPUT_BYTES": "2000"]
        runner = try RunnerProcess(options)
        client = try Conversation(runner.ipc)
    }

    private func submit(_ jobs: String) throws -> [Int64] {
        let said = try client.ask("job.submit", #"{"jobs":[\#(jobs)]}"#)
        try #require(said.code == "200", "\(said.head)")
        return said.ids
    }

    /// A job that runs until it is called off.
    private let patient = #"{"name":"patient","kernel":"sleep","input":{"ms":600000}}"#

    @Test func `results go from job to job, whatever the order in which they were sent`() throws {
        let ids = try submit(
            #"""
            {"name":"total","after":["table"],"kernel":"sum",
             "input":{"numbers":{"$result":"table","path":"rows.0"}}},
            {"name":"all","after":["total","table"],"sql":"select ? + ? as n, ? as missing",
             "params":[{"$result":"total","path":"sum"},{"$result":"table","path":"rows.0.2"},null]},
            {"name":"table","sql":"select 40, 2, 0.5"}
            """#
        )
        #expect(try client.result(ids[0]).text == #"{"sum":42.5,"count":3}"#)
        let all = #"{"columns":["n","missing"],"rows":[[43.0,null]],"changes":0}"#
        #expect(try client.result(ids[1]).text == all)
        // They are there for jobs that come later, too.
        let late = #"{"kernel":"echo","after":[\#(ids[0])],"input":{"$result":\#(ids[0])}}"#
        #expect(try client.result(client.submit(late)).text == #"{"sum":42.5,"count":3}"#)
    }

    @Test func `bytes and divided work take results as well`() throws {
        let parts = #"{"name":"numbers","kernel":"echo","input":[1,2,3,4,5,6]}"#
        let ids = try submit(
            #"""
            \#(parts),
            {"kernel":"sum","parts":3,"after":["numbers"],
             "input":{"numbers":{"$result":"numbers"}}},
            {"name":"csv","sql":"select 'abc' as x","format":"csv"},
            {"kernel":"echo","after":["csv"],"input":{"$result":"csv"}},
            {"name":"lines","sql":"select 1 as n union all select 2","format":"jsonl"},
            {"kernel":"echo","after":["lines"],"input":{"$result":"lines","path":"1.n"}}
            """#
        )
        #expect(try client.result(ids[1]).text == #"{"sum":21,"count":6}"#)
        #expect(try client.result(ids[3]).text == #""x\r\nabc\r\n""#)
        #expect(try client.result(ids[5]).text == "2")
    }

    @Test func `a job that is blocked says for what, and goes on when that is called off`() throws {
        let first = try client.submit(#"{"kernel":"echo","input":0}"#)
        let ids = try submit(
            patient + ","
                + #"{"kernel":"echo","input":1,"after":["patient"]},"#
                + #"{"kernel":"echo","input":2,"after":["patient"],"on_failure":"run"},"#
                + #"{"kernel":"echo","input":3,"after":["patient",\#(first)],"on_failure":"run"}"#
        )
        try client.waitUntilRunning(ids[0])
        let shown = try client.show(ids[1])
        #expect(shown["waiting"] == "blocked" && shown["waits_for"] == 1)
        #expect(shown["why"]?.stringValue == "It waits for 1 job: \(ids[0]).")
        let other = shown["after"]?.arrayValue?.first
        #expect(other?["id"] == .integer(ids[0]) && other?["name"] == "patient")
        // A run that is young is not written down yet.
        #expect(["queued", "running"].contains(other?["state"]?.stringValue))
        try client.ask("job.cancel", #"{"id":\#(ids[0])}"#)
        let failed = try client.result(ids[1])
        #expect(failed.state == "failed" && failed.errorCode == "dependency_failed")
        #expect(try client.result(ids[2]).text == "2")
        #expect(try client.result(ids[3]).text == "3")
    }

    @Test func `what failed with a job runs when that is retried`() throws {
        let ids = try submit(
            patient + "," + #"{"name":"b","kernel":"echo","input":1,"after":["patient"]},"#
                + #"{"kernel":"echo","input":2,"after":["b"]}"#
        )
        try client.ask("job.cancel", #"{"id":\#(ids[0])}"#)
        #expect(try client.result(ids[2]).state == "failed")
        let retried = try client.ask("job.retry", #"{"id":\#(ids[0])}"#)
        #expect(retried["count"] == 1)
        #expect(try client.show(ids[2])["waiting"] == "blocked")
        let said = try runner.command("show", "\(ids[2])")
        #expect(said.output.contains("after      └─ \(ids[1]) b  blocked\n"), "\(said.output)")
        let below = "└─ \(ids[0]) patient  "
        #expect(said.output.contains(below), "\(said.output)")
    }

    @Test func `what cannot be taken is a failure in words`() throws {
        let ids = try submit(
            #"""
            {"name":"a","sql":"select 1"},
            {"kernel":"echo","after":["a"],"input":{"$result":"a","path":"rows.0.1"}},
            {"name":"large","sql":"select hex(zeroblob(1001))"},
            {"kernel":"echo","after":["large"],"input":{"$result":"large"}},
            {"sql":"select ?","after":["a"],"params":[{"$result":"a"}]},
            {"name":"bad","sql":"select * from nowhere"},
            {"kernel":"echo","after":["bad"],"on_failure":"run","input":{"$result":"bad"}}
            """#
        )
        let nothing = try client.result(ids[1])
        #expect(nothing.errorCode == "no_input")
        let message = nothing["error"]?["message"]?.stringValue
        #expect(message == #"The result of "a" has nothing at "rows.0.1"."#)
        for id in [ids[3], ids[4], ids[6]] {
            let said = try client.result(id)
            #expect(said.errorCode == "no_input", "\(said.head)")
            #expect(said["attempt"] == 1)
        }

        let first = try submit(#"{"name":"x","kernel":"echo","input":1},"# + patient)
        _ = try client.result(first[0])
        let late =
            #"{"kernel":"echo","after":[\#(first[0]),\#(first[1])],"on_failure":"run","#
            + #""input":{"$result":\#(first[0])}}"#
        let id = try client.submit(late)
        try client.ask("job.delete", #"{"id":\#(first[0])}"#)
        try client.ask("job.cancel", #"{"id":\#(first[1])}"#)
        let gone = try client.result(id)
        #expect(gone.errorCode == "no_input")
        #expect(gone["error"]?["message"]?.stringValue?.contains("no longer kept") == true)
    }

    @Test func `jobs wait for each other over a restart that nobody wished for`() throws {
        let ids = try submit(patient + "," + #"{"kernel":"echo","input":7,"after":["patient"]}"#)
        try client.waitUntilRunning(ids[0])
        try runner.killAll()
        try runner.restart()
        let again = try Conversation(runner.ipc)
        #expect(try again.show(ids[1])["waiting"] == "blocked")
        try again.ask("job.cancel", #"{"id":\#(ids[0])}"#)
        #expect(try again.result(ids[1]).errorCode == "dependency_failed")
    }

    @Test func `nothing is taken of a submission with a name or a number that nobody has`() throws {
        for after in ["[99]", #"["other"]"#] {
            let said = try client.ask(
                "job.submit",
                #"{"jobs":[{"kernel":"echo","input":1},{"kernel":"echo","after":\#(after)}]}"#
            )
            #expect(said.code == "422" && said.errorCode == "unknown_predecessor")
            #expect(said["error"]?["field"] == "jobs[1].after[0]")
        }
        #expect(try client.ask("job.list", "{}")["jobs"] == [])
    }

    // MARK: Files and the command line

    private func file(_ name: String, _ text: String) throws -> String {
        let path = "\(runner.directory.path)/\(name)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private let graph = """
        jobs:
          - name: sum
            after: [a, b]
            kernel: sum
            input: {numbers: [{$result: a, path: rows.0.0}, {$result: b, path: rows.0.0}]}
          - {name: a, sql: select 40}
          - {name: b, sql: select 2}
        """

    @Test func `a file of jobs that come after each other is submitted and dropped`() throws {
        let path = try file("graph.yaml", graph)
        let said = try runner.command("submit", path)
        #expect(said.output == "1\n2\n3\n")
        #expect(try client.result(1).text == #"{"sum":42,"count":2}"#)

        try FileManager.default.moveItem(atPath: path, toPath: runner.spool + "/graph.yaml")
        let results = runner.spool + "/results/graph.yaml.json"
        let found = try eventually("the results of the file are there") {
            FileManager.default.contents(atPath: results)
        }
        let json = try JSON(parsing: Array(found))
        #expect(json["jobs"]?.arrayValue?.first?["result"] == ["sum": 42, "count": 2])
    }

    @Test func `a check names the circle, and so does the reason of a dropped file`() throws {
        let text = graph.replacing("{name: a,", with: "{name: a, after: [sum],")
        let path = try file("circle.yaml", text)
        let said = try runner.command("check", path)
        #expect(said.code == 1)
        let words = #"Jobs wait for each other in a circle: "sum", "a", "sum"."#
        #expect(said.errors.contains("Line 3, column 12: \(words)"), "\(said.errors)")
        try FileManager.default.moveItem(atPath: path, toPath: runner.spool + "/circle.yaml")
        let reason = runner.spool + "/refused/circle.yaml.reason.txt"
        let found = try eventually("the reason is there") {
            FileManager.default.contents(atPath: reason)
        }
        #expect(String(decoding: found, as: UTF8.self).contains(words))
    }

    @Test func `options say what a job comes after`() throws {
        let first = try client.submit(patient)
        let said = try runner.command(
            "submit",
            "--kernel",
            "echo",
            "--after",
            "\(first)",
            "--on-failure",
            "run"
        )
        let id = try #require(Int64(said.output.dropLast()))
        let shown = try client.show(id)
        #expect(shown["on_failure"] == "run" && shown["waits_for"] == 1)
    }
}
