internal import JobClient
internal import JobCore
internal import JobWire

/// The runner behind the live view: looks at it, and does to it what keys ask for.
struct TopLook {
    /// Failed jobs that are shown.
    static let failedJobs = 5

    let client: JobClient

    func snapshot(at now: Timestamp) throws(ClientError) -> TopSnapshot {
        let statistics = try client.statistics()
        let workers = ["workers", "external_workers"].flatMap { statistics[$0]?.arrayValue ?? [] }
        let jobs = workers.compactMap { $0["job"]?.integerValue.map(JobID.init(rawValue:)) }
        let running = jobs.isEmpty ? [] : try client.show(jobs)
        let failed = try client.list(JobFilter(state: .failed), limit: Self.failedJobs)
        return TopSnapshot(
            at: now,
            info: try client.info(),
            statistics: statistics,
            queues: try client.queues(),
            // Others have ended, or are gone, between the two questions.
            running: running.filter { $0.text("state") == JobState.running.rawValue },
            failed: failed["jobs"]?.arrayValue ?? []
        )
    }

    /// - Returns: One sentence: what was done.
    func act(on action: TopModel.Action) throws(ClientError) -> String {
        switch action {
        case .pause(let queue):
            try client.pause(queue)
            return "The queue \(queue.rawValue) is paused."
        case .resume(let queue):
            try client.resume(queue)
            return "The queue \(queue.rawValue) is resumed."
        case .cancel(let job):
            let count = try client.cancel(.ids([job]))
            return "Job \(job.rawValue) \(count > 0 ? "is called off" : "has ended already")."
        case .retry(let job):
            _ = try client.retry(.ids([job]))
            return "Job \(job.rawValue) runs again."
        case .quit: return ""
        }
    }
}
