import JobCore
import JobWire
import Testing

@testable import JobRunner

/// The files of jobs together with the protocol's own parser.
@Suite("Files of jobs in the protocol's words") struct IntakeJobReaderTests {
    private func submissions(_ format: JobFile, _ text: String) throws -> [Submission] {
        let reader = JobReader(Catalog(kernels: ["sum"], databases: ["sales": .write]))
        return try format.submissions(
            in: Array(text.utf8),
            rows: { _ throws(RowsProblem) in Array("id,day\n1,x\n".utf8) },
            parse: { (job, frames) throws(Refusal) in try reader.job(job, frames: frames) }
        )
    }

    @Test func `headers become the fields of the job`() throws {
        let text = """
            -- Sales of one day.
            -- database: sales
            -- queue: nightly
            -- priority: 5
            -- timeout: 10m
            -- max_attempts: 5
            -- mode: write
            -- format: csv
            -- key: sales-1
            -- name: Sales
            -- delay: 1h
            -- keep: 30d
            -- tags: a, b
            -- param day: 2026-01-01
            INSERT INTO total SELECT sum(amount) FROM sale WHERE day = :day
            """
        let job = try #require(try submissions(.sql, text).first)
        #expect(job.key == "sales-1")
        #expect(job.start == .after(ms: 3_600_000))
        #expect(job.spec.queue.rawValue == "nightly")
        #expect(job.spec.priority == 5)
        #expect(job.spec.timeoutMs == 600_000)
        #expect(job.spec.retry.maxAttempts == 5)
        #expect(job.spec.writes == "sales")
        #expect(job.spec.name == "Sales")
        #expect(job.spec.keepMs == 2_592_000_000)
        #expect(job.spec.tags == ["a", "b"])
        #expect(String(decoding: job.spec.body, as: UTF8.self).contains("2026-01-01"))
    }

    @Test func `the same job in every format has the same fingerprint`() throws {
        let found = [
            try submissions(.sql, "-- timeout: 10m\n-- param n: 1\nselect :n"),
            try submissions(.json, #"{"sql":"select :n","params":{"n":1},"timeout_ms":600000}"#),
            try submissions(.jsonl, #"{"params":{"n":1},"timeout":"10m","sql":"select :n"}"#),
            try submissions(.yaml, "sql: select :n\nparams: {n: 1}\ntimeout: 600s\n"),
        ]
        #expect(Set(found.joined().map(\.fingerprint)).count == 1)
    }

    @Test func `jobs of one file come after each other, in every format`() throws {
        let files: [(JobFile, String)] = [
            (
                .yaml,
                """
                jobs:
                  - {name: c, sql: select 1, after: [a, b], on_failure: run}
                  - {name: a, sql: select 1}
                  - name: b
                    after: [a]
                    kernel: sum
                    input: {numbers: {$result: a, path: rows.0}}
                """
            ),
            (
                .json,
                """
                {"jobs": [
                  {"name": "c", "sql": "select 1", "after": ["a", "b"], "on_failure": "run"},
                  {"name": "a", "sql": "select 1"},
                  {"name": "b", "after": ["a"], "kernel": "sum",
                   "input": {"numbers": {"$result": "a", "path": "rows.0"}}}]}
                """
            ),
            (
                .jsonl,
                """
                {"name":"c","sql":"select 1","after":["a","b"],"on_failure":"run"}
                {"name":"a","sql":"select 1"}
                {"name":"b","after":["a"],"kernel":"sum","input":{"numbers":{"$result":"a"}}}
                """
            ),
        ]
        for (format, text) in files {
            let jobs = try submissions(format, text)
            #expect(jobs[0].after.map(\.place) == [1, 2] && jobs[0].onFailure == .run)
            #expect(jobs[2].after.map(\.place) == [1])
            #expect(jobs[2].after.map(\.givesResult) == [true])
        }
    }

    @Test func `a statement comes after jobs that are there`() throws {
        let text = "-- after: 3, 7\n-- on_failure: run\nselect 1"
        let job = try #require(try submissions(.sql, text).first)
        #expect(job.after == [3, 7].map { Predecessor(.job(JobID(rawValue: $0))) })
        #expect(job.onFailure == .run)
        let problem = try #require(throws: JobFileProblem.self) {
            try submissions(.sql, "-- after: load\nselect 1")
        }
        #expect(problem.place == JobFile.Place(line: 1, column: 4))
        #expect(problem.problem == #"No job of this submission is called "load"."#)
    }

    @Test func `a circle is named, with its place in the file`() throws {
        let text = """
            jobs:
              - {name: ready, sql: select 1}
              - name: load
                sql: select 1
                after: [ready, clean]
              - {name: clean, sql: select 1, after: [load]}
            """
        let problem = try #require(throws: JobFileProblem.self) { try submissions(.yaml, text) }
        #expect(
            problem.problem
                == #"Jobs wait for each other in a circle: "load", "clean", "load"."#
        )
        #expect(problem.place == JobFile.Place(line: 5, column: 12))
    }

    struct Bad: Sendable {
        let format: JobFile
        let text: String
        let line: Int
        let column: Int
        let word: String
    }

    @Test(arguments: [
        Bad(format: .sql, text: "-- priority: 101\nselect 1", line: 1, column: 4, word: "priority"),
        Bad(format: .sql, text: "\n-- database: no\nselect 1", line: 2, column: 4, word: "no"),
        Bad(format: .sql, text: "-- timeout: 8d\nselect 1", line: 1, column: 4, word: "timeout"),
        Bad(
            format: .json,
            text: "{\"sql\": \"select 1\",\n \"prioritty\": 5}",
            line: 2,
            column: 15,
            word: "prioritty"
        ),
        Bad(
            format: .jsonl,
            text: "{\"sql\":\"select 1\"}\n{\"sql\":\"select 1\",\"after\":[\"load\"]}",
            line: 2,
            column: 27,
            word: "load"
        ),
        Bad(
            format: .yaml,
            text: "jobs:\n  - kernel: sum\n    input: {}\n  - kernel: none\n    input: {}\n",
            line: 4,
            column: 13,
            word: "none"
        ),
        Bad(format: .yaml, text: "priority: 5\n", line: 1, column: 1, word: "kind"),
    ])
    func `what the protocol refuses has its place in the file`(_ bad: Bad) throws {
        let problem = try #require(throws: JobFileProblem.self) {
            try submissions(bad.format, bad.text)
        }
        #expect(problem.place == JobFile.Place(line: bad.line, column: bad.column))
        #expect(problem.problem.contains(bad.word), "\(problem.summary)")
    }
}
