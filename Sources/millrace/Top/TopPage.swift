internal import JobCore
internal import JobWire

/// The view of `millrace top` as lines of text: a head that tells of the runner, a table each for
/// queues, for what runs and for what has failed, and what the keys do.
struct TopPage {
    /// Of a terminal; more than that is left out.
    struct Size: Equatable {
        var columns: Int
        var rows: Int
    }

    private struct Line {
        var text: String
        var style = Style.plain
    }

    private let model: TopModel
    private let snapshot: TopSnapshot

    /// Nil as long as nobody has looked.
    init?(_ model: TopModel) {
        guard let snapshot = model.snapshot else { return nil }
        self.model = model
        self.snapshot = snapshot
    }

    /// All of it, for a printed page: without what only keys need.
    func lines(color: Bool) -> [String] {
        (head + body.lines).map { color ? $0.style.paint($0.text) : $0.text }
    }

    /// As much as fits, with the chosen line in sight, the keys in the last row.
    func lines(in size: Size, color: Bool) -> [String] {
        let foot = [
            Line(text: model.trouble ?? model.message, style: model.trouble == nil ? .busy : .bad),
            Line(text: "↑↓ choose  p pause  r resume  c cancel  t try again  q quit", style: .dim),
        ]
        let head = Array(head.prefix(max(0, size.rows - foot.count)))
        let room = max(0, size.rows - head.count - foot.count)
        let (lines, chosen) = body
        let start = max(0, min((chosen ?? 0) - room / 2, lines.count - room))
        let shown = Array(lines.dropFirst(start).prefix(room))
        let padding = Array(repeating: Line(text: ""), count: room - shown.count)
        return (head + shown + padding + foot).suffix(size.rows).map { line in
            let text = String(line.text.prefix(size.columns))
            return color ? line.style.paint(text) : text
        }
    }

    // MARK: The runner

    private var head: [Line] {
        let statistics = snapshot.statistics
        var lines = [Line(text: title)]
        func add(_ name: String, _ text: String?) {
            guard let text, !text.isEmpty else { return }
            lines.append(Line(text: name + String(repeating: " ", count: 10 - name.count) + text))
        }
        let counts = JobState.allCases.map { state in
            "\(statistics["counts"]?[state.rawValue]?.integerValue ?? 0) \(state.rawValue)"
        }
        add("jobs", counts.joined(separator: ", "))
        let ended = statistics["ended_per_second"]?.realValue.map(StatisticsPage.short)
        add("rate", ended.map { "\($0) ended a second" })
        add("waiting", StatisticsPage.percentiles(statistics["waiting_ms"]))
        add("running", StatisticsPage.percentiles(statistics["running_ms"]))
        add("oldest", statistics["oldest_waiting_ms"]?.integerValue.map(oldest))
        let external = statistics["external_workers"]?.arrayValue ?? []
        add("external", StatisticsPage.external(external))
        let alarms = statistics["alarms"]?.arrayValue?.compactMap(\.stringValue) ?? []
        return lines + alarms.map { Line(text: "ALARM     \(printable($0))", style: .bad) }
    }

    private func oldest(ms: Int64) -> String { "has waited for \(Words.duration(ms: ms))" }

    /// `millrace 0.1.0, run 3, started 2 h ago, 1 of 2 workers busy`
    private var title: String {
        let (info, statistics) = (snapshot.info, snapshot.statistics)
        let workers = statistics["workers"]?.arrayValue ?? []
        let busy = workers.count { $0["job"] != nil }
        let start = statistics.moment("started_at")
        let started = start.map { ", started \(Words.ago($0, now: snapshot.at))" } ?? ""
        return "millrace \(printable(info.text("version"))), "
            + "run \(info["run"]?.integerValue ?? 0)\(started), "
            + "\(busy) of \(Words.count(Int64(workers.count), "worker")) busy"
    }

    // MARK: Tables

    /// All tables, and which line is the chosen one's.
    private var body: (lines: [Line], chosen: Int?) {
        var lines: [Line] = []
        var chosen: Int?
        var things = model.things[...]
        let tables = [JobTables.queues(snapshot.queues), running, failed]
        for table in tables where !table.rows.isEmpty {
            lines.append(Line(text: ""))
            for (place, text) in table.lines(color: false).enumerated() {
                let isChosen = place > 0 && things.first == model.chosen && model.chosen != nil
                if place > 0 { things = things.dropFirst() }
                if isChosen { chosen = lines.count }
                let style: Style = place == 0 ? .dim : isChosen ? .chosen : .plain
                lines.append(Line(text: (isChosen ? "> " : "  ") + text, style: style))
            }
        }
        return (lines, chosen)
    }

    private var running: Table {
        var table = Table([
            .init("RUNNING", alignsRight: true), "WORKER", "KIND", "QUEUE",
            .init("FOR", alignsRight: true), "PROGRESS", "NAME",
        ])
        for job in snapshot.running {
            table.add([
                .number(job["id"]?.integerValue),
                .init(job["worker"]?.integerValue.map(String.init) ?? ""),
                .init(job.text("kind")),
                .init(job.text("queue")),
                .init(JobTables.took(job, now: snapshot.at) ?? ""),
                .init(ProgressBar.words(job["progress"]) ?? ""),
                .init(job.text("name")),
            ])
        }
        return table
    }

    private var failed: Table {
        var table = Table([
            .init("FAILED", alignsRight: true), "QUEUE", .init("ENDED", alignsRight: true), "ERROR",
        ])
        for job in snapshot.failed {
            let end = job.moment("finished_at").map { Words.ago($0, now: snapshot.at) }
            table.add([
                .number(job["id"]?.integerValue),
                .init(job.text("queue")),
                .init(end ?? ""),
                .init(job["error"].map(JobTables.error) ?? ""),
            ])
        }
        return table
    }
}
