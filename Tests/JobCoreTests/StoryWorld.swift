import JobTesting

@testable import JobCore

/// A broken promise, in words.
struct Violation: Error {
    let sentence: String
}

/// A small world that runs on one seed: a store, a dispatcher, workers and clients, and everything
/// between them that may be late, reordered or lost as the real threads may do it.
struct StoryWorld {
    /// What goes wrong in this world, and how often.
    struct Weather {
        var faults = true
        var diskIsFull = false
        /// New jobs are refused, and all else is written.
        var logIsFull = false
        var isReadable = true
    }

    var chance: SeededGenerator
    var now = Timestamp(rawValue: 1_000_000)
    var store: ModelStore
    var databases = ["x": StoryDatabase(), "y": StoryDatabase()]
    var dispatcher: Dispatcher
    var weather = Weather()
    let limits: Limits
    let workerCount: Int
    let hasHeavyJobs: Bool
    /// In every other world somebody listens.
    let hasListeners: Bool
    /// In some worlds old jobs are removed, and soon.
    let retention: Retention?
    let temper: StoryTemper
    /// Who each client is.
    let peers: [Peer]
    /// Every other world has databases that jobs write to, and the others have files, set clocks
    /// and an order of starts that is looked at: each of these has enough to tell.
    let hasWriters: Bool
    /// Databases in which no transaction can be shared.
    let hasVirtualTables: Set<String>

    // The writer: changes in order, and facts on their way back.
    var unwritten: [Change] = []
    var facts: [[Fact]] = []
    // The reader: questions in the order of their accounts, and answers on their way back.
    var questions: [Decisions.Asked] = []
    var answers: [Event] = []
    /// What workers' posts and threads say by the side.
    var whispers: [Event] = []
    var workers: [WorkerID: StoryWorker] = [:]

    var run: Int64 = 0
    var hasExited = false
    var isDraining = false
    var stoppedAt: Timestamp?
    /// True while an event is heard that may end the run whatever is under way.
    var isForced = false
    var highestUsedID: Int64 = 0
    var reservedUpTo: Int64 = 0
    var lastRequest = 0
    /// The job that clients have asked about last.
    var favourite = JobID(rawValue: 1)
    var ledger = StoryLedger()
    var counts = StoryCounts()
    var turns = StoryTurns()
    /// The same for short jobs that start beside long ones.
    var shortTurns = StoryTurns()
    var spool = StorySpool()
    var externals: StoryExternals
    /// Submissions to which a crash left no answer, and whose they are.
    var unanswered: [(request: Request, client: Int)] = []
    /// Fingerprints of jobs that the last run had begun and not written when it was killed.
    var suspects: Set<UInt64> = []
    var whims = StoryWhims()
    let log = StoryLog()

    init(seed: UInt64) {
        chance = SeededGenerator(seed: seed)
        hasListeners = seed.isMultiple(of: 2)
        limits = Limits.ofStory(using: &chance)
        store = ModelStore(limits: limits)
        workerCount = Int.random(in: 1...4, using: &chance)
        var retention = Retention()
        retention.succeededMs = 500
        retention.failedMs = 2_000
        hasWriters = Bool.random(using: &chance)
        hasVirtualTables = Int.random(in: 0..<4, using: &chance) == 0 ? ["y"] : []
        self.retention = Bool.random(using: &chance) ? retention : nil
        store.expiryJobs = Int.random(in: 1...8, using: &chance)
        hasHeavyJobs = limits.unwrittenBytes < Limits().unwrittenBytes
        temper = StoryTemper(using: &chance)
        peers = Self.peers(using: &chance)
        externals = StoryExternals(using: &chance)
        dispatcher = Self.dispatcher(run: 1, workerCount, limits, now, ids: 1...3)
    }

    static let drainMs: Int64 = 300

    static func dispatcher(
        run: Int64,
        _ workers: Int,
        _ limits: Limits,
        _ now: Timestamp,
        ids: ClosedRange<Int64>,
        _ calledOff: [Waiting] = [],
        _ stages: Recovery.Stages = Recovery.Stages(),
        _ suspects: Set<UInt64> = [],
        retention: Retention? = nil,
        temper: StoryTemper? = nil
    ) -> Dispatcher {
        var about = About(
            run: RunID(rawValue: run),
            workers: workers,
            limits: limits,
            kernels: [],
            databases: []
        )
        about.externalKernels = ["k", "l"]
        var plan = Dispatcher.Plan(
            about: about,
            startedAt: now,
            drainMs: drainMs,
            stuckMs: 200,
            reserved: ids,
            seed: UInt64(bitPattern: run)
        )
        plan.calledOff = calledOff
        plan.stages = stages
        plan.suspects = suspects
        plan.retention = retention
        if let temper {
            plan.lanes = temper.lanes
            plan.hasExpress = temper.hasExpress
            plan.unsettledBytes = temper.unsettledBytes
            plan.answersARound = 2
        }
        return Dispatcher(plan)
    }

    // MARK: The course of a story

    /// Some hundred steps of trouble, then calm until all jobs have ended.
    mutating func tell() throws(Violation) {
        try recover(cleanly: false)
        for _ in 0..<Int.random(in: 250...650, using: &chance) { try step() }
        try calmDown()
    }

    mutating func step() throws(Violation) {
        if hasExited { return try recover(cleanly: unwritten.isEmpty) }
        whims.stepPasses()
        switch temper.act(using: &chance) {
        case .ask: try ask()
        case .write: try write()
        case .deliverFacts: if whims.factsStall == 0 { try deliverFacts() }
        case .read: read()
        case .deliverAnswer: if whims.answersStall == 0 { try deliverAnswer() }
        case .work: try letAWorkerAct()
        case .external: try letAnExternalAct()
        case .look: try look()
        case .whisper: if whims.whispersStall == 0 { try deliverWhispers() }
        case .moveFiles: if !hasWriters { try moveFiles() }
        case .passTime: try passTime(ms: Int64.random(in: 0...60, using: &chance))
        case .change: try change()
        case .leap: try passTime(ms: Int64.random(in: 0...3_000, using: &chance))
        case .last: try letRunsLast()
        case .disturb: try disturb()
        }
    }

    /// The disk or the log fills or empties, the store becomes readable or not.
    private mutating func change() throws(Violation) {
        switch Int.random(in: 0..<4, using: &chance) {
        case 0:
            weather.isReadable.toggle()
            note("the store is \(weather.isReadable ? "" : "un")readable")
        case 1:
            weather.logIsFull.toggle()
            note("the log is \(weather.logIsFull ? "full" : "fine")")
        default:
            weather.diskIsFull.toggle()
            note("the disk is \(weather.diskIsFull ? "full" : "fine")")
        }
    }

    /// A crash of the runner or of a worker that does nothing, or an operator's stop.
    private mutating func disturb() throws(Violation) {
        if Int.random(in: 0..<3, using: &chance) == 0 { return try letAnIdleWorkerDie() }
        if Int.random(in: 0..<(isDraining ? 4 : 2), using: &chance) == 0 {
            note("the runner is killed")
            return try recover(cleanly: false)
        }
        try hear(.stop)
    }

    // MARK: The dispatcher's rounds

    /// One round: events are heard, and all that was decided is carried out.
    mutating func hear(_ event: Event) throws(Violation) {
        guard !hasExited else { return }
        note(event)
        if case .stop = event { isDraining = true }
        let wasDraining = dispatcher.stop.isDraining
        isForced = dispatcher.stop.step == .breakingOff && [.stop, .timePassed].contains(event)
        dispatcher.hasListeners = hasListeners
        dispatcher.hear(event, at: now)
        let decisions = dispatcher.decide(at: now)
        try checkAnnouncements(decisions, after: event)
        try carryOut(decisions)
        try hearWhatWasNotSent()
        if dispatcher.stop.isDraining { stoppedAt = stoppedAt ?? now }
        if wasDraining, event == .stop { try checkHurry() }
        if event == .timePassed, let wake = dispatcher.nextWake() {
            let isBusy = dispatcher.calls.isAnswering
            try check(wake > now || isBusy, "nobody is woken again and again")
        }
    }

    mutating func carryOut(_ decisions: Decisions) throws(Violation) {
        unwritten += decisions.changes
        questions += decisions.queries
        try attribute(decisions.changes)
        comeBeforeTheLast(decisions.queries)
        for message in decisions.messages {
            note("client \(name(message.to)) hears \(words(message.reply))")
            if message.reply == .draining { isDraining = true }
            try check(message)
        }
        for notice in decisions.notices { try hear(notice) }
        // Who is given up now does not count as running.
        for case .abandon(let worker) in decisions.signals { ledger.gone(worker) }
        if !hasWriters { try checkTurns(decisions.orders) }
        try checkBounds(decisions)
        try checkUnsettled(decisions)
        try checkGroups(decisions.orders)
        for given in decisions.orders { try give(given) }
        for message in decisions.externals { try tell(message) }
        for signal in decisions.signals { try carryOut(signal) }
    }

    private mutating func carryOut(_ signal: Signal) throws(Violation) {
        note("signal: \(words(signal))")
        switch signal {
        case .start(let worker): workers[worker] = StoryWorker()
        case .recall(let worker, let last):
            let range = workers[worker]?.recall(upTo: last) ?? last..<last
            whispers.append(.recalled(worker, range))
            let back = workers[worker]?.orders.first { range.contains($0.sequence) }
            if let back { comeBetween(back.job) }
        case .breakOff(let worker, _, let job, let attempt, let reason):
            workers[worker]?.brokenOff[Run(job: job, attempt: attempt)] = reason
            if reason == .cancelled { comeAfter(Run(job: job, attempt: attempt), with: worker) }
        case .abandon(let worker):
            workers[worker]?.giveUp()
            isDraining = isDraining || dispatcher.stop.isDraining
        case .exit:
            hasExited = true
            try checkExit()
        }
    }

    // MARK: The writer and the reader

    mutating func write() throws(Violation) {
        if weather.diskIsFull {
            let full = Refusal(503, "disk_full", "The disk is full.")
            if !unwritten.isEmpty { facts.append([.unwritable(full)]) }
            return turnAway(full) { _ in true }
        }
        if weather.logIsFull {
            let refusal = Refusal(503, "log_full", "The log is full.")
            turnAway(refusal) { if case .insert = $0 { true } else { false } }
        }
        guard !unwritten.isEmpty else { return }
        let count =
            weather.faults ? Int.random(in: 1...unwritten.count, using: &chance) : unwritten.count
        let changes = Array(unwritten.prefix(count))
        unwritten.removeFirst(count)
        let written = store.commit(changes, at: now)
        note("commit: \(changes.map(words).joined(separator: ", "))")
        try learn(changes, written)
        let reports = changes.compactMap(\.report).count
        let told = reports > 0 ? [.settled(reports: reports)] + written : written
        if !told.isEmpty { facts.append(told) }
    }

    /// Refuses those of the changes that somebody can be told of.
    private mutating func turnAway(_ refusal: Refusal, where isMeant: (Change) -> Bool) {
        let refused = unwritten.filter(isMeant).compactMap(\.ticket)
        guard !refused.isEmpty else { return }
        unwritten.removeAll { isMeant($0) && $0.ticket != nil }
        facts.append(refused.map { .refused($0, refusal) })
        note("the store refuses \(refused.count) changes: \(refusal.code)")
    }

    mutating func deliverFacts() throws(Violation) {
        guard !facts.isEmpty else { return }
        let batch = facts.removeFirst()
        for fact in batch { ledger.delivered(fact) }
        try hear(.wrote(batch))
    }

    mutating func read() {
        // Clients take turns, in an order of the reader's; each one's own stays.
        let account = questions.randomElement(using: &chance)?.account
        guard let place = questions.firstIndex(where: { $0.account == account }) else { return }
        let asked = questions.remove(at: place)
        let answer: Answer =
            weather.isReadable
            ? damaged(asked.query) ?? store.answer(asked.query)
            : .unreadable(Refusal(500, "unreadable", "No."))
        answers.append(.answered(asked.ticket, answer))
    }

    mutating func deliverAnswer() throws(Violation) {
        guard !answers.isEmpty else { return }
        let answer = answers.removeFirst()
        if case .answered(_, .statistics(let found)) = answer {
            ledger.statisticsSum = found.counts.sum
        }
        try hear(answer)
    }

    mutating func deliverWhispers(all: Bool = false) throws(Violation) {
        while !whispers.isEmpty {
            let whisper = whispers.removeFirst()
            if case .recalled(let worker, let orders) = whisper {
                ledger.takenBack(worker, orders)
            }
            try hear(whisper)
            if !all && weather.faults && Bool.random(using: &chance) { return }
        }
    }

    mutating func passTime(ms: Int64) throws(Violation) {
        now = now.adding(ms: ms)
        if let wake = dispatcher.nextWake(), wake <= now { try hear(.timePassed) }
        if let stoppedAt, now.ms(since: stoppedAt) >= Self.drainMs { try checkHurry() }
    }

    // MARK: Words

    func check(_ holds: Bool, _ sentence: @autoclosure () -> String) throws(Violation) {
        if !holds { throw Violation(sentence: sentence()) }
    }

    func note(_ line: @autoclosure () -> String) {
        log.lines?.append("\(now.rawValue - 1_000_000) \(line())")
    }

    func note(_ event: Event) {
        switch event {
        case .wrote(let facts): note("facts: \(facts.map(words).joined(separator: ", "))")
        case .asked(let request, let caller): note("client \(name(caller)) asks \(words(request))")
        case .seen, .timePassed: break
        default: note("event: \(words(event))")
        }
    }
}

/// One attempt of one job.
struct Run: Hashable {
    let job: JobID
    let attempt: Attempt
}

extension Change {
    var ticket: Ticket? {
        switch self {
        case .insert(let insertion): insertion.ticket
        case .stage(let staging): staging.ticket
        case .cancel(_, let ticket), .retry(_, let ticket), .delete(_, let ticket),
            .close(_, let ticket), .setPaused(_, _, let ticket), .expire(_, _, let ticket):
            ticket
        case .start, .settle, .split, .lose, .spoil, .spoilWhole, .reserve, .closeFile, .release,
            .unstage:
            nil
        }
    }
}
