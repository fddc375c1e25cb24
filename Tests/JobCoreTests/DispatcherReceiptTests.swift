import Testing

@testable import JobCore

/// What the dispatcher does for jobs that write: salts, turns, removal, runs that were given up.
@Suite("Receipts and the dispatcher") struct DispatcherReceiptTests {
    private let first = WorkerID(rawValue: 1)
    private let second = WorkerID(rawValue: 2)
    private let writing = makeSpec(writes: "x")

    // MARK: Salts

    @Test func `a job that writes has a salt, the same in the store and in its order`() throws {
        var stage = Stage()
        let jobs = [makeSubmission(writing), makeSubmission(), makeSubmission(writing)]
        let asked = stage.ask(.submit(jobs, isBatch: true, waitMs: nil))
        guard case .insert(let insertion) = try #require(asked.changes.first) else { return }
        let salts = insertion.jobs.map(\.spec.salt)
        #expect(salts[0] != nil && salts[1] == nil && salts[2] != nil && salts[0] != salts[2])
        let order = stage.hear(.wrote([stage.inserted(insertion)])).orders.first?.order
        #expect(order?.salt == salts[0])
    }

    @Test func `another start gives the same id another salt`() {
        let salts = [Int64(1), 2].map { run in
            StoryWorld.dispatcher(run: run, 1, Limits(), Timestamp(rawValue: 1), ids: 1...9)
                .salted(writing, as: JobID(rawValue: 1)).salt
        }
        #expect(salts[0] != salts[1])
    }

    // MARK: Removal

    /// Submits a job that writes, and gives its order.
    private func order(_ stage: inout Stage, id: Int64) throws -> Order {
        let asked = stage.ask(.submit([makeSubmission(writing)], isBatch: false, waitMs: nil))
        guard case .insert(let insertion)? = asked.changes.first else { throw Missing() }
        #expect(insertion.ids == id...id)
        return try #require(stage.hear(.wrote([stage.inserted(insertion)])).orders.first?.order)
    }

    private struct Missing: Error {}

    private func end(
        _ order: Order,
        _ ending: Report.Ending = .succeeded(outcome)
    ) -> [Event] {
        var report = makeReport(order)
        report.ending = ending
        let state: JobState = report.hasSucceeded ? .succeeded : .failed
        let end = JobEnd(id: order.job, state: state, attempt: order.attempt, failure: nil)
        return [.reported([report]), .wrote([.ended(Ended(end: end))])]
    }

    @Test func `a receipt goes with the next run, once the result is a fact`() throws {
        var stage = Stage()
        for event in end(try order(&stage, id: 1)) { stage.hear(event) }
        for event in end(try order(&stage, id: 2), .failed(.poisoned)) { stage.hear(event) }
        let third = try order(&stage, id: 3)
        #expect(third.removable == [1...1], "the run that was told so first has not written")
        stage.hear(.reported([makeReport(third)]))
        let fourth = try order(&stage, id: 4)
        #expect(fourth.removable == [], "the third is not in the store yet")
        for event in end(fourth) { stage.hear(event) }
        stage.hear(.wrote([ended(third)]))
        #expect(try order(&stage, id: 5).removable == [3...4])
    }

    @Test func `what an order was to remove is told again when it does not begin`() throws {
        var stage = Stage()
        for event in end(try order(&stage, id: 1)) { stage.hear(event) }
        let back = try order(&stage, id: 2)
        let again = stage.hear(.recalled(first, back.sequence..<back.sequence + 1))
        #expect(again.orders.map(\.order.removable) == [[1...1]])
    }

    @Test func `receipts of earlier starts go when their jobs have succeeded or are gone`() throws {
        var stage = Stage()
        let order = try order(&stage, id: 1)
        var report = makeReport(order)
        report.leftovers = [91, 92, 93, 94, 95].map(JobID.init)
        let asked = stage.hear(.reported([report])).queries
        #expect(asked.map(\.query) == [.ends(report.leftovers)])
        let states: [JobState?] = [.succeeded, .failed, nil, .queued, nil]
        let ends = zip(report.leftovers, states).map { job, state in
            state.map { JobEnd(id: job, state: $0, attempt: .none, failure: nil) }
        }
        let ticket = try #require(asked.first?.ticket)
        stage.hear(.answered(ticket, .ends(ends, isIssued: [true, true, true, true, false])))
        #expect(try self.order(&stage, id: 2).removable == [91...91, 93...93])
    }

    @Test func `what waits to be removed is bounded`() {
        var receipts = Receipts()
        let many = (1...Int64(Receipts.removableMax) + 5).map(JobID.init)
        receipts.found(many, many.map { _ in nil }, many.map { _ in true }, in: "x")
        #expect(receipts.hand(out: "x") == [1...Int64(Receipts.removableMax)])
    }

    // MARK: Runs that were given up

    /// A stage on which worker 1 was given up in the middle of a run that writes, and worker 2 has
    /// the order to bury it.
    private func abandoned() throws -> (stage: Stage, order: Order, burial: Order) {
        var stage = Stage(workers: 2)
        let order = try order(&stage, id: 1)
        _ = stage.submit(writing)
        let mark = stage.mark(order.sequence)
        stage.now = stage.now.adding(ms: 61_000)
        stage.hear(mark)
        stage.now = stage.now.adding(ms: 201)
        let seen = stage.hear(mark)
        #expect(seen.signals.contains(.abandon(first)))
        #expect(!seen.changes.contains { if case .lose = $0 { true } else { false } })
        let given = try #require(seen.orders.first)
        #expect(seen.orders.count == 1, "nobody else has its turn")
        #expect(given.worker == second && given.order.phase == .bury)
        #expect(given.order.job == order.job && given.order.attempt == order.attempt)
        #expect(given.order.salt == order.salt)
        return (stage, order, given.order)
    }

    private func report(_ burial: Order, _ ending: Report.Ending) -> Event {
        var report = makeReport(burial, worker: 2)
        report.ending = ending
        return .reported([report])
    }

    @Test func `a buried run is lost, and its turn is free`() throws {
        var (stage, order, burial) = try abandoned()
        let heard = stage.hear(report(burial, .brokenOff))
        guard case .lose(order.job, order.attempt, first, _)? = heard.changes.first else {
            Issue.record("\(heard.changes)")
            return
        }
        #expect(heard.orders.map(\.order.job.rawValue) == [2])
        #expect(stage.hear(.reported([makeReport(order)])).changes.isEmpty, "It comes too late.")
        #expect(stage.dispatcher.receipts.abandoned.isEmpty)
    }

    @Test func `a run that has committed before it could be buried has succeeded`() throws {
        var (stage, order, burial) = try abandoned()
        let heard = stage.hear(report(burial, .succeeded(outcome)))
        guard case .settle(let settled)? = heard.changes.first else { throw Missing() }
        #expect(settled.ending == .succeeded(outcome) && settled.attempt == order.attempt)
        #expect(stage.hear(.wrote([ended(order)])).orders.map(\.order.job.rawValue) == [])
        #expect(heard.orders.map(\.order.job.rawValue) == [2])
    }

    /// Else the worker that was given up would find nothing when it goes on, and do it again.
    @Test func `the receipt of a run that was given up stays until the next start`() throws {
        var (stage, order, burial) = try abandoned()
        let next = stage.hear(report(burial, .succeeded(outcome))).orders.first?.order
        stage.hear(.wrote([ended(order)]))
        stage.hear(.reported([makeReport(try #require(next), worker: 2)]))
        #expect(try self.order(&stage, id: 3).removable == [])
    }

    @Test(arguments: [Report.Ending.succeeded(outcome), .failed(.poisoned), .brokenOff])
    func `what a given up run says after all is believed`(ending: Report.Ending) throws {
        var (stage, order, burial) = try abandoned()
        var late = makeReport(order)
        late.ending = ending
        let heard = stage.hear(.reported([late]))
        #expect(heard.changes == [.settle(late)])
        #expect(stage.hear(report(burial, .brokenOff)).changes.isEmpty, "It is settled.")
        #expect(stage.dispatcher.crew[second]?.orders.map(\.job.id.rawValue) == [2])
    }

    @Test func `a burial that cannot be done is tried again a second later`() throws {
        var (stage, _, burial) = try abandoned()
        let heard = stage.hear(report(burial, .putBack))
        #expect(heard.changes.isEmpty && heard.orders.isEmpty)
        let due = stage.now.adding(ms: 1_000)
        #expect(stage.dispatcher.nextWake() == due)
        stage.now = due
        let again = stage.hear(.timePassed)
        #expect(again.orders.map(\.order.phase) == [.bury])
        stage.hear(.died(second))
        #expect(stage.dispatcher.receipts.abandoned.count == 1, "It is tried by another one.")
    }

    @Test func `nobody is woken for a burial that nobody is free for`() throws {
        var stage = Stage(workers: 1)
        let order = try order(&stage, id: 1)
        let mark = stage.mark(order.sequence)
        stage.now = stage.now.adding(ms: 61_000)
        stage.hear(mark)
        stage.now = stage.now.adding(ms: 201)
        #expect(stage.hear(mark).signals == [.abandon(first), .start(second)])
        #expect(stage.dispatcher.nextWake() == nil)
        #expect(stage.hear(.ready(second)).orders.map(\.order.phase) == [.bury])
    }

    @Test func `a cancel does not reach for who buries, nor settles the run`() throws {
        var (stage, order, burial) = try abandoned()
        let heard = stage.hear(.wrote([.cancelRequested(order.job, order.attempt)]))
        #expect(heard.signals.isEmpty && heard.changes.isEmpty)
        guard case .lose? = stage.hear(report(burial, .brokenOff)).changes.first else {
            throw Missing()
        }
    }

    @Test func `a run that was called off before a restart is looked for, and holds no turn`()
        throws
    {
        var stage = Stage(workers: 2, isStarted: false)
        var plan = stage.dispatcher.plan
        plan.calledOff = [waiting(7, writes: "x")]
        stage.dispatcher = Dispatcher(plan)
        stage.dispatcher.begin(at: stage.now)
        let survey = stage.hear().queries
        for asked in survey { stage.hear(.answered(asked.ticket, .surveyed(Survey()))) }
        let burial = try #require(stage.hear(.ready(first)).orders.first?.order)
        #expect(burial.phase == .bury && burial.attempt == Attempt(rawValue: 1))
        stage.hear(.ready(second))
        #expect(stage.submit(writing).orders.count == 1, "Nobody is left who could commit.")
        #expect(
            stage.hear(.reported([makeReport(burial)])).changes == [.settle(makeReport(burial))]
        )
    }

    @Test func `a pure run that was given up is lost at once`() throws {
        var stage = Stage(workers: 2)
        let order = try #require(stage.submit().orders.first?.order)
        let mark = stage.mark(order.sequence)
        stage.now = stage.now.adding(ms: 61_000)
        stage.hear(mark)
        stage.now = stage.now.adding(ms: 201)
        guard case .lose? = stage.hear(mark).changes.last else { throw Missing() }
        #expect(stage.dispatcher.receipts.abandoned.isEmpty)
    }
}
