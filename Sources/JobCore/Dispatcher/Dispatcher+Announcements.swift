// What the dispatcher has told to whoever listens. While nobody does it costs a look at a flag.

extension Dispatcher {
    /// How often the progress of one run is announced, in ms, at most.
    static let progressEveryMs: Int64 = 250

    /// To be called before the fact changes what is known here.
    mutating func announce(_ fact: Fact, at now: Timestamp) {
        guard hasListeners else { return }
        switch fact {
        case .inserted(let ticket, let accepted, _):
            let jobs = pending[ticket]?.jobs ?? []
            for (job, accepted) in zip(jobs, accepted) where accepted.created {
                let queue = job.spec.queue
                let readyAt = job.after.isEmpty ? job.readyAt(now: now) : nil
                announce(queued: accepted.id, .none, queue, readyAt: readyAt)
            }
        case .queued(let job):
            // One whose next run is seen already was passed over.
            guard active[job.id] != job.next else { return }
            announce(queued: job)
        case .split(let parent, let children):
            if let queue = children.first?.spec.queue, let attempt = active[parent] {
                announce(queued: parent, attempt, queue, readyAt: nil)
            }
            for child in children { announce(queued: child) }
        case .ended(let ended):
            let end = ended.end
            decisions.announcements.append(
                .ended(end.id, end.state, end.attempt, end.failure?.code)
            )
        case .paused(let isPaused, let queues, _):
            for queue in queues { decisions.announcements.append(.paused(isPaused, queue)) }
        case .blocked(let job, let attempt, let queue):
            // It had ended, for whoever listens. It is told again when it waits for nobody.
            announce(queued: job, attempt, queue, readyAt: nil)
        case .cancelRequested, .cameLate, .changed, .reserved, .fileEnded, .settled, .refused,
            .unwritable, .staged, .released, .unstaged:
            break
        }
    }

    private mutating func announce(queued job: Waiting) {
        let begun = Attempt(rawValue: max(0, job.next.rawValue - 1))
        announce(queued: job.id, begun, job.spec.queue, readyAt: job.readyAt)
    }

    private mutating func announce(
        queued id: JobID,
        _ attempt: Attempt,
        _ queue: QueueName,
        readyAt: Timestamp?
    ) {
        decisions.announcements.append(
            .queued(.init(id: id, attempt: attempt, queue: queue, readyAt: readyAt))
        )
    }

    /// Tells that a run is under way, once, and how far it is, now and then. Of a job that is not
    /// written yet nobody hears: it may still be refused.
    mutating func announce(_ running: Crew.Outstanding, _ mark: WorkerMark, at now: Timestamp) {
        let (id, attempt) = (running.job.id, running.job.next)
        guard hasListeners, !running.isBurial, active[id] == attempt, !isUnborn(id) else { return }
        if crew[mark.worker]?.isAnnounced == false {
            crew[mark.worker]?.isAnnounced = true
            decisions.announcements.append(.running(id, attempt, mark.worker))
        }
        guard let progress = mark.progress,
            let told = crew[mark.worker]?.toldProgress, told.progress != progress,
            told.at.map({ now.ms(since: $0) >= Self.progressEveryMs }) ?? true
        else { return }
        crew[mark.worker]?.toldProgress = .init(progress: progress, at: now)
        decisions.announcements.append(.progress(id, attempt, progress))
    }

    private func isUnborn(_ job: JobID) -> Bool {
        unborn.values.contains { $0.contains(job.rawValue) }
    }
}
