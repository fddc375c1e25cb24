internal import JobCore
internal import JobWire

/// All about one job, for people: a line for each thing that is known.
struct JobPage {
    private let job: JSON
    private let now: Timestamp
    private let color: Bool
    private(set) var lines: [String] = []

    init(_ job: JSON, now: Timestamp, color: Bool) {
        self.job = job
        self.now = now
        self.color = color
        let state = JobTables.state(of: job)
        let id = job["id"]?.integerValue.map(String.init) ?? ""
        lines.append("Job \(id)  " + (color ? state.style.paint(state.text) : state.text))
        addWork()
        addTimes()
        addEnd()
    }

    private mutating func addWork() {
        add("why", job["why"]?.stringValue)
        add("name", job["name"]?.stringValue)
        add("owner", job["owner"]?.stringValue)
        add("kind", job["kind"]?.stringValue)
        let priority = job["priority"]?.integerValue ?? 0
        add("queue", job.text("queue") + (priority == 0 ? "" : ", priority \(priority)"))
        add("key", job["key"]?.stringValue)
        let tags = job["tags"]?.arrayValue?.compactMap(\.stringValue) ?? []
        add("tags", tags.isEmpty ? nil : tags.joined(separator: ", "))
        let attempt = job["attempt"]?.integerValue ?? 0
        add("attempt", "\(attempt)")
        add("timeout", job["timeout_ms"]?.integerValue.map(Words.duration))
    }

    private mutating func addTimes() {
        add("submitted", time("created_at"))
        if job.text("state") == "queued" { add("ready", time("ready_at")) }
        add("started", time("started_at"))
        add("ended", time("finished_at"))
        add("took", JobTables.took(job, now: now))
        add("worker", job["worker"]?.integerValue.map(String.init))
        if let done = job["progress"]?["done"]?.integerValue,
            let total = job["progress"]?["total"]?.integerValue
        {
            add("progress", "\(done) of \(Words.count(total, step))")
        }
    }

    /// What progress is counted in: rows of `each`, parts of a divided job, or a kernel's steps.
    private var step: String {
        if job.text("kind") == "sql" { return "row" }
        let isOneRun = job.text("state") == "running" && job["waits_for"] == 0
        return isOneRun ? "step" : "part"
    }

    private mutating func addEnd() {
        if let result = job["result"] {
            let size = result["total_bytes"]?.integerValue.map(Words.bytes) ?? ""
            let rows = result["rows"]?.integerValue.map { ", " + Words.count($0, "row") } ?? ""
            add("result", "\(result.text("format")), \(size)\(rows)")
            add("exit code", result["exit_code"]?.integerValue.map(String.init))
            add("stderr", result["stderr"]?.stringValue)
        }
        if let error = job["error"] {
            add("error", JobTables.error(error), .bad)
            add("exit code", error["exit_code"]?.integerValue.map(String.init))
            add("hint", error["hint"]?.stringValue)
        }
        for past in job["attempts"]?.arrayValue ?? [] {
            let number = past["attempt"]?.integerValue.map(String.init) ?? ""
            let end = past.moment("ended_at").map(Words.localTime) ?? ""
            let error = past["error"].map(JobTables.error) ?? ""
            add("attempt \(number)", "\(end)  \(error)")
        }
    }

    private func time(_ key: String) -> String? {
        job.moment(key).map { "\(Words.localTime($0)) (\(Words.ago($0, now: now)))" }
    }

    /// Nothing, when there is nothing to tell.
    private mutating func add(_ name: String, _ text: String?, _ style: Style = .plain) {
        guard let text, !text.isEmpty else { return }
        let padding = String(repeating: " ", count: max(11 - name.count, 1))
        let shown = printable(text)
        lines.append("  \(name)\(padding)\(color ? style.paint(shown) : shown)")
    }
}
