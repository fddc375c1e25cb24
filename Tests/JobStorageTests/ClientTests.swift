import JobCore
import Testing

/// What clients do to jobs and queues, and what they are told.
@Suite("Clients of a store") struct ClientTests {
    // MARK: - Keys and limits

    @Test(arguments: Kind.allCases)
    func `queues are bounded, and one without jobs makes room`(kind: Kind) throws {
        var limits = Limits()
        limits.queues = 2
        let store = try StoreUnderTest(kind, limits: limits)
        let (a, b) = (makeJob(makeSpec(queue: late)), makeJob(makeSpec(queue: other)))
        let jobs = try store.insert(a, makeJob())
        let refused = store.insertion([b])
        #expect(
            try store.commit(.insert(refused))
                == [.refused(refused.ticket, .tooManyQueues(limit: 2))]
        )
        try store.insert(a, makeJob())
        _ = try store.commit(
            .cancel([Target(jobs[1]), Target(JobID(rawValue: 5))], store.ticket())
        )
        _ = try store.commit(.delete([jobs[1], JobID(rawValue: 5)], store.ticket()))
        try store.insert(b)
        try store.insert(makeJob())  // The standard queue is always to be had.
    }

    @Test(arguments: Kind.allCases)
    func `the same job under the same key is accepted once`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let first = try store.insert(makeJob(key: "a"))[0]
        _ = try store.commit(.settle(makeReport(first, 1, success())))
        let again = store.insertion([makeJob(), makeJob(makeSpec(queue: late), key: "a")])
        let facts = try store.commit(.insert(again))
        let accepted = [
            Accepted(id: JobID(rawValue: 2), state: .queued, created: true),
            Accepted(id: first, state: .succeeded, created: false),
        ]
        #expect(facts == [.inserted(again.ticket, accepted, nil)])
        #expect(try store.counts().open == 1)

        _ = try store.commit(.delete([first], store.ticket()))
        #expect(try store.insert(makeJob(key: "a")) == [JobID(rawValue: 4)])
    }

    @Test(arguments: Kind.allCases)
    func `another job under a known key refuses the whole submission`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let holder = try store.insert(makeJob(key: "a", fingerprint: 1))[0]
        let batch = store.insertion([makeJob(), makeJob(key: "a", fingerprint: 2)])
        let facts = try store.commit(.insert(batch))
        #expect(facts == [.refused(batch.ticket, .keyConflict("a", with: holder, at: 1))])
        #expect(try store.counts().queued == 1)
        let twice = store.insertion([makeJob(key: "b"), makeJob(), makeJob(key: "b")])
        #expect(
            try store.commit(.insert(twice)) == [
                .refused(twice.ticket, .duplicateKey("b", at: 2))
            ]
        )
    }

    /// As in two submissions: the bytes count, not what they look like.
    @Test(arguments: Kind.allCases)
    func `two spellings of a letter are two keys`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let ids = try store.insert(makeJob(key: "\u{E9}"), makeJob(key: "e\u{301}"))
        #expect(ids.count == 2)
    }

    @Test(arguments: Kind.allCases)
    func `a full store refuses new jobs, not known ones`(kind: Kind) throws {
        var limits = Limits()
        limits.waitingJobs = 2
        let store = try StoreUnderTest(kind, limits: limits)
        let ids = try store.insert(makeJob(key: "a"), makeJob())
        let more = store.insertion([makeJob()])
        let full = Refusal.queueFull(limit: 2)
        #expect(try store.commit(.insert(more)) == [.refused(more.ticket, full)])
        #expect(full.retryAfterMs != nil)
        #expect(try store.insert(makeJob(key: "a")) == [ids[0]])
        _ = try store.commit(.settle(makeReport(ids[1], 1, success())))
        #expect(try store.insert(makeJob()).count == 1)
    }

    // MARK: - Cancel, retry, delete

    @Test(arguments: Kind.allCases)
    func `a queued job is called off, an ended one is not`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        let ticket = store.ticket()
        let facts = try store.commit(.cancel([Target(id), Target(id)], ticket))
        let end = JobEnd(id: id, state: .cancelled, attempt: .none, failure: .calledOff)
        #expect(
            facts == [
                .ended(Ended(end: end)),
                .changed(ticket, count: 1, unfit: .wrongState(id, .cancelled)),
            ]
        )
        #expect(try store.ask(.ends([id])) == .ends([end], isIssued: [true]))
    }

    @Test(arguments: Kind.allCases)
    func `calling off a run that the store has not heard of uses it up`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        let attempt = Attempt(rawValue: 1)
        _ = try store.commit(.cancel([Target(id, active: attempt)], store.ticket()))
        #expect(try store.details(id).job.attempt == attempt)
        _ = try store.commit(.retry([id], store.ticket()))
        let late = try store.commit(.settle(makeReport(id, 1, success())))
        #expect(late == [.cameLate(id, attempt)])
        #expect(try store.load().jobs.map(\.next.rawValue) == [2])
    }

    @Test(arguments: Kind.allCases)
    func `a run that writes decides itself whether it was called off`(kind: Kind) throws {
        for ending in [success(), .brokenOff] {
            let store = try StoreUnderTest(kind)
            let id = try store.insert(makeJob(makeSpec(writes: "main")))[0]
            let attempt = Attempt(rawValue: 1)
            let ticket = store.ticket()
            let facts = try store.commit(.cancel([Target(id, active: attempt)], ticket))
            #expect(
                facts == [
                    .cancelRequested(id, attempt), .changed(ticket, count: 1, unfit: nil),
                ]
            )
            #expect(try store.details(id).job.cancelRequested)
            _ = try store.commit(.settle(makeReport(id, 1, ending)))
            #expect(try store.state(id) == (ending == .brokenOff ? .cancelled : .succeeded))
        }
    }

    @Test(arguments: Kind.allCases)
    func `retry makes a failed job run again, with all its chances`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let ids = try store.insert(makeJob(), makeJob())
        _ = try store.commit(.settle(makeReport(ids[0], 1, .failed(mistake))))
        let ticket = store.ticket()
        let facts = try store.commit(.retry([ids[0], ids[1]], ticket))
        guard case .queued(let waiting)? = facts.first else {
            Issue.record("\(facts)")
            return
        }
        #expect(waiting.next == Attempt(rawValue: 2))
        #expect(facts.last == .changed(ticket, count: 1, unfit: .wrongState(ids[1], .queued)))
        let details = try store.details(ids[0])
        #expect(details.failure == nil)
        #expect(details.finishedAt == nil)
        #expect(details.job.failures == 0)
        #expect(details.pastAttempts.map(\.failure) == [mistake])
        #expect(try store.counts().failed == 0)
        _ = try store.commit(.settle(makeReport(ids[0], 2, .failed(mistake))))
        #expect(try store.details(ids[0]).pastAttempts.count == 2)
    }

    @Test(arguments: Kind.allCases)
    func `a deleted id is gone, a later one unknown`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let ids = try store.insert(makeJob(), makeJob())
        _ = try store.commit(.settle(makeReport(ids[0], 1, success())))
        let ticket = store.ticket()
        let delete = Change.delete([ids[0], ids[1]], ticket)
        #expect(
            try store.commit(delete) == [
                .changed(ticket, count: 1, unfit: .wrongState(ids[1], .queued))
            ]
        )
        let never = JobID(rawValue: 3)
        let zero = JobID(rawValue: 0)
        #expect(
            try store.ask(.ends([ids[0], never, zero]))
                == .ends([nil, nil, nil], isIssued: [true, false, false])
        )
        #expect(try store.ask(.result(ids[0], .whole)) == .result(nil, isIssued: true))
        let next = store.ticket()
        let unfit = Change.cancel([Target(ids[0]), Target(never)], next)
        #expect(try store.commit(unfit) == [.changed(next, count: 0, unfit: .gone(ids[0]))])
        #expect(
            try store.commit(.retry([never], next)) == [
                .changed(next, count: 0, unfit: .unknown(never))
            ]
        )
        #expect(try store.counts().succeeded == 0)
    }

    // MARK: - Queues

    @Test(arguments: Kind.allCases)
    func `queues are paused one by one or together`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        try store.insert(makeJob(), makeJob(makeSpec(queue: late)))
        let ticket = store.ticket()
        #expect(
            try store.commit(.setPaused(true, late, ticket)) == [.paused(true, [late], ticket)]
        )
        guard case .surveyed(let survey) = try store.ask(.survey(now: store.now)) else { return }
        #expect(survey.paused == [late])
        #expect(survey.ready == [Lane(.standard), Lane(late)])
        #expect(try store.load(late).jobs.count == 1)
        #expect(
            try store.commit(.setPaused(false, nil, ticket)) == [
                .paused(false, [.standard, late], ticket)
            ]
        )
        guard case .queues(let queues) = try store.ask(.queues(nil)) else { return }
        #expect(queues.map(\.name) == [.standard, late])
        #expect(queues.allSatisfy { !$0.isPaused && $0.counts.queued == 1 })
        let unknown = try #require(QueueName(rawValue: "unknown"))
        #expect(try store.ask(.queues(unknown)) == .queues([]))
    }

    @Test(arguments: Kind.allCases)
    func `ids once reserved stay reserved`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        #expect(try store.commit(.reserve(upTo: 50)) == [.reserved(upTo: 50)])
        #expect(try store.commit(.reserve(upTo: 20)) == [.reserved(upTo: 50)])
    }
}
