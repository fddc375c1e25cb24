/// What can happen to a job after it was submitted.
///
/// Events that come from a run name its attempt. For a queued job the next attempt is believed as
/// well as the current one is for a running job: a run that starts and ends between two commits is
/// never written down as running.
public enum JobEvent: Equatable, Sendable {
    /// A worker has begun this attempt, long enough ago to be written down.
    case started(Attempt)
    case succeeded(Attempt)
    /// The job's own fault. A permanent failure is not tried again.
    case failed(Attempt, permanent: Bool)
    /// Our fault: the worker or the whole runner is gone and nothing is known of the run.
    case lost(Attempt)
    /// Our wish: the runner stops, the run was broken off and counts for nothing.
    case putBack(Attempt)
    /// The run was broken off because a client had called the job off.
    case brokenOff(Attempt)
    /// The run divided the job into this many children, which it waits for from now on.
    case split(Attempt, children: Int)
    /// The run divided the job, and there are as many parts as there may be: it is divided again
    /// later.
    case crowded(Attempt)
    /// One child has succeeded.
    case childSucceeded
    /// A child has failed or was cancelled, and the whole with it.
    case childFailed
    /// One of the jobs that it comes after has ended well, or well enough. When the job was
    /// submitted tells whether it waits for a moment as well.
    case predecessorEnded(submittedAt: Timestamp)
    /// One of the jobs that it comes after has failed or was cancelled, and this one with it.
    case predecessorFailed
    /// What is stored of its work is damaged: nobody can run it.
    case spoiled
    /// A client calls the job off.
    case cancel
    /// A client has an ended job run again, once so many of the jobs that it comes after have
    /// ended.
    case retry(waitingFor: Int)
}

/// The event does not fit the job's state. The job is unchanged.
///
/// Not a fault in itself: a worker that was given up may report late, a cancel may come too late.
public struct IllegalTransition: Error, Equatable {
    public let state: JobState
    public let attempt: Attempt
    public let event: JobEvent
}
