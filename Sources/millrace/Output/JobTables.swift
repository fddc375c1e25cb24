internal import JobCore
internal import JobWire

/// Jobs and queues as tables, from what the runner tells in the protocol's words.
enum JobTables {
    /// One line for each job.
    static func list(_ jobs: [JSON], now: Timestamp) -> Table {
        var table = Table([
            .init("ID", alignsRight: true), "STATE", "KIND", "QUEUE",
            .init("PRIORITY", alignsRight: true), "ATTEMPT", "SUBMITTED", "TOOK", "NAME",
        ])
        for job in jobs {
            let attempt = job["attempt"]?.integerValue ?? 0
            table.add([
                .number(job["id"]?.integerValue),
                state(of: job),
                .init(job.text("kind")),
                .init(job.text("queue")),
                .number(job["priority"]?.integerValue),
                .init(attempt == 0 ? "" : "\(attempt)"),
                .init(job.moment("created_at").map { Words.ago($0, now: now) } ?? ""),
                .init(took(job, now: now) ?? ""),
                .init(job.text("name")),
            ])
        }
        return table
    }

    /// How the jobs that were waited for ended; the others have not.
    static func ends(_ ends: [JSON], of ids: [JobID]) -> Table {
        var table = Table([.init("ID", alignsRight: true), "STATE", "ERROR"])
        var found: [Int64: JSON] = [:]
        for end in ends {
            if let id = end["id"]?.integerValue { found[id] = end }
        }
        for id in ids {
            let end = found[id.rawValue]
            table.add([
                .number(id.rawValue),
                end.map(state(of:)) ?? .init("not ended", .busy),
                .init(end?["error"].map(error) ?? ""),
            ])
        }
        return table
    }

    static func queues(_ queues: [JSON]) -> Table {
        let states = JobState.allCases
        var table = Table(
            ["QUEUE", "PAUSED"]
                + states.map { .init($0.rawValue.uppercased(), alignsRight: true) }
        )
        for queue in queues {
            let isPaused = queue["paused"]?.boolValue ?? false
            table.add(
                [.init(queue.text("queue")), isPaused ? .init("paused", .busy) : ""]
                    + states.map { .number(queue["counts"]?[$0.rawValue]?.integerValue) }
            )
        }
        return table
    }

    /// The state in people's words: what a queued job waits for says more than that it is queued.
    static func state(of job: JSON) -> Table.Cell {
        let state = job.text("state")
        let style: Style =
            switch JobState(rawValue: state) {
            case .succeeded: .good
            case .failed: .bad
            case .running: .busy
            case .cancelled: .dim
            case .queued, nil: .plain
            }
        return .init(job["waiting"]?.stringValue ?? state, style)
    }

    /// How long the last run took, or has taken so far.
    static func took(_ job: JSON, now: Timestamp) -> String? {
        guard let start = job.moment("started_at"), job["state"] != "queued" else { return nil }
        return Words.duration(ms: (job.moment("finished_at") ?? now).ms(since: start))
    }

    /// `sql_error: no such table: t`
    static func error(_ error: JSON) -> String {
        "\(error.text("code")): \(error.text("message"))"
    }
}

extension JSON {
    /// A member's text, or none.
    func text(_ key: String) -> String { self[key]?.stringValue ?? "" }

    /// A member's moment, in ms since 1970.
    func moment(_ key: String) -> Timestamp? {
        self[key]?.integerValue.map(Timestamp.init(rawValue:))
    }
}
