import Testing

@testable import JobCore

/// Workers that do not come, do not stop, or do so late, and what becomes of their jobs.
@Suite("Workers that come and go") struct DispatcherCrewTests {
    private let first = WorkerID(rawValue: 1)
    private let second = WorkerID(rawValue: 2)

    private func alarms(_ stage: inout Stage) -> [String] {
        let ticket = stage.ask(.statistics).queries.last?.ticket ?? Ticket(rawValue: 0)
        let told = stage.hear(.answered(ticket, .statistics(Statistics()))).messages
        guard case .statistics(let statistics)? = told.first?.reply else { return ["none"] }
        return statistics.alarms
    }

    // MARK: Workers that do not come

    @Test func `a worker that ends before it is ready is tried again, and missed until then`() {
        var stage = Stage(workers: 2, isStarted: false)
        for asked in stage.hear().queries {
            stage.hear(.answered(asked.ticket, .surveyed(Survey())))
        }
        stage.hear(.ready(second))
        #expect(alarms(&stage).isEmpty)
        #expect(stage.hear(.died(first)).signals.isEmpty)
        #expect(alarms(&stage) == ["1 of 2 workers cannot be started."])
        for worker in 3...5 {
            let due = stage.now.adding(ms: 1_000)
            #expect(stage.dispatcher.nextWake() == due)
            stage.now = due
            #expect(stage.hear(.timePassed).signals == [.start(WorkerID(rawValue: worker))])
            #expect(stage.dispatcher.nextWake() == nil)
            #expect(alarms(&stage).count == 1, "It is not there yet.")
            guard worker < 5 else { break }
            stage.hear(.died(WorkerID(rawValue: worker)))
        }
        stage.hear(.ready(WorkerID(rawValue: 5)))
        #expect(alarms(&stage).isEmpty)
    }

    @Test func `a stop starts no workers`() {
        var stage = Stage(isStarted: false)
        stage.hear(.died(first))
        stage.hear(.stop)
        stage.now = stage.now.adding(ms: 1_000)
        #expect(!stage.hear(.timePassed).signals.contains(.start(second)))
    }

    // MARK: Workers that do not stop

    @Test func `a worker is given up stuck_ms after it was seen to be late, not before`() throws {
        var stage = Stage()
        let order = try #require(stage.submit().orders.first?.order)
        let mark = stage.mark(order.sequence)
        // All of the process has stood still: nobody could tell the worker that its time is over.
        stage.now = stage.now.adding(ms: 1_000_000)
        #expect(!stage.hear(mark).signals.contains(.abandon(first)))
        stage.now = stage.now.adding(ms: 200)
        #expect(!stage.hear(mark).signals.contains(.abandon(first)))
        stage.now = stage.now.adding(ms: 1)
        #expect(stage.hear(mark).signals.contains(.abandon(first)))
    }

    @Test func `a worker is given up stuck_ms after it was seen to ignore a cancel`() throws {
        var stage = Stage()
        let order = try #require(stage.submit(makeSpec(writes: "x")).orders.first?.order)
        let mark = stage.mark(order.sequence)
        stage.hear(.wrote([.cancelRequested(order.job, order.attempt)]))
        stage.now = stage.now.adding(ms: 50_000)
        #expect(!stage.hear(mark).signals.contains(.abandon(first)))
        stage.now = stage.now.adding(ms: 201)
        #expect(stage.hear(mark).signals.contains(.abandon(first)))
    }

    /// Jobs with these time-outs that write to one database and are ordered together.
    private func group(_ timeoutsMs: [Int64], _ plan: Dispatcher.Plan) throws -> (Stage, [Order]) {
        var stage = Stage(plan, workers: 1)
        let first = try #require(stage.submit(makeSpec(writes: "x")).orders.first?.order)
        for timeoutMs in timeoutsMs {
            var spec = makeSpec(writes: "x")
            spec.timeoutMs = timeoutMs
            #expect(stage.submit(spec).orders.isEmpty)
        }
        let orders = stage.hear(.reported([makeReport(first)])).orders.map(\.order)
        return (stage, orders)
    }

    @Test func `a worker is given up for any run of the transaction that it does not end`() throws {
        var (stage, orders) = try group([1_000, 3_600_000], Stage().dispatcher.plan)
        #expect(orders.count == 2 && orders.first?.group != nil)
        let last = try #require(orders.last)
        let mark = stage.mark(last.sequence)
        stage.now = stage.now.adding(ms: 1_001)
        #expect(!stage.hear(mark).signals.contains(.abandon(first)))
        stage.now = stage.now.adding(ms: 201)
        #expect(stage.hear(mark).signals.contains(.abandon(first)))
    }

    @Test func `no transaction is shared in the minute after a run has crashed the program`()
        throws
    {
        var plan = Stage().dispatcher.plan
        plan.hasCrashed = true
        var (stage, orders) = try group([60_000, 60_000], plan)
        #expect(orders.count == 1 && orders.first?.group == nil)
        #expect(stage.submit(makeSpec(writes: "x")).orders.isEmpty)
        stage.now = stage.now.adding(ms: Dispatcher.waryMs)
        let later = stage.hear(.reported([makeReport(try #require(orders.first))])).orders
        #expect(later.count == 2)
    }

    // MARK: Jobs that are wanted again while a worker has them

    /// How a worker lets go of a job that was called off.
    enum Leaving: CaseIterable { case reports, dies, isGivenUp, givesBack }

    @Test(arguments: Leaving.allCases)
    func `a job that is retried starts when the worker that has it has let it go`(
        leaving: Leaving
    ) throws {
        var stage = Stage(workers: 2)
        let order = try #require(stage.submit().orders.first?.order)
        let mark = stage.mark(order.sequence)
        if leaving != .givesBack { stage.hear(mark) }
        let end = JobEnd(id: order.job, state: .cancelled, attempt: order.attempt, failure: nil)
        var again = waiting(order.job.rawValue)
        again.next = order.attempt.next
        stage.hear(.wrote([.ended(Ended(end: end))]))
        #expect(stage.hear(.wrote([.queued(again)])).orders.isEmpty)

        stage.dispatcher.lanes.markIncomplete(Lane(.standard))
        let load = try #require(stage.hear().queries.first?.ticket)
        let loaded = Answer.loaded(Lane(.standard), [again], isAll: true)
        #expect(stage.hear(.answered(load, loaded)).orders.isEmpty)

        let gone = letGo(order, leaving, mark, &stage)
        let survey = try #require(gone.queries.first)
        #expect(survey.query == .survey(now: stage.now))
        var found = Survey()
        found.ready = [Lane(.standard)]
        let asked = stage.hear(.answered(survey.ticket, .surveyed(found))).queries.first
        let last = stage.hear(.answered(try #require(asked?.ticket), loaded))
        #expect(last.orders.map(\.order.attempt) == [again.next])
    }

    private func letGo(
        _ order: Order,
        _ leaving: Leaving,
        _ mark: Event,
        _ stage: inout Stage
    ) -> Decisions {
        switch leaving {
        case .reports:
            var report = makeReport(order)
            report.ending = .brokenOff
            return stage.hear(.reported([report]))
        case .dies: return stage.hear(.died(first))
        case .isGivenUp:
            stage.now = stage.now.adding(ms: 30)
            stage.hear(mark)
            stage.now = stage.now.adding(ms: 201)
            return stage.hear(mark)
        case .givesBack: return stage.hear(.recalled(first, order.sequence..<order.sequence + 1))
        }
    }
}
