import JobCore
import JobWire
import Testing

@testable import millrace

/// What people see.
@Suite struct OutputTests {
    private let now = Timestamp(rawValue: 1_800_000_000_000)

    @Test func `columns are aligned and nothing stands behind the last cell`() {
        var table = Table([.init("ID", alignsRight: true), "STATE", "NAME"])
        table.add(["7", "queued", ""])
        table.add(["123", .init("failed", .bad), "nightly"])
        table.add(["9", "", "x"])
        #expect(
            table.lines(color: false) == [
                " ID  STATE   NAME",
                "  7  queued",
                "123  failed  nightly",
                "  9          x",
            ]
        )
        #expect(table.tabbed == ["7\tqueued\t", "123\tfailed\tnightly", "9\t\tx"])
        #expect(table.lines(color: true)[2] == "123  \u{1B}[31mfailed\u{1B}[0m  nightly")
    }

    @Test func `a row has as many cells as the table has columns`() {
        var table = Table(["A", "B"])
        table.add(["1"])
        table.add(["1", "2", "3"])
        #expect(table.tabbed == ["1\t", "1\t2"])
    }

    @Test func `text of others cannot move the cursor or break a line`() {
        #expect(
            printable("a\nb\tc\r\u{1B}[31m\u{7}é\u{9B}")
                == "a\\nb\\tc\\r\u{FFFD}[31m\u{FFFD}é\u{FFFD}"
        )
        #expect(printable("a\nb\r", keepingLines: true) == "a\nb\\r")
        var table = Table(["A"])
        table.add([.init("x\n\u{1B}[2J")])
        #expect(table.lines(color: false) == ["A", "x\\n\u{FFFD}[2J"])
    }

    @Test(arguments: [
        (-5, "0 ms"), (0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (9_999, "9.9 s"),
        (59_999, "59 s"), (60_000, "1 min"), (245_000, "4 min 5 s"), (7_800_000, "2 h 10 min"),
        (86_400_000, "1 d"), (.max, "106751991167 d 7 h"),
    ])
    func `durations have at most two units`(ms: Int64, words: String) {
        #expect(Words.duration(ms: ms) == words)
    }

    @Test(arguments: [
        (0, "now"), (999, "now"), (3_400, "3 s ago"), (61_000, "1 min 1 s ago"),
        (-7_200_000, "in 2 h"), (-500, "now"),
    ])
    func `moments are told from now`(age: Int64, words: String) {
        #expect(Words.ago(now.adding(ms: -age), now: now) == words)
    }

    @Test func `moments at the ends of time are told too`() {
        #expect(Words.ago(.distantFuture, now: Timestamp(rawValue: -1)).hasPrefix("in "))
        #expect(Words.ago(Timestamp(rawValue: .min), now: now).hasSuffix(" ago"))
        #expect(!Words.localTime(.distantFuture).isEmpty)
        #expect(Words.localTime(now).count == "2027-01-15 08:00:00".count)
    }

    @Test(arguments: [
        (0, "0 bytes"), (1, "1 byte"), (1_023, "1023 bytes"), (1_024, "1 KiB"), (1_536, "1.5 KiB"),
        (67_108_864, "64 MiB"), (1_048_575, "1 MiB"), (.max, "8 EiB"),
    ])
    func `sizes are in binary units`(count: Int64, words: String) {
        #expect(Words.bytes(count) == words)
    }

    @Test func `a bar fills as jobs end and never overflows`() {
        let bar = ProgressBar(total: 30)
        #expect(bar.line(done: 0).hasPrefix("[..............................]  0 of 30 jobs"))
        #expect(bar.line(done: 12).hasPrefix("[############..................]  12 of"))
        #expect(bar.line(done: 99).hasPrefix("[##############################]"))
        #expect(ProgressBar(total: 0).line(done: 0).hasPrefix("[####"))
        #expect(ProgressBar(total: 1).line(done: 1).hasSuffix("1 of 1 job ended"))
    }

    @Test func `an SQL result is a table with numbers to the right`() throws {
        let json = """
            {"columns":["name","n"],"rows":[["a\\nb",10],[null,7.5],["c",null],
             [{"base64":"AA=="},1]],"changes":0}
            """
        let result = try #require(ResultTable(Array(json.utf8)))
        #expect(
            result.table.lines(color: false) == [
                "name                  n", "a\\nb                 10", "NULL                7.5",
                "c                  NULL", #"{"base64":"AA=="}     1"#,
            ]
        )
        #expect(result.summary == "4 rows")
    }

    @Test func `rows of the wrong length are shown as far as they go`() throws {
        let json = #"{"columns":["a","b"],"rows":[[1],[1,2,3],7],"changes":2}"#
        let result = try #require(ResultTable(Array(json.utf8)))
        #expect(result.table.tabbed == ["1\t", "1\t2", "\t"])
        #expect(result.summary == "3 rows, 2 changes")
    }

    @Test(arguments: ["", "a,b\n1,2\n", "[1]", #"{"columns":1,"rows":[]}"#, #"{"sum":3}"#])
    func `what is no SQL result is no table`(text: String) {
        #expect(ResultTable(Array(text.utf8)) == nil)
    }

    private var job: JSON {
        [
            "id": 42, "state": "queued", "waiting": "retrying", "why": "It failed once.",
            "kind": "sql", "queue": "mail", "priority": 5, "name": "nightly", "attempt": 1,
            "max_attempts": 3, "created_at": .integer(now.adding(ms: -3_000).rawValue),
            "ready_at": .integer(now.adding(ms: 2_000).rawValue),
            "attempts": [
                [
                    "attempt": 1, "ended_at": .integer(now.rawValue),
                    "error": ["code": "sql_error", "message": "no such table: t"],
                ]
            ],
        ]
    }

    @Test func `a list says what a queued job waits for`() {
        #expect(
            JobTables.list([job, [:]], now: now).tabbed == [
                "42\tretrying\tsql\tmail\t5\t1\t3 s ago\t\tnightly", "\t\t\t\t\t\t\t\t",
            ]
        )
    }

    @Test func `a page tells what is known and leaves out the rest`() {
        let lines = JobPage(job, now: now, color: false).lines
        #expect(lines[0] == "Job 42  retrying")
        #expect(lines.contains("  why        It failed once."))
        #expect(lines.contains("  queue      mail, priority 5"))
        #expect(lines.contains { $0.hasPrefix("  ready") && $0.hasSuffix("(in 2 s)") })
        #expect(lines.contains { $0.hasPrefix("  attempt 1") && $0.hasSuffix("no such table: t") })
        #expect(!lines.contains { $0.contains("result") || $0.contains("started") })
        #expect(!lines.contains { $0.contains("owner") })
        let owned = JobPage(["id": 1, "owner": "ada"], now: now, color: false).lines
        #expect(owned.contains("  owner      ada"))
    }

    @Test func `a page shows result and error of a job that has ended`() {
        let ended: JSON = [
            "id": 1, "state": "failed", "started_at": 1_000, "finished_at": 4_200,
            "progress": ["done": 1, "total": 4],
            "result": ["format": "csv", "total_bytes": 2_048, "rows": 1],
            "error": ["code": "timeout", "message": "Too slow.", "hint": "Allow more."],
        ]
        let lines = JobPage(ended, now: now, color: true).lines
        #expect(lines[0] == "Job 1  \u{1B}[31mfailed\u{1B}[0m")
        #expect(lines.contains("  took       3.2 s"))
        #expect(lines.contains("  progress   1 of 4 parts"))
        #expect(lines.contains("  result     csv, 2 KiB, 1 row"))
        #expect(lines.contains("  error      \u{1B}[31mtimeout: Too slow.\u{1B}[0m"))
        #expect(lines.contains("  hint       Allow more."))
    }

    private let family: [Int64: JSON] = [
        1: ["id": 1, "name": "load", "state": "succeeded"],
        2: [
            "id": 2, "name": "clean", "state": "running",
            "after": [["id": 1, "name": "load", "state": "succeeded"]],
        ],
        3: ["id": 3, "state": "queued", "waiting": "blocked", "after": [["id": 2], ["id": 9]]],
    ]

    @Test func `what a job comes after is drawn as a tree, each job once`() {
        let root: JSON = [
            "id": 4, "state": "queued",
            "after": [
                ["id": 2, "name": "clean", "state": "running"], ["id": 3, "state": "queued"],
            ],
        ]
        #expect(
            JobTree(of: root, among: family).lines(color: false) == [
                "  after      ├─ 2 clean  running",
                "             │  └─ 1 load  succeeded",
                "             └─ 3  blocked",
                "                ├─ 2  running, as above",
                "                └─ 9  no longer kept",
            ]
        )
        #expect(JobTree(of: family[1] ?? .null, among: family).lines(color: true) == [])
    }

    @Test func `a tree is asked for level by level, and has an end`() throws {
        var asked: [[Int64]] = []
        let root: JSON = ["id": 4, "after": [["id": 3], ["id": 2]]]
        let found = try JobTree.predecessors(of: [root]) { ids in
            asked.append(ids.map(\.rawValue))
            return ids.compactMap { family[$0.rawValue] }
        }
        #expect(asked == [[3, 2], [9, 1]])
        #expect(found.keys.sorted() == [1, 2, 3])

        let others = (1...Int64(1_000)).map { id -> JSON in ["id": .integer(id)] }
        let wide: JSON = ["id": 0, "after": .array(others)]
        var count = 0
        _ = try JobTree.predecessors(of: [wide]) { ids in
            count += ids.count
            return []
        }
        #expect(count == JobTree.mostJobs)
        let lines = JobTree(of: wide, among: [:]).lines(color: false)
        #expect(lines.count == JobTree.mostJobs + 1 && lines.last?.hasSuffix("…") == true)
    }

    @Test func `jobs that did not end in time are listed as such`() {
        let ends: [JSON] = [
            ["id": 2, "state": "failed", "error": ["code": "lost", "message": "m"]]
        ]
        #expect(
            JobTables.ends(ends, of: [JobID(rawValue: 1), JobID(rawValue: 2)]).tabbed
                == ["1\tnot ended\t", "2\tfailed\tlost: m"]
        )
    }

    @Test func `queues show their counts`() {
        let queue: JSON = ["queue": "mail", "paused": true, "counts": ["queued": 3, "failed": 1]]
        #expect(JobTables.queues([queue]).tabbed == ["mail\tpaused\t3\t\t\t1\t"])
    }

    @Test func `statistics tell counts, rates, times, workers and alarms`() {
        let statistics: JSON = [
            "counts": ["queued": 3, "running": 1], "started_at": .integer(now.rawValue),
            "ended_per_second": 1234.5, "waiting_ms": ["p50": 0.123, "p99": 12],
            "running_ms": ["p50": nil, "p99": nil], "oldest_waiting_ms": 61_000,
            "workers": [["worker": 1, "job": 42, "running_ms": 1_500], ["worker": 2]],
            "external_workers": [
                ["kernel": "shout", "worker": 5], ["kernel": "resize", "worker": 3],
                ["kernel": "resize", "worker": 4, "job": 43, "running_ms": 2_500],
            ],
            "store_bytes": 4_096, "wal_bytes": 0, "dropped": 0, "express": 1,
            "staging": [["file": "day.jsonl", "staged": 3_000, "jobs": 20_000]],
            "alarms": ["The disk is full."],
        ]
        let lines = StatisticsPage.lines(statistics, now: now, color: false)
        #expect(
            lines[0] == "jobs            3 queued, 1 running, 0 succeeded, 0 failed, 0 cancelled"
        )
        #expect(lines.contains("ended           1235 a second"))
        #expect(lines.contains("waiting time    p50 0.12 ms, p99 12 ms"))
        #expect(!lines.contains { $0.hasPrefix("running time") })
        #expect(lines.contains("oldest waiting  1 min 1 s"))
        #expect(lines.contains("workers         1 of 2 busy: job 42 for 1.5 s"))
        let external = "resize: 1 of 2 busy: job 43 for 2.5 s; shout: 0 of 1 busy"
        #expect(lines.contains("external        \(external)"))
        #expect(lines.contains("express         1 job"))
        #expect(lines.contains("staging         day.jsonl, 3000 of 20000 jobs"))
        #expect(lines.last == "ALARM           The disk is full.")
        #expect(StatisticsPage.lines(nil, now: now, color: true).count == 2)
    }
}
