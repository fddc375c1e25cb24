public import JobCore
public import JobWire

/// Looking at jobs, queues and the runner, in the protocol's words, and changing them.
extension JobClient {
    /// All about each job, in the order asked for. One that is not kept has an `error` only.
    public func show(_ ids: [JobID]) throws(ClientError) -> [JSON] {
        var rest = ids[...]
        var jobs: [JSON] = []
        while !rest.isEmpty {
            let some = rest.prefix(try mostIDs())
            jobs += try put(.show(some))
            rest = rest.dropFirst(some.count)
        }
        return jobs
    }

    /// One page of jobs: `jobs`, and `next` to be given as `after` when there are more. The limit
    /// is at most the runner's `list_jobs`, and a page ends sooner at its `reply_bytes`.
    public func list(
        _ filter: JobFilter = JobFilter(),
        after: JobID? = nil,
        limit: Int? = nil
    ) throws(ClientError) -> JSON {
        try put(.list(filter, after: after, limit: limit))
    }

    /// Calls jobs off. Each of these is sent once, and tells how many jobs it changed.
    public func cancel(_ jobs: Selection) throws(ClientError) -> Int64 {
        try put(.change("job.cancel", jobs))
    }

    /// Has failed or cancelled jobs run again.
    public func retry(_ jobs: Selection) throws(ClientError) -> Int64 {
        try put(.change("job.retry", jobs))
    }

    /// Forgets jobs that have ended, with their results.
    public func delete(_ jobs: Selection) throws(ClientError) -> Int64 {
        try put(.change("job.delete", jobs))
    }

    public func queues() throws(ClientError) -> [JSON] {
        try put(.queues)
    }

    /// No job of this queue, or of any, starts until it is resumed; running ones go on.
    public func pause(_ queue: QueueName?) throws(ClientError) {
        try put(.setPaused(true, queue))
    }

    public func resume(_ queue: QueueName?) throws(ClientError) {
        try put(.setPaused(false, queue))
    }

    /// How long an answer takes.
    public func ping() throws(ClientError) -> Duration {
        let start = ContinuousClock.now
        try put(.ping)
        return start.duration(to: .now)
    }

    /// The runner's version, run and limits.
    public func info() throws(ClientError) -> JSON { try put(.info) }

    /// Counts, rates, times, workers, alarms.
    public func statistics() throws(ClientError) -> JSON { try put(.statistics) }
}

extension JobFilter {
    var json: JSON {
        var object = JSONObject()
        if let state { _ = object.append("state", .string(state.rawValue)) }
        if let queue { _ = object.append("queue", .string(queue.rawValue)) }
        if let kind { _ = object.append("kind", .string(kind.rawValue)) }
        return .object(object)
    }
}

extension Selection {
    var json: JSON {
        switch self {
        case .ids(let ids): ["ids": ids.json]
        case .filter(let filter): filter.json
        }
    }
}

extension QueueName? {
    var json: JSON { map { ["queue": .string($0.rawValue)] } ?? [:] }
}
