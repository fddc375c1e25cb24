import JobCore
import JobStorage
import SQLite
import Testing

/// How the runner starts: after a clean end, after a crash, after the crash of a crash.
@Suite("Recovery") struct RecoveryTests {
    private let store: JobStore
    private let now = Timestamp(rawValue: 1_000_000)
    private let first = Attempt(rawValue: 1)

    init() throws { store = try JobStore(inMemory: Limits()) }

    private func insert(_ jobs: Submission..., from id: Int64 = 1) throws -> [JobID] {
        let ids = id...(id + Int64(jobs.count) - 1)
        let insertion = Insertion(jobs: jobs, ids: ids, ticket: Ticket(rawValue: 1))
        _ = try store.commit([.insert(insertion)], at: now)
        return ids.map(JobID.init)
    }

    private func details(_ id: JobID) throws -> JobDetails {
        guard case .shown(let shown, _) = try store.answer(.show([id])) else {
            throw StoreUnderTest.Missing()
        }
        return try #require(shown.first ?? nil)
    }

    private func inFlight(
        _ run: RunID,
        _ job: JobID,
        _ attempt: Int = 1,
        blame: InFlight.Blame = .suspected
    ) -> InFlight {
        InFlight(
            run: run,
            job: job,
            attempt: Attempt(rawValue: attempt),
            startedAt: Timestamp(rawValue: 7),
            blame: blame
        )
    }

    @Test func `the first start finds nothing and reserves ids`() throws {
        let recovery = try store.recover(inFlight: [], at: now)
        #expect(
            recovery
                == Recovery(
                    run: RunID(rawValue: 1),
                    lost: [],
                    poisoned: [],
                    reserved: 1...JobStore.firstReservation,
                    store: recovery.store
                )
        )
    }

    @Test func `a run that was called off while it wrote is neither lost nor put back`() throws {
        let run = try store.recover(inFlight: [], at: now).run
        let ids = try insert(makeJob(makeSpec(writes: "main")), makeJob(makeSpec(writes: "main")))
        _ = try store.commit(ids.map { .start($0, first, worker, at: now) }, at: now)
        let targets = [Target(ids[0]), Target(ids[1])]
        _ = try store.commit([.cancel([targets[0]], Ticket(rawValue: 9))], at: now)
        let recovery = try store.recover(inFlight: [inFlight(run, ids[0])], at: now)
        #expect(recovery.lost.isEmpty)
        #expect(recovery.calledOff.map(\.id) == [ids[0]])
        #expect(recovery.calledOff.map(\.next) == [first])
        #expect(try details(ids[0]).job.state == .running)
        #expect(try details(ids[1]).job.state == .queued)
    }

    @Test func `a store keeps its name, and one that begins from a backup gets another`() throws {
        let directory = try TemporaryDirectory()
        func start() throws -> StoreID {
            try JobStore(path: directory.store).recover(inFlight: [], at: now).store
        }
        let name = try start()
        #expect(name.rawValue.utf8.count == 32)
        #expect(try start() == name)
        try Connection(path: directory.store, mode: .readWrite).run(
            "UPDATE identity SET is_backup = 1"
        )
        let other = try start()
        #expect(other != name)
        #expect(try start() == other)
        #expect(try store.recover(inFlight: [], at: now).store != name)
    }

    @Test func `after a clean end ids go on, after another they are passed over`() throws {
        let one = try store.recover(inFlight: [], at: now)
        _ = try insert(makeJob(), makeJob())
        try store.stop(one.run, at: now)
        let two = try store.recover(inFlight: [], at: now)
        #expect(two.run == RunID(rawValue: 2))
        #expect(two.reserved.lowerBound == 3)
        let three = try store.recover(inFlight: [], at: now)
        #expect(three.reserved.lowerBound == two.reserved.upperBound + 1)
    }

    @Test func `a run that is to blame is lost, another put back`() throws {
        let run = try store.recover(inFlight: [], at: now).run
        let ids = try insert(makeJob(), makeJob(), makeJob())
        let starts = ids.map { Change.start($0, first, worker, at: now) }
        _ = try store.commit(starts, at: now)
        let entries = [inFlight(run, ids[0]), inFlight(run, ids[1], blame: .none)]
        let recovery = try store.recover(inFlight: entries, at: now)
        #expect(recovery.lost == [ids[0]])
        #expect(recovery.poisoned.isEmpty)
        for id in ids { #expect(try details(id).job.state == .queued) }
        #expect(try details(ids[0]).job.losses == 1)
        #expect(try details(ids[0]).pastAttempts.map(\.failure.code) == [.lost])
        #expect(try details(ids[1]).job.losses == 0)
        #expect(try details(ids[1]).job.attempt == first)
        #expect(try details(ids[2]).pastAttempts.isEmpty)
    }

    @Test func `a run that was never written down is lost all the same`() throws {
        let run = try store.recover(inFlight: [], at: now).run
        let ids = try insert(makeJob(), makeJob())
        let entries = [inFlight(run, ids[0]), inFlight(run, ids[1], blame: .none)]
        let recovery = try store.recover(inFlight: entries, at: now)
        #expect(recovery.lost == [ids[0]])
        #expect(try details(ids[0]).job.attempt == first)
        #expect(try details(ids[0]).pastAttempts.map(\.startedAt) == [Timestamp(rawValue: 7)])
        #expect(try details(ids[1]).job.attempt == .none)
    }

    @Test func `after a clean end only a crash is blamed`() throws {
        let run = try store.recover(inFlight: [], at: now).run
        let ids = try insert(makeJob(), makeJob(), makeJob())
        _ = try store.commit([.start(ids[0], first, worker, at: now)], at: now)
        try store.stop(run, at: now)
        let entries = [
            inFlight(run, ids[0]), inFlight(run, ids[1]), inFlight(run, ids[2], blame: .crashed),
        ]
        let recovery = try store.recover(inFlight: entries, at: now)
        #expect(recovery.lost == [ids[2]])
        #expect(try ids.map { try details($0).job.losses } == [0, 0, 1])
        #expect(try details(ids[0]).job.state == .queued)
    }

    @Test func `what was ready before the clock was set back is ready, and delays are kept`()
        throws
    {
        let early = now.adding(ms: -3_600_000)
        let run = try store.recover(inFlight: [], at: now).run
        var delayed = makeJob()
        delayed.start = .after(ms: 60_000)
        let ids = try insert(makeJob(), makeJob(), delayed, makeJob(makeSpec(priority: 5)))
        var report = makeReport(ids[1], 1, .failed(glitch))
        report.ending = .putBack
        _ = try store.commit([.settle(report)], at: now.adding(ms: 10))
        try store.stop(run, at: now.adding(ms: 20))

        _ = try store.recover(inFlight: [], at: early)
        guard
            case .loaded(_, let jobs, let isAll, _) = try store.answer(
                .load(Lane(.standard), limit: 10, now: early)
            )
        else { throw StoreUnderTest.Missing() }
        #expect(Set(jobs.map(\.id)) == [ids[0], ids[1], ids[3]])
        #expect(jobs.first?.id == ids[3] && isAll)
        #expect(try details(ids[2]).job.readyAt == now.adding(ms: 60_000))
        guard case .surveyed(let survey) = try store.answer(.survey(now: early)) else {
            throw StoreUnderTest.Missing()
        }
        #expect(survey.ready == [Lane(.standard)])
        #expect(survey.nextReadyAt == now.adding(ms: 60_000))
    }

    /// No survey shows a job that is to be ready before it was created.
    @Test func `what pauses is ready at once when the clock was set back twice`() throws {
        _ = try store.recover(inFlight: [], at: now)
        let id = try insert(makeJob())[0]
        let yesterday = now.adding(ms: -86_400_000)
        _ = try store.recover(inFlight: [], at: yesterday)
        _ = try store.commit([.settle(makeReport(id, 1, .failed(glitch)))], at: yesterday)
        #expect(try details(id).job.readyAt > yesterday)

        let earlier = yesterday.adding(ms: -3_600_000)
        _ = try store.recover(inFlight: [], at: earlier)
        #expect(try details(id).job.readyAt == earlier)
    }

    @Test func `a loss is counted once`() throws {
        let run = try store.recover(inFlight: [], at: now).run
        let id = try insert(makeJob())[0]
        let entry = inFlight(run, id)
        #expect(try store.recover(inFlight: [entry, entry], at: now).lost == [id])
        #expect(try store.recover(inFlight: [entry], at: now).lost == [])
        #expect(try details(id).job.losses == 1)
    }

    @Test func `a report that was written clears the run of blame`() throws {
        let run = try store.recover(inFlight: [], at: now).run
        let ids = try insert(makeJob(), makeJob())
        let reports = [
            Change.settle(makeReport(ids[0], 1, success())),
            .settle(makeReport(ids[1], 1, .failed(glitch))),
        ]
        _ = try store.commit(reports, at: now)
        let unknown = JobID(rawValue: 99)
        let entries = (ids + [unknown]).map { inFlight(run, $0) }
        #expect(try store.recover(inFlight: entries, at: now).lost == [])
        #expect(try details(ids[1]).job.losses == 0)
    }

    @Test func `of a job that ended the program before it was written the fingerprint is told`()
        throws
    {
        let run = try store.recover(inFlight: [], at: now).run
        let id = try insert(makeJob())[0]
        var entries = [
            inFlight(run, id), inFlight(run, JobID(rawValue: 7)),
            inFlight(run, JobID(rawValue: 8), blame: .none), inFlight(run, JobID(rawValue: 9)),
            inFlight(RunID(rawValue: 99), JobID(rawValue: 10)),
        ]
        for place in entries.indices where place != 3 { entries[place].unwritten = UInt64(place) }
        let recovery = try store.recover(inFlight: entries, at: now)
        #expect(recovery.lost == [id])
        #expect(recovery.suspects == [1] && !recovery.hasCrashed)
    }

    @Test func `a job that ends the program three times is poisoned`() throws {
        var run = try store.recover(inFlight: [], at: now).run
        let id = try insert(makeJob())[0]
        for attempt in 1...3 {
            let recovery = try store.recover(inFlight: [inFlight(run, id, attempt)], at: now)
            run = recovery.run
            #expect(recovery.lost == (attempt < 3 ? [id] : []))
            #expect(recovery.poisoned == (attempt < 3 ? [] : [id]))
        }
        #expect(try details(id).failure == .poisoned)
        #expect(try details(id).pastAttempts.count == 3)
    }

    @Test func `a job that was called off while it wrote does not run again`() throws {
        let run = try store.recover(inFlight: [], at: now).run
        let id = try insert(makeJob(makeSpec(writes: "main")))[0]
        let target = Target(id, active: first)
        _ = try store.commit([.cancel([target], Ticket(rawValue: 2))], at: now)
        let recovery = try store.recover(inFlight: [inFlight(run, id, blame: .none)], at: now)
        #expect(recovery.calledOff.map(\.next) == [first])
        let reason = "The program ended during this run."
        _ = try store.commit([.lose(id, first, worker, reason: reason)], at: now)
        #expect(try details(id).job.state == .cancelled)
    }
}
