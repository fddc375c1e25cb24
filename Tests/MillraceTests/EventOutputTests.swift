import JobClient
import JobCore
import JobWire
import Testing

@testable import millrace

/// What `millrace events` hears of, and how it says it.
@Suite struct EventOutputTests {
    private func event(_ topic: String, _ body: JSON) -> EventStream.Event {
        EventStream.Event(topic: topic, body: body)
    }

    /// Without the moment, which is told in the reader's own time.
    private func words(_ topic: String, _ body: JSON) -> [String] {
        EventLine(event(topic, body)).cells.dropFirst().map(\.text)
    }

    @Test func `an event is told in a line`() {
        let queued: JSON = ["id": 7, "state": "queued", "attempt": 0, "queue": "a", "ready_at": 1]
        #expect(words("job.7.queued", queued) == ["job 7", "queued", "in a"])
        let again: JSON = ["id": 7, "state": "queued", "attempt": 2, "queue": "a", "ready_at": 1]
        #expect(words("job.7.queued", again) == ["job 7", "queued", "in a after attempt 2"])
        let divided: JSON = ["id": 7, "state": "queued", "attempt": 1, "queue": "a"]
        #expect(
            words("job.7.queued", divided) == ["job 7", "queued", "in a after attempt 1, divided"]
        )
        let running: JSON = ["id": 7, "state": "running", "attempt": 1, "worker": 2]
        #expect(words("job.7.running", running) == ["job 7", "running", "attempt 1 on worker 2"])
        let progress: JSON = ["id": 7, "attempt": 1, "progress": ["done": 3, "total": 4]]
        #expect(words("job.7.progress", progress) == ["job 7", "progress", "3 of 4 (75 %)"])
        let failed: JSON = ["id": 7, "attempt": 3, "error": ["code": "timeout"]]
        #expect(words("job.7.failed", failed) == ["job 7", "failed", "attempt 3: timeout"])
        let paused: JSON = ["queue": "a.b", "paused": true]
        #expect(words("queue.a.b.paused", paused) == ["queue a.b", "paused", ""])
    }

    @Test func `lines stand under each other on a terminal and have tabs in a pipe`() {
        let line = EventLine(event("job.7.failed", ["at": 0, "id": 7, "attempt": 1]))
        let plain = line.line(color: false)
        #expect(plain.dropFirst(19) == "  job 7         failed     attempt 1")
        #expect(line.line(color: true).contains("\u{1B}[31mfailed\u{1B}[0m     attempt"))
        #expect(line.tabbed.hasSuffix("\tjob 7\tfailed\tattempt 1"))
        let paused = EventLine(event("queue.a.paused", ["at": 0, "queue": "a"]))
        #expect(paused.line(color: false).hasSuffix("  queue a       paused"))
    }

    @Test func `what is missing of an event is left out`() {
        #expect(words("", [:]) == ["queue ", "", ""])
        #expect(words("job.1.progress", ["id": 1]) == ["job 1", "progress", ""])
    }

    @Test(arguments: [
        ("42", EventFilter.job(JobID(rawValue: 42)), "job.42."), ("failed", .word("failed"), ""),
        ("job", .topic("job"), "job"), ("queue.mail", .topic("queue.mail"), "queue.mail"),
    ])
    func `a filter is a number, a word or a topic`(
        text: String,
        filter: EventFilter,
        topic: String
    ) {
        #expect(EventFilter(argument: text) == filter)
        #expect(filter.subscription == topic)
    }

    @Test(arguments: ["", "0", "-1", "ended", "jobs", ".", "99999999999999999999"])
    func `what is no filter is refused`(text: String) {
        #expect(EventFilter(argument: text) == nil)
    }

    @Test func `a filter fits whole numbers and whole words`() {
        let job = EventFilter.job(JobID(rawValue: 4))
        #expect(job.fits("job.4.failed") && !job.fits("job.42.failed"))
        let word = EventFilter.word("failed")
        #expect(word.fits("job.4.failed") && !word.fits("job.4.queued"))
        #expect(EventFilter.topic("queue.m").fits("queue.mail.paused"))
    }

    @Test func `who hears everything notices what is missing`() {
        var gaps = EventGaps()
        func hear(_ run: Int64, _ number: Int64) -> Int64? {
            gaps.hear(["run": .integer(run), "seq": .integer(number)])
        }
        #expect(hear(1, 17) == nil)
        #expect(hear(1, 18) == nil)
        #expect(hear(1, 21) == 2)
        #expect(hear(2, 5) == nil)
        #expect(hear(2, 6) == nil)
        #expect(hear(2, .min) == nil)
        #expect(gaps.hear([:]) == nil)
    }

    @Test func `the progress of one job is a bar, or why there is none`() {
        let half: JSON = ["id": 7, "progress": ["done": 5, "total": 10]]
        #expect(
            ProgressBar.line(of: half)
                == "[###############...............]  5 of 10 (50 %) of job 7"
        )
        let strange: JSON = ["id": 7, "progress": ["done": 9_000_000_000_000_000_000, "total": 3]]
        #expect(ProgressBar.line(of: strange).contains("(100 %)"))
        let none: JSON = ["id": 7, "progress": ["done": -5, "total": 3]]
        #expect(ProgressBar.line(of: none).hasPrefix("[..............................]"))
        #expect(ProgressBar.line(of: ["id": 7, "why": "It waits."]) == "job 7: It waits.")
    }
}
