import JobCore
import Testing

/// What every store must do, one job at a time.
@Suite("A job in a store") struct LifeTests {
    @Test(arguments: Kind.allCases)
    func `a new job is accepted, counted and loaded`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var spec = makeSpec(#"{"sql": "select 'ü'"}"#, priority: 7, writes: "main")
        spec.frames = [
            Spec.Frame(number: 2, bytes: [0, 1, 255]), Spec.Frame(number: 3, bytes: []),
        ]
        spec.salt = .min
        spec.name = "nightly"
        spec.tags = ["a b", "line\nbreak", "back\\slash", ""]
        spec.keepMs = 5
        spec.sort = .max
        spec.retry = RetryPolicy(maxAttempts: 9, firstMs: 8, longestMs: 7)
        let insertion = store.insertion([makeJob(spec, key: "k")])
        let facts = try store.commit(.insert(insertion))

        let id = JobID(rawValue: 1)
        let accepted = Accepted(id: id, state: .queued, created: true)
        #expect(facts == [.inserted(insertion.ticket, [accepted], nil)])
        let loaded = try store.load(spec.queue, Turns(writes: spec.writes))
        let waiting = Waiting(id: id, next: Attempt(rawValue: 1), readyAt: store.now, spec: spec)
        #expect(loaded.jobs == [waiting])
        #expect(loaded.isAll)
        let details = try store.details(id)
        #expect(details.tags == spec.tags)
        #expect(details.key == "k")
        #expect(details.job.writes)
        #expect(details.createdAt == store.now)
        #expect(try store.counts().queued == 1)
    }

    @Test(arguments: Kind.allCases)
    func `a report of success is kept with its bytes`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        let outcome = Outcome(format: .csv, bytes: Array("a\r\n1\r\n".utf8), rows: 1)
        let facts = try store.commit(.settle(makeReport(id, 1, .succeeded(outcome))))

        let end = JobEnd(id: id, state: .succeeded, attempt: Attempt(rawValue: 1), failure: nil)
        #expect(facts == [.ended(Ended(end: end, outcome: outcome))])
        let whole = JobResult(end: end, head: outcome.head, bytes: outcome.bytes)
        #expect(try store.ask(.result(id, .whole)) == .result(whole, isIssued: true))
        #expect(try store.details(id).result == outcome.head)
        #expect(try store.details(id).worker == worker)
        #expect(try store.details(id).finishedAt == store.now)
        #expect(try store.ask(.ends([id])) == .ends([end], isIssued: [true]))
        #expect(try store.counts().succeeded == 1)
        #expect(try store.load().jobs.isEmpty)
    }

    @Test(arguments: Kind.allCases)
    func `a report that comes before its job is late, and the job waits`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let insertion = store.insertion([makeJob()])
        let id = JobID(rawValue: insertion.ids.lowerBound)
        let facts = try store.commit(.settle(makeReport(id, 1, success())), .insert(insertion))
        #expect(facts.first == .cameLate(id, Attempt(rawValue: 1)))
        #expect(try store.state(id) == .queued)
        #expect(try store.load().jobs.map(\.id) == [id])
    }

    @Test(arguments: Kind.allCases)
    func `a success counts for the queue of its job, whichever its report names`(kind: Kind) throws
    {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob(makeSpec(queue: late)))[0]
        let facts = try store.commit(.settle(makeReport(id, 1, success())))
        #expect(facts.count == 1)
        #expect(try store.state(id) == .succeeded)
        guard case .queues(let queues) = try store.ask(.queues(late)) else { return }
        #expect(queues.first?.counts.succeeded == 1)
        #expect(queues.first?.counts.open == 0)
    }

    @Test(arguments: Kind.allCases)
    func `a job whose insert and success come together is the same as one by one`(kind: Kind) throws
    {
        let id = JobID(rawValue: 1)
        let report = makeReport(id, 1, success())
        var spec = makeSpec(#"{"sql": "select ?"}"#, priority: 3)
        spec.frames = [Spec.Frame(number: 2, bytes: [0, 255])]

        let apart = try StoreUnderTest(kind)
        let single = try apart.commit(.insert(apart.insertion([makeJob(spec)])))
        let facts = try single + apart.commit(.settle(report))
        let together = try StoreUnderTest(kind)
        let insertion = together.insertion([makeJob(spec)])
        #expect(try together.commit(.insert(insertion), .settle(report)) == facts)
        #expect(facts.count == 2)

        for question in [Query.show([id]), .result(id, .whole), .queues(nil), .ends([id])] {
            #expect(try together.ask(question) == apart.ask(question))
        }
        #expect(try together.counts() == apart.counts())
        #expect(try together.load().jobs.isEmpty)
    }

    @Test(arguments: Kind.allCases)
    func `what comes between an insert and a success of the same commit counts`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = JobID(rawValue: 1)
        let facts = try store.commit(
            .insert(store.insertion([makeJob()])),
            .cancel([Target(id, active: Attempt(rawValue: 1))], store.ticket()),
            .settle(makeReport(id, 1, success()))
        )
        #expect(facts.last == .cameLate(id, Attempt(rawValue: 1)))
        #expect(try store.state(id) == .cancelled)

        let other = JobID(rawValue: 2)
        _ = try store.commit(
            .insert(store.insertion([makeJob()])),
            .lose(other, Attempt(rawValue: 1), worker, reason: "It is gone."),
            .settle(makeReport(other, 1, success()))
        )
        #expect(try store.state(other) == .queued)
    }

    /// Somebody may guess which number the next job will have.
    @Test(arguments: Kind.allCases)
    func `what has not ended is not deleted because its success comes with the same commit`(
        kind: Kind
    ) throws {
        let store = try StoreUnderTest(kind)
        let id = JobID(rawValue: 1)
        let ticket = store.ticket()
        let facts = try store.commit(
            .insert(store.insertion([makeJob()])),
            .delete([id], ticket),
            .settle(makeReport(id, 1, success()))
        )
        #expect(facts[1] == .changed(ticket, count: 0, unfit: .wrongState(id, .queued)))
        #expect(try store.state(id) == .succeeded)
        #expect(try store.counts().succeeded == 1)
    }

    @Test(arguments: Kind.allCases)
    func `a success of a job whose insert is refused in the same commit comes late`(kind: Kind)
        throws
    {
        let store = try StoreUnderTest(kind)
        try store.insert(makeJob(key: "k"))
        let other = makeJob(key: "k", fingerprint: 2)
        let insertion = store.insertion([other, makeJob()])
        let id = JobID(rawValue: 3)
        let facts = try store.commit(.insert(insertion), .settle(makeReport(id, 1, success())))
        guard case .refused(insertion.ticket, _)? = facts.first else {
            Issue.record("\(facts)")
            return
        }
        #expect(facts.last == .cameLate(id, Attempt(rawValue: 1)))
        #expect(try store.counts().queued == 1)
        #expect(try store.counts().open == 1)
    }

    @Test(arguments: Kind.allCases)
    func `a retry is found though the clock was set back to before the job was made`(kind: Kind)
        throws
    {
        let store = try StoreUnderTest(kind)
        var spec = makeSpec()
        spec.retry = RetryPolicy(maxAttempts: 2, firstMs: 1_000, longestMs: 1_000)
        let id = try store.insert(makeJob(spec))[0]
        store.now = store.now.adding(ms: -3_600_000)
        let failed = try store.commit(.settle(makeReport(id, 1, .failed(glitch))))
        guard case .queued(let waiting)? = failed.first,
            case .surveyed(let survey) = try store.ask(.survey(now: store.now))
        else {
            Issue.record("\(failed)")
            return
        }
        #expect(survey.nextReadyAt == waiting.readyAt)
    }

    @Test(arguments: Kind.allCases)
    func `a failure is retried after a pause, and each is kept`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var spec = makeSpec()
        spec.retry = RetryPolicy(maxAttempts: 2, firstMs: 1_000, longestMs: 1_000)
        let id = try store.insert(makeJob(spec))[0]
        let first = try store.commit(.settle(makeReport(id, 1, .failed(glitch))))
        guard case .queued(let waiting)? = first.first else {
            Issue.record("\(first)")
            return
        }
        #expect(waiting.next == Attempt(rawValue: 2))
        #expect(waiting.readyAt > store.now)
        #expect(waiting.spec == spec)
        #expect(try store.load().jobs.isEmpty)
        guard case .surveyed(let survey) = try store.ask(.survey(now: store.now)) else { return }
        #expect(survey.nextReadyAt == waiting.readyAt)
        #expect(survey.ready.isEmpty)

        store.now = waiting.readyAt
        #expect(try store.load().jobs == [waiting])
        let second = try store.commit(.settle(makeReport(id, 2, .failed(glitch))))
        let end = JobEnd(id: id, state: .failed, attempt: Attempt(rawValue: 2), failure: glitch)
        #expect(second == [.ended(Ended(end: end))])
        let details = try store.details(id)
        #expect(details.pastAttempts.map(\.attempt.rawValue) == [1, 2])
        #expect(details.pastAttempts.allSatisfy { $0.failure == glitch && $0.worker == worker })
        #expect(details.failure == glitch)
        let known = JobResult(end: end)
        #expect(try store.ask(.result(id, .whole)) == .result(known, isIssued: true))
    }

    @Test(arguments: Kind.allCases)
    func `a permanent failure ends the job at once`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var failure = mistake
        failure.sqliteCode = 1
        failure.offset = 14
        let id = try store.insert(makeJob())[0]
        _ = try store.commit(.settle(makeReport(id, 1, .failed(failure))))
        #expect(try store.state(id) == .failed)
        #expect(try store.details(id).failure == failure)
    }

    @Test(arguments: Kind.allCases)
    func `an exit code is kept with its failure`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        var failure = Failure(.exitCode, "The program ended with exit code 3: no.")
        failure.exitCode = 3
        failure.isPermanent = true
        let id = try store.insert(makeJob())[0]
        _ = try store.commit(.settle(makeReport(id, 1, .failed(failure))))
        #expect(try store.details(id).failure == failure)
        #expect(try store.details(id).pastAttempts.map(\.failure) == [failure])
    }

    @Test(arguments: Kind.allCases)
    func `a report of another attempt comes too late`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        for attempt in [0, 2] {
            let facts = try store.commit(.settle(makeReport(id, attempt, success())))
            #expect(facts == [.cameLate(id, Attempt(rawValue: attempt))])
        }
        _ = try store.commit(.settle(makeReport(id, 1, success())))
        let again = try store.commit(.settle(makeReport(id, 1, .failed(mistake))))
        #expect(again == [.cameLate(id, Attempt(rawValue: 1))])
        let unknown = JobID(rawValue: 77)
        let facts = try store.commit(.settle(makeReport(unknown, 1, success())))
        #expect(facts == [.cameLate(unknown, Attempt(rawValue: 1))])
        #expect(try store.state(id) == .succeeded)
    }

    @Test(arguments: Kind.allCases)
    func `a start is written once, and only for the run that may begin`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        let start = Change.start(id, Attempt(rawValue: 1), worker, at: Timestamp(rawValue: 5))
        #expect(try store.commit(start) == [])
        #expect(try store.state(id) == .running)
        #expect(try store.details(id).startedAt == Timestamp(rawValue: 5))
        #expect(try store.counts().running == 1)
        #expect(try store.commit(start) == [])
        _ = try store.commit(.settle(makeReport(id, 1, success())))
        #expect(try store.commit(start) == [])
        #expect(try store.state(id) == .succeeded)
    }

    @Test(arguments: Kind.allCases)
    func `three losses in a row are too many`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        for attempt in 1...3 {
            let attempt = Attempt(rawValue: attempt)
            let facts = try store.commit(.lose(id, attempt, worker, reason: "It is gone."))
            let details = try store.details(id)
            #expect(details.job.losses == attempt.rawValue)
            #expect(details.pastAttempts.last?.failure == Failure(.lost, "It is gone."))
            if attempt.rawValue < 3 {
                #expect(
                    facts == [.queued(try store.load(.standard, Turns(isSuspect: true)).jobs[0])]
                )
            } else {
                let end = JobEnd(id: id, state: .failed, attempt: attempt, failure: .poisoned)
                #expect(facts == [.ended(Ended(end: end))])
            }
        }
        let after = try store.commit(.lose(id, Attempt(rawValue: 3), worker, reason: "again"))
        #expect(after == [.cameLate(id, Attempt(rawValue: 3))])
    }

    @Test(arguments: Kind.allCases)
    func `a run that was put back counts for nothing`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        let id = try store.insert(makeJob())[0]
        let facts = try store.commit(.settle(makeReport(id, 1, .putBack)))
        let loaded = try store.load().jobs
        #expect(facts == loaded.map(Fact.queued))
        #expect(loaded.map(\.next.rawValue) == [2])
        #expect(try store.details(id).job.failures == 0)
        #expect(try store.details(id).pastAttempts.isEmpty)
    }

    @Test(arguments: Kind.allCases)
    func `a delayed job waits for its moment`(kind: Kind) throws {
        let store = try StoreUnderTest(kind)
        try store.insert(makeJob(start: .after(ms: 500)), makeJob(start: .after(ms: 900)))
        #expect(try store.load().jobs.isEmpty)
        store.now = store.now.adding(ms: 500)
        #expect(try store.load().jobs.count == 1)
        guard case .surveyed(let survey) = try store.ask(.survey(now: store.now)) else { return }
        #expect(survey.ready == [Lane(.standard)])
        #expect(survey.nextReadyAt == store.now.adding(ms: 400))
    }
}
