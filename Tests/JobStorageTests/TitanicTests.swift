import JobCore
import Testing

/// What a store knows of jobs under Titanic's ids, and how jobs are closed.
@Suite("Titanic in a store") struct TitanicTests {
    private func salted(_ salt: Int64?, writes: String? = nil) -> Submission {
        var spec = makeSpec(writes: writes)
        spec.salt = salt
        return makeJob(spec)
    }

    @Test(arguments: Kind.allCases)
    func `an id is known by its number and its token, and only if Titanic made the job`(
        kind: Kind
    ) throws {
        let store = try StoreUnderTest(kind)
        let jobs = try store.insert(salted(.min), salted(nil), salted(5, writes: "main"))
        let known = TitanicID(job: jobs[0], token: .min)
        #expect(try store.ask(.titanicOwner(known)) == .owners([.local], isIssued: [true]))
        let open = JobEnd(id: jobs[0], state: .queued, attempt: .none, failure: nil)
        let pending = Answer.result(JobResult(end: open), isIssued: true)
        #expect(try store.ask(.titanicResult(known)) == pending)
        for (job, token) in [
            (jobs[0], 0), (jobs[0], .max), (jobs[1], 0), (jobs[1], .min), (jobs[2], 5),
            (JobID(rawValue: 0), 0), (JobID(rawValue: .max), .min),
        ] as [(JobID, Int64)] {
            let unknown = TitanicID(job: job, token: token)
            #expect(try store.ask(.titanicOwner(unknown)) == .owners([nil], isIssued: [false]))
            #expect(try store.ask(.titanicResult(unknown)) == .result(nil, isIssued: false))
        }
    }

    @Test(arguments: Kind.allCases)
    func `the reply is there as often as it is asked for, until the job is closed`(
        kind: Kind
    ) throws {
        let store = try StoreUnderTest(kind)
        let job = try store.insert(salted(7))[0]
        let id = TitanicID(job: job, token: 7)
        let outcome = Outcome(format: .frames, bytes: [0, 0, 0, 1, 9])
        _ = try store.commit(.settle(makeReport(job, 1, .succeeded(outcome))))
        let end = JobEnd(id: job, state: .succeeded, attempt: Attempt(rawValue: 1), failure: nil)
        let result = JobResult(end: end, head: outcome.head, bytes: outcome.bytes)
        for _ in 1...2 {
            #expect(try store.ask(.titanicResult(id)) == .result(result, isIssued: true))
        }
        let ticket = store.ticket()
        let closed = try store.commit(.close([Target(job)], ticket))
        #expect(closed == [.changed(ticket, count: 1, unfit: nil)])
        #expect(try store.ask(.titanicResult(id)) == .result(nil, isIssued: false))
        #expect(try store.ask(.result(job, .whole)) == .result(nil, isIssued: true))
        let again = store.ticket()
        #expect(
            try store.commit(.close([Target(job)], again))
                == [.changed(again, count: 0, unfit: .gone(job))]
        )
        #expect(try store.counts() == JobCounts())
    }

    @Test(arguments: Kind.allCases)
    func `a job that waits or runs ends when it is closed, and is gone`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let first = Attempt(rawValue: 1)
        // Queued, running as the store knows, and running without a word to the store.
        for (started, active) in [(false, nil), (true, first), (false, first)] as [(Bool, Attempt?)]
        {
            let job = try store.insert(salted(7))[0]
            if started { _ = try store.commit(.start(job, first, worker, at: store.now)) }
            let ticket = store.ticket()
            let facts = try store.commit(.close([Target(job, active: active)], ticket))
            let attempt = active ?? .none
            let end = JobEnd(id: job, state: .cancelled, attempt: attempt, failure: .calledOff)
            #expect(facts == [.ended(Ended(end: end)), .changed(ticket, count: 1, unfit: nil)])
            let late = try store.commit(.settle(makeReport(job, 1, success())))
            #expect(late == [.cameLate(job, first)])
        }
        #expect(try store.counts() == JobCounts())
        #expect(try store.load().jobs.isEmpty)
    }

    @Test(arguments: Kind.allCases)
    func `what cannot end at once is not closed`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let job = try store.insert(makeJob(makeSpec(writes: "main")))[0]
        let attempt = Attempt(rawValue: 1)
        let ticket = store.ticket()
        let facts = try store.commit(.close([Target(job, active: attempt)], ticket))
        #expect(
            facts == [
                .cancelRequested(job, attempt),
                .changed(ticket, count: 0, unfit: .wrongState(job, .queued)),
            ]
        )
        #expect(try store.state(job) == .running)
    }
}
