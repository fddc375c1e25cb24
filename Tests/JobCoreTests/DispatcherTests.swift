import Testing

@testable import JobCore

@Suite("The dispatcher") struct DispatcherTests {
    private let worker = WorkerID(rawValue: 1)
    private let full = Refusal(503, "disk_full", "The disk is full.")

    // MARK: Submissions

    @Test func `a submission is answered, and starts, after its insert is a fact`() throws {
        var stage = Stage()
        let asked = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        #expect(asked.messages.isEmpty && asked.orders.isEmpty)
        guard case .insert(let insertion) = try #require(asked.changes.first) else { return }
        let written = stage.hear(.wrote([stage.inserted(insertion)]))
        let accepted = Accepted(id: JobID(rawValue: 1), state: .queued, created: true)
        #expect(written.messages == [Message(to: caller(), .accepted([accepted], isBatch: false))])
        #expect(written.orders.map(\.order.job.rawValue) == [1])
    }

    @Test func `a submission that waits hears its result when it is written, not before`() throws {
        var stage = Stage()
        let order = try #require(stage.submit(waitMs: 1_000).orders.first?.order)
        let reported = stage.hear(.reported([makeReport(order)]))
        #expect(reported.messages.isEmpty)
        #expect(reported.changes == [.settle(makeReport(order))])
        guard case .result(let result)? = stage.hear(.wrote([ended(order)])).messages.first?.reply
        else {
            Issue.record("no result")
            return
        }
        #expect(result.bytes == outcome.bytes)
        #expect(stage.dispatcher.nextWake() == nil)
    }

    @Test func `an accepted job is never refused because there is no room for its wait`() {
        var limits = Limits()
        limits.waitsPerClient = 1
        var stage = Stage(limits: limits)
        let jobs = [makeSubmission()]
        let first = stage.ask(.submit(jobs, isBatch: false, waitMs: 500))
        let second = stage.ask(.submit(jobs, isBatch: false, waitMs: 500))
        for asked in [first, second] {
            guard case .insert(let insertion)? = asked.changes.first else { continue }
            let heard = stage.hear(.wrote([stage.inserted(insertion)]))
            for message in heard.messages {
                guard case .pending = message.reply else {
                    Issue.record("\(message)")
                    continue
                }
            }
        }
        #expect(stage.dispatcher.waits.count == 1)
    }

    @Test func `an insert that was refused is told to its client and starts nothing`() {
        var stage = Stage()
        let asked = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        let ticket = asked.changes.lazy.compactMap(\.ticket).first
        let refused = stage.hear(.wrote([.refused(ticket ?? Ticket(rawValue: 0), full)]))
        #expect(refused.messages == [Message(to: caller(), .refused(full))])
        #expect(refused.orders.isEmpty)
    }

    @Test func `no more jobs are taken in than may wait for being written`() {
        var limits = Limits()
        limits.unwrittenBytes = 2 * [makeSubmission()].weight
        var stage = Stage(ids: 1...2, limits: limits)
        func ask() -> Decisions {
            stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        }
        let first = ask()
        #expect(ask().messages.isEmpty)
        #expect(ask().messages == [Message(to: caller(), .refused(.tooManyBytes))])
        guard case .insert(let insertion)? = first.changes.first else { return }
        _ = stage.hear(.wrote([stage.inserted(insertion)]))
        // This one waits for its id, and counts.
        #expect(ask().messages.isEmpty)
        #expect(ask().messages == [Message(to: caller(), .refused(.tooManyBytes))])
        stage.dispatcher.giveUpHeld(full)
        #expect(stage.dispatcher.unwrittenBytes == [makeSubmission()].weight)
    }

    @Test func `a submission larger than may wait is taken when nothing else waits`() {
        var limits = Limits()
        limits.unwrittenBytes = 1
        var stage = Stage(limits: limits)
        for _ in 0..<3 {
            #expect(!stage.submit().messages.contains { $0.reply == .refused(.tooManyBytes) })
        }
        #expect(stage.dispatcher.unwrittenBytes == 0)
    }

    // MARK: Ids

    @Test func `submissions wait until ids are reserved for them`() {
        var stage = Stage(ids: 1...1)
        let jobs = [makeSubmission(), makeSubmission()]
        let asked = stage.ask(.submit(jobs, isBatch: true, waitMs: nil))
        #expect(asked.changes.isEmpty)
        let reserved = stage.hear(.wrote([.reserved(upTo: 100_001)]))
        guard case .insert(let insertion)? = reserved.changes.first else {
            Issue.record("\(reserved)")
            return
        }
        #expect(insertion.ids == 1...2)
    }

    @Test func `nobody waits for ids while the disk is full`() {
        var stage = Stage(ids: 1...1)
        let one = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        let held = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil), client: 2)
        #expect(held.messages.isEmpty)
        let ticket = one.changes.lazy.compactMap(\.ticket).first ?? Ticket(rawValue: 0)
        let refused = stage.hear(.wrote([.unwritable(full), .refused(ticket, full)]))
        #expect(refused.messages.count == 2)
        let next = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        #expect(next.messages == [Message(to: caller(), .refused(full))])
    }

    @Test func `ids are reserved again though the store had reserved more than was asked for`() {
        var ids = IDSupply(1...10)
        #expect(ids.reservation() == .reserve(upTo: 10 + IDSupply.block))
        #expect(ids.reservation() == nil)
        ids.reserved(upTo: 300_000)
        #expect(ids.reservation() == nil)
        let taken = ids.take(290_000)
        #expect(taken == 1...290_000)
        #expect(ids.reservation() == .reserve(upTo: 300_000 + IDSupply.block))
    }

    @Test func `a submission larger than half a block gets its ids`() {
        var ids = IDSupply(1...70_000)
        #expect(ids.reservation() == nil)
        let none = ids.take(250_000)
        #expect(none == nil)
        #expect(ids.reservation() == .reserve(upTo: 320_000))
    }

    // MARK: Races between facts and answers

    @Test func `a job that a load has shown before its fact is given to one worker`() {
        var stage = Stage(workers: 2)
        let asked = stage.ask(.submit([makeSubmission()], isBatch: false, waitMs: nil))
        guard case .insert(let insertion)? = asked.changes.first else { return }
        stage.dispatcher.lanes.markIncomplete(Lane(.standard))
        let load = stage.hear().queries.first?.ticket ?? Ticket(rawValue: 0)
        let answer = Answer.loaded(Lane(.standard), [waiting(1)], isAll: true)
        #expect(stage.hear(.answered(load, answer)).orders.count == 1)
        #expect(stage.hear(.wrote([stage.inserted(insertion)])).orders.isEmpty)
    }

    @Test func `nothing starts before it is known which queues are paused`() {
        var stage = Stage(isStarted: false)
        let first = stage.hear()
        stage.hear(.ready(worker))
        #expect(stage.submit().orders.isEmpty)
        var survey = Survey()
        survey.paused = [.standard]
        let ticket = first.queries.first?.ticket ?? Ticket(rawValue: 0)
        #expect(stage.hear(.answered(ticket, .surveyed(survey))).orders.isEmpty)
    }

    @Test func `a cancelled order that is taken back does not start elsewhere`() throws {
        var stage = Stage(workers: 1)
        stage.dispatcher.pace.learn(1, micros: 10)
        let first = try #require(stage.submit().orders.first?.order)
        let second = try #require(stage.submit().orders.first?.order)
        let end = JobEnd(
            id: second.job,
            state: .cancelled,
            attempt: second.attempt,
            failure: .calledOff
        )
        stage.hear(stage.mark(first.sequence), .wrote([.ended(Ended(end: end))]))
        let back = stage.hear(.recalled(worker, second.sequence..<second.sequence + 1))
        #expect(back.orders.isEmpty)
        let died = stage.hear(.died(worker), .ready(WorkerID(rawValue: 2)))
        #expect(died.orders.isEmpty)
        #expect(died.changes.count == 1)  // The first is lost.
    }

    @Test func `a writing job that was called off and not begun ends`() throws {
        var stage = Stage(workers: 1)
        stage.dispatcher.pace.learn(1, micros: 10)
        stage.submit()
        let order = try #require(stage.submit(makeSpec(writes: "x")).orders.first?.order)
        stage.hear(.wrote([.cancelRequested(order.job, order.attempt)]))
        let back = stage.hear(.recalled(worker, order.sequence..<order.sequence + 1))
        guard case .settle(let report)? = back.changes.first else {
            Issue.record("\(back)")
            return
        }
        #expect(report.job == order.job && report.ending == .brokenOff)
    }

    // MARK: Workers

    @Test func `a worker that is stuck behind reports it has not sent is noticed`() throws {
        var stage = Stage(workers: 1)
        stage.dispatcher.pace.learn(1, micros: 10)
        stage.submit()
        let second = try #require(stage.submit().orders.first?.order)
        let third = try #require(stage.submit().orders.first?.order)
        let mark = stage.mark(second.sequence)
        stage.now = stage.now.adding(ms: 30)
        let seen = stage.hear(mark)
        #expect(seen.signals == [.recall(worker, upTo: third.sequence)])
        #expect(seen.changes.count == 1)  // Its start is written down.
    }

    @Test func `a stuck worker is given up after what waits behind it was taken back`() throws {
        var stage = Stage(workers: 1)
        stage.dispatcher.pace.learn(1, micros: 10)
        let first = try #require(stage.submit().orders.first?.order)
        let second = try #require(stage.submit().orders.first?.order)
        let mark = stage.mark(first.sequence)
        stage.now = stage.now.adding(ms: 61_000)
        #expect(stage.hear(mark).signals == [.recall(worker, upTo: second.sequence)])
        stage.hear(.recalled(worker, second.sequence..<second.sequence + 1))
        stage.now = stage.now.adding(ms: 201)
        let seen = stage.hear(mark)
        #expect(seen.signals == [.abandon(worker), .start(WorkerID(rawValue: 2))])
        #expect(stage.hear(.reported([makeReport(first)])).changes.isEmpty)
    }

    @Test func `a run that was called off before its mark was seen is given up when it is stuck`()
        throws
    {
        var stage = Stage(workers: 1)
        let order = try #require(stage.submit(makeSpec(writes: "x")).orders.first?.order)
        let mark = stage.mark(order.sequence)
        stage.hear(.wrote([.cancelRequested(order.job, order.attempt)]))
        stage.hear(mark)
        stage.now = stage.now.adding(ms: 201)
        #expect(stage.hear(mark).signals.contains(.abandon(worker)))
    }

    // MARK: Waits

    @Test func `a wait of no time hears what had ended`() {
        var stage = Stage()
        let asked = stage.ask(.wait([JobID(rawValue: 1)], waitMs: 0))
        #expect(stage.hear(.timePassed).messages.isEmpty)
        let end = JobEnd(
            id: JobID(rawValue: 1),
            state: .succeeded,
            attempt: .none.next,
            failure: nil
        )
        let ticket = asked.queries.first?.ticket ?? Ticket(rawValue: 0)
        let looked = stage.hear(.answered(ticket, .ends([end], isIssued: [true])))
        #expect(looked.messages == [Message(to: caller(), .ended([end], all: true))])
    }

    @Test func `waits of one client are bounded`() {
        var limits = Limits()
        limits.waitsPerClient = 2
        var stage = Stage(limits: limits)
        let request = Request.wait([JobID(rawValue: 1)], waitMs: 10)
        #expect(stage.ask(request).messages.isEmpty && stage.ask(request).messages.isEmpty)
        guard case .refused(let refusal)? = stage.ask(request).messages.first?.reply else { return }
        #expect(refusal.code == "too_many_waits")
        #expect(stage.ask(request, client: 2).messages.isEmpty)
    }

    // MARK: Stops

    @Test func `a stop waits for what runs, then exits`() throws {
        var stage = Stage()
        let order = try #require(stage.submit().orders.first?.order)
        #expect(stage.hear(.stop).signals.isEmpty)
        #expect(stage.dispatcher.nextWake() == stage.now.adding(ms: 300))
        #expect(stage.hear(.reported([makeReport(order)])).signals.isEmpty)
        #expect(stage.hear(.wrote([ended(order)])).signals == [.exit(startAgain: false)])
    }

    @Test func `a second stop breaks off what runs, a third ends at once`() throws {
        var stage = Stage()
        let order = try #require(stage.submit().orders.first?.order)
        stage.hear(.stop)
        let second = stage.hear(.stop)
        let told = Signal.breakOff(worker, order: 1, order.job, order.attempt, .stopping)
        #expect(second.signals == [told])
        #expect(stage.hear(.stop).signals == [.exit(startAgain: false)])
    }

    @Test func `a stop answers whoever has asked before it exits`() {
        var stage = Stage()
        let asked = stage.ask(.show([JobID(rawValue: 1)], isBatch: true))
        #expect(stage.hear(.stop).signals.isEmpty)
        let ticket = asked.queries.first?.ticket ?? Ticket(rawValue: 0)
        let answered = stage.hear(.answered(ticket, .shown([nil], isIssued: [false])))
        #expect(answered.messages.count == 1)
        #expect(answered.signals == [.exit(startAgain: false)])
    }
}
