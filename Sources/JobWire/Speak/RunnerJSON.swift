internal import JobCore

/// What `sys.info` and `sys.stats` tell of the runner.
extension JSONWriter {
    mutating func members(of about: About) {
        member("version", Program.version)
        member("protocol", Int64(Program.protocolVersion))
        member("run", about.run.rawValue)
        member("workers", Int64(about.workers))
        object("limits") { $0.members(of: about.limits) }
        strings("kernels", about.kernels)
        strings("external_kernels", about.externalKernels)
        strings("databases", about.databases)
        strings("commands", about.commands)
        strings("events", about.events)
        strings("worker_listen", about.workerEndpoints)
    }

    private mutating func members(of limits: Limits) {
        for (name, value) in limits.named { member(name, value) }
        for (name, bounds) in Limits.namedBounds {
            key(name)
            beginArray()
            integer(bounds.lowerBound)
            integer(bounds.upperBound)
            endArray()
        }
    }

    mutating func members(of statistics: Statistics) {
        object("counts") { $0.members(of: statistics.counts) }
        member("started_at", statistics.startedAt.rawValue)
        key("ended_per_second")
        finite(statistics.endedPerSecond)
        object("waiting_ms") { $0.members(of: statistics.waiting) }
        object("running_ms") { $0.members(of: statistics.running) }
        member("oldest_waiting_ms", ifAny: statistics.oldestWaitingMs)
        objects("workers", statistics.workers) { writer, worker in
            writer.members(of: worker)
        }
        objects("external_workers", statistics.externals) { writer, external in
            writer.member("kernel", .string(external.kernel))
            writer.members(of: external.details)
        }
        member("store_bytes", statistics.storeBytes)
        member("wal_bytes", statistics.walBytes)
        member("dropped", statistics.dropped)
        member("express", statistics.expressStarts)
        object("events") { $0.members(of: statistics.announcements) }
        objects("staging", [statistics.staging].compactMap(\.self)) { writer, file in
            writer.member("file", file.name)
            writer.member("staged", Int64(file.staged))
            writer.member("jobs", Int64(file.total))
        }
        strings("alarms", statistics.alarms)
    }

    fileprivate mutating func members(of worker: WorkerDetails) {
        member("worker", Int64(worker.worker.rawValue))
        member("job", ifAny: worker.job?.rawValue)
        member("running_ms", ifAny: worker.runningMs)
    }

    private mutating func members(of counts: AnnouncementCounts) {
        member("subscriptions", counts.subscriptions)
        member("published", counts.published)
        member("dropped", counts.dropped)
    }

    private mutating func members(of percentiles: Percentiles) {
        key("p50")
        finite(percentiles.p50)
        key("p99")
        finite(percentiles.p99)
    }

    /// Null for what JSON cannot say.
    private mutating func finite(_ value: Double?) {
        guard let value, real(ifFinite: value) else { return null() }
    }
}

extension Limits {
    /// Those that the settings may change, then those that never change.
    fileprivate var named: [(String, Int64)] {
        Self.settable.map { ($0.name, $0.get(self)) } + [
            ("name_bytes", Int64(Self.nameBytes)),
            ("tags", Int64(Self.tags)),
            ("wait_ms", Self.waitMs),
        ]
    }

    /// The least and the most that a field of a job may say.
    fileprivate static var namedBounds: [(String, ClosedRange<Int64>)] {
        [
            ("job_priority", Int64(priorities.lowerBound)...Int64(priorities.upperBound)),
            ("job_max_attempts", Int64(attempts.lowerBound)...Int64(attempts.upperBound)),
            ("job_parts", Int64(parts.lowerBound)...Int64(parts.upperBound)),
            ("job_after", 0...Int64(dependencies)),
            ("job_timeout_ms", timeouts),
            ("job_delay_ms", delays),
            ("job_backoff_ms", pauses),
        ]
    }
}
