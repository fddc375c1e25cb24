/// What the dispatcher wants to know from the store. Reading changes nothing and waits for nobody.
public enum Query: Equatable, Sendable {
    /// Jobs that are ready, best first, and the longest ready of each priority. Those that the
    /// asker has in its hands already are passed over, and take no room in the answer.
    case load(Lane, limit: Int, now: Timestamp, except: Set<JobID> = [])
    /// Which lanes have ready jobs, and when the next job becomes ready.
    case survey(now: Timestamp)
    /// The results of all children of this job, in the order of the parts.
    case gather(JobID)
    case show([JobID])
    case ends([JobID])
    case owners([JobID])
    case result(JobID, ByteRange)
    /// All of the result of the job that `titanic.request` has made under this id; of other jobs
    /// none.
    case titanicResult(TitanicID)
    /// Likewise, whose that job is.
    case titanicOwner(TitanicID)
    case list(JobFilter, after: JobID?, limit: Int)
    /// Ids of a filter's jobs, ascending, from after the given one.
    case select(JobFilter, after: JobID?, limit: Int)
    case queues(QueueName?)
    case statistics(now: Timestamp)
    /// Some jobs whose time is up, ascending, from after the given one.
    case expired(Retention, after: JobID?, now: Timestamp)
}

/// What the store answers to a query, as of one moment between two commits.
public enum Answer: Equatable, Sendable {
    /// `isAll` is false when more jobs are ready than were asked for. Nobody can run those that are
    /// damaged.
    case loaded(Lane, [Waiting], isAll: Bool, damaged: [JobID] = [])
    case surveyed(Survey)
    case gathered(JobID, [[UInt8]])
    /// The job cannot be put together: the result of this part, counted from 1, is damaged.
    case partDamaged(JobID, part: Int)
    case shown([JobDetails?], isIssued: [Bool])
    /// In the order of the ids; of a job that has not ended, the state says so.
    case ends([JobEnd?], isIssued: [Bool])
    /// Nil for those that are not kept (any more).
    case owners([Owner?], isIssued: [Bool])
    /// Nil when the id is not kept (any more).
    case result(JobResult?, isIssued: Bool)
    case listed([JobDetails], next: JobID?)
    /// `next` is the last job that was looked at, when there may be more after it.
    case selected([JobID], next: JobID?)
    case queues([QueueDetails])
    case statistics(Statistics)
    /// `next` is nil when all jobs were looked at; else the last one.
    case expired([JobID], next: JobID?)
    /// The store could not be read, or has too much to tell at once.
    case unreadable(Refusal)
}

/// Where there is work.
public struct Survey: Equatable, Sendable {
    /// Lanes with ready jobs.
    public var ready: [Lane] = []
    public var paused: [QueueName] = []
    /// When the next job that waits for a moment becomes ready.
    public var nextReadyAt: Timestamp?

    public init() {}
}
