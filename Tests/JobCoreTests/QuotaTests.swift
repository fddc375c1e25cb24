import Testing

@testable import JobCore

/// What one client may take, so that others have something left.
@Suite struct QuotaTests {
    private func keyed(_ name: String, client: UInt8, _ role: Role = .submit) -> Caller {
        let peer = Peer(owner: Owner(rawValue: name), role: role)
        return Caller(client: ClientID(rawValue: [client]), service: [], peer: peer)
    }

    private func refusal(_ decisions: Decisions) -> Refusal? {
        guard case .refused(let refusal)? = decisions.messages.first?.reply else { return nil }
        return refusal
    }

    @Test
    func `requests under way are counted by key, else by connection, and no more than allowed`() {
        var limits = Limits()
        limits.requestsPerClient = 2
        var stage = Stage(limits: limits)
        let show = Request.show([JobID(rawValue: 1)], isBatch: false)
        let first = stage.hear(.asked(show, by: keyed("ada", client: 1)))
        #expect(stage.hear(.asked(show, by: keyed("ada", client: 2))).queries.count == 1)
        let third = refusal(stage.hear(.asked(show, by: keyed("ada", client: 3))))
        #expect(third?.status == 429)
        #expect(third?.code == "too_many_requests")
        #expect(third?.retryAfterMs != nil)
        // Nobody else is touched by it: neither another key nor who has none.
        #expect(stage.hear(.asked(show, by: keyed("bob", client: 1))).queries.count == 1)
        for client: UInt8 in 1...3 { #expect(stage.ask(show, client: client).queries.count == 1) }
        // An answer makes room for one request, and a refusal for none.
        guard let ticket = first.queries.first?.ticket else { return }
        stage.hear(.answered(ticket, .shown([nil], isIssued: [true])))
        #expect(stage.hear(.asked(show, by: keyed("ada", client: 3))).queries.count == 1)
        #expect(refusal(stage.hear(.asked(show, by: keyed("ada", client: 3)))) != nil)
        // What is answered at once never adds up.
        for _ in 0..<10 { #expect(refusal(stage.ask(.ping, client: 9)) == nil) }
    }

    @Test func `a submission that was held for ids counts once`() {
        var limits = Limits()
        limits.requestsPerClient = 1
        limits.jobsPerSecondPerClient = 1
        var stage = Stage(ids: 1...1, limits: limits)
        let request = Request.submit(
            [makeSubmission(), makeSubmission()],
            isBatch: true,
            waitMs: nil
        )
        #expect(stage.ask(request).messages.isEmpty)
        let released = stage.hear(.wrote([.reserved(upTo: 100_001)]))
        guard case .insert(let insertion)? = released.changes.first else {
            Issue.record("\(released)")
            return
        }
        #expect(stage.hear(.wrote([stage.inserted(insertion)])).messages.count == 1)
        #expect(refusal(stage.ask(.ping)) == nil)
    }

    @Test func `waits are counted by key, with the jobs that they are for`() {
        var limits = Limits()
        limits.waitsPerClient = 2
        limits.awaitedJobsPerClient = 5
        var stage = Stage(limits: limits)
        func wait(_ count: Int64) -> Request {
            .wait((1...count).map(JobID.init(rawValue:)), waitMs: 1_000)
        }
        #expect(refusal(stage.hear(.asked(wait(6), by: keyed("ada", client: 1))))?.status == 429)
        #expect(refusal(stage.hear(.asked(wait(4), by: keyed("ada", client: 1)))) == nil)
        #expect(refusal(stage.hear(.asked(wait(2), by: keyed("ada", client: 2))))?.status == 429)
        #expect(refusal(stage.hear(.asked(wait(1), by: keyed("ada", client: 2)))) == nil)
        let over = refusal(stage.hear(.asked(wait(1), by: keyed("ada", client: 3))))
        #expect(over?.code == "too_many_waits")
        #expect(refusal(stage.hear(.asked(wait(5), by: keyed("bob", client: 1)))) == nil)
        stage.now = stage.now.adding(ms: 60_000)
    }

    @Test func `jobs a second have a limit, and a large batch is paid for afterwards`() {
        var limits = Limits()
        limits.jobsPerSecondPerClient = 10
        var quotas = Quotas(limits)
        let (ada, bob) = (keyed("ada", client: 1).account, keyed("bob", client: 1).account)
        var now = Timestamp(rawValue: 1_000_000)
        for _ in 0..<10 { #expect(quotas.charge(1, to: ada, at: now) == nil) }
        #expect(quotas.charge(1, to: ada, at: now) == 1)
        now = now.adding(ms: 1)
        #expect(quotas.charge(30, to: ada, at: now) == nil)
        #expect(quotas.charge(1, to: ada, at: now) == 3_000)
        now = now.adding(ms: 2_999)
        #expect(quotas.charge(1, to: ada, at: now) == 1)
        now = now.adding(ms: 1)
        #expect(quotas.charge(1, to: ada, at: now) == nil)
        #expect(quotas.charge(10, to: bob, at: now) == nil)
        #expect(quotas.charge(1, to: bob, at: now) != nil)
        // However long it did nothing, there is one second's worth.
        now = now.adding(ms: 500_000_000)
        #expect(quotas.charge(10, to: bob, at: now) == nil)
        #expect(quotas.charge(1, to: bob, at: now) != nil)
        // Off unless set; and those who have used nothing of late are forgotten.
        var free = Quotas(Limits())
        #expect(free.charge(1_000_000, to: ada, at: now) == nil)
        for n in 0..<5_000 {
            now = now.adding(ms: 1)
            let connection = Account.connection(ClientID(rawValue: Array("\(n)".utf8)))
            #expect(quotas.charge(1, to: connection, at: now) == nil)
        }
        #expect(quotas.count < 2_100)
    }

    @Test func `who submits too fast is told when to come again`() {
        var limits = Limits()
        limits.jobsPerSecondPerClient = 1
        var stage = Stage(limits: limits)
        let request = Request.submit([makeSubmission()], isBatch: false, waitMs: nil)
        #expect(refusal(stage.ask(request)) == nil)
        let second = refusal(stage.ask(request))
        #expect(second?.status == 429)
        #expect(second?.code == "too_many_jobs")
        #expect(second?.retryAfterMs == 1)
        #expect(refusal(stage.ask(request, client: 2)) == nil)
    }

    @Test func `what was refused is not paid for`() {
        var limits = Limits()
        limits.jobsPerSecondPerClient = 10
        var stage = Stage(limits: limits)
        let jobs = Array(repeating: makeSubmission(), count: 600)
        let queueFull = Refusal(429, "queue_full", "There are enough jobs.")
        for _ in 0..<3 {
            let asked = stage.ask(.submit(jobs, isBatch: true, waitMs: nil))
            guard case .insert(let insertion)? = asked.changes.first else { break }
            #expect(refusal(stage.hear(.wrote([.refused(insertion.ticket, queueFull)]))) != nil)
        }
        let one = Request.submit([makeSubmission()], isBatch: false, waitMs: nil)
        for _ in 0..<10 { #expect(refusal(stage.ask(one)) == nil) }
        #expect(refusal(stage.ask(one))?.code == "too_many_jobs", "No more than a second's worth.")
    }
}
