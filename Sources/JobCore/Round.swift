// One round of the broker: an event is heard, a change is wanted, a fact is written, a message is
// spoken. Four types, so that no step can be left out or taken early.

/// A number by which the dispatcher knows again what a change, a query or a fact belongs to.
public struct Ticket: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// What was heard.
public enum Event: Equatable, Sendable {
    case asked(Request, by: Caller)
    /// A file of the spool was taken and read.
    case filed(TakenFile)
    /// A file that holds more jobs than one submission is being read; its pieces come in order.
    case filePiece(FilePiece)
    /// Nothing more comes of that file, by the name it has in `taken/`, and nothing of it may stay.
    case pieceDropped(String)
    /// The results of a file's jobs lie beside it.
    case fileClosed(FileID)
    case wrote([Fact])
    case answered(Ticket, Answer)
    case reported([Report])
    /// A worker is there and waits for orders.
    case ready(WorkerID)
    /// A worker's thread has ended, whatever it was doing.
    case died(WorkerID)
    /// What the workers' marks showed when the broker looked.
    case seen([WorkerMark])
    /// These orders were taken back before they began; none, when the range is empty.
    case recalled(WorkerID, Range<UInt64>)
    /// An external worker, or somebody who would be one.
    case heardExternal(ExternalWord, from: ClientID)
    /// What was to be told at this address was not: nobody is there any more. With the address of
    /// the order that it was.
    case unreachable(ClientID, OrderAddress?)
    /// Somebody asks the runner to stop: first kindly, then at once.
    case stop
    case timePassed
}

/// The order that a worker has begun last, and when.
public struct WorkerMark: Equatable, Sendable {
    public var worker: WorkerID
    public var sequence: UInt64
    public var startedAt: Timestamp
    /// How far the run is, as far as it tells.
    public var progress: Progress?

    public init(
        worker: WorkerID,
        sequence: UInt64,
        startedAt: Timestamp,
        progress: Progress? = nil
    ) {
        self.worker = worker
        self.sequence = sequence
        self.startedAt = startedAt
        self.progress = progress
    }
}

/// What shall be written. Changes that come together share one transaction and one sync.
public enum Change: Equatable, Sendable {
    /// All or none of them. `ids` holds as many ids as `jobs`, in their order.
    case insert(Insertion)
    /// Written down only when a run outlives a commit.
    case start(JobID, Attempt, WorkerID, at: Timestamp)
    case settle(Report)
    /// The children get these ids, in the order of the parts.
    case split(Report, parts: [Part], ids: ClosedRange<Int64>)
    /// A run of which nothing will come back.
    case lose(JobID, Attempt, WorkerID, reason: String)
    /// Fail those of these jobs whose work is damaged, as the reader found.
    case spoil([JobID])
    /// Fail a divided job that cannot be put together: the result of this part, counted from 1, is
    /// damaged.
    case spoilWhole(JobID, part: Int)
    case cancel([Target], Ticket)
    case retry([JobID], Ticket)
    case delete([JobID], Ticket)
    /// Cancel those that have not ended, and delete all of them.
    case close([Target], Ticket)
    /// One queue, or all.
    case setPaused(Bool, QueueName?, Ticket)
    /// Reserve ids up to and including this one.
    case reserve(upTo: Int64)
    case closeFile(FileID)
    /// Write a piece of a file, unseen; with the last piece all of its jobs are seen.
    case stage(Staging)
    /// Make the next jobs ready of a file that was written in pieces.
    case release(FileID)
    /// Remove the next jobs of a file that was not written to its end, by its name in `taken/`.
    case unstage(String)
    /// Remove those of the jobs whose time is still up when this is written, with all they own.
    case expire([JobID], Retention, Ticket)
}

/// New jobs, from a client or from a file.
public struct Insertion: Equatable, Sendable {
    public var jobs: [Submission]
    public var ids: ClosedRange<Int64>
    public var ticket: Ticket
    /// The file that they came from: its row of the ledger belongs to the same transaction.
    public var file: TakenFile.Row?
    public var owner = Owner.local

    public init(
        jobs: [Submission],
        ids: ClosedRange<Int64>,
        ticket: Ticket,
        file: TakenFile.Row? = nil
    ) {
        self.jobs = jobs
        self.ids = ids
        self.ticket = ticket
        self.file = file
    }
}

extension Insertion {
    /// The job that a predecessor of one of these jobs is, where `known` are those that were
    /// submitted before, by their places; nil when nobody is called so.
    public func job(of predecessor: Predecessor, known: [Int: Accepted] = [:]) -> JobID? {
        switch predecessor.reference {
        case .job(let id): return id
        case .sibling:
            guard let place = predecessor.place, jobs.indices.contains(place) else { return nil }
            return known[place]?.id ?? JobID(rawValue: ids.lowerBound + Int64(place))
        }
    }

    /// Whether the predecessor is one of these jobs, and a new one.
    public func creates(_ predecessor: Predecessor, known: [Int: Accepted]) -> Bool {
        guard let place = predecessor.place, predecessor.name != nil else { return false }
        return jobs.indices.contains(place) && known[place] == nil
    }

    /// The jobs that come after others, and those others.
    public var related: [JobID] {
        var found: [JobID] = []
        for (id, job) in zip(ids, jobs) where !job.after.isEmpty {
            found.append(JobID(rawValue: id))
            found += job.after.compactMap { self.job(of: $0) }
        }
        return found
    }
}

/// A job to be called off, and the attempt that runs now as far as the dispatcher knows, which the
/// store may not have heard of.
public struct Target: Equatable, Sendable {
    public var job: JobID
    public var active: Attempt?

    public init(_ job: JobID, active: Attempt? = nil) {
        self.job = job
        self.active = active
    }
}

/// What has been written and synced. Only a store makes facts, and only by committing.
public enum Fact: Equatable, Sendable {
    case inserted(Ticket, [Accepted], FileID?)
    /// A final state was reached, by a report, by a cancel, or through a child.
    case ended(Ended)
    /// The job waits for a worker: after a failure, a loss, a stop, a client's retry, the end of
    /// all that it comes after, or, divided, for nothing but its last run.
    case queued(Waiting)
    /// The job was divided: its children wait for workers from now on.
    case split(JobID, children: [Waiting])
    /// An ended job waits again: for jobs that it comes after. The attempt is its last one.
    case blocked(JobID, Attempt, QueueName)
    /// A run that writes was asked to stop; its report decides.
    case cancelRequested(JobID, Attempt)
    /// The report came too late: that attempt is not the running one any more.
    case cameLate(JobID, Attempt)
    /// Of cancel, retry, delete, close and expire: how many jobs changed, and the first that could
    /// not.
    case changed(Ticket, count: Int, unfit: Unfit?)
    case paused(Bool, [QueueName], Ticket)
    case reserved(upTo: Int64)
    /// All jobs of the file have ended.
    case fileEnded(FileID)
    /// The jobs of a piece are written; of the last one, all jobs of the file are seen.
    case staged(Ticket, [Accepted], FileID, isAll: Bool)
    /// Some jobs of the file are ready now, or all of them.
    case released(FileID, isAll: Bool)
    /// Some of what was staged of the file is gone, or all of it.
    case unstaged(String, isAll: Bool)
    /// So many reports more are dealt with, in the order in which they were handed over, whatever
    /// has come of their jobs.
    case settled(reports: Int)
    /// The change was not written, and nothing of it. The client is told why.
    case refused(Ticket, Refusal)
    /// Nothing could be written, for this reason; what nobody can be told about is tried again.
    case unwritable(Refusal)
}

/// A job that reached a final state. `outcome` is set exactly when it succeeded.
public struct Ended: Equatable, Sendable {
    public var end: JobEnd
    public var outcome: Outcome?

    public init(end: JobEnd, outcome: Outcome? = nil) {
        self.end = end
        self.outcome = outcome
    }
}

/// A job that a change did not fit.
public enum Unfit: Equatable, Sendable {
    /// Never issued.
    case unknown(JobID)
    /// Issued, and no longer kept.
    case gone(JobID)
    case wrongState(JobID, JobState)
}

/// What the dispatcher keeps of a job that waits for a worker.
public struct Waiting: Equatable, Sendable {
    public var id: JobID
    /// The attempt that comes next.
    public var next: Attempt
    public var readyAt: Timestamp
    public var losses: Int
    public var isSplit: Bool
    /// The part of this job that says what to do.
    public var spec: Spec {
        get { kept.spec }
        set { kept = Kept(spec: newValue) }
    }
    private var kept: Kept
    /// The jobs whose results its work takes.
    public var sources: [Source] = []
    /// What its children made, once they were gathered for its last run.
    public var outputs: [[UInt8]] = []
    /// The fingerprint of a job that was not written yet when it was taken in: should its run end
    /// the process, there may be no row to blame, and it is known again by this.
    public var unwritten: UInt64?

    public init(
        id: JobID,
        next: Attempt,
        readyAt: Timestamp,
        losses: Int = 0,
        isSplit: Bool = false,
        spec: Spec
    ) {
        self.id = id
        self.next = next
        self.readyAt = readyAt
        self.losses = losses
        self.isSplit = isSplit
        kept = Kept(spec: spec)
    }

    /// Waiting jobs go from hand to hand, and a spec is large: they share it.
    private final class Kept: Equatable, Sendable {
        let spec: Spec

        init(spec: Spec) { self.spec = spec }

        static func == (a: Kept, b: Kept) -> Bool { a === b || a.spec == b.spec }
    }
}

/// What is said to a client.
public struct Message: Equatable, Sendable {
    public var to: Caller
    public var reply: Reply

    public init(to: Caller, _ reply: Reply) {
        self.to = to
        self.reply = reply
    }
}
