internal import JobCore

/// All about one job, as `job.show` and `job.list` tell it.
extension JSONWriter {
    mutating func members(of details: JobDetails, now: Timestamp) {
        let job = details.job
        member("id", job.id.rawValue)
        member("state", job.state.rawValue)
        member("waiting", ifAny: details.waiting(now: now)?.rawValue)
        member("why", ifAny: details.why(now: now))
        member("kind", details.kind.rawValue)
        member("owner", ifAny: details.owner == .local ? nil : details.owner.rawValue)
        member("queue", details.queue.rawValue)
        member("priority", Int64(details.priority))
        member("name", ifAny: details.name)
        member("key", ifAny: details.key)
        if !details.tags.isEmpty { strings("tags", details.tags) }
        member("attempt", Int64(job.attempt.rawValue))
        member("max_attempts", Int64(job.retry.maxAttempts))
        member("timeout_ms", details.timeoutMs)
        members(ofTimes: details)
        member("worker", ifAny: details.worker.map { Int64($0.rawValue) })
        member("waits_for", Int64(job.waitsFor))
        if !details.after.isEmpty {
            objects("after", details.after) { $0.members(of: $1) }
            member("on_failure", details.onFailure.rawValue)
        }
        if let progress = details.progress { object("progress") { $0.members(of: progress) } }
        objects("attempts", details.pastAttempts) { $0.members(of: $1) }
        if let failure = details.failure { object("error") { $0.members(of: failure) } }
        if let head = details.result {
            object("result") {
                $0.member("format", head.format.rawValue)
                $0.member("total_bytes", head.totalBytes)
                $0.members(of: head)
            }
        }
    }

    private mutating func members(ofTimes details: JobDetails) {
        member("created_at", details.createdAt.rawValue)
        member("ready_at", details.job.readyAt.rawValue)
        member("started_at", ifAny: details.startedAt?.rawValue)
        member("finished_at", ifAny: details.finishedAt?.rawValue)
    }

    private mutating func members(of predecessor: PredecessorDetails) {
        member("id", predecessor.id.rawValue)
        member("name", ifAny: predecessor.name)
        member("state", ifAny: predecessor.state?.rawValue)
    }

    private mutating func members(of past: PastAttempt) {
        member("attempt", Int64(past.attempt.rawValue))
        member("worker", ifAny: past.worker.map { Int64($0.rawValue) })
        member("started_at", ifAny: past.startedAt?.rawValue)
        member("ended_at", past.endedAt.rawValue)
        object("error") { $0.members(of: past.failure) }
    }
}
