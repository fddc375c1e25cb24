import Foundation
import JobTesting
import JobWire
import Testing

/// The built program at the command line, against a runner that it finds as a user's would.
@Suite struct CommandLineTests {
    let runner: RunnerProcess

    init() throws { runner = try RunnerProcess() }

    private struct Ended {
        let code: Int32
        let output: String
        let errors: String
        var json: JSON { get throws { try JSON(parsing: Array(output.utf8)) } }
        /// The only line, as a number.
        var id: Int64 { Int64(output.dropLast()) ?? -1 }
    }

    /// Runs `millrace` with the state directory in its environment.
    private func millrace(_ arguments: String...) throws -> Ended {
        try program(arguments, ["MILLRACE_STATE": runner.state])
    }

    private func program(_ arguments: [String], _ variables: [String: String]) throws -> Ended {
        let environment = RunnerProcess.environment.merging(variables) { $1 }
        let process = try ChildProcess(
            RunnerProcess.built("millrace"),
            arguments,
            environment: environment,
            directory: runner.directory.path
        )
        let code = try process.waitForEnd()
        return Ended(code: code, output: process.output, errors: process.errors)
    }

    private func file(_ name: String, _ text: String) throws -> String {
        let path = "\(runner.directory.path)/\(name)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test func `submit prints the id alone, and result the bytes alone`() throws {
        let submitted = try millrace("submit", "--sql", "select 6*7 as answer")
        #expect(submitted.code == 0)
        #expect(submitted.output == "1\n")
        #expect(submitted.errors == "")
        let result = try millrace("result", "1", "--wait", "20s")
        #expect(result.code == 0)
        #expect(result.output == #"{"columns":["answer"],"rows":[[42]],"changes":0}"#)
        #expect(result.errors == "")
    }

    @Test func `submit can wait and print the result`() throws {
        let sum = try millrace(
            "submit",
            "--kernel",
            "sum",
            "--input",
            #"{"numbers":[1,2]}"#,
            "--wait"
        )
        #expect(sum.code == 0)
        #expect(sum.output == #"{"sum":3,"count":2}"#)
        let csv = try millrace(
            "submit",
            "--sql",
            "select ? + ? as x, :day as d",
            "--param",
            "20",
            "--param",
            "22",
            "--named",
            "day=2026-01-01",
            "--format",
            "csv",
            "--wait"
        )
        // Positional and named values do not mix; whichever way, it is said.
        #expect(csv.code == 0 || !csv.errors.isEmpty)
        let failed = try millrace("submit", "--sql", "select * from nowhere", "--wait")
        #expect(failed.code == 1)
        #expect(failed.output == "")
        #expect(failed.errors.contains("no such table: nowhere"))
    }

    @Test func `submit takes files as the spool does`() throws {
        let sql = try file("report.sql", "-- priority: 5\nselect 1 as one;\n")
        let lines = try file(
            "many.jsonl",
            "{\"sql\":\"select 1\"}\n{\"kernel\":\"echo\",\"input\":2}\n"
        )
        let said = try millrace("submit", sql, lines)
        #expect(said.code == 0, "\(said.errors)")
        #expect(said.output == "1\n2\n3\n")
        let shown = try millrace("show", "1", "--json").json
        #expect(shown["priority"] == 5)
        let json = try millrace("submit", lines, "--json").json
        #expect(json["ids"] == [4, 5])
    }

    @Test func `what was accepted is told also when a later file is refused`() throws {
        let good = try file("good.json", #"{"kernel":"echo","input":1}"#)
        let bad = try file("bad.json", #"{"kernel":"no_such_kernel"}"#)
        let json = try millrace("submit", "--json", good, bad)
        #expect(json.code == 64)
        #expect(try json.json["ids"] == [1])
        let plain = try millrace("submit", good, bad)
        #expect(plain.code == 64)
        #expect(plain.output == "2\n")
    }

    @Test func `a file for results is left alone when there is none`() throws {
        let kept = try file("keep.csv", "precious")
        #expect(try millrace("result", "999", "-o", kept).code == 3)
        #expect(try String(contentsOfFile: kept, encoding: .utf8) == "precious")
    }

    @Test func `show tells all about jobs, for people and for programs`() throws {
        _ = try millrace("submit", "--kernel", "echo", "--input", "1", "--wait")
        _ = try millrace(
            "submit",
            "--sql",
            "select 1",
            "--delay",
            "1h",
            "--name",
            "tea",
            "--tag",
            "t"
        )
        let page = try millrace("show", "1-2")
        #expect(page.code == 0)
        #expect(page.output.contains("succeeded"))
        #expect(page.output.contains("tea"))
        #expect(page.output.contains("It is scheduled for"))
        let one = try millrace("show", "last", "--json").json
        #expect(one["id"] == 2)
        #expect(one["name"] == "tea")
        let both = try millrace("show", "1-2", "--json").json
        #expect(both.arrayValue?.map { $0["id"]?.integerValue } == [1, 2])
    }

    @Test func `exit codes tell how jobs ended`() throws {
        #expect(try millrace("submit", "--kernel", "echo", "--input", "1").id == 1)
        #expect(try millrace("submit", "--sql", "selekt").id == 2)
        #expect(try millrace("submit", "--sql", "select 1", "--delay", "1h").id == 3)
        #expect(try millrace("submit", "--sql", "select 1", "--delay", "1h").id == 4)
        #expect(try millrace("cancel", "3").code == 0)

        #expect(try millrace("wait", "1").code == 0)
        #expect(try millrace("wait", "1-2").code == 1)
        #expect(try millrace("wait", "3").code == 4)
        #expect(try millrace("wait", "4", "--timeout", "50ms").code == 5)
        #expect(try millrace("wait", "99").code == 3)
        #expect(try millrace("result", "1").code == 0)
        #expect(try millrace("result", "2").code == 1)
        #expect(try millrace("result", "3").code == 4)
        #expect(try millrace("result", "4").code == 5)
        #expect(try millrace("result", "99").code == 3)
        #expect(try millrace("show", "99").code == 3)
        #expect(try millrace("submit", "--sqll", "select 1").code == 64)
        #expect(try millrace("result", "first").code == 64)
        #expect(try millrace("nonsense").code == 64)
    }

    @Test func `without a runner the code is 69 and the words say what to do`() throws {
        let empty = try TemporaryDirectory()
        let said = try program(
            ["list", "--connect", "ipc://\(empty.path)/nobody.sock"],
            ["HOME": empty.path]
        )
        #expect(said.code == 69, "\(said.errors)")
        #expect(said.output == "")
        #expect(said.errors.contains("millrace serve"), "\(said.errors)")
    }

    @Test func `a runner is found by flag, by variable and by its state`() throws {
        let direct = try program(["stats", "--json", "--connect", runner.tcp], [:])
        #expect(direct.code == 0)
        let variable = try program(["stats", "--json"], ["MILLRACE_CONNECT": runner.ipc])
        #expect(variable.code == 0)
        #expect(try millrace("stats", "--json").json["counts"]?["queued"] == 0)
    }

    @Test func `list shows the newest first and filters`() throws {
        for n in 1...3 {
            _ = try millrace("submit", "--kernel", "echo", "--input", "\(n)", "--queue", "q\(n)")
        }
        _ = try millrace("wait", "1-3")
        let table = try millrace("list")
        #expect(table.code == 0)
        #expect(table.output.split(separator: "\n").count >= 3)
        let json = try millrace("list", "--json", "--limit", "2").json
        #expect(json["jobs"]?.arrayValue?.map { $0["id"]?.integerValue } == [3, 2])
        #expect(json["next"]?.integerValue != nil)
        let filtered = try millrace("list", "--queue", "q2", "--state", "succeeded", "--json").json
        #expect(filtered["jobs"]?.arrayValue?.map { $0["id"]?.integerValue } == [2])
    }

    @Test func `jobs are cancelled, retried and deleted`() throws {
        _ = try millrace("submit", "--sql", "select 1", "--delay", "1h")
        let cancelled = try millrace("cancel", "last")
        #expect(cancelled.errors == "1 job cancelled.\n")
        #expect(try millrace("cancel", "1", "--json").json == ["count": 0])
        #expect(try millrace("retry", "1", "--json").json == ["count": 1])
        #expect(try millrace("wait", "1").code == 0)
        #expect(try millrace("retry", "1").code == 64, "It has succeeded: a conflict.")
        #expect(try millrace("delete", "1", "--json").json == ["count": 1])
        #expect(try millrace("show", "1").code == 3)
    }

    @Test func `queues are paused and resumed`() throws {
        #expect(try millrace("queue", "pause", "mail").code == 0)
        _ = try millrace("submit", "--sql", "select 1", "--queue", "mail")
        #expect(try millrace("show", "1").output.contains("The queue mail is paused."))
        let queues = try millrace("queue", "--json").json.arrayValue ?? []
        #expect(queues.contains { $0["queue"] == "mail" && $0["paused"] == true })
        #expect(try millrace("queue").output.contains("mail"))
        #expect(try millrace("queue", "resume", "mail").code == 0)
        #expect(try millrace("wait", "1").code == 0)
    }

    @Test func `statistics are for people and for programs`() throws {
        _ = try millrace("submit", "--kernel", "echo", "--input", "1", "--wait")
        let page = try millrace("stats")
        #expect(page.code == 0)
        #expect(page.output.contains("succeeded"))
        #expect(try millrace("stats", "--json").json["counts"]?["succeeded"] == 1)
    }

    @Test func `check tells what is wrong with files and settings and submits nothing`() throws {
        let good = try file("good.sql", "-- queue: mail\nselect 1;\n")
        let bad = try file("bad.sql", "-- prioritty: 5\nselect 1;\n")
        #expect(try millrace("check", good).code == 0)
        let said = try millrace("check", good, bad)
        #expect(said.code == 1)
        #expect(said.errors.contains("prioritty"))
        #expect(said.errors.contains("bad.sql"))
        #expect(try millrace("check").code == 0)
        let settings = try file("s.yaml", "workers: 0\nlimitz: {}\n")
        let settled = try millrace("check", "--settings", settings)
        #expect(settled.code == 1)
        #expect(settled.errors.contains("workers") && settled.errors.contains("limitz"))
        let served = try millrace("serve", "--settings", settings)
        #expect(served.code == 78 && served.errors == settled.errors)
        #expect(try millrace("list", "--json").json["jobs"] == [])
    }

    @Test func `how many jobs a file may hold is what the settings say`() throws {
        let job = "{\"sql\":\"select 1\"}"
        let many = try file("many.json", "{\"jobs\":[\(job),\(job),\(job)]}")
        let lines = try file("many.jsonl", "\(job)\n\(job)\n\(job)\n")
        let few = try file("few.yaml", "limits: {submission_jobs: 2}\n")
        #expect(try millrace("check", many).code == 0)
        let said = try millrace("check", "--settings", few, many)
        #expect(said.code == 1)
        #expect(said.errors.contains("2"), "\(said.errors)")
        #expect(try millrace("check", "--settings", few, lines).code == 0)
    }

    @Test func `what cannot be read is told as that`() throws {
        let directory = runner.directory.path + "/folder.sql"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: false
        )
        let said = try millrace("submit", directory)
        #expect(said.code == 64)
        #expect(said.errors.contains("cannot be read"), "\(said.errors)")
    }

    @Test func `a state directory that cannot be made is the system's fault`() throws {
        let said = try program(["serve", "--no-supervise", "--state", "/proc/under"], [:])
        #expect(said.code == 71)
    }

    @Test func `all means all jobs to which it can be done`() throws {
        #expect(try millrace("submit", "--kernel", "echo", "--input", "1", "--wait").code == 0)
        #expect(try millrace("submit", "--sql", "select * from missing", "--wait").code == 1)
        #expect(try millrace("retry", "--all", "--json").json == ["count": 1])
        #expect(try millrace("wait", "2").code == 1)
        for _ in 0..<2 {
            let later = try millrace(
                "submit",
                "--kernel",
                "echo",
                "--input",
                "1",
                "--delay",
                "1h"
            )
            #expect(later.code == 0)
        }
        #expect(try millrace("cancel", "--all", "--json").json == ["count": 2])
        #expect(try millrace("delete", "--all", "--json").json == ["count": 4])
        #expect(try millrace("list", "--json").json["jobs"] == [])
    }

    @Test func `drain stops the runner`() throws {
        #expect(try millrace("drain").code == 0)
        #expect(try runner.process.waitForEnd() == 0)
        #expect(try millrace("list").code == 69)
    }

    @Test(arguments: [
        "serve", "submit", "check", "show", "result", "wait", "list", "cancel", "retry", "delete",
        "stats", "queue", "drain",
    ])
    func `every command explains itself`(command: String) throws {
        let said = try millrace(command, "--help")
        #expect(said.code == 0)
        #expect(said.output.contains("USAGE: millrace \(command)"))
    }
}
