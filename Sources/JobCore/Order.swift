/// What a worker is told: run this attempt.
public struct Order: Equatable, Sendable {
    /// What the run is for. Dividing and putting together are runs like any other.
    public enum Phase: Int, Sendable, CaseIterable {
        /// The whole work, or one part of it.
        case run
        /// Make parts of the input; they become children.
        case split
        /// Make one result of the children's `outputs`.
        case reduce
        /// Nothing runs: the job was lost as often as it may be. If an attempt of it has committed,
        /// its receipt is the answer.
        case look
        /// Nothing runs: a worker was given up in the middle of this attempt, which writes. The
        /// report says `succeeded` when the attempt has committed, `brokenOff` when from now on it
        /// never can, `putBack` when that cannot be told yet.
        case bury

        /// True when something of the job is run, and not only what was done is looked for.
        public var runs: Bool {
            switch self {
            case .run, .split, .reduce: true
            case .look, .bury: false
            }
        }
    }

    /// Counts the orders to one worker, from 1. What was never started can be taken back by it.
    public var sequence: UInt64
    public var job: JobID
    public var attempt: Attempt
    public var phase: Phase
    public var kind: Spec.Kind
    public var timeoutMs: Int64
    public var parts: Int
    public var body: [UInt8]
    public var frames: [Spec.Frame]
    /// True when the frames are in the store, and not here.
    public var framesAreStored = false
    /// The jobs whose results the work takes: who runs it puts them in.
    public var sources: [Source] = []
    /// The children's results, in the order of the parts; for the phase `reduce`.
    public var outputs: [[UInt8]]
    /// Of a job that writes.
    public var salt: Int64?
    /// Jobs whose receipts are needed no more: a run that writes removes them from its database.
    public var removable: [ClosedRange<Int64>] = []
    /// See `Waiting.unwritten`.
    public var unwritten: UInt64?
    /// The orders of one message that may share a transaction, by the sequence number of the first
    /// of them; nil for an order that shares none.
    public var group: UInt64?

    public init(sequence: UInt64, job: Waiting, phase: Phase? = nil) {
        self.sequence = sequence
        self.job = job.id
        attempt = job.next
        self.phase = phase ?? job.phase
        kind = job.spec.kind
        timeoutMs = job.spec.timeoutMs
        parts = job.spec.parts
        body = job.spec.body
        frames = job.spec.frames
        framesAreStored = job.spec.storedFrameBytes > 0
        sources = job.sources
        outputs = job.outputs
        salt = job.spec.writes == nil ? nil : job.spec.salt
        unwritten = job.unwritten
    }

    /// An order as it was received.
    public init(
        sequence: UInt64,
        job: JobID,
        attempt: Attempt,
        phase: Phase,
        kind: Spec.Kind,
        timeoutMs: Int64,
        parts: Int,
        body: [UInt8],
        frames: [Spec.Frame],
        outputs: [[UInt8]]
    ) {
        self.sequence = sequence
        self.job = job
        self.attempt = attempt
        self.phase = phase
        self.kind = kind
        self.timeoutMs = timeoutMs
        self.parts = parts
        self.body = body
        self.frames = frames
        self.outputs = outputs
    }
}

extension Waiting {
    fileprivate var phase: Order.Phase {
        if spec.writes != nil && losses >= Job.lossesMax { return .look }
        return isSplit ? .reduce : spec.parts > 1 ? .split : .run
    }
}

/// What a worker answers: how one attempt ended.
public struct Report: Equatable, Sendable {
    public var job: JobID
    public var attempt: Attempt
    public var worker: WorkerID
    public var ending: Ending
    public var startedAt: Timestamp
    /// From start to end, on the monotonic clock, in µs.
    public var durationMicros: Int64
    /// How much of it the commit of a transaction of its own took. Who shares one pays less.
    public var commitMicros: Int64 = 0
    /// True when the run has shown that jobs of its sort need a transaction of their own.
    public var needsOwnTransaction = false
    /// Jobs of which the database that was written to holds receipts of earlier runs of the
    /// program. A worker names them once.
    public var leftovers: [JobID] = []
    /// The queue of the job as the dispatcher knows it, so that a store need not read it.
    public var queue: QueueName?

    public enum Ending: Equatable, Sendable {
        case succeeded(Outcome)
        case failed(Failure)
        /// Broken off because the job was called off.
        case brokenOff
        /// Broken off because the runner stops, or undone because the transaction that it shared
        /// could not be committed: the job waits again, uncounted.
        case putBack
        /// The work of each child: a JSON object and binary frames.
        case split([Part])
    }

    public init(
        job: JobID,
        attempt: Attempt,
        worker: WorkerID,
        ending: Ending,
        startedAt: Timestamp,
        durationMicros: Int64
    ) {
        self.job = job
        self.attempt = attempt
        self.worker = worker
        self.ending = ending
        self.startedAt = startedAt
        self.durationMicros = durationMicros
    }
}

/// What a job that succeeded leaves behind.
public struct Outcome: Equatable, Sendable {
    public var format: ResultFormat
    public var bytes: [UInt8]
    /// Rows of an SQL result.
    public var rows: Int64?
    /// See `ResultHead.stderr`.
    public var stderr: String?

    public init(format: ResultFormat, bytes: [UInt8], rows: Int64? = nil, stderr: String? = nil) {
        self.format = format
        self.bytes = bytes
        self.rows = rows
        self.stderr = stderr
    }

    public var head: ResultHead {
        ResultHead(format: format, totalBytes: Int64(bytes.count), rows: rows, stderr: stderr)
    }
}

/// The work of one child of a divided job.
public struct Part: Equatable, Sendable {
    public var body: [UInt8]
    public var frames: [Spec.Frame]

    public init(body: [UInt8], frames: [Spec.Frame] = []) {
        self.body = body
        self.frames = frames
    }

    /// Its frames as a child of this parent: it shares those alone that are the parent's own.
    public func frames(sharedWith parent: Spec) -> [Spec.Frame] {
        frames.map { frame in
            var frame = frame
            let isThere = parent.frames.contains { $0.number == frame.number && !$0.isShared }
            frame.isShared = frame.isShared && isThere
            return frame
        }
    }

    /// What it brings along, in bytes: what its parent has anyway does not count.
    public var ownBytes: Int {
        frames.reduce(body.count) { $1.isShared ? $0 : $0 + $1.bytes.count }
    }
}
