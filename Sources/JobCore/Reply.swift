/// What a client is told: one case per form of answer in the protocol.
///
/// Replies about a change are made from facts, and all others from what the store answers.
public enum Reply: Equatable, Sendable {
    case accepted([Accepted], isBatch: Bool)
    /// 300: not yet. `state` is nil where several jobs were asked for.
    case pending(JobID, JobState, retryAfterMs: Int64)
    case result(JobResult)
    case shown([JobDetails], isBatch: Bool)
    /// The jobs that have ended, and whether these are all that were asked for (200, else 300).
    case ended([JobEnd], all: Bool)
    case listed([JobDetails], next: JobID?)
    /// Of cancel, retry, delete and close: how many jobs it changed.
    case count(Int)
    case queues([QueueDetails])
    case pong
    case about(About)
    case statistics(Statistics)
    case draining
    case served(Bool)
    /// The id of what `titanic.request` has stored.
    case titanicID(TitanicID)
    case refused(Refusal)
}

/// The id of a submitted job.
public struct Accepted: Equatable, Sendable {
    public var id: JobID
    public var state: JobState
    /// False when the key had been used for the same job before.
    public var created: Bool

    public init(id: JobID, state: JobState, created: Bool) {
        self.id = id
        self.state = state
        self.created = created
    }
}

/// How a job ended, without the bytes of its result.
public struct JobEnd: Equatable, Sendable {
    public var id: JobID
    public var state: JobState
    public var attempt: Attempt
    /// Set exactly when it did not succeed.
    public var failure: Failure?

    public init(id: JobID, state: JobState, attempt: Attempt, failure: Failure?) {
        self.id = id
        self.state = state
        self.attempt = attempt
        self.failure = failure
    }
}

/// How a job ended, with the bytes that were asked for.
public struct JobResult: Equatable, Sendable {
    public var end: JobEnd
    /// Nil when the job has no result.
    public var head: ResultHead?
    public var offset: Int64 = 0
    public var bytes: [UInt8] = []

    public init(end: JobEnd, head: ResultHead? = nil, offset: Int64 = 0, bytes: [UInt8] = []) {
        self.end = end
        self.head = head
        self.offset = offset
        self.bytes = bytes
    }
}

/// What is known of a result without reading it.
public struct ResultHead: Equatable, Sendable {
    public var format: ResultFormat
    public var totalBytes: Int64
    /// Rows of an SQL result.
    public var rows: Int64?
    /// The end of what a command said beside its result; nil of any other kind.
    public var stderr: String?

    public init(
        format: ResultFormat,
        totalBytes: Int64,
        rows: Int64? = nil,
        stderr: String? = nil
    ) {
        self.format = format
        self.totalBytes = totalBytes
        self.rows = rows
        self.stderr = stderr
    }

    /// A command that has a result ended with 0.
    public var exitCode: Int? { stderr == nil ? nil : 0 }
}

public enum ResultFormat: String, CaseIterable, Sendable {
    case json, jsonl, csv
    /// As a program made it, in UTF-8.
    case text
    /// As the kernel or program made them.
    case bytes
    /// Likewise, in frames: each behind its length in four bytes, the highest first.
    case frames
}

/// One run of a job that did not succeed.
public struct PastAttempt: Equatable, Sendable {
    public var attempt: Attempt
    public var worker: WorkerID?
    public var startedAt: Timestamp?
    public var endedAt: Timestamp
    public var failure: Failure

    public init(
        attempt: Attempt,
        worker: WorkerID?,
        startedAt: Timestamp?,
        endedAt: Timestamp,
        failure: Failure
    ) {
        self.attempt = attempt
        self.worker = worker
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.failure = failure
    }
}

/// All about a job but the bytes of its result.
public struct JobDetails: Equatable, Sendable {
    public var job: Job
    public var kind: Spec.Kind
    public var owner = Owner.local
    public var queue: QueueName
    public var queueIsPaused = false
    /// The jobs that it comes after; none are told in lists.
    public var after: [PredecessorDetails] = []
    public var onFailure = OnFailure.fail
    /// The database that a run may change.
    public var writes: String?
    /// The external kernel that it runs.
    public var skill: String?
    /// Whether no external worker for it is attached: known to the dispatcher alone.
    public var lacksWorker = false
    /// What it needs while it runs and another run has: known to the dispatcher alone.
    public var takenTurn: Turn?
    public var priority = 0
    public var timeoutMs: Int64
    public var name: String?
    public var key: String?
    public var tags: [String] = []
    public var createdAt: Timestamp
    public var startedAt: Timestamp?
    public var finishedAt: Timestamp?
    public var worker: WorkerID?
    /// Of a divided job: children that have ended, and all of them. Of a run under way: what it
    /// tells, known to the dispatcher alone.
    public var progress: Progress?
    public var pastAttempts: [PastAttempt] = []
    public var failure: Failure?
    public var result: ResultHead?

    public init(
        job: Job,
        kind: Spec.Kind,
        queue: QueueName,
        timeoutMs: Int64,
        createdAt: Timestamp
    ) {
        self.job = job
        self.kind = kind
        self.queue = queue
        self.timeoutMs = timeoutMs
        self.createdAt = createdAt
    }
}

/// What is known of a job that another comes after.
public struct PredecessorDetails: Equatable, Sendable {
    public var id: JobID
    public var name: String?
    /// Nil when it is no longer kept.
    public var state: JobState?
    /// Whether the other still waits for it.
    public var isOpen: Bool

    public init(id: JobID, name: String?, state: JobState?, isOpen: Bool) {
        self.id = id
        self.name = name
        self.state = state
        self.isOpen = isOpen
    }
}

/// How far something is.
public struct Progress: Equatable, Sendable {
    public var done: Int64
    public var total: Int64

    public init(done: Int64, total: Int64) {
        self.done = done
        self.total = total
    }
}

public struct QueueDetails: Equatable, Sendable {
    public var name: QueueName
    public var isPaused: Bool
    public var counts: JobCounts

    public init(name: QueueName, isPaused: Bool, counts: JobCounts) {
        self.name = name
        self.isPaused = isPaused
        self.counts = counts
    }
}

/// Jobs in each state. Kept with every change, never counted.
public struct JobCounts: Equatable, Sendable {
    public var queued: Int64 = 0
    public var running: Int64 = 0
    public var succeeded: Int64 = 0
    public var failed: Int64 = 0
    public var cancelled: Int64 = 0

    public init() {}

    public subscript(state: JobState) -> Int64 {
        get {
            switch state {
            case .queued: queued
            case .running: running
            case .succeeded: succeeded
            case .failed: failed
            case .cancelled: cancelled
            }
        }
        set {
            switch state {
            case .queued: queued = newValue
            case .running: running = newValue
            case .succeeded: succeeded = newValue
            case .failed: failed = newValue
            case .cancelled: cancelled = newValue
            }
        }
    }

    /// Jobs that have not ended.
    public var open: Int64 { queued + running }
}

/// What `sys.info` tells: who answers, and what it allows.
public struct About: Equatable, Sendable {
    public var run: RunID
    public var workers: Int
    public var limits: Limits
    public var kernels: [String]
    /// Kernels whose jobs external workers run.
    public var externalKernels: [String] = []
    /// Where those workers come in: ZeroMQ endpoints.
    public var workerEndpoints: [String] = []
    public var databases: [String]
    /// Names of the programs that jobs may run.
    public var commands: [String]
    /// Where events can be had: ZeroMQ endpoints, none when there are no events.
    public var events: [String] = []

    public init(
        run: RunID,
        workers: Int,
        limits: Limits,
        kernels: [String],
        databases: [String],
        commands: [String] = []
    ) {
        self.run = run
        self.workers = workers
        self.limits = limits
        self.kernels = kernels
        self.databases = databases
        self.commands = commands
    }
}

/// What `sys.stats` tells: how much there is, how fast it goes, and what is wrong.
public struct Statistics: Equatable, Sendable {
    public var counts = JobCounts()
    public var startedAt = Timestamp(rawValue: 0)
    /// Jobs ended in the last minute, a second.
    public var endedPerSecond = 0.0
    /// Time between ready and started, of the last runs, in ms.
    public var waiting = Percentiles()
    /// Time between started and reported, of the last runs, in ms.
    public var running = Percentiles()
    public var oldestWaitingMs: Int64?
    public var workers: [WorkerDetails] = []
    /// The external workers that are attached.
    public var externals: [ExternalDetails] = []
    public var storeBytes: Int64 = 0
    public var walBytes: Int64 = 0
    public var dropped: Int64 = 0
    /// Jobs that started beside as many long ones as there are workers.
    public var expressStarts: Int64 = 0
    public var announcements = AnnouncementCounts()
    /// The file of the spool whose jobs are being stored piece by piece.
    public var staging: FileProgress?
    /// What somebody should look at, one sentence each.
    public var alarms: [String] = []

    public init() {}
}

public struct Percentiles: Equatable, Sendable {
    public var p50: Double?
    public var p99: Double?

    public init(p50: Double? = nil, p99: Double? = nil) {
        self.p50 = p50
        self.p99 = p99
    }
}

public struct WorkerDetails: Equatable, Sendable {
    public var worker: WorkerID
    /// What it runs, and for how long already.
    public var job: JobID?
    public var runningMs: Int64?

    public init(worker: WorkerID, job: JobID? = nil, runningMs: Int64? = nil) {
        self.worker = worker
        self.job = job
        self.runningMs = runningMs
    }
}

/// An external worker that is attached.
public struct ExternalDetails: Equatable, Sendable {
    public var kernel: String
    public var details: WorkerDetails

    public init(kernel: String, _ details: WorkerDetails) {
        self.kernel = kernel
        self.details = details
    }
}
