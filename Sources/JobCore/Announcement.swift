/// What is told to whoever listens, once it is so: the protocol calls it an event.
///
/// Best effort: who missed one looks at the job. Made from facts, so that nobody hears of what is
/// not on disk; that a run is under way, and how far it is, is volatile and written nowhere.
public enum Announcement: Equatable, Sendable {
    /// The job waits: it is new, or comes back after a run that was not its last, or was divided.
    case queued(Queued)
    /// A worker is seen to run it: what is over sooner than somebody looks is not announced.
    case running(JobID, Attempt, WorkerID)
    /// How far the run is, as its kernel tells.
    case progress(JobID, Attempt, Progress)
    case ended(JobID, JobState, Attempt, Failure.Code?)
    /// Whether a queue starts jobs has changed.
    case paused(Bool, QueueName)

    /// A job that waits.
    public struct Queued: Equatable, Sendable {
        public var id: JobID
        /// The last attempt that has begun.
        public var attempt: Attempt
        public var queue: QueueName
        /// When it may start; nil for one that waits for its parts, or for others.
        public var readyAt: Timestamp?

        public init(id: JobID, attempt: Attempt, queue: QueueName, readyAt: Timestamp?) {
            self.id = id
            self.attempt = attempt
            self.queue = queue
            self.readyAt = readyAt
        }
    }
}

/// What `sys.stats` tells of events.
public struct AnnouncementCounts: Equatable, Sendable {
    /// Different topics that somebody has subscribed to.
    public var subscriptions: Int64 = 0
    /// Events for which there was a subscription.
    public var published: Int64 = 0
    /// Events that were thrown away because they came faster than they could be told, and how often
    /// a subscriber was found to have too many waiting.
    public var dropped: Int64 = 0

    public init() {}
}
