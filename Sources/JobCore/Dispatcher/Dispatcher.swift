/// Decides what happens: which job starts where, what is written, who is told what.
///
/// Pure: it owns no socket, no statement and no clock, and the same calls give the same decisions.
/// It keeps a bounded window of the ready jobs, what the workers have, and what clients wait for;
/// all else the store knows better.
///
/// Call `hear` for every event of a round, then `decide` once.
public struct Dispatcher: Sendable {
    /// What the dispatcher is told once, at its start.
    public struct Plan: Sendable {
        public var about: About
        public var startedAt: Timestamp
        public var limits: Limits
        var lanes = Lanes.Bounds()
        /// Whether short jobs have workers of their own while long ones hold all others.
        public var hasExpress = false
        /// Reports that are not written yet, in bytes: beyond that nothing starts. Only tests have
        /// another.
        var unsettledBytes = 128 << 20
        /// Callers that are answered in one round: about a millisecond's worth. Only tests have
        /// another number.
        var answersARound = 256
        /// How long a stop waits for what runs, in ms.
        public var drainMs: Int64
        /// How long a worker may ignore that its job was broken off, in ms.
        public var stuckMs: Int64
        public var reserved: ClosedRange<Int64>
        /// A random number, new for each start: where salts come from.
        public var seed: UInt64
        /// What the start has found, see `Recovery`.
        public var calledOff: [Waiting] = []
        public var suspects: Set<UInt64> = []
        public var hasCrashed = false
        public var stages = Recovery.Stages()
        /// Nil when nothing is ever removed.
        public var retention: Retention?
        /// The newest moment that earlier runs have written down; nil for a new store.
        public var newestTime: Timestamp?

        public init(
            about: About,
            startedAt: Timestamp,
            drainMs: Int64,
            stuckMs: Int64,
            reserved: ClosedRange<Int64>,
            seed: UInt64
        ) {
            self.about = about
            self.startedAt = startedAt
            limits = about.limits
            self.drainMs = drainMs
            self.stuckMs = stuckMs
            self.reserved = reserved
            self.seed = seed
        }
    }

    /// How long after a start that has found a culprit, or perhaps one, the dispatcher is wary, in
    /// ms: for so long whoever has sent it may send it again.
    static let waryMs: Int64 = 60_000

    let plan: Plan
    /// True while each job is written before it runs and has a transaction of its own, so that
    /// another crash is counted against the right one.
    private(set) var isWary: Bool
    var ids: IDSupply
    var lanes: Lanes
    var crew: Crew
    var externals = Externals()
    var waits = Waits()
    var calls = Calls()
    var quotas: Quotas
    var pace = Pace()
    var sharing = Sharing()
    var meter = Meter()
    var stop = Stop()
    var receipts = Receipts()
    var sweep = Sweep()
    var stages = Stages()
    /// What changes and queries that are under way belong to.
    var pending: [Ticket: Purpose] = [:]
    /// Jobs that a worker has, or whose report is being written, with the attempt.
    var active: [JobID: Attempt] = [:]
    /// Jobs that ended while a worker had them, which has not let them go yet, and whether a client
    /// wants them to run again: until then they do not, for a job runs once at a time.
    var stopping: [JobID: Bool] = [:]
    /// Divided jobs whose children's results are being read, and the query.
    var gathering: [JobID: Ticket] = [:]
    /// Jobs to be called off, and how many such changes are being written: until then nothing may
    /// bring them back.
    var leaving: [JobID: Int] = [:]
    /// Jobs to be retried, likewise: until then no load may bring them, whose end is perhaps not
    /// heard of yet.
    var returning: [JobID: Int] = [:]
    /// Ready jobs that are damaged and have not failed yet: no load need show them.
    var damaged: Set<JobID> = []
    /// Damaged jobs that were met.
    var damageCount = 0
    /// Bytes of the jobs that were taken in and are not written yet.
    var unwrittenBytes = 0
    var unsettled = Unsettled()
    /// Submissions that wait for more ids to be reserved.
    var held: [Purpose] = []
    /// A job that runs and is kept from the writer.
    var early: Early?
    /// Submissions of which jobs may run before they are written, until they are.
    var unborn: [Ticket: ClosedRange<Int64>] = [:]
    /// When the next job of the store becomes ready, as far as is known.
    var nextReadyAt: Timestamp?
    var isSurveying = false
    /// When loads that could not be read are asked for again.
    var retryLoadsAt: Timestamp?
    /// False until it is known which queues are paused: nothing starts before.
    var knowsPaused = false
    /// True when a queue was paused or resumed while a survey was under way, which may not know.
    var hasPausedSinceSurvey = false
    /// Why the store could not be written when it was last tried.
    var unwritable: Refusal?
    /// True when the store may hold ready jobs of queues that are not known here.
    var needsSurvey = true
    var lastTicket: UInt64 = 0
    /// What somebody should look at, from threads that decide nothing; one sentence each.
    public var alarms: [String] = []
    /// How far the machine's clock has gone apart from the time that this run goes by, in ms.
    public var clockDriftMs: Int64 = 0
    /// When workers that could not be started are tried again.
    var startWorkersAt: Timestamp?
    /// True from when a worker could not be started until all are there.
    var lacksWorkers = false
    /// Workers that were given up and whose threads are still out.
    var abandoned: Set<WorkerID> = []
    /// Jobs that express workers were given.
    var expressStarts: Int64 = 0
    /// What clients sent that was no request, and what they did not take.
    public var dropped: Int64 = 0
    /// Whether somebody has subscribed to events: else none is announced.
    public var hasListeners = false
    /// What has come of those that were announced.
    public var announcementCounts = AnnouncementCounts()
    var decisions = Decisions()

    public init(_ plan: Plan) {
        self.plan = plan
        isWary = plan.hasCrashed || !plan.suspects.isEmpty
        ids = IDSupply(plan.reserved)
        quotas = Quotas(plan.limits)
        lanes = Lanes(plan.lanes)
        crew = Crew(workers: plan.about.workers, hasExpress: plan.hasExpress)
    }

    /// The first decisions: workers to start, and a look at what waits in the store.
    public mutating func begin(at now: Timestamp) {
        if plan.retention != nil { sweep.nextStep = now.adding(ms: Sweep.firstMs) }
        for _ in 0..<plan.about.workers { decisions.signals.append(.start(crew.newWorker())) }
        for job in plan.calledOff { findOut(about: job, at: now) }
        continueStages()
    }

    public mutating func hear(_ event: Event, at now: Timestamp) {
        writeEarly()
        switch event {
        case .asked(let request, let caller): admit(request, from: caller, at: now)
        case .filed(let file): submit(.file(file), at: now)
        case .filePiece(let piece): submit(.piece(piece), at: now)
        case .pieceDropped(let takenAs): pieceDropped(takenAs)
        case .fileClosed(let file): decisions.changes.append(.closeFile(file))
        case .wrote(let facts): for fact in facts { hear(fact, at: now) }
        case .answered(let ticket, let answer): hear(answer, to: ticket, at: now)
        case .reported(let reports): for report in reports { hear(report, at: now) }
        case .ready(let worker): workerCame(worker)
        case .died(let worker): workerDied(worker, at: now)
        case .seen(let marks): for mark in marks { hear(mark, at: now) }
        case .recalled(let worker, let orders): takeBack(from: worker, orders, at: now)
        case .heardExternal(let word, let peer): hear(word, from: peer, at: now)
        case .unreachable(let peer, let order): unreachable(peer, order, at: now)
        case .stop: stopRequested(at: now)
        case .timePassed: timePassed(at: now)
        }
    }

    /// Starts what can be started, and gives away all decisions since the last time.
    public mutating func decide(at now: Timestamp) -> Decisions {
        if isWary { isWary = now.ms(since: plan.startedAt) < Self.waryMs }
        bury(at: now)
        answerCalls()
        startJobs()
        startExternalJobs(at: now)
        startExpressWorker()
        loadJobs(at: now)
        if let reservation = ids.reservation() { decisions.changes.append(reservation) }
        exitIfDone()
        if !decisions.changes.isEmpty { writeEarly() }
        defer { decisions = Decisions() }
        return decisions
    }

    /// When `timePassed` should be heard next; nil when nothing is waited for.
    public func nextWake() -> Timestamp? {
        [
            waits.nextDeadline, isSurveying ? nil : nextReadyAt, retryLoadsAt, stop.nextStep,
            nextBurial, sweep.nextStep, startWorkersAt, early?.writtenAt,
            externals.nextLook,
            calls.isAnswering ? plan.startedAt : nil,
        ]
        .compactMap(\.self).min()
    }

    /// How often somebody should look at the workers' marks, in ms; nil when none of them runs.
    public var watchEveryMs: Int64? {
        if crew.isIdle { return nil }
        if lanes.isSearching { return 1 }
        let isAwaited = crew.hasCreditGiven || (lanes.hasJobsHere && crew.mayNeedExpress)
        return isAwaited ? Crew.recallAfterMs : 2 * Crew.recordAfterMs
    }

    // MARK: Words for later

    mutating func ticket(for purpose: Purpose) -> Ticket {
        lastTicket += 1
        let ticket = Ticket(rawValue: lastTicket)
        pending[ticket] = purpose
        return ticket
    }

    @discardableResult
    mutating func ask(_ query: Query, for purpose: Purpose) -> Ticket {
        let ticket = ticket(for: purpose)
        let account = account(of: purpose)
        decisions.queries.append(.init(ticket: ticket, query: query, account: account))
        return ticket
    }

    /// Whose turn at the reader a query takes; nil when no client asked.
    private func account(of purpose: Purpose) -> Account? {
        switch purpose {
        case .show(let caller, _), .result(let caller, _), .own(let caller, _), .list(let caller),
            .queues(let caller), .statistics(let caller):
            caller.account
        case .parked(let wait): waits[wait]?.caller.account
        case .page(let campaign), .owners(let campaign, _): campaign.caller.account
        case .load, .survey, .gather, .leftovers, .sweep, .submission, .call, .file, .piece,
            .pause, .step:
            nil
        }
    }

    mutating func say(_ reply: Reply, to caller: Caller) {
        quotas.end(for: caller.account)
        decisions.messages.append(Message(to: caller, reply))
    }
}

/// What a change or a query is for: what to do when its fact or answer comes.
enum Purpose: Sendable {
    case submission(Caller, [Submission], isBatch: Bool, waitMs: Int64?)
    /// The job of a direct call.
    case call(Calls.Key, Submission)
    case file(TakenFile)
    case piece(FilePiece)
    case load(Lane)
    case survey
    case gather(Waiting)
    case show(Caller, isBatch: Bool)
    case result(Caller, ByteRange)
    /// The result of the client's own submission.
    case own(Caller, JobID)
    case parked(Ticket)
    /// Whether the receipts of these jobs in a database are needed.
    case leftovers([JobID], database: String)
    case list(Caller)
    case queues(Caller)
    case statistics(Caller)
    case pause(Caller, QueueName?)
    /// The next page of jobs that a filter chose.
    case page(Campaign)
    /// Whose the jobs are that a campaign shall begin with.
    case owners(Campaign, [JobID])
    /// The change of one page, or of the ids that were named.
    case step(Campaign)
    /// A step in the removal of old jobs: the look at them, or the change.
    case sweep
}

/// A cancel, retry, delete or close that is under way, page by page when a filter chose the jobs.
struct Campaign: Sendable {
    enum Verb: Sendable {
        case cancel, retry, delete
        /// Of `titanic.close`: cancel and delete.
        case close
    }

    /// Jobs in one page.
    static let page = 500

    let verb: Verb
    let caller: Caller
    /// Nil when ids were named: then what does not fit is an error.
    var filter: JobFilter?
    var after: JobID?
    /// The jobs of the step whose change is being written.
    var jobs: [JobID] = []
    var count = 0
}
