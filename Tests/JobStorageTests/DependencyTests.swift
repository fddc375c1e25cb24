import JobCore
import SQLite
import Testing

@testable import JobStorage

/// What every store must do with jobs that come after others.
@Suite("Jobs that come after others") struct DependencyTests {
    private struct Missing: Error {}

    private func after(
        _ others: [JobID],
        _ onFailure: OnFailure = .fail,
        key: String? = nil
    ) -> Submission {
        var job = makeJob(key: key)
        job.after = others.map { Predecessor(.job($0)) }
        job.onFailure = onFailure
        return job
    }

    private func sibling(
        _ place: Int,
        givesResult: Bool = false,
        _ onFailure: OnFailure = .fail
    ) -> Submission {
        var job = makeJob()
        let name = "job \(place)"
        job.after = [Predecessor(.sibling(name), place: place, givesResult: givesResult)]
        job.onFailure = onFailure
        return job
    }

    private func end(_ job: JobID, _ state: JobState, _ failure: Failure? = nil) -> JobEnd {
        JobEnd(id: job, state: state, attempt: Attempt(rawValue: 0), failure: failure)
    }

    private func ends(in facts: [Fact]) -> [JobEnd] {
        facts.compactMap { if case .ended(let ended) = $0 { ended.end } else { nil } }
    }

    private func queued(in facts: [Fact]) -> [JobID] {
        facts.compactMap { if case .queued(let job) = $0 { job.id } else { nil } }
    }

    private func succeed(_ store: StoreUnderTest, _ job: JobID, _ attempt: Int = 1) throws -> [Fact]
    {
        try store.commit(.settle(makeReport(job, attempt, success())))
    }

    private func fail(_ store: StoreUnderTest, _ job: JobID, _ attempt: Int = 1) throws -> [Fact] {
        try store.commit(.settle(makeReport(job, attempt, .failed(mistake))))
    }

    @Test(arguments: Kind.allCases)
    func `a job waits until all that it comes after have succeeded`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let others = try store.insert(makeJob(), makeJob())
        let job = try store.insert(after(others))[0]
        #expect(try store.load().jobs.map(\.id) == others)
        #expect(try store.details(job).job.waitsFor == 2)
        #expect(queued(in: try succeed(store, others[1])).isEmpty)
        let details = try store.details(job)
        #expect(details.job.waitsFor == 1)
        #expect(details.after.map(\.id) == others)
        #expect(details.after.map(\.isOpen) == [true, false])
        #expect(details.after.map(\.state) == [.queued, .succeeded])

        store.now = store.now.adding(ms: 70)
        let facts = try succeed(store, others[0])
        let waiting = Waiting(
            id: job,
            next: Attempt(rawValue: 1),
            readyAt: store.now,
            spec: makeSpec()
        )
        #expect(facts.last == .queued(waiting))
        #expect(try store.load().jobs == [waiting])
        #expect(ends(in: try succeed(store, job)).map(\.id) == [job])
    }

    @Test(arguments: Kind.allCases)
    func `jobs of one submission come after each other, whatever their order`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let insertion = store.insertion([sibling(2), sibling(0), makeJob()])
        let facts = try store.commit(.insert(insertion))
        #expect(facts.count == 1)
        #expect(try store.load().jobs.map(\.id.rawValue) == [3])
        #expect(queued(in: try succeed(store, JobID(rawValue: 3))).map(\.rawValue) == [1])
        #expect(queued(in: try succeed(store, JobID(rawValue: 1))).map(\.rawValue) == [2])
    }

    @Test(arguments: Kind.allCases)
    func `what is over already is waited for by nobody`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let others = try store.insert(makeJob(), makeJob())
        _ = try succeed(store, others[0])
        _ = try fail(store, others[1])
        let facts = try store.commit(
            .insert(store.insertion([after([others[0]]), after(others, .run)]))
        )
        #expect(queued(in: facts).map(\.rawValue) == [3, 4])
        let late = try store.commit(.insert(store.insertion([after(others), sibling(0)])))
        #expect(ends(in: late).isEmpty == false)
        let stopped = Failure.dependencyFailed(others[1], .failed)
        #expect(ends(in: late).first == end(JobID(rawValue: 5), .failed, stopped))
        #expect(try store.counts().failed == 3)
    }

    @Test(arguments: Kind.allCases)
    func `whatever else ends a job, those after it fail with it, or run all the same`(
        kind: Kind
    ) throws {
        let ends: [(StoreUnderTest, JobID) throws -> (Change, JobState)] = [
            { _, job in (.settle(makeReport(job, 1, .failed(mistake))), .failed) },
            { store, job in (.cancel([Target(job)], store.ticket()), .cancelled) },
            { store, job in (.close([Target(job)], store.ticket()), .cancelled) },
            { store, job in
                for attempt in 1...2 {
                    let lost = Attempt(rawValue: attempt)
                    _ = try store.commit(.lose(job, lost, worker, reason: "gone"))
                }
                return (.lose(job, Attempt(rawValue: 3), worker, reason: "gone"), .failed)
            },
        ]
        for make in ends {
            let store = try StoreUnderTest(kind)
            let job = try store.insert(makeJob())[0]
            let others = try store.insert(after([job]), after([job], .run))
            let next = try store.insert(after([others[0]]))[0]
            let (change, state) = try make(store, job)
            let facts = try store.commit(change)
            let found = self.ends(in: facts)
            #expect(found.map(\.id) == [job, others[0], next])
            #expect(found[1].failure == .dependencyFailed(job, state))
            #expect(found[2].failure == .dependencyFailed(others[0], .failed))
            #expect(queued(in: facts) == [others[1]])
            #expect(try store.details(others[0]).failure?.code == .dependencyFailed)
        }
    }

    @Test(arguments: Kind.allCases)
    func `a part that is cancelled with its whole counts as well`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let whole = try store.insert(makeJob(makeSpec(parts: 2)))[0]
        let parts = [Part(body: [1]), Part(body: [2])]
        let report = makeReport(whole, 1, .split(parts))
        let ids = store.ids(2)
        _ = try store.commit(.split(report, parts: parts, ids: ids))
        let others = try store.insert(
            after([JobID(rawValue: ids.upperBound)], .run),
            after([whole], .run)
        )
        let facts = try store.commit(.cancel([Target(whole)], store.ticket()))
        #expect(Set(queued(in: facts)) == Set(others))
        #expect(try store.details(whole).job.state == .cancelled)
    }

    @Test(arguments: Kind.allCases)
    func `a chain of thousands fails in one change`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let count = kind == .model ? 200 : 5_000
        let jobs = [makeJob()] + (1..<count).map { sibling($0 - 1) }
        let ids = try store.insert(all: jobs)
        let facts = try fail(store, ids[0])
        #expect(ends(in: facts).map(\.id) == ids)
        #expect(try store.counts().failed == Int64(count))
        #expect(try store.counts().open == 0)
    }

    @Test(arguments: Kind.allCases)
    func `nothing is written of jobs that come after one that is not there`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let gone = try store.insert(makeJob())[0]
        _ = try succeed(store, gone)
        _ = try store.commit(.delete([gone], store.ticket()))
        let never = JobID(rawValue: 99)
        for (id, words) in [(gone, "no longer kept"), (never, "There is no job 99")] {
            let insertion = store.insertion([makeJob(), after([id])])
            let facts = try store.commit(.insert(insertion))
            guard case .refused(_, let refusal)? = facts.first else {
                Issue.record("\(facts)")
                return
            }
            #expect(refusal.code == "unknown_predecessor")
            #expect(refusal.field == "jobs[1].after[0]")
            #expect(refusal.message.contains(words))
        }
        // A job's own number, or one of the same submission, is nobody's yet.
        let own = store.insertion([after([JobID(rawValue: 7)]), makeJob()])
        #expect(own.ids.contains(7))
        guard case .refused? = try store.commit(.insert(own)).first else {
            throw Missing()
        }
        #expect(try store.counts() == JobCounts())
    }

    @Test(arguments: Kind.allCases)
    func `a moment is waited for beside other jobs`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let other = try store.insert(makeJob())[0]
        var job = after([other])
        job.start = .after(ms: 500)
        let id = try store.insert(job)[0]
        let due = store.now.adding(ms: 500)
        store.now = store.now.adding(ms: 100)
        guard case .queued(let waiting)? = try succeed(store, other).last else {
            throw Missing()
        }
        #expect(waiting.id == id && waiting.readyAt == due)
        #expect(try store.load().jobs.isEmpty)
        guard case .surveyed(let survey) = try store.ask(.survey(now: store.now)) else {
            throw Missing()
        }
        #expect(survey.nextReadyAt == due)
    }

    @Test(arguments: Kind.allCases)
    func `a job that is known by its key stands for the one that was there`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let known = try store.insert(makeJob(key: "load"))[0]
        let insertion = store.insertion([makeJob(key: "load"), sibling(0)])
        _ = try store.commit(.insert(insertion))
        let job = JobID(rawValue: insertion.ids.upperBound)
        #expect(try store.details(job).after.map(\.id) == [known])
        #expect(queued(in: try succeed(store, known)) == [job])
    }

    // MARK: - Results

    @Test(arguments: Kind.allCases)
    func `a job knows whose results it takes, by name and by number`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let old = try store.insert(makeJob())[0]
        var job = sibling(0, givesResult: true)
        job.after += [Predecessor(.job(old), givesResult: true)]
        let insertion = store.insertion([makeJob(), job])
        _ = try store.commit(.insert(insertion))
        _ = try succeed(store, old)
        let first = JobID(rawValue: insertion.ids.lowerBound)
        guard case .queued(let waiting)? = try succeed(store, first).last else { throw Missing() }
        #expect(waiting.sources == [Source(first, name: "job 0"), Source(old)])
        #expect(try store.load().jobs.first?.sources == waiting.sources)
    }

    @Test(arguments: Kind.allCases)
    func `old jobs are kept for those that come after them`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let others = try store.insert(makeJob(), makeJob())
        let job = try store.insert(after(others))[0]
        _ = try succeed(store, others[0])
        var retention = Retention()
        retention.succeededMs = 10
        store.now = store.now.adding(ms: 1_000)
        _ = try store.commit(.expire(others, retention, store.ticket()))
        #expect(try store.state(others[0]) == .succeeded)
        _ = try succeed(store, others[1])
        _ = try succeed(store, job)
        store.now = store.now.adding(ms: 1_000)
        let facts = try store.commit(.expire(others + [job], retention, store.ticket()))
        guard case .changed(_, let count, _)? = facts.first else { throw Missing() }
        #expect(count == 3)
    }

    // MARK: - Retries

    @Test(arguments: Kind.allCases)
    func `when a job is retried those wait again that failed with it`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let jobs = try store.insert(makeJob(), makeJob())
        let others = try store.insert(after([jobs[0]]), after(jobs), after([jobs[0]], .run))
        let last = try store.insert(after([others[0]]))[0]
        _ = try fail(store, jobs[1])
        _ = try fail(store, jobs[0])
        #expect(try store.state(last) == .failed)

        let facts = try store.commit(.retry([jobs[0]], store.ticket()))
        let blocked = facts.compactMap { if case .blocked(let id, _, _) = $0 { id } else { nil } }
        // The second of them comes after another job that has failed.
        #expect(blocked == [others[0], last])
        #expect(queued(in: facts) == [jobs[0]])
        #expect(try store.state(others[1]) == .failed)
        #expect(try store.details(others[0]).failure == nil)
        #expect(queued(in: try succeed(store, jobs[0], 2)) == [others[0]])
        #expect(queued(in: try succeed(store, others[0])) == [last])

        let next = try store.commit(.retry([jobs[1]], store.ticket()))
        #expect(queued(in: next) == [jobs[1]])
        #expect(queued(in: try succeed(store, jobs[1], 2)) == [others[1]])
    }

    @Test(arguments: Kind.allCases)
    func `jobs are retried in any order`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let job = try store.insert(makeJob())[0]
        let other = try store.insert(after([job]))[0]
        _ = try fail(store, job)
        let ticket = store.ticket()
        let facts = try store.commit(.retry([other, job], ticket))
        #expect(facts.contains(.changed(ticket, count: 2, unfit: nil)))
        #expect(facts.last == .blocked(other, .none, .standard))
        #expect(try store.details(other).job.waitsFor == 1)
        #expect(queued(in: try succeed(store, job, 2)) == [other])
    }

    @Test(arguments: Kind.allCases)
    func `a job that is retried before the one that it failed with fails again`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let job = try store.insert(makeJob())[0]
        let other = try store.insert(after([job]))[0]
        _ = try fail(store, job)
        let facts = try store.commit(.retry([other], store.ticket()))
        #expect(ends(in: facts) == [end(other, .failed, .dependencyFailed(job, .failed))])
        // One that is gone holds up nobody.
        _ = try store.commit(.delete([job], store.ticket()))
        #expect(queued(in: try store.commit(.retry([other], store.ticket()))) == [other])
        #expect(try store.details(other).after.map(\.state) == [nil])
    }

    @Test(arguments: Kind.allCases)
    func `what is called off while it waits is over, and may wait again`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let job = try store.insert(makeJob())[0]
        let other = try store.insert(after([job]))[0]
        _ = try store.commit(.cancel([Target(other)], store.ticket()))
        #expect(try store.state(other) == .cancelled)
        let facts = try store.commit(.retry([other], store.ticket()))
        #expect(facts.first == .blocked(other, .none, .standard))
        #expect(queued(in: try succeed(store, job)) == [other])
    }

    @Test(arguments: Kind.allCases)
    func `a job whose end comes with its insert lets those after it start`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let insertion = store.insertion([makeJob(), sibling(0)])
        let first = JobID(rawValue: insertion.ids.lowerBound)
        let facts = try store.commit(.insert(insertion), .settle(makeReport(first, 1, success())))
        #expect(facts.count == 3)
        #expect(queued(in: facts) == [JobID(rawValue: insertion.ids.upperBound)])
        #expect(ends(in: facts).map(\.id) == [first])
    }

    // MARK: - Files

    @Test func `a start tells those that come after jobs which ended the last run`() throws {
        let directory = try TemporaryDirectory()
        let store = try JobStore(path: directory.store)
        let now = Timestamp(rawValue: 1_000_000)
        let first = try store.recover(inFlight: [], at: now)
        let ids = first.reserved.lowerBound...(first.reserved.lowerBound + 1)
        let insertion = Insertion(
            jobs: [makeJob(), sibling(0)],
            ids: ids,
            ticket: Ticket(rawValue: 1)
        )
        _ = try store.commit([.insert(insertion)], at: now)
        let job = JobID(rawValue: ids.lowerBound)
        for attempt in 1...2 {
            _ = try store.commit(
                [.lose(job, Attempt(rawValue: attempt), worker, reason: "gone")],
                at: now
            )
        }
        let run = InFlight(
            run: first.run,
            job: job,
            attempt: Attempt(rawValue: 3),
            startedAt: now,
            blame: .crashed
        )
        let again = try JobStore(path: directory.store)
        let recovery = try again.recover(inFlight: [run], at: now)
        #expect(recovery.poisoned == [job])
        let other = JobID(rawValue: ids.upperBound)
        guard case .shown(let shown, _) = try again.answer(.show([other])) else { throw Missing() }
        #expect(shown.first??.failure == .dependencyFailed(job, .failed))
        let findings = try StoreCheckup(path: directory.store).findings(whole: true)
        #expect(findings.filter { !$0.faults.isEmpty } == [])
    }

    @Test func `a checkup finds what waits for nobody, or for too many`() throws {
        let directory = try TemporaryDirectory()
        do {
            let store = try JobStore(path: directory.store)
            let insertion = Insertion(
                jobs: [makeJob(), sibling(0), sibling(0)],
                ids: 1...3,
                ticket: Ticket(rawValue: 1)
            )
            _ = try store.commit([.insert(insertion)], at: Timestamp(rawValue: 1_000_000))
        }
        let store = try StoreFile.open(path: directory.store)
        try store.run("UPDATE jobs SET waits_for = 2 WHERE id = 2")
        try store.run("UPDATE dependencies SET after_id = 9 WHERE job_id = 3")
        let findings = try StoreCheckup(path: directory.store).findings(whole: false)
        let lost = "job 3 waits for job 9, which is not there"
        let miscounted = "job 2 waits for 1 other jobs, and its counter says 2"
        #expect(findings.flatMap(\.faults) == [lost, miscounted])
    }
}
