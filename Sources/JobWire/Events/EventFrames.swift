public import JobCore

/// An announcement as subscribers hear it: its topic, and a JSON object.
extension Announcement {
    /// By what subscribers choose, from its beginning on: `job.17.succeeded`, `queue.mail.paused`.
    public var topic: [UInt8] {
        switch self {
        case .queued(let job): Self.topic(of: job.id, JobState.queued.rawValue)
        case .running(let job, _, _): Self.topic(of: job, JobState.running.rawValue)
        case .progress(let job, _, _): Self.topic(of: job, "progress")
        case .ended(let job, let state, _, _): Self.topic(of: job, state.rawValue)
        case .paused(let isPaused, let queue):
            Array("queue.\(queue.rawValue).\(isPaused ? "paused" : "resumed")".utf8)
        }
    }

    private static func topic(of job: JobID, _ word: String) -> [UInt8] {
        Array("job.\(job.rawValue).\(word)".utf8)
    }

    /// The two frames that are published.
    ///
    /// - Parameters:
    ///   - run: The start of the runner that tells it.
    ///   - sequence: Counts what this run has announced, from 1.
    ///   - moment: When it was so.
    /// - Returns: The topic, and the object.
    public func frames(run: RunID, sequence: Int64, at moment: Timestamp) -> [[UInt8]] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("seq", sequence)
        writer.member("run", run.rawValue)
        writer.member("at", moment.rawValue)
        writer.members(of: self)
        writer.endObject()
        return [topic, writer.finish()]
    }
}

extension JSONWriter {
    fileprivate mutating func members(of announcement: Announcement) {
        switch announcement {
        case .queued(let job):
            members(of: job.id, .queued, job.attempt)
            member("queue", job.queue.rawValue)
            member("ready_at", ifAny: job.readyAt?.rawValue)
        case .running(let job, let attempt, let worker):
            members(of: job, .running, attempt)
            member("worker", Int64(worker.rawValue))
        case .progress(let job, let attempt, let progress):
            members(of: job, .running, attempt)
            object("progress") { $0.members(of: progress) }
        case .ended(let job, let state, let attempt, let code):
            members(of: job, state, attempt)
            if let code { object("error") { $0.member("code", code.rawValue) } }
        case .paused(let isPaused, let queue):
            member("queue", queue.rawValue)
            member("paused", .bool(isPaused))
        }
    }

    private mutating func members(of job: JobID, _ state: JobState, _ attempt: Attempt) {
        member("id", job.rawValue)
        member("state", state.rawValue)
        member("attempt", Int64(attempt.rawValue))
    }

    mutating func members(of progress: Progress) {
        member("done", progress.done)
        member("total", progress.total)
    }
}
