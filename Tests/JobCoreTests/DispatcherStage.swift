import Testing

@testable import JobCore

/// A dispatcher on a stage: a test says what is heard and sees all that is decided.
struct Stage {
    var dispatcher: Dispatcher
    var now = Timestamp(rawValue: 1_000)
    private var lastTicket = 0

    init(
        workers: Int = 1,
        ids: ClosedRange<Int64> = 1...100_000,
        limits: Limits = Limits(),
        isStarted: Bool = true
    ) {
        dispatcher = StoryWorld.dispatcher(run: 1, workers, limits, now, ids: ids)
        dispatcher.begin(at: now)
        if isStarted { start(workers) }
    }

    init(_ plan: Dispatcher.Plan, workers: Int) {
        dispatcher = Dispatcher(plan)
        dispatcher.begin(at: now)
        start(workers)
    }

    private mutating func start(_ workers: Int) {
        let first = dispatcher.decide(at: now)
        for asked in first.queries { hear(.answered(asked.ticket, .surveyed(Survey()))) }
        for worker in 1...workers { hear(.ready(WorkerID(rawValue: worker))) }
    }

    @discardableResult
    mutating func hear(_ events: Event...) -> Decisions {
        for event in events { dispatcher.hear(event, at: now) }
        return dispatcher.decide(at: now)
    }

    mutating func ask(_ request: Request, client: UInt8 = 1) -> Decisions {
        hear(.asked(request, by: caller(client)))
    }

    /// Submits one job and lets its insert become a fact.
    ///
    /// - Returns: What was decided then, and the orders from before.
    @discardableResult
    mutating func submit(_ spec: Spec = makeSpec(), waitMs: Int64? = nil) -> Decisions {
        let asked = ask(.submit([makeSubmission(spec)], isBatch: false, waitMs: waitMs))
        guard case .insert(let insertion)? = asked.changes.first else { return asked }
        var written = hear(.wrote([inserted(insertion)]))
        written.orders = asked.orders + written.orders
        return written
    }

    func inserted(_ insertion: Insertion) -> Fact {
        let accepted = insertion.ids.map {
            Accepted(id: JobID(rawValue: $0), state: .queued, created: true)
        }
        return .inserted(insertion.ticket, accepted, nil)
    }

    func mark(_ sequence: UInt64, worker: Int = 1) -> Event {
        .seen([WorkerMark(worker: WorkerID(rawValue: worker), sequence: sequence, startedAt: now)])
    }
}

func caller(_ client: UInt8 = 1) -> Caller {
    Caller(client: ClientID(rawValue: [client]), service: [])
}

func makeReport(_ order: Order, worker: Int = 1, micros: Int64 = 10) -> Report {
    var report = Report(
        job: order.job,
        attempt: order.attempt,
        worker: WorkerID(rawValue: worker),
        ending: .succeeded(outcome),
        startedAt: Timestamp(rawValue: 1_000),
        durationMicros: micros
    )
    report.queue = .standard  // As the dispatcher knows it, too.
    return report
}

func ended(_ order: Order) -> Fact {
    let end = JobEnd(id: order.job, state: .succeeded, attempt: order.attempt, failure: nil)
    return .ended(Ended(end: end, outcome: outcome))
}

let outcome = Outcome(format: .bytes, bytes: [42])
