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
            jobs += try call("job.show", ["ids": some.json]).array("jobs")
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
        var body = filter.json
        if let after { body = body.with("after", .integer(after.rawValue)) }
        if let limit { body = body.with("limit", .integer(Int64(limit))) }
        return try call("job.list", body).json
    }

    /// Calls jobs off. Each of these is sent once, and tells how many jobs it changed.
    public func cancel(_ jobs: Selection) throws(ClientError) -> Int64 {
        try callOnce("job.cancel", jobs.json).integer("count")
    }

    /// Has failed or cancelled jobs run again.
    public func retry(_ jobs: Selection) throws(ClientError) -> Int64 {
        try callOnce("job.retry", jobs.json).integer("count")
    }

    /// Forgets jobs that have ended, with their results.
    public func delete(_ jobs: Selection) throws(ClientError) -> Int64 {
        try callOnce("job.delete", jobs.json).integer("count")
    }

    public func queues() throws(ClientError) -> [JSON] {
        try call("queue.list").array("queues")
    }

    /// No job of this queue, or of any, starts until it is resumed; running ones go on.
    public func pause(_ queue: QueueName?) throws(ClientError) {
        _ = try call("queue.pause", queue.json)
    }

    public func resume(_ queue: QueueName?) throws(ClientError) {
        _ = try call("queue.resume", queue.json)
    }

    /// How long an answer takes.
    public func ping() throws(ClientError) -> Duration {
        let start = ContinuousClock.now
        _ = try call("sys.ping")
        return start.duration(to: .now)
    }

    /// The runner's version, run and limits.
    public func info() throws(ClientError) -> JSON { try call("sys.info").json }

    /// Counts, rates, times, workers, alarms.
    public func statistics() throws(ClientError) -> JSON { try call("sys.stats").json }
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
