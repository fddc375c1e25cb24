internal import JobCore

/// The JSON object of each reply, in the protocol's words.
extension JSONWriter {
    mutating func members(of reply: Reply, now: Timestamp) {
        switch reply {
        case .accepted(let accepted, let isBatch): members(of: accepted, isBatch: isBatch)
        case .pending(let id, let state, let retryAfterMs):
            member("id", id.rawValue)
            member("state", state.rawValue)
            member("retry_after_ms", retryAfterMs)
        case .result(let result): members(of: result)
        case .shown(let jobs, let isBatch):
            if !isBatch, let job = jobs.first {
                members(of: job, now: now)
            } else {
                objects("jobs", jobs) { $0.members(of: $1, now: now) }
            }
        case .ended(let ends, _): objects("jobs", ends) { $0.members(of: $1) }
        case .listed(let jobs, let next):
            objects("jobs", jobs) { $0.members(of: $1, now: now) }
            key("next")
            if let next { integer(next.rawValue) } else { null() }
        case .count(let count): member("count", Int64(count))
        case .queues(let queues): objects("queues", queues) { $0.members(of: $1) }
        case .pong, .served, .titanicID: break
        case .about(let about): members(of: about)
        case .statistics(let statistics): members(of: statistics)
        case .draining: member("draining", .bool(true))
        case .refused(let refusal): object("error") { $0.members(of: refusal) }
        }
    }

    private mutating func members(of accepted: [Accepted], isBatch: Bool) {
        if !isBatch, let job = accepted.first {
            member("id", job.id.rawValue)
            member("state", job.state.rawValue)
            member("created", .bool(job.created))
            return
        }
        key("ids")
        beginArray()
        for job in accepted { integer(job.id.rawValue) }
        endArray()
        key("created")
        beginArray()
        for job in accepted { bool(job.created) }
        endArray()
    }

    private mutating func members(of result: JobResult) {
        members(of: result.end)
        guard let head = result.head else { return }
        member("total_bytes", head.totalBytes)
        member("offset", result.offset)
        let (end, overflowed) = result.offset.addingReportingOverflow(Int64(result.bytes.count))
        member("eof", .bool(overflowed || end >= head.totalBytes))
        member("format", head.format.rawValue)
        members(of: head)
    }

    /// What is known of a result beside its format and size.
    mutating func members(of head: ResultHead) {
        member("rows", ifAny: head.rows)
        member("exit_code", ifAny: head.exitCode.map(Int64.init))
        member("stderr", ifAny: head.stderr)
    }

    private mutating func members(of end: JobEnd) {
        member("id", end.id.rawValue)
        member("state", end.state.rawValue)
        member("attempt", Int64(end.attempt.rawValue))
        if let failure = end.failure { object("error") { $0.members(of: failure) } }
    }

    private mutating func members(of queue: QueueDetails) {
        member("queue", queue.name.rawValue)
        member("paused", .bool(queue.isPaused))
        object("counts") { $0.members(of: queue.counts) }
    }

    mutating func members(of counts: JobCounts) {
        for state in JobState.allCases { member(state.rawValue, counts[state]) }
    }

    mutating func members(of failure: Failure) {
        member("code", failure.code.rawValue)
        member("message", failure.message)
        member("hint", ifAny: failure.hint)
        member("sqlite_code", ifAny: failure.sqliteCode.map(Int64.init))
        member("offset", ifAny: failure.offset.map(Int64.init))
        member("exit_code", ifAny: failure.exitCode.map(Int64.init))
    }

    private mutating func members(of refusal: Refusal) {
        member("code", refusal.code)
        member("message", refusal.message)
        member("hint", ifAny: refusal.hint)
        member("field", ifAny: refusal.field)
        member("retry_after_ms", ifAny: refusal.retryAfterMs)
        member("total_bytes", ifAny: refusal.totalBytes)
    }
}

/// Members of the types that replies are made of.
extension JSONWriter {
    mutating func member(_ key: String, _ value: Int64) {
        self.key(key)
        integer(value)
    }

    mutating func member(_ key: String, _ value: String) {
        self.key(key)
        string(value)
    }

    /// Left out when there is no value.
    mutating func member(_ key: String, ifAny value: Int64?) {
        if let value { member(key, value) }
    }

    mutating func member(_ key: String, ifAny value: String?) {
        if let value { member(key, value) }
    }

    mutating func object(_ key: String, _ members: (inout JSONWriter) -> Void) {
        self.key(key)
        beginObject()
        members(&self)
        endObject()
    }

    mutating func objects<Element>(
        _ key: String,
        _ elements: [Element],
        _ members: (inout JSONWriter, Element) -> Void
    ) {
        self.key(key)
        beginArray()
        for element in elements {
            beginObject()
            members(&self, element)
            endObject()
        }
        endArray()
    }

    mutating func strings(_ key: String, _ texts: [String]) {
        self.key(key)
        beginArray()
        for text in texts { string(text) }
        endArray()
    }
}
