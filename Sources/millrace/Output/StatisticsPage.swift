internal import JobCore
internal import JobWire

/// How the runner is, for people.
enum StatisticsPage {
    static func lines(_ statistics: JSON, now: Timestamp, color: Bool) -> [String] {
        var lines: [String] = []
        func add(_ name: String, _ text: String?) {
            guard let text, !text.isEmpty else { return }
            lines.append(name + String(repeating: " ", count: max(16 - name.count, 1)) + text)
        }
        let counts = JobState.allCases.map { state in
            "\(statistics["counts"]?[state.rawValue]?.integerValue ?? 0) \(state.rawValue)"
        }
        add("jobs", counts.joined(separator: ", "))
        add("ended", statistics["ended_per_second"]?.realValue.map { "\(short($0)) a second" })
        add("waiting time", percentiles(statistics["waiting_ms"]))
        add("running time", percentiles(statistics["running_ms"]))
        add("oldest waiting", statistics["oldest_waiting_ms"]?.integerValue.map(Words.duration))
        add("workers", workers(statistics["workers"]?.arrayValue ?? []))
        add("external", external(statistics["external_workers"]?.arrayValue ?? []))
        add("store", statistics["store_bytes"]?.integerValue.map(Words.bytes))
        add("write-ahead log", statistics["wal_bytes"]?.integerValue.map(Words.bytes))
        add("dropped", statistics["dropped"]?.integerValue.map { Words.count($0, "message") })
        add("express", statistics["express"]?.integerValue.map { Words.count($0, "job") })
        add("events", statistics["events"].map(events))
        for file in statistics["staging"]?.arrayValue ?? [] { add("staging", staging(file)) }
        add(
            "running since",
            statistics.moment("started_at")
                .map { "\(Words.localTime($0)) (\(Words.ago($0, now: now)))" }
        )
        for alarm in statistics["alarms"]?.arrayValue?.compactMap(\.stringValue) ?? [] {
            add(color ? Style.bad.paint("ALARM") + "           " : "ALARM", printable(alarm))
        }
        return lines
    }

    private static func staging(_ file: JSON) -> String? {
        guard let name = file["file"]?.stringValue, let staged = file["staged"]?.integerValue,
            let jobs = file["jobs"]?.integerValue
        else { return nil }
        return "\(printable(name)), \(staged) of \(Words.count(jobs, "job"))"
    }

    private static func events(_ counts: JSON) -> String {
        func count(_ name: String) -> Int64 { counts[name]?.integerValue ?? 0 }
        return "\(count("published")) told, \(count("dropped")) missed, "
            + Words.count(count("subscriptions"), "subscription")
    }

    static func percentiles(_ times: JSON?) -> String? {
        guard let half = times?["p50"]?.realValue, let most = times?["p99"]?.realValue else {
            return nil
        }
        return "p50 \(short(half)) ms, p99 \(short(most)) ms"
    }

    private static func workers(_ workers: [JSON]) -> String {
        let busy = workers.compactMap { worker -> String? in
            guard let job = worker["job"]?.integerValue else { return nil }
            let time = worker["running_ms"]?.integerValue.map { " for \(Words.duration(ms: $0))" }
            return "job \(job)\(time ?? "")"
        }
        let all = "\(busy.count) of \(workers.count) busy"
        return busy.isEmpty ? all : "\(all): \(busy.joined(separator: ", "))"
    }

    /// `resize: 1 of 2 busy: job 7 for 3 s; shout: 0 of 1 busy`
    static func external(_ workers: [JSON]) -> String {
        let byKernel = Dictionary(grouping: workers) { $0["kernel"]?.stringValue ?? "" }
        return byKernel.sorted { $0.key < $1.key }
            .map { "\(printable($0.key)): \(self.workers($0.value))" }
            .joined(separator: "; ")
    }

    /// Two digits behind the point below ten, none above.
    static func short(_ value: Double) -> String {
        guard abs(value) < 10 else {
            return Int64(exactly: value.rounded()).map(String.init) ?? "\(value)"
        }
        return "\((value * 100).rounded() / 100)"
    }
}
