import JobCore
import JobWire
import Testing

@testable import millrace

/// The live view without a terminal: what it shows, and what keys do.
@Suite struct TopTests {
    private let now = Timestamp(rawValue: 1_800_000_000_000)

    private var snapshot: TopSnapshot {
        func ago(_ ms: Int64) -> JSON { .integer(now.adding(ms: -ms).rawValue) }
        return TopSnapshot(
            at: now,
            info: ["version": "0.1.0", "run": 3],
            statistics: [
                "counts": ["queued": 12, "running": 1, "succeeded": 340, "failed": 2],
                "started_at": ago(7_800_000), "ended_per_second": 56.25,
                "waiting_ms": ["p50": 1.25, "p99": 40], "running_ms": ["p50": nil, "p99": nil],
                "oldest_waiting_ms": 61_000,
                "workers": [["worker": 1, "job": 42, "running_ms": 3_200], ["worker": 2]],
                "alarms": ["The disk is full."],
            ],
            queues: [
                [
                    "queue": "default", "paused": false,
                    "counts": [
                        "queued": 12, "running": 1, "succeeded": 340, "failed": 0, "cancelled": 0,
                    ],
                ],
                [
                    "queue": "mail", "paused": true,
                    "counts": [
                        "queued": 0, "running": 0, "succeeded": 0, "failed": 2, "cancelled": 0,
                    ],
                ],
            ],
            running: [
                [
                    "id": 42, "worker": 1, "kind": "compute", "queue": "default",
                    "state": "running", "started_at": ago(3_200), "name": "nightly",
                    "progress": ["done": 3, "total": 10],
                ]
            ],
            failed: [
                [
                    "id": 40, "queue": "mail", "finished_at": ago(65_000),
                    "error": ["code": "timeout", "message": "Too\nslow."],
                ],
                ["id": 7, "queue": "mail", "finished_at": ago(3_600_000)],
            ]
        )
    }

    @Test func `the head tells of external workers, when there are some`() throws {
        var snapshot = snapshot
        snapshot.statistics = ["external_workers": [["kernel": "shout", "worker": 3]]]
        var model = TopModel()
        model.show(snapshot)
        let lines = try #require(TopPage(model)).lines(color: false)
        #expect(lines.contains("external  shout: 0 of 1 busy"))
    }

    private func model(choosing steps: Int = 0) -> TopModel {
        var model = TopModel()
        model.show(snapshot)
        for _ in 0..<steps { _ = model.hear(.down) }
        return model
    }

    private let head = [
        "millrace 0.1.0, run 3, started 2 h 10 min ago, 1 of 2 workers busy",
        "jobs      12 queued, 1 running, 340 succeeded, 2 failed, 0 cancelled",
        "rate      56 ended a second",
        "waiting   p50 1.25 ms, p99 40 ms",
        "oldest    has waited for 1 min 1 s",
        "ALARM     The disk is full.",
    ]

    private let queues = [
        "",
        "  QUEUE    PAUSED  QUEUED  RUNNING  SUCCEEDED  FAILED  CANCELLED",
        "  default              12        1        340       0          0",
        "  mail     paused       0        0          0       2          0",
    ]

    private let jobs = [
        "",
        "  RUNNING  WORKER  KIND     QUEUE      FOR  PROGRESS        NAME",
        "       42  1       compute  default  3.2 s  3 of 10 (30 %)  nightly",
    ]

    @Test func `a page shows the runner, its queues, what runs and what has failed`() throws {
        let lines = try #require(TopPage(model())).lines(color: false)
        #expect(Array(lines.prefix(10)) == head + queues)
        #expect(lines[10...12].elementsEqual(jobs[0...2]))
        #expect(lines[14] == "  FAILED  QUEUE          ENDED  ERROR")
        #expect(lines[15] == #"      40  mail   1 min 5 s ago  timeout: Too\nslow."#)
        #expect(lines[16] == "       7  mail         1 h ago")
        #expect(lines.count == 17)
    }

    @Test func `before the first look there is no page`() {
        #expect(TopPage(TopModel()) == nil)
    }

    @Test func `a screen is filled to its last row, where the keys are`() throws {
        let page = try #require(TopPage(model(choosing: 3)))
        let lines = page.lines(in: .init(columns: 60, rows: 30), color: false)
        #expect(lines.count == 30)
        #expect(lines[0] == "millrace 0.1.0, run 3, started 2 h 10 min ago, 1 of 2 worker")
        #expect(lines[12] == "> " + String(jobs[2].dropFirst(2).prefix(58)))
        #expect(lines[29].hasSuffix("q quit"))
        #expect(lines[17...28].allSatisfy { $0.isEmpty })
    }

    @Test func `on a small screen the chosen line is in sight`() throws {
        for steps in 0...5 {
            let lines = try #require(TopPage(model(choosing: steps)))
                .lines(in: .init(columns: 80, rows: 14), color: false)
            #expect(lines.count == 14)
            #expect(Array(lines.prefix(6)) == head)
            #expect(lines.contains { $0.hasPrefix("> ") } == (steps > 0), "\(lines)")
        }
        for rows in 0...8 {
            let lines = try #require(TopPage(model(choosing: 2)))
                .lines(in: .init(columns: 10, rows: rows), color: false)
            #expect(lines.count == rows)
            #expect(lines.allSatisfy { $0.count <= 10 })
        }
    }

    @Test func `colours stand around what fits`() throws {
        let lines = try #require(TopPage(model(choosing: 1)))
            .lines(in: .init(columns: 12, rows: 30), color: true)
        #expect(lines[5] == "\u{1B}[31mALARM     Th\u{1B}[0m")
        #expect(lines[8] == "\u{1B}[7m> default   \u{1B}[0m")
    }

    @Test func `arrows go through all lines and stop at the ends`() {
        var model = model()
        #expect(model.chosen == nil)
        var way: [TopModel.Thing] = []
        for _ in 0..<6 {
            #expect(model.hear(.down) == nil)
            if let chosen = model.chosen { way.append(chosen) }
        }
        #expect(way == model.things + model.things.suffix(1))
        for _ in 0..<9 { _ = model.hear(.letter("k")) }
        #expect(model.chosen == model.things.first)
        var other = self.model()
        _ = other.hear(.up)
        #expect(other.chosen == other.things.last)
        var empty = TopModel()
        #expect(empty.hear(.down) == nil && empty.chosen == nil)
    }

    @Test func `a chosen line stays chosen when others come, and passes on when it goes`() {
        var model = model(choosing: 3)
        var next = snapshot
        next.queues.insert(["queue": "a"], at: 0)
        model.show(next)
        #expect(model.chosen == .running(JobID(rawValue: 42)))
        next.running = []
        model.show(next)
        #expect(model.chosen == .failed(JobID(rawValue: 40)))
        next.queues = []
        next.failed = []
        model.show(next)
        #expect(model.chosen == nil)
    }

    @Test func `keys do to what is chosen what can be done to it`() throws {
        var queue = model(choosing: 2)
        let mail = try #require(QueueName(rawValue: "mail"))
        #expect(queue.hear(.letter("p")) == .pause(mail))
        #expect(queue.hear(.letter("r")) == .resume(mail))
        #expect(queue.hear(.letter("c")) == nil)
        #expect(queue.message == "Choose a job that runs, by the arrow keys.")
        #expect(queue.hear(.letter("t")) == nil)
        #expect(queue.message == "Choose a job that has failed, by the arrow keys.")
        #expect(queue.hear(.letter("x")) == nil && queue.message == "")
        #expect(queue.hear(.letter("q")) == .quit)

        var failed = model(choosing: 5)
        #expect(failed.hear(.letter("t")) == .retry(JobID(rawValue: 7)))
        #expect(failed.hear(.letter("p")) == nil)
        #expect(failed.message == "Choose a queue to pause, by the arrow keys.")
    }

    @Test func `a job is cancelled only when that is confirmed`() {
        var model = model(choosing: 3)
        #expect(model.hear(.letter("c")) == nil)
        #expect(model.message == "Cancel job 42? Press y.")
        #expect(model.hear(.letter("q")) == nil)
        #expect(model.message == "Nothing was done." && model.question == nil)
        #expect(model.hear(.letter("c")) == nil)
        #expect(model.hear(.letter("y")) == .cancel(JobID(rawValue: 42)))
        #expect(model.hear(.letter("y")) == nil)
        _ = model.hear(.letter("c"))
        #expect(model.hear(.letter("\u{3}")) == .quit)
    }

    @Test func `what is wrong is told until a look works again`() throws {
        var model = model(choosing: 1)
        model.tell("The queue default is paused.")
        model.show(trouble: "No runner answers.")
        let size = TopPage.Size(columns: 80, rows: 20)
        let lines = try #require(TopPage(model)).lines(in: size, color: false)
        #expect(lines[18] == "No runner answers.")
        model.show(snapshot)
        let later = try #require(TopPage(model)).lines(in: size, color: false)
        #expect(later[18] == "The queue default is paused.")
    }

    @Test func `keys are understood however their bytes come`() {
        var bytes = Array("a\u{1B}[A\u{1B}OB\u{1B}[Cq\u{1B}[".utf8)
        var keys: [TopModel.Key] = []
        while let key = TopKeys.take(from: &bytes) { keys.append(key) }
        #expect(keys == [.letter("a"), .up, .down, .letter("q")])
        #expect(bytes == [0x1B, 0x5B])
        bytes.append(0x41)
        #expect(TopKeys.take(from: &bytes) == .up)
        bytes = [0x1B]
        #expect(TopKeys.take(from: &bytes) == nil)
        #expect(TopKeys.takeLast(from: &bytes) == nil && bytes.isEmpty)
        bytes = [0x1B, 0x71]
        #expect(TopKeys.takeLast(from: &bytes) == .letter("q"))
    }
}
