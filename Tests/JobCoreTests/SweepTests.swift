import Testing

@testable import JobCore

/// When old jobs are looked for, how, and when better not.
@Suite("Sweep") struct SweepTests {
    private let start = Timestamp(rawValue: 1_000_000_000)
    private let day: Int64 = 86_400_000

    private func dispatcher(newestTime: Timestamp? = nil, drained: Bool = false) -> Dispatcher {
        let about = About(
            run: RunID(rawValue: 2),
            workers: 0,
            limits: Limits(),
            kernels: [],
            databases: []
        )
        var plan = Dispatcher.Plan(
            about: about,
            startedAt: start,
            drainMs: 1_000,
            stuckMs: 1_000,
            reserved: 1...9,
            seed: 1
        )
        plan.retention = Retention()
        plan.newestTime = newestTime
        var dispatcher = Dispatcher(plan)
        dispatcher.begin(at: start)
        for asked in dispatcher.decide(at: start).queries {
            dispatcher.hear(.answered(asked.ticket, .surveyed(Survey())), at: start)
        }
        _ = dispatcher.decide(at: start)
        return dispatcher
    }

    private func pass(_ dispatcher: inout Dispatcher, to now: Timestamp) -> Decisions {
        dispatcher.hear(.timePassed, at: now)
        return dispatcher.decide(at: now)
    }

    private func alarms(_ dispatcher: inout Dispatcher, at now: Timestamp) -> [String] {
        dispatcher.hear(.asked(.statistics, by: caller()), at: now)
        guard let asked = dispatcher.decide(at: now).queries.first else { return [] }
        dispatcher.hear(.answered(asked.ticket, .statistics(Statistics())), at: now)
        guard case .statistics(let told)? = dispatcher.decide(at: now).messages.first?.reply else {
            return []
        }
        return told.alarms
    }

    @Test func `a walk goes on step by step, removes what is old, and rests`() throws {
        var dispatcher = dispatcher()
        var now = start.adding(ms: Sweep.firstMs - 1)
        #expect(pass(&dispatcher, to: now).queries.isEmpty)
        now = now.adding(ms: 1)
        let first = pass(&dispatcher, to: now)
        let asked = try #require(first.queries.first)
        #expect(asked.query == .expired(Retention(), after: nil, now: now))
        #expect(dispatcher.nextWake() == nil, "The answer is waited for.")

        let old = [JobID(rawValue: 3), JobID(rawValue: 5)]
        dispatcher.hear(.answered(asked.ticket, .expired(old, next: JobID(rawValue: 9))), at: now)
        let removing = dispatcher.decide(at: now).changes
        guard case .expire(old, Retention(), let ticket)? = removing.first else {
            Issue.record("\(removing)")
            return
        }
        #expect(dispatcher.nextWake() == nil, "The commit is waited for.")
        dispatcher.hear(.wrote([.changed(ticket, count: 2, unfit: nil)]), at: now)
        #expect(dispatcher.nextWake() == now.adding(ms: Sweep.stepMs))

        now = now.adding(ms: Sweep.stepMs)
        let next = try #require(pass(&dispatcher, to: now).queries.first)
        #expect(next.query == .expired(Retention(), after: JobID(rawValue: 9), now: now))
        dispatcher.hear(.answered(next.ticket, .expired([], next: nil)), at: now)
        #expect(dispatcher.decide(at: now).changes.isEmpty)
        #expect(dispatcher.nextWake() == now.adding(ms: Sweep.rests.lowerBound))
        now = now.adding(ms: Sweep.rests.lowerBound)
        let again = try #require(pass(&dispatcher, to: now).queries.first)
        #expect(again.query == .expired(Retention(), after: nil, now: now))
    }

    /// Goal: a store in which nothing is old does not keep a runner busy that has nothing to do.
    @Test(arguments: [true, false])
    func `a walk that finds nothing is followed by a longer rest`(isFound: Bool) throws {
        var dispatcher = dispatcher()
        var now = start.adding(ms: Sweep.firstMs)
        let first = try #require(pass(&dispatcher, to: now).queries.first)
        let old = isFound ? [JobID(rawValue: 3)] : []
        dispatcher.hear(.answered(first.ticket, .expired(old, next: JobID(rawValue: 9))), at: now)
        if case .expire(_, _, let ticket)? = dispatcher.decide(at: now).changes.first {
            dispatcher.hear(.wrote([.changed(ticket, count: 1, unfit: nil)]), at: now)
        }
        now = now.adding(ms: 5_000)
        let last = try #require(pass(&dispatcher, to: now).queries.first)
        dispatcher.hear(.answered(last.ticket, .expired([], next: nil)), at: now)
        #expect(dispatcher.nextWake() == now.adding(ms: isFound ? 50_000 : 500_000))
    }

    @Test func `what could not be read or written is tried again at the same place`() throws {
        var dispatcher = dispatcher()
        var now = start.adding(ms: Sweep.firstMs)
        let unread = try #require(pass(&dispatcher, to: now).queries.first)
        dispatcher.hear(.answered(unread.ticket, .unreadable(Refusal(500, "x", "x"))), at: now)
        #expect(dispatcher.nextWake() == now.adding(ms: Sweep.troubleMs))
        now = now.adding(ms: Sweep.troubleMs)
        let asked = try #require(pass(&dispatcher, to: now).queries.first)
        let answer = Answer.expired([JobID(rawValue: 1)], next: JobID(rawValue: 1))
        dispatcher.hear(.answered(asked.ticket, answer), at: now)
        guard case .expire(_, _, let ticket)? = dispatcher.decide(at: now).changes.first else {
            Issue.record("nothing is removed")
            return
        }
        dispatcher.hear(.wrote([.refused(ticket, Refusal(503, "disk_full", "x"))]), at: now)
        now = now.adding(ms: Sweep.troubleMs)
        let again = try #require(pass(&dispatcher, to: now).queries.first)
        #expect(again.query == .expired(Retention(), after: nil, now: now))
    }

    @Test func `a stop waits for no walk`() throws {
        var dispatcher = dispatcher()
        let now = start.adding(ms: Sweep.firstMs)
        _ = pass(&dispatcher, to: now)
        dispatcher.hear(.stop, at: now)
        #expect(dispatcher.decide(at: now).signals == [.exit(startAgain: false)])
    }

    // MARK: The clock

    @Test(arguments: [
        (3_600_000, true), (3_600_001, false), (-3_600_000, true), (-3_600_001, false),
    ])
    func `a clock that was set by more than an hour stops the removal`(
        drift: Int64,
        isBelieved: Bool
    ) {
        var dispatcher = dispatcher()
        dispatcher.clockDriftMs = drift
        let now = start.adding(ms: Sweep.firstMs)
        #expect(pass(&dispatcher, to: now).queries.isEmpty == !isBelieved)
        #expect(alarms(&dispatcher, at: now).isEmpty == isBelieved)
        dispatcher.clockDriftMs = 0
        let later = now.adding(ms: Sweep.troubleMs)
        #expect(pass(&dispatcher, to: later).queries.isEmpty == isBelieved)
        #expect(alarms(&dispatcher, at: later).isEmpty)
    }

    @Test func `a start long after the last stored time removes nothing for a day`() {
        let believed = start.adding(ms: -day)
        var near = dispatcher(newestTime: believed)
        let now = start.adding(ms: Sweep.firstMs)
        #expect(!pass(&near, to: now).queries.isEmpty)
        var far = dispatcher(newestTime: believed.adding(ms: -1))
        #expect(pass(&far, to: now).queries.isEmpty)
        #expect(alarms(&far, at: now).count == 1)
        let tomorrow = start.adding(ms: day)
        #expect(alarms(&far, at: tomorrow).isEmpty)
        #expect(!pass(&far, to: tomorrow).queries.isEmpty)
    }

    // MARK: Ages

    @Test func `a job is kept to the last millisecond`() {
        let retention = Retention()
        func isOver(_ state: JobState, after ms: Int64, keepMs: Int64? = nil) -> Bool {
            let now = start.adding(ms: ms)
            return retention.isOver(state, finishedAt: start, keepMs: keepMs, at: now)
        }
        #expect(!isOver(.succeeded, after: 7 * day - 1))
        #expect(isOver(.succeeded, after: 7 * day))
        for state in [JobState.failed, .cancelled] {
            #expect(!isOver(state, after: 30 * day - 1))
            #expect(isOver(state, after: 30 * day))
        }
        #expect(isOver(.succeeded, after: 0, keepMs: 0))
        #expect(!isOver(.succeeded, after: -1, keepMs: 0), "It has ended in the future.")
        #expect(!isOver(.succeeded, after: 8 * day, keepMs: .max), "It is kept for ever.")
        #expect(isOver(.failed, after: 5, keepMs: 5))
        for state in [JobState.queued, .running] {
            #expect(!isOver(state, after: 99 * day, keepMs: 0))
        }
        #expect(!retention.isOver(.succeeded, finishedAt: nil, keepMs: 0, at: start))
    }
}
