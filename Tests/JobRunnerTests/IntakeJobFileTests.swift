import JobCore
import JobTesting
import JobWire
import Testing

@testable import JobRunner

@Suite("Files of jobs") struct IntakeJobFileTests {
    struct Good: Sendable {
        let format: JobFile
        let text: String
        let jobs: [String]

        init(_ format: JobFile, _ text: String, _ jobs: String...) {
            self.format = format
            self.text = text
            self.jobs = jobs
        }
    }

    @Test(arguments: [
        Good(.sql, "select 1", #"{"sql":"select 1"}"#),
        Good(.sql, "\n\n-- prose\n\n  select 1;\n", #"{"sql":"select 1;\n"}"#),
        Good(
            .sql,
            "-- database: sales\r\n--queue:nightly\r\n\r\n-- priority: -5\r\nselect 1",
            #"{"database":"sales","queue":"nightly","priority":-5,"sql":"select 1"}"#
        ),
        Good(
            .sql,
            "-- timeout: 10m\n-- delay: 500 ms\n-- keep: 1d\n-- max_attempts : 2\nselect 1",
            #"{"timeout_ms":600000,"delay_ms":500,"keep_ms":86400000,"max_attempts":2,"#
                + #""sql":"select 1"}"#
        ),
        Good(
            .sql,
            "-- tags: a, b c ,d\n-- name: Sales: all of them\n-- mode: write\nselect 1",
            #"{"tags":["a","b c","d"],"name":"Sales: all of them","mode":"write","sql":"select 1"}"#
        ),
        Good(
            .sql,
            "-- param day: 2026-01-01\n-- param n: 7\n-- param x: 1.0\n-- param t: \"7\"\n"
                + "-- param no: null\n-- param big: 9223372036854775808\n-- param list: [1]\n"
                + "-- param empty:\nselect :day",
            #"{"params":{"day":"2026-01-01","n":7,"x":1.0,"t":"7","no":null,"#
                + #""big":9223372036854775808,"list":"[1]","empty":""},"sql":"select :day"}"#
        ),
        Good(
            .sql,
            "-- Written by: Anna, see\n-- https://example.org/ for more\n-- (note: short)\nselect 1",
            #"{"sql":"select 1"}"#
        ),
        Good(
            .sql,
            "select 1\n-- prioritty: 5\n",
            #"{"sql":"select 1\n-- prioritty: 5\n"}"#
        ),
        Good(
            .json,
            #" {"sql":"select 1","timeout":"2h"} "#,
            #"{"sql":"select 1","timeout_ms":7200000}"#
        ),
        Good(
            .json,
            #"{"jobs":[{"sql":"a"}, {"kernel":"sum","input":{"timeout":7}}]}"#,
            #"{"sql":"a"}"#,
            #"{"kernel":"sum","input":{"timeout":7}}"#
        ),
        Good(
            .json,
            #"{"sql":"a","backoff":{"first":"1s","longest_ms":5}}"#,
            #"{"sql":"a","backoff":{"first_ms":1000,"longest_ms":5}}"#
        ),
        Good(
            .jsonl,
            "{\"sql\":\"a\"}\n\n  \r\n{\"sql\":\"b\"}\r\n",
            #"{"sql":"a"}"#,
            #"{"sql":"b"}"#
        ),
        Good(
            .yaml,
            "sql: |\n  select 1\n  where a & b * c\ntimeout: 30s\npriority: 5\n",
            #"{"sql":"select 1\nwhere a & b * c\n","timeout_ms":30000,"priority":5}"#
        ),
        Good(
            .yaml,
            "kernel: echo\ninput: [1, '1', 1.0, yes, true, ~, null, 9007199254740993, 2026-01-01, 0x1F]\n",
            #"{"kernel":"echo","input":[1,"1",1.0,"yes",true,null,null,9007199254740993,"#
                + #""2026-01-01","0x1F"]}"#
        ),
        Good(
            .yaml,
            "jobs:\n  - {name: a, sql: select 1}\n  - name: b\n    sql: select 2 &x\n",
            #"{"name":"a","sql":"select 1"}"#,
            #"{"name":"b","sql":"select 2 &x"}"#
        ),
    ])
    func `a good file says the same as messages`(_ good: Good) throws {
        let found = try good.format.submissions(in: Array(good.text.utf8), parse: parseLoosely)
        #expect(found.map { String(decoding: $0.spec.body, as: UTF8.self) } == good.jobs)
    }

    struct Bad: Sendable {
        let format: JobFile
        let text: String
        let place: JobFile.Place
        let words: String

        init(_ format: JobFile, _ text: String, _ line: Int, _ column: Int, _ words: String) {
            self.format = format
            self.text = text
            self.place = JobFile.Place(line: line, column: column)
            self.words = words
        }
    }

    @Test(arguments: [
        Bad(.sql, "", 1, 1, "no SQL"),
        Bad(.sql, "-- only: comments".replacing("only: ", with: ""), 1, 12, "no SQL"),
        Bad(.sql, "/* nothing */ ; -- x\n", 1, 1, "no SQL"),
        Bad(.sql, "-- queue: a\n-- prioritty: 5\nselect 1", 2, 4, "prioritty"),
        Bad(.sql, "--prioritty:5\nselect 1", 1, 3, "prioritty"),
        Bad(.sql, "-- parm day: 5\nselect 1", 1, 4, "parm"),
        Bad(.sql, "-- each: rows.csv\nselect 1", 1, 4, "no file"),
        Bad(.sql, "-- after: \nselect 1", 1, 4, "no value"),
        Bad(.sql, "-- timeout: 10\nselect 1", 1, 4, "unit"),
        Bad(.sql, "-- timeout: 99999999999999d\nselect 1", 1, 4, "unit"),
        Bad(.sql, "-- timeout: 1s\n-- timeout_ms: 5\nselect 1", 2, 4, "same thing"),
        Bad(.sql, "-- priority: high\nselect 1", 1, 4, "whole number"),
        Bad(.sql, "-- queue: a\n-- queue: b\nselect 1", 2, 4, "twice"),
        Bad(.sql, "-- param a: 1\n-- param a: 1\nselect 1", 2, 4, "twice"),
        Bad(.sql, "-- queue:\nselect 1", 1, 4, "no value"),
        Bad(.sql, "-- queue name: a\nselect 1", 1, 4, "-- queue: VALUE"),
        Bad(.sql, "-- param: a\nselect 1", 1, 4, "param NAME"),
        Bad(.sql, "-- é\n-- key: refuse\nselect 1", 2, 4, "refused key"),
        Bad(.sql, "select '\0'", 1, 9, "zero byte"),
        Bad(.json, "", 1, 1, "no job"),
        Bad(.json, "[]", 1, 1, "an object was expected"),
        Bad(.json, "{\"sql\":\n 7x}", 2, 3, "comma"),
        Bad(.json, "{\"sql\": 1, \"sql\": 2}", 1, 12, "stands twice"),
        Bad(.json, "{\"jobs\": []}", 1, 1, "no job"),
        Bad(.json, "{\"jobs\": {}}", 1, 10, "must be a list"),
        Bad(.json, "{\"jobs\": [{\"a\":1},\n  7]}", 2, 3, "an object was expected"),
        Bad(.json, "{\"queue\": \"a\",\n\"jobs\": [{}]}", 1, 11, "beside jobs"),
        Bad(.json, "{\"jobs\": [{},\n {\"key\":  \"refuse\"}]}", 2, 11, "refused key"),
        Bad(.json, "{\"timeout\": 5}", 1, 13, "unit"),
        Bad(.json, "{\"jobs\": [{}, {}, {}, {}]}", 1, 23, "more than 3 jobs"),
        Bad(.json, "\u{FEFF}{}", 1, 1, "byte order mark"),
        Bad(.jsonl, "\n\n", 1, 1, "no job"),
        Bad(.jsonl, "{}\n\n{\n}", 3, 2, "ends"),
        Bad(.jsonl, "{}\n{\"é\":1,\"key\":\"refuse\"}", 2, 14, "refused key"),
        Bad(.jsonl, "{}\n{} {}", 2, 4, "follows"),
        Bad(.jsonl, "{}\n{}\n{}\n{}", 4, 1, "more than 3 jobs"),
        Bad(.yaml, "", 1, 1, "no job"),
        Bad(.yaml, "# nothing\n", 1, 1, "no job"),
        Bad(.yaml, "- sql: a\n", 1, 1, "mapping"),
        Bad(.yaml, "sql: a\n b: : c\n", 2, 3, "YAML is wrong"),
        Bad(.yaml, "sql: a\nsql: b\n", 1, 1, "twice"),
        Bad(.yaml, "sql: a\nkey: refuse\n", 2, 6, "refused key"),
        Bad(.yaml, "sql: a\ninput: !!binary aGk=\n", 2, 8, "tag"),
        Bad(.yaml, "a: &x 1\nb: *x\n", 2, 4, "aliases"),
        Bad(.yaml, "a: &x [1]\n? [*x]\n: 1\n", 2, 4, "aliases"),
        Bad(.yaml, "a: *x\n", 1, 4, "undefined alias"),
        Bad(.yaml, "? [a]\n: 1\n", 1, 3, "plain text"),
        Bad(.yaml, "a: 1\n---\nb: 2\n", 2, 1, "another document"),
        Bad(.yaml, "jobs: 7\n", 1, 7, "must be a list"),
        Bad(.yaml, "jobs: []\nqueue: a\n", 2, 1, "beside jobs"),
        Bad(.yaml, "jobs:\n  - sql: a\n  - b\n", 3, 5, "mapping"),
        Bad(.yaml, "a: \u{7}\n", 1, 4, "YAML is wrong"),
    ])
    func `a bad file is refused with the place of its error`(_ bad: Bad) throws {
        var limits = Limits()
        limits.submissionJobs = 3
        let problem = try #require(throws: JobFileProblem.self) {
            try bad.format.submissions(
                in: Array(bad.text.utf8),
                limits: limits,
                parse: parseLoosely
            )
        }
        #expect(problem.place == bad.place, "\(problem.summary)")
        #expect(problem.problem.contains(bad.words), "\(problem.summary)")
    }

    @Test func `an unknown header names the one that was meant`() throws {
        let problem = try #require(throws: JobFileProblem.self) {
            try JobFile.sql.submissions(
                in: Array("-- Databse: x\nselect 1".utf8),
                parse: parseLoosely
            )
        }
        #expect(problem.hint?.hasPrefix("Did you mean database?") == true)
        #expect(problem.reason.split(separator: "\n").count == 2)
    }

    @Test(arguments: JobFile.allCases)
    func `bytes that are not UTF-8 are refused where they stand`(format: JobFile) throws {
        let problem = try #require(throws: JobFileProblem.self) {
            try format.submissions(in: Array("ok\né".utf8) + [0xC3], parse: parseLoosely)
        }
        #expect(problem.place == JobFile.Place(line: 2, column: 2))
    }

    @Test(arguments: JobFile.allCases)
    func `a file that is too large is refused with its size`(format: JobFile) throws {
        let most = format == .yaml ? JobFile.yamlBytesMax : JobFile.bytesMax
        let bytes = [UInt8](repeating: UInt8(ascii: " "), count: most + 1)
        let problem = try #require(throws: JobFileProblem.self) {
            try format.submissions(in: bytes, parse: parseLoosely)
        }
        #expect(problem.problem.contains("\(most)"))
    }

    @Test(arguments: [
        "a: " + String(repeating: "[", count: 900) + String(repeating: "]", count: 900),
        "a: " + String(repeating: "[", count: 500_000),
        String(repeating: "? ", count: 400_000),
        String(repeating: "- ", count: 400_000),
        (1...40).reduce("a0: &a0 x\n") { $0 + "a\($1): &a\($1) [*a\($1 - 1), *a\($1 - 1)]\n" }
            + "? *a40\n: 1\n",
    ])
    func `a YAML bomb is refused`(text: String) {
        #expect(throws: JobFileProblem.self) {
            try JobFile.yaml.submissions(in: Array(text.utf8), parse: parseLoosely)
        }
    }

    /// Goal: no text traps a parser. Method: good files with random bytes changed.
    @Test(arguments: [UInt64](1...200))
    func `changed bytes are read or refused`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let texts: [JobFile: String] = [
            .sql: "-- param day: 2026-01-01\n-- timeout: 10m\nselect :day -- é",
            .json: #"{"jobs":[{"sql":"é","timeout":"1s"},{"kernel":"sum","input":[1,2.5e3]}]}"#,
            .jsonl: "{\"sql\":\"é\"}\n{\"backoff\":{\"first\":\"1s\"}}\n",
            .yaml: "jobs:\n  - sql: |\n      select 1\n    input: [1, 'a', \"b\\n\", {x: y}]\n",
        ]
        for (format, text) in texts {
            var bytes = Array(text.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = bytes.indices.randomElement(using: &random) ?? 0
                bytes[place] =
                    "&*:?[{}]-!|>\"'#%@\n\t\0 é,7".utf8.randomElement(using: &random) ?? 0
            }
            do throws(JobFileProblem) {
                _ = try format.submissions(in: bytes, parse: parseLoosely)
            } catch {
                #expect(error.place.line >= 1 && error.place.column >= 1)
            }
        }
    }

    @Test func `the extension tells the format`() {
        #expect(JobFile(fileName: "a.sql") == .sql)
        #expect(JobFile(fileName: "a.b.YML") == .yaml)
        #expect(JobFile(fileName: "a.yaml") == .yaml)
        #expect(JobFile(fileName: "a.jsonl") == .jsonl)
        #expect(JobFile(fileName: "a.json") == .json)
        for name in ["a.csv", "sql", ".sql", "a.", "a.sql~"] {
            #expect(JobFile(fileName: name) == nil)
        }
    }
}
