import Testing

@testable import JobCore

@Suite("A job that runs before it is written")
struct DispatcherEarlyTests {
    /// A stage on which a job of the common sort has run.
    private func practised(micros: Int64 = 10, suspects: Set<UInt64> = []) throws -> Stage {
        var plan = Stage().dispatcher.plan
        plan.suspects = suspects
        var stage = Stage(plan, workers: 1)
        let order = try #require(stage.submit().orders.first?.order)
        stage.hear(.reported([makeReport(order, micros: micros)]))
        stage.hear(.wrote([.settled(reports: 1), ended(order)]))
        return stage
    }

    private func submission(
        _ spec: Spec = makeSpec(),
        key: String? = nil,
        waitMs: Int64? = 1_000
    ) -> Request {
        .submit([makeSubmission(spec, key: key)], isBatch: false, waitMs: waitMs)
    }

    @Test func `is written once, together with its end, when it is short and waited for`() throws {
        var stage = try practised()
        let asked = stage.ask(submission())
        #expect(asked.changes.isEmpty && asked.messages.isEmpty)
        let order = try #require(asked.orders.first?.order)

        let reported = stage.hear(.reported([makeReport(order)]))
        #expect(reported.messages.isEmpty)
        guard case .insert(let insertion)? = reported.changes.first,
            case .settle? = reported.changes.last
        else {
            Issue.record("\(reported.changes)")
            return
        }
        #expect(reported.changes.count == 2)
        #expect(insertion.ids.lowerBound == order.job.rawValue)

        let facts = [Fact.settled(reports: 1), stage.inserted(insertion), ended(order)]
        let written = stage.hear(.wrote(facts))
        #expect(written.orders.isEmpty && written.messages.count == 1)
        guard case .result(let result)? = written.messages.first?.reply else {
            Issue.record("\(written.messages)")
            return
        }
        #expect(result.bytes == outcome.bytes)
        #expect(stage.dispatcher.active.isEmpty && stage.dispatcher.unborn.isEmpty)
        #expect(stage.dispatcher.unwrittenBytes == 0)
    }

    @Test func `is written when it takes longer than expected`() throws {
        var stage = try practised()
        let order = try #require(stage.ask(submission()).orders.first?.order)
        let wake = try #require(stage.dispatcher.nextWake())
        #expect(wake == stage.now.adding(ms: Early.longestMs))
        stage.now = wake
        let late = stage.hear(.timePassed)
        guard case .insert(let insertion)? = late.changes.first else {
            Issue.record("\(late.changes)")
            return
        }
        // It is under way, and its end comes by a commit of its own.
        #expect(stage.hear(.wrote([stage.inserted(insertion)])).orders.isEmpty)
        #expect(stage.hear(.reported([makeReport(order)])).changes.count == 1)
        #expect(stage.hear(.wrote([.settled(reports: 1), ended(order)])).messages.count == 1)
    }

    @Test(arguments: [
        Event.asked(.ping, by: caller(2)), .stop, .died(WorkerID(rawValue: 1)), .wrote([]),
    ])
    func `is written before anything else is heard`(event: Event) throws {
        var stage = try practised()
        #expect(stage.ask(submission()).orders.count == 1)
        guard case .insert? = stage.hear(event).changes.first else {
            Issue.record("it is not written")
            return
        }
        #expect(stage.dispatcher.early == nil)
    }

    @Test func `is kept from the writer by nobody but one who waits, and alone`() throws {
        let others = [
            submission(waitMs: nil),
            .submit([makeSubmission(), makeSubmission()], isBatch: true, waitMs: nil),
        ]
        for request in others {
            var stage = try practised()
            let asked = stage.ask(request)
            #expect(!asked.orders.isEmpty && asked.changes.count == 1, "\(request)")
        }
        var slow = try practised(micros: 1 + Int64(Early.longestMicros))
        #expect(slow.ask(submission()).changes.count == 1)

        var busy = try practised()
        #expect(busy.ask(submission(waitMs: nil)).changes.count == 1)
        #expect(busy.ask(submission(), client: 2).changes.count == 1)
    }

    @Test
    func `waits for its insert when it changes things, is divided, has a key or is of a new sort`()
        throws
    {
        var command = makeSpec()
        command.kind = .command
        let others = [
            submission(key: "k"), submission(makeSpec(writes: "main")), submission(command),
            submission(makeSpec(parts: 2)), submission(makeSpec(sort: 77)),
        ]
        for request in others {
            var stage = try practised()
            let asked = stage.ask(request)
            #expect(asked.orders.isEmpty && asked.changes.count == 1, "\(request)")
        }
        var long = try practised(micros: Pace.firstMicros)
        #expect(long.ask(submission(waitMs: nil)).orders.isEmpty)

        var later = makeSubmission()
        later.start = .after(ms: 1)
        var stage = try practised()
        #expect(stage.ask(.submit([later], isBatch: false, waitMs: nil)).orders.isEmpty)
    }

    @Test func `waits for its insert while its queue is paused or nothing can be written`()
        throws
    {
        var paused = try practised()
        paused.hear(.wrote([.paused(true, [.standard], Ticket(rawValue: 99))]))
        #expect(paused.ask(submission()).orders.isEmpty)
        #expect(paused.ask(submission(waitMs: nil)).orders.isEmpty)

        var full = try practised()
        full.hear(.wrote([.unwritable(Refusal(503, "disk_full", "No."))]))
        #expect(full.ask(submission(waitMs: nil)).orders.isEmpty)
    }

    @Test func `is not spoken of before its insert and its end are facts`() throws {
        var stage = try practised()
        let asked = stage.ask(submission(waitMs: nil))
        guard case .insert(let insertion)? = asked.changes.first,
            let order = asked.orders.first?.order
        else {
            Issue.record("\(asked)")
            return
        }
        let reported = stage.hear(.reported([makeReport(order)]))
        #expect(reported.messages.isEmpty)
        guard case .settle? = reported.changes.first else {
            Issue.record("\(reported.changes)")
            return
        }
        let written = stage.hear(.wrote([stage.inserted(insertion)]))
        #expect(written.messages.count == 1 && written.orders.isEmpty)
        let waits = stage.ask(.wait([order.job], waitMs: 1_000), client: 2)
        #expect(waits.messages.isEmpty)
        let done = stage.hear(.wrote([.settled(reports: 1), ended(order)]))
        #expect(done.messages.map(\.to) == [caller(2)])
        #expect(stage.dispatcher.active.isEmpty && stage.dispatcher.unborn.isEmpty)
    }

    @Test func `is forgotten with all of its submission when that is refused`() throws {
        var stage = try practised()
        let jobs = (0..<3).map { _ in makeSubmission(makeSpec(sort: 1)) }
        stage.dispatcher.pace.learn(1, micros: 4_000)  // Longer than the credit: two stay here.
        let asked = stage.ask(.submit(jobs, isBatch: true, waitMs: nil))
        guard case .insert(let insertion)? = asked.changes.first, asked.orders.count == 1 else {
            Issue.record("\(asked)")
            return
        }
        let full = Refusal(429, "queue_full", "No.")
        let refused = stage.hear(.wrote([.refused(insertion.ticket, full)]))
        #expect(refused.signals.count == 1 && refused.messages.map(\.reply) == [.refused(full)])
        #expect(stage.hear(.reported([makeReport(asked.orders[0].order)])).changes.isEmpty)
        #expect(stage.dispatcher.active.isEmpty && stage.dispatcher.lanes.isEmpty)
    }

    @Test func `waits for its insert when its like has perhaps ended the program`() throws {
        let print = makeSubmission().fingerprint
        var suspicious = try practised(suspects: [print])
        let asked = suspicious.ask(submission())
        #expect(asked.orders.isEmpty && asked.changes.count == 1)
        suspicious.now = suspicious.now.adding(ms: Dispatcher.waryMs)
        suspicious.hear(.timePassed)
        #expect(suspicious.ask(submission()).orders.isEmpty)
    }

    /// Goal: two that end the program by turns, each before it is written, do not do so for ever.
    @Test func `waits for its insert in the minute after another has perhaps ended the program`()
        throws
    {
        let print = makeSubmission().fingerprint
        var wary = try practised(suspects: [print + 1])
        wary.now = wary.now.adding(ms: Dispatcher.waryMs - 1)
        wary.hear(.timePassed)
        let asked = wary.ask(submission())
        #expect(asked.orders.isEmpty && asked.changes.count == 1)

        var calm = try practised(suspects: [print + 1])
        calm.now = calm.now.adding(ms: Dispatcher.waryMs)
        calm.hear(.timePassed)
        #expect(calm.ask(submission()).orders.first?.order.unwritten == print)
    }

    @Test func `does not run at all when it is refused and its worker died before it began`()
        throws
    {
        var stage = try practised()
        #expect(stage.ask(submission()).orders.count == 1)
        let died = stage.hear(.died(WorkerID(rawValue: 1)))
        guard case .insert(let insertion)? = died.changes.first else { return }
        let full = Refusal(429, "queue_full", "No.")
        stage.hear(.wrote([.refused(insertion.ticket, full)]))
        #expect(stage.hear(.ready(WorkerID(rawValue: 2))).orders.isEmpty)
    }

    @Test func `leaves nothing behind when it is refused after all`() throws {
        var stage = try practised()
        let order = try #require(stage.ask(submission()).orders.first?.order)
        let reported = stage.hear(.reported([makeReport(order)]))
        guard case .insert(let insertion)? = reported.changes.first else { return }
        let full = Refusal(429, "queue_full", "No.")
        let refused = stage.hear(
            .wrote([
                .settled(reports: 1), .refused(insertion.ticket, full),
                .cameLate(order.job, order.attempt),
            ])
        )
        #expect(refused.messages.map(\.reply) == [.refused(full)])
        #expect(refused.changes.isEmpty && refused.signals.isEmpty)
        #expect(stage.dispatcher.active.isEmpty && stage.dispatcher.unwrittenBytes == 0)
    }

    @Test func `is broken off when it is refused while it runs`() throws {
        var stage = try practised()
        let order = try #require(stage.ask(submission()).orders.first?.order)
        guard case .insert(let insertion)? = stage.hear(.timePassed).changes.first else { return }
        let full = Refusal(429, "queue_full", "No.")
        let refused = stage.hear(.wrote([.refused(insertion.ticket, full)]))
        #expect(refused.signals.count == 1)
        #expect(stage.hear(.reported([makeReport(order)])).changes.isEmpty)
        #expect(stage.submit().orders.count == 1)
    }
}
