import JobTesting

@testable import JobCore

/// What makes one story's world unlike another's: who is slow in it, and how little room there is.
struct StoryTemper {
    enum Act: CaseIterable {
        case ask, write, deliverFacts, read, deliverAnswer, work, look, whisper, moveFiles, passTime
        case change, leap, disturb, last, external

        /// How often it happens in a usual world.
        var weight: Int {
            switch self {
            case .ask: 64
            case .write, .work: 72
            case .deliverFacts: 56
            case .read, .deliverAnswer: 32
            case .passTime, .external: 24
            case .look: 20
            case .whisper, .moveFiles: 16
            case .change, .leap: 4
            case .disturb: 3
            case .last: 6
            }
        }
    }

    private var acts: [(act: Act, upTo: Int)] = []
    private var sum = 0
    /// Small bounds make the dispatcher leave jobs to the store and load them all the time.
    var lanes = Lanes.Bounds()
    /// Results are large in some worlds, and few of them may wait to be written.
    var resultBytes = 0
    var unsettledBytes = 128 << 20
    /// In some worlds short jobs pass long ones.
    var hasExpress = false

    init(using chance: inout SeededGenerator) {
        for act in Act.allCases {
            let factor = [1, 2, 4, 4, 4, 8].randomElement(using: &chance) ?? 4
            sum += act.weight * factor
            acts.append((act, sum))
        }
        hasExpress = Int.random(in: 0..<3, using: &chance) > 0
        if Int.random(in: 0..<4, using: &chance) == 0 {
            resultBytes = 1_000
            unsettledBytes = Int.random(in: 2...6, using: &chance) * 1_000
        }
        guard Bool.random(using: &chance) else { return }
        lanes.laneJobs = Int.random(in: 1...6, using: &chance)
        lanes.allJobs = Int.random(in: 2...10, using: &chance)
        lanes.turnJobs = Int.random(in: 1...4, using: &chance)
        lanes.loads = Int.random(in: 1...3, using: &chance)
        lanes.refillBelow = Int.random(in: 1...3, using: &chance)
        lanes.loadJobs = Int.random(in: 1...4, using: &chance)
        lanes.allBytes = Int.random(in: 2...8, using: &chance) << 20
    }

    func act(using chance: inout SeededGenerator) -> Act {
        let drawn = Int.random(in: 0..<sum, using: &chance)
        return acts.first { drawn < $0.upTo }?.act ?? .passTime
    }
}

extension Limits {
    /// Bounds that a story reaches.
    static func ofStory(using chance: inout SeededGenerator) -> Limits {
        var limits = Limits()
        limits.waits = 12
        limits.waitsPerClient = 5
        if Int.random(in: 0..<5, using: &chance) == 0 { limits.unwrittenBytes = 11 << 20 }
        if Int.random(in: 0..<5, using: &chance) == 0 { limits.waitingJobs = 12 }
        if Int.random(in: 0..<5, using: &chance) == 0 { limits.requestsPerClient = 4 }
        if Int.random(in: 0..<5, using: &chance) == 0 { limits.awaitedJobsPerClient = 4 }
        if Int.random(in: 0..<5, using: &chance) == 0 { limits.jobsPerSecondPerClient = 6 }
        if Int.random(in: 0..<5, using: &chance) == 0 { limits.calls = 2 }
        return limits
    }
}

/// What happened, in words; written only for who wants to read it.
final class StoryLog {
    /// Nil while nobody does.
    var lines: [String]?
}

// MARK: Clocks and answers

extension StoryWorld {
    /// Between two runs somebody may set the wall clock. In a run the runner's clock never jumps.
    mutating func setClock() {
        let before = now
        if weather.faults, Int.random(in: 0..<3, using: &chance) == 0 {
            let jumps: [Int64] = [-86_400_000, -5_000, -200, 400, 3_600_000]
            now = now.adding(ms: jumps.randomElement(using: &chance) ?? 0)
            note("the clock was set by \(now.ms(since: before)) ms")
        }
        store.begin(at: now, after: before)
    }

    /// The runner reads until nothing is left to be read, which must come to an end.
    mutating func answerAll() throws(Violation) {
        for _ in 0..<40 where !questions.isEmpty || !answers.isEmpty {
            while !questions.isEmpty { read() }
            while !answers.isEmpty { try deliverAnswer() }
        }
        try check(questions.isEmpty, "the store is not asked for ever")
    }

    /// Nothing happens any more until a clock strikes: it must be known when, and not be too late.
    mutating func leap() throws(Violation) {
        let open = ledger.kept.compactMap { details($0)?.job }
            .filter { $0.state == .queued && $0.waitsFor == 0 }
        guard let first = open.min(by: { $0.readyAt < $1.readyAt }) else { return }
        // A job that pauses until before it was created, for the clock was set back, is shown by no
        // survey: it may have to wait for the next start.
        if let shown = details(first.id), first.readyAt <= shown.createdAt, first.attempt > .none {
            return try recover(cleanly: true)
        }
        // Nobody relies on being woken for the removal of old jobs, or for heartbeats.
        var calm = dispatcher
        calm.sweep.nextStep = nil
        calm.externals = Externals()
        guard let wake = calm.nextWake() else {
            throw Violation(sentence: "job \(first.id.rawValue) is not waiting for ever")
        }
        // What could not be read is tried again a second later.
        let latest = max(first.readyAt, now).adding(ms: Dispatcher.retryLoadsMs)
        try check(wake <= latest, "job \(first.id.rawValue) does not wait too long")
        if wake > now { try passTime(ms: wake.ms(since: now)) }
    }

    // MARK: Unknown answers

    /// A client that gets no answer does not know: it asks the same again, with its keys.
    mutating func keepUnanswered() {
        for name in ledger.open.keys.sorted() {
            guard case .submit(let jobs, _, _)? = ledger.open[name]?.request,
                jobs.contains(where: { $0.key != nil })
            else { continue }
            guard let caller = ledger.open[name]?.caller, let client = caller.client.rawValue.first
            else { continue }
            ledger.open[name].map { unanswered.append(($0.request, Int(client))) }
        }
    }

    /// Clients open what is paused, one queue at a time, and ask again what got no answer.
    mutating func askForTheRest() throws(Violation) {
        guard !hasExited else { return }
        let again = unanswered
        unanswered = []
        for queue in ledger.paused.sorted() { try ask(.resumeQueue(queue), client: 0) }
        for (request, client) in again { try ask(request, client: client) }
    }

    mutating func askAgain() throws(Violation) {
        guard !unanswered.isEmpty, Int.random(in: 0..<3, using: &chance) == 0 else { return }
        let (request, client) = unanswered.removeFirst()
        try ask(request, client: client)
    }

    mutating func keyed(_ id: JobID, _ key: StoryLedger.Key) throws(Violation) {
        for other in ledger.holdersOfKeys[key, default: []] {
            try check(details(other) == nil, "key \(key.name) makes one job")
        }
        ledger.holdersOfKeys[key] = [id]
    }

    func checkAccepted() throws(Violation) {
        for job in ledger.acknowledged where !ledger.deleted.contains(job) {
            try check(details(job) != nil, "job \(job.rawValue) was accepted and outlives a crash")
        }
    }

    // MARK: Bounds

    /// Nothing starts while too much of what was reported is not written, or nothing can be.
    func checkUnsettled(_ decisions: Decisions) throws(Violation) {
        guard
            decisions.orders.contains(where: { $0.order.phase != .bury })
                || decisions.externals.contains(where: { $0.address != nil })
        else { return }
        let reports = unwritten.compactMap(\.report)
        let bytes = reports.reduce(0) { $0 + $1.ending.bytes }
        try check(bytes <= temper.unsettledBytes, "unwritten results are bounded: \(bytes) bytes")
        let isKept = ledger.hasHeardUnwritable && !reports.isEmpty
        try check(!isKept, "what cannot be written does not pile up")
    }

    func checkBounds(_ decisions: Decisions) throws(Violation) {
        try checkWaits()
        try check(dispatcher.unwrittenBytes >= 0, "what is unwritten is counted")
        let reads = decisions.queries.count {
            switch $0.query {
            case .load, .survey: true
            default: false
            }
        }
        try check(
            reads <= dispatcher.plan.lanes.loads + 1,
            "an event is no reason to look for jobs \(reads) times"
        )
    }
}

extension Change {
    /// What a worker has reported.
    var report: Report? {
        switch self {
        case .settle(let report), .split(let report, _, _): report
        default: nil
        }
    }
}

extension Report.Ending {
    fileprivate var bytes: Int {
        switch self {
        case .succeeded(let outcome): outcome.bytes.count
        case .split(let parts): parts.reduce(0) { $0 + $1.body.count }
        case .failed, .brokenOff, .putBack: 0
        }
    }
}
