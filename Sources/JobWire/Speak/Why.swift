public import JobCore

/// A queued job in words for people.
public enum WaitingWord: String, CaseIterable, Sendable {
    /// For a moment that the client chose.
    case scheduled
    /// For the end of the pause after a failure.
    case retrying
    /// For other jobs.
    case blocked
}

extension JobDetails {
    /// What the job waits for; nil when that is a worker, or when it does not wait.
    public func waiting(now: Timestamp) -> WaitingWord? {
        guard job.state == .queued else { return nil }
        if job.waitsFor > 0 { return .blocked }
        guard job.readyAt > now else { return nil }
        return job.failures > 0 ? .retrying : .scheduled
    }

    /// Why the job has not ended yet, in one sentence; nil when it has.
    public func why(now: Timestamp) -> String? {
        guard !job.state.isFinal else { return nil }
        if job.state == .running { return whyRunning }
        switch waiting(now: now) {
        case .blocked:
            let count = Int64(job.waitsFor)
            return "It waits for \(job.isSplit ? counted(count, "part") : others)."
        case .scheduled: return "It is scheduled for \(job.readyAt.utcText)."
        case .retrying:
            return "It failed \(times(job.failures)) and is tried again at \(job.readyAt.utcText)."
        case nil:
            return queueIsPaused ? "The queue \(queue.rawValue) is paused." : whyReady
        }
    }

    /// The jobs that it waits for: "2 jobs: 3 and 7".
    private var others: String {
        let count = counted(Int64(job.waitsFor), "job")
        let ids = after.filter(\.isOpen).map { "\($0.id.rawValue)" }
        guard let last = ids.last else { return count }
        if ids.count == 1 { return "\(count): \(last)" }
        let isShort = ids.count <= Self.toldJobs
        let told = ids.prefix(isShort ? ids.count - 1 : Self.toldJobs - 1)
        let rest = isShort ? last : "\(ids.count - told.count) others"
        return "\(count): \(told.joined(separator: ", ")) and \(rest)"
    }

    /// Ids that a sentence tells at most.
    private static let toldJobs = 4

    private var whyReady: String {
        if lacksWorker, let skill { return "No worker for the kernel \(skill) is attached." }
        return switch takenTurn {
        case .writing(let database): "It waits for its turn to write to the database \(database)."
        case .suspect: "A run of it was lost. It waits for its turn: such jobs run one at a time."
        case nil: "It waits for a free worker."
        }
    }

    private var whyRunning: String {
        let runner = worker.map { "worker \($0.rawValue)" } ?? "a worker"
        let stop = job.cancelRequested ? ", which was asked to stop" : ""
        return "Attempt \(job.attempt.rawValue) runs on \(runner)\(stop)."
    }
}

private func counted(_ count: Int64, _ noun: String) -> String {
    count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
}

private func times(_ count: Int) -> String {
    count == 1 ? "once" : "\(count) times"
}
