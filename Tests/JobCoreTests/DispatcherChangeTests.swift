import Testing

@testable import JobCore

/// Cancel, retry, delete, pause and division, as the dispatcher sees them.
@Suite("Changes to jobs") struct DispatcherChangeTests {
    private let one = JobID(rawValue: 1)
    private let two = JobID(rawValue: 2)

    private func ticket(_ decisions: Decisions) -> Ticket {
        decisions.changes.lazy.compactMap(\.ticket).first ?? decisions.queries.first?.ticket
            ?? Ticket(rawValue: 0)
    }

    private func cancelled(_ job: JobID, _ attempt: Int) -> Fact {
        let attempt = Attempt(rawValue: attempt)
        let end = JobEnd(id: job, state: .cancelled, attempt: attempt, failure: .calledOff)
        return .ended(Ended(end: end))
    }

    @Test func `a running job is called off with its attempt, and broken off when that is written`()
        throws
    {
        var stage = Stage()
        let order = try #require(stage.submit().orders.first?.order)
        let asked = stage.ask(.cancel(.ids([order.job])))
        let target = Target(order.job, active: order.attempt)
        #expect(asked.changes == [.cancel([target], ticket(asked))])
        #expect(asked.signals.isEmpty && asked.messages.isEmpty)
        let fact = Fact.changed(ticket(asked), count: 1, unfit: nil)
        let heard = stage.hear(.wrote([cancelled(order.job, 1), fact]))
        let worker = WorkerID(rawValue: 1)
        let told = Signal.breakOff(worker, order: 1, order.job, order.attempt, .cancelled)
        #expect(heard.signals == [told])
        #expect(heard.messages == [Message(to: caller(), .count(1))])
        #expect(stage.hear(.reported([makeReport(order)])).changes.isEmpty)
    }

    @Test func `a job whose cancel is being written does not start, and does when it was refused`()
    {
        var stage = Stage()
        stage.submit()
        stage.submit()  // Waits behind a job of unknown length.
        let asked = stage.ask(.cancel(.ids([two])))
        let order = Order(sequence: 1, job: waiting(1))
        #expect(stage.hear(.reported([makeReport(order)])).orders.isEmpty)
        let refusal = Refusal(503, "disk_full", "The disk is full.")
        let refused = stage.hear(.wrote([.refused(ticket(asked), refusal)]))
        #expect(refused.messages == [Message(to: caller(), .refused(refusal))])
        var survey = Survey()
        survey.ready = [Lane(.standard)]
        let load = stage.hear(.answered(ticket(refused), .surveyed(survey)))
        let answer = Answer.loaded(Lane(.standard), [waiting(2)], isAll: true)
        let loaded = stage.hear(.answered(ticket(load), answer))
        #expect(loaded.orders.map(\.order.job) == [two])
    }

    @Test func `two cancels of one job hold it until both are written`() {
        var stage = Stage(workers: 2)
        let first = stage.ask(.cancel(.ids([one])))
        let second = stage.ask(.cancel(.ids([one])))
        var facts: [Fact] = [.changed(ticket(first), count: 1, unfit: nil), .queued(waiting(1))]
        #expect(stage.hear(.wrote(facts)).orders.isEmpty)
        facts = [cancelled(one, 0), .changed(ticket(second), count: 1, unfit: nil)]
        #expect(stage.hear(.wrote(facts)).orders.isEmpty)
        #expect(stage.hear(.wrote([.queued(waiting(1))])).orders.count == 1)
    }

    @Test func `a job whose retry is being written is not taken from a load`() {
        var stage = Stage()
        stage.dispatcher.lanes.markIncomplete(Lane(.standard))
        let load = stage.hear()
        let asked = stage.ask(.retry(.ids([one])))
        let answer = Answer.loaded(Lane(.standard), [waiting(1)], isAll: true)
        #expect(stage.hear(.answered(ticket(load), answer)).orders.isEmpty)
        let fact = Fact.changed(ticket(asked), count: 1, unfit: nil)
        #expect(stage.hear(.wrote([.queued(waiting(1)), fact])).orders.count == 1)
    }

    @Test func `a job that waits is looked for again after a retry that did not fit it`() {
        var stage = Stage()
        let asked = stage.ask(.retry(.ids([one])))
        let fact = Fact.changed(ticket(asked), count: 0, unfit: .wrongState(one, .queued))
        #expect(stage.hear(.wrote([fact])).queries.map(\.query) == [.survey(now: stage.now)])
    }

    @Test func `what does not fit is an error when ids were named`() {
        let cases: [(Unfit, Int)] = [
            (.unknown(one), 404), (.gone(one), 410), (.wrongState(one, .running), 409),
        ]
        for (unfit, status) in cases {
            var stage = Stage()
            let asked = stage.ask(.delete(.ids([one])))
            let fact = Fact.changed(ticket(asked), count: 0, unfit: unfit)
            guard case .refused(let refusal)? = stage.hear(.wrote([fact])).messages.first?.reply
            else {
                Issue.record("\(unfit)")
                continue
            }
            #expect(refusal.status == status)
        }
    }

    @Test func `a filter is followed page by page, and answered with the sum`() {
        var stage = Stage()
        let filter = JobFilter(state: .failed)
        var heard = stage.ask(.retry(.filter(filter)))
        var after: JobID?
        for page in [[one, two], [JobID(rawValue: 7)]] {
            let query = Query.select(filter, after: after, limit: Campaign.page)
            #expect(heard.queries.map(\.query) == [query])
            let step = stage.hear(.answered(ticket(heard), .selected(page, next: nil)))
            #expect(step.changes == [.retry(page, ticket(step))])
            heard = stage.hear(.wrote([.changed(ticket(step), count: page.count, unfit: nil)]))
            #expect(heard.messages.isEmpty)
            after = page.last
        }
        let last = stage.hear(.answered(ticket(heard), .selected([], next: nil)))
        #expect(last.messages == [Message(to: caller(), .count(3))])
    }

    @Test func `a stop lets a filter come to its end`() {
        var stage = Stage()
        let asked = stage.ask(.cancel(.filter(JobFilter())))
        #expect(stage.hear(.stop).signals.isEmpty)
        let last = stage.hear(.answered(ticket(asked), .selected([], next: nil)))
        #expect(last.messages == [Message(to: caller(), .count(0))])
        #expect(last.signals == [.exit(startAgain: false)])
    }

    @Test func `a paused queue starts nothing until it is resumed, and is loaded then`() {
        var stage = Stage()
        let asked = stage.ask(.pauseQueue(.standard))
        stage.hear(.wrote([.paused(true, [.standard], ticket(asked))]))
        #expect(stage.submit().orders.isEmpty)
        let resumed = stage.ask(.resumeQueue(.standard))
        let heard = stage.hear(.wrote([.paused(false, [.standard], ticket(resumed))]))
        let look = heard.queries.first { $0.query == .survey(now: stage.now) }
        var survey = Survey()
        survey.ready = [Lane(.standard)]
        let surveyed = stage.hear(.answered(look?.ticket ?? Ticket(rawValue: 0), .surveyed(survey)))
        let load = surveyed.queries.first { asked in
            if case .load = asked.query { true } else { false }
        }
        let answer = Answer.loaded(Lane(.standard), [waiting(1)], isAll: true)
        #expect(
            stage.hear(.answered(load?.ticket ?? Ticket(rawValue: 0), answer)).orders.count == 1
        )
    }

    @Test func `a later survey does not pause a queue that was resumed meanwhile`() {
        var stage = Stage()
        stage.dispatcher.needsSurvey = true
        let survey = stage.hear()
        var old = Survey()
        old.paused = [.standard]
        stage.hear(.wrote([.paused(false, [.standard], Ticket(rawValue: 99))]))
        stage.hear(.answered(ticket(survey), .surveyed(old)))
        #expect(stage.submit().orders.count == 1)
    }

    @Test func `a divided job is put together from what its children made`() throws {
        var stage = Stage(workers: 2)
        let split = try #require(stage.submit(makeSpec(parts: 2)).orders.first?.order)
        #expect(split.phase == .split)
        var report = makeReport(split)
        let parts = [Part(body: [1]), Part(body: [2])]
        report.ending = .split(parts)
        let wanted = stage.hear(.reported([report]))
        #expect(wanted.changes == [.split(report, parts: parts, ids: 2...3)])
        let children = [waiting(2), waiting(3)]
        let runs = stage.hear(.wrote([.split(one, children: children)]))
        #expect(runs.orders.map(\.order.phase) == [.run, .run])

        var parent = waiting(1)
        parent.isSplit = true
        parent.next = Attempt(rawValue: 2)
        parent.spec.parts = 2
        let queued = stage.hear(.wrote([.queued(parent)]))
        #expect(queued.queries.map(\.query) == [.gather(one)])
        for given in runs.orders {
            stage.hear(.reported([makeReport(given.order, worker: given.worker.rawValue)]))
        }
        let outputs: [[UInt8]] = [[7], [8]]
        let last = stage.hear(.answered(ticket(queued), .gathered(one, outputs)))
        #expect(last.orders.map(\.order.phase) == [.reduce])
        #expect(last.orders.first?.order.outputs == outputs)
    }

    @Test func `a divided job that a load has shown before its fact is put together once`() {
        var stage = Stage()
        stage.submit()
        var parent = waiting(2)
        parent.isSplit = true
        stage.dispatcher.lanes.markIncomplete(Lane(.standard))
        let load = stage.hear()
        let loaded = Answer.loaded(Lane(.standard), [parent], isAll: true)
        let gather = stage.hear(.answered(ticket(load), loaded))
        stage.hear(.answered(ticket(gather), .gathered(parent.id, [[7]])))
        #expect(stage.hear(.wrote([.queued(parent)])).queries.isEmpty)
    }

    @Test func `a damaged job fails, and no load need show it until it has`() {
        var stage = Stage()
        stage.dispatcher.lanes.markIncomplete(Lane(.standard))
        let load = stage.hear()
        let answer = Answer.loaded(Lane(.standard), [waiting(2)], isAll: false, damaged: [one])
        let heard = stage.hear(.answered(ticket(load), answer))
        #expect(heard.changes == [.spoil([one])])
        #expect(heard.orders.count == 1)
        guard case .load(_, _, _, let known)? = heard.queries.first?.query else { return }
        #expect(known == [one, JobID(rawValue: 2)])
        let asked = stage.ask(.statistics)
        let told = stage.hear(.answered(ticket(asked), .statistics(Statistics())))
        guard case .statistics(let statistics)? = told.messages.first?.reply else { return }
        #expect(statistics.alarms == ["What the store has of 1 jobs is damaged."])
        let end = JobEnd(id: one, state: .failed, attempt: .none, failure: .damaged)
        stage.hear(.wrote([.ended(Ended(end: end))]))
        #expect(stage.dispatcher.damaged.isEmpty)
    }

    @Test func `what children made is asked for again when it could not be read`() {
        var stage = Stage()
        var parent = waiting(1)
        parent.isSplit = true
        let queued = stage.hear(.wrote([.queued(parent)]))
        let refusal = Refusal(500, "unreadable", "No.")
        stage.hear(.answered(ticket(queued), .unreadable(refusal)))
        #expect(stage.dispatcher.active.isEmpty)
        #expect(stage.dispatcher.nextWake() == stage.now.adding(ms: 1_000))
    }

    @Test func `a divided job of whose parts one is damaged fails at once`() {
        var stage = Stage()
        var parent = waiting(1)
        parent.isSplit = true
        let queued = stage.hear(.wrote([.queued(parent)]))
        let spoilt = stage.hear(.answered(ticket(queued), .partDamaged(one, part: 2)))
        #expect(spoilt.changes == [.spoilWhole(one, part: 2)])
        #expect(spoilt.queries.isEmpty && spoilt.orders.isEmpty)
        #expect(stage.dispatcher.damageCount == 1)
        let failure = Failure.damagedResult.ofPart(2)
        let end = JobEnd(id: one, state: .failed, attempt: .none.next, failure: failure)
        #expect(stage.hear(.wrote([.ended(Ended(end: end))])).queries.isEmpty)
        #expect(stage.dispatcher.active.isEmpty && stage.dispatcher.gathering.isEmpty)
    }

    @Test func `a divided job that was called off meanwhile is not spoilt as well`() {
        var stage = Stage()
        var parent = waiting(1)
        parent.isSplit = true
        let queued = stage.hear(.wrote([.queued(parent)]))
        let end = JobEnd(id: one, state: .cancelled, attempt: .none.next, failure: .calledOff)
        stage.hear(.wrote([.ended(Ended(end: end))]))
        let answer = Event.answered(ticket(queued), .partDamaged(one, part: 2))
        #expect(stage.hear(answer).changes.isEmpty)
    }

    @Test func `a job that waits for a moment is looked for at that moment`() {
        var stage = Stage()
        var job = waiting(1)
        job.readyAt = stage.now.adding(ms: 50)
        #expect(stage.hear(.wrote([.queued(job)])).queries.isEmpty)
        #expect(stage.dispatcher.nextWake() == job.readyAt)
        stage.now = job.readyAt
        #expect(stage.hear(.timePassed).queries.map(\.query) == [.survey(now: stage.now)])
        #expect(stage.dispatcher.nextWake() == nil)
    }

    @Test func `a filter that finds nothing for long is followed to the end`() throws {
        var stage = Stage()
        let asked = stage.ask(.cancel(.filter(JobFilter(queue: QueueName(rawValue: "late")))))
        let first = try #require(asked.queries.first)
        let seen = Answer.selected([], next: JobID(rawValue: 10_000))
        let next = stage.hear(.answered(first.ticket, seen))
        let again = try #require(next.queries.first)
        guard case .select(_, after: JobID(rawValue: 10_000), limit: _) = again.query else {
            Issue.record("\(again)")
            return
        }
        let last = stage.hear(.answered(again.ticket, .selected([], next: nil)))
        #expect(last.messages.map(\.reply) == [.count(0)])
    }
}
