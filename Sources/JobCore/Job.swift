/// The part of a job that changes. What it shall do lies in its `Spec`, which never does.
public struct Job: Equatable, Sendable {
    public let id: JobID
    public private(set) var state: JobState
    /// The last attempt that is known to have begun.
    public private(set) var attempt: Attempt
    /// Failures since the job was submitted or last retried by a client.
    public private(set) var failures: Int
    /// Runs, counted likewise, of which nothing came back.
    public private(set) var losses: Int
    /// The earliest moment at which a worker may take the job.
    public private(set) var readyAt: Timestamp
    /// Other jobs that must end first: its parts, or those that it comes after.
    public private(set) var waitsFor: Int
    /// True once the job was divided into children: its next run puts their results together.
    public private(set) var isSplit: Bool
    /// True when a client has called the job off while a run that writes was under way: whether the
    /// writing won is for the run to say.
    public private(set) var cancelRequested: Bool
    /// True when a run may change a user's database.
    public let writes: Bool
    public let retry: RetryPolicy

    /// Losses after which a job is taken to be what kills its workers, and does not run again.
    ///
    /// One that writes is queued once more, because a lost run may have committed: a last attempt
    /// looks for its receipt and does nothing else.
    public static let lossesMax = 3

    /// Pause before a job is divided for which there are too many parts, in ms.
    public static let crowdedMs: Int64 = 1_000

    /// When the parts of a job are ready that is divided now: before it was, so that they come
    /// before all that came later, and no more jobs are divided than there are workers.
    public func partsReadyAt(now: Timestamp) -> Timestamp { min(readyAt, now).adding(ms: -1) }

    public init(id: JobID, readyAt: Timestamp, writes: Bool = false, retry: RetryPolicy = .standard)
    {
        self.init(
            id: id,
            standing: Standing(readyAt: readyAt),
            writes: writes,
            retry: retry
        )
    }

    /// A job as it was written down.
    public init(id: JobID, standing: Standing, writes: Bool, retry: RetryPolicy) {
        self.id = id
        state = standing.state
        attempt = standing.attempt
        failures = standing.failures
        losses = standing.losses
        readyAt = standing.readyAt
        waitsFor = standing.waitsFor
        isSplit = standing.isSplit
        cancelRequested = standing.cancelRequested
        self.writes = writes
        self.retry = retry
    }

    /// It never ran and waits for one other thing: the rest of its file, perhaps.
    public var mayBeHeld: Bool {
        state == .queued && waitsFor == 1 && attempt == .none && !isSplit
    }

    /// What a store writes down of the changing part.
    public struct Standing: Equatable, Sendable {
        public var state = JobState.queued
        public var attempt = Attempt.none
        public var failures = 0
        public var losses = 0
        public var readyAt: Timestamp
        public var waitsFor = 0
        public var isSplit = false
        public var cancelRequested = false

        public init(readyAt: Timestamp) { self.readyAt = readyAt }
    }

    public var standing: Standing {
        var standing = Standing(readyAt: readyAt)
        standing.state = state
        standing.attempt = attempt
        standing.failures = failures
        standing.losses = losses
        standing.waitsFor = waitsFor
        standing.isSplit = isSplit
        standing.cancelRequested = cancelRequested
        return standing
    }

    /// Applies one event, or throws and leaves the job as it was.
    ///
    /// This is the only place that knows the life cycle. The store writes down what it decides.
    public mutating func apply(_ event: JobEvent, at now: Timestamp) throws(IllegalTransition) {
        switch event {
        case .started(let run): try begin(run, event)
        case .succeeded(let run), .failed(let run, _), .lost(let run), .putBack(let run),
            .brokenOff(let run), .split(let run, _), .crowded(let run):
            if state == .queued { try begin(run, event) }
            try endRun(event, run, at: now)
        case .childSucceeded, .childFailed: try childEnded(event, at: now)
        case .predecessorEnded, .predecessorFailed: try predecessorEnded(event, at: now)
        case .spoiled: try spoil(event)
        case .cancel: try cancel(event)
        case .retry(let others): try again(event, after: others, at: now)
        }
        checkInvariants()
    }

    private mutating func begin(_ run: Attempt, _ event: JobEvent) throws(IllegalTransition) {
        guard state == .queued, waitsFor == 0, run == attempt.next else { throw illegal(event) }
        state = .running
        attempt = run
    }

    private mutating func endRun(
        _ event: JobEvent,
        _ run: Attempt,
        at now: Timestamp
    ) throws(IllegalTransition) {
        guard state == .running, run == attempt else { throw illegal(event) }
        switch event {
        case .succeeded: finish(.succeeded)
        case .brokenOff: finish(.cancelled)
        case .failed(_, let permanent):
            failures += 1
            queueAgain(
                at: permanent
                    ? nil
                    : retry.pause(afterFailures: failures, of: id, attempt).map(now.adding(ms:))
            )
        case .lost:
            losses += 1
            queueAgain(at: losses < Self.lossesMax + (writes ? 1 : 0) ? now : nil)
        case .putBack: queueAgain(at: readyAt)
        case .crowded: queueAgain(at: now.adding(ms: Self.crowdedMs))
        case .split(_, let children) where children > 0 && !isSplit && !cancelRequested:
            state = .queued
            isSplit = true
            waitsFor = children
        default: throw illegal(event)
        }
    }

    /// Back to the queue, unless the job was called off meanwhile or has no chance left (nil).
    private mutating func queueAgain(at moment: Timestamp?) {
        if cancelRequested {
            finish(.cancelled)
        } else if let moment {
            state = .queued
            readyAt = moment
        } else {
            finish(.failed)
        }
    }

    private mutating func childEnded(
        _ event: JobEvent,
        at now: Timestamp
    ) throws(IllegalTransition) {
        guard state == .queued, isSplit, waitsFor > 0 else { throw illegal(event) }
        if event == .childSucceeded {
            waitsFor -= 1
            // It was ready before: later than now only when the clock was set back meanwhile.
            readyAt = min(readyAt, now)
        } else {
            finish(.failed)
        }
    }

    private mutating func predecessorEnded(
        _ event: JobEvent,
        at now: Timestamp
    ) throws(IllegalTransition) {
        guard state == .queued, !isSplit, waitsFor > 0 else { throw illegal(event) }
        guard case .predecessorEnded(let submittedAt) = event else { return finish(.failed) }
        waitsFor -= 1
        guard waitsFor == 0 else { return }
        // Ready with the last of them, unless it waits for a moment that is still to come. That of
        // the submission is none: later than now only when the clock was set back meanwhile.
        readyAt = readyAt > submittedAt ? max(readyAt, now) : now
    }

    private mutating func spoil(_ event: JobEvent) throws(IllegalTransition) {
        guard !state.isFinal, waitsFor == 0 else { throw illegal(event) }
        finish(.failed)
    }

    private mutating func cancel(_ event: JobEvent) throws(IllegalTransition) {
        guard !state.isFinal else { throw illegal(event) }
        if state == .running && writes {
            cancelRequested = true
        } else {
            finish(.cancelled)
        }
    }

    private mutating func again(
        _ event: JobEvent,
        after others: Int,
        at now: Timestamp
    ) throws(IllegalTransition) {
        guard state == .failed || state == .cancelled, others >= 0 else { throw illegal(event) }
        state = .queued
        waitsFor = others
        readyAt = now
        failures = 0
        losses = 0
        isSplit = false
    }

    private mutating func finish(_ final: JobState) {
        state = final
        waitsFor = 0
        cancelRequested = false
    }

    private func illegal(_ event: JobEvent) -> IllegalTransition {
        IllegalTransition(state: state, attempt: attempt, event: event)
    }

    private func checkInvariants() {
        precondition(state != .running || attempt > .none, "a running job has been started")
        precondition(state == .queued || waitsFor == 0, "only a queued job waits for others")
        precondition(state == .running || !cancelRequested, "only a run can be asked to stop")
    }
}
