import Testing

@testable import JobCore

/// The services of Titanic: jobs under ids that cannot be guessed.
@Suite("Titanic") struct TitanicTests {
    private let id = TitanicID(job: JobID(rawValue: 1), token: -9)
    private let ada = Peer(owner: Owner(rawValue: "ada"), role: .submit)

    private var request: Request {
        var spec = makeSpec()
        spec.salt = id.token
        return .titanicRequest(makeSubmission(spec))
    }

    private func keyed(_ role: Role) -> Caller {
        let peer = Peer(owner: ada.owner, role: role)
        return Caller(client: ClientID(rawValue: [1]), service: [], peer: peer)
    }

    private func refusal(_ decisions: Decisions) -> String? {
        guard case .refused(let refusal)? = decisions.messages.first?.reply else { return nil }
        return refusal.code
    }

    @Test func `a request is answered with its id once it is written`() throws {
        var stage = Stage()
        let asked = stage.ask(request)
        #expect(asked.messages.isEmpty)
        guard case .insert(let insertion)? = asked.changes.first else {
            Issue.record("\(asked)")
            return
        }
        #expect(insertion.jobs.map(\.spec.titanicToken) == [id.token])
        let written = stage.hear(.wrote([stage.inserted(insertion)]))
        #expect(written.messages == [Message(to: caller(), .titanicID(id))])
        let order = try #require(written.orders.first?.order)
        #expect(order.salt == nil, "A worker takes what has a salt for a job that writes.")
    }

    @Test func `a job that writes has a salt, and no id of Titanic's`() {
        var spec = makeSpec(writes: "main")
        spec.salt = 5
        #expect(spec.titanicToken == nil)
        var job = waiting(1)
        job.spec = spec
        #expect(Order(sequence: 1, job: job).salt == 5)
    }

    @Test func `a reply is the result of the job that has the id, or not yet, or unknown`() {
        let end = JobEnd(id: id.job, state: .succeeded, attempt: Attempt(rawValue: 1), failure: nil)
        let result = JobResult(end: end, head: outcome.head, bytes: outcome.bytes)
        let open = JobEnd(id: id.job, state: .queued, attempt: .none, failure: nil)
        let again = Dispatcher.askAgainMs
        for (found, reply) in [
            (result, Reply.result(result)),
            (JobResult(end: open), .pending(id.job, .queued, retryAfterMs: again)),
        ] {
            var stage = Stage()
            let asked = stage.ask(.titanicReply(id))
            #expect(asked.queries.map(\.query) == [.titanicResult(id)])
            guard let ticket = asked.queries.first?.ticket else { return }
            let heard = stage.hear(.answered(ticket, .result(found, isIssued: true)))
            #expect(heard.messages.map(\.reply) == [reply])
        }
        var stage = Stage()
        guard let ticket = stage.ask(.titanicReply(id)).queries.first?.ticket else { return }
        let heard = stage.hear(.answered(ticket, .result(nil, isIssued: false)))
        #expect(refusal(heard) == "unknown_job")
    }

    /// What follows the answer to whose the id is.
    private func closing(
        _ owner: Owner?,
        by caller: Caller,
        in stage: inout Stage
    ) throws -> Decisions {
        let asked = stage.hear(.asked(.titanicClose(id), by: caller))
        #expect(asked.changes.isEmpty && asked.messages.isEmpty)
        #expect(asked.queries.map(\.query) == [.titanicOwner(id)])
        let ticket = try #require(asked.queries.first?.ticket)
        return stage.hear(.answered(ticket, .owners([owner], isIssued: [owner != nil])))
    }

    @Test func `a close calls off the run and takes the job away, in one change`() throws {
        var stage = Stage()
        let order = try #require(stage.submit().orders.first?.order)
        let decided = try closing(.local, by: caller(), in: &stage)
        guard case .close(let targets, let ticket)? = decided.changes.first else {
            Issue.record("\(decided)")
            return
        }
        #expect(targets == [Target(order.job, active: order.attempt)])
        #expect(decided.messages.isEmpty)
        let cancelled = JobEnd(
            id: order.job,
            state: .cancelled,
            attempt: order.attempt,
            failure: .calledOff
        )
        let facts = [Fact.ended(Ended(end: cancelled)), .changed(ticket, count: 1, unfit: nil)]
        let heard = stage.hear(.wrote(facts))
        #expect(heard.messages.map(\.reply) == [.count(1)])
        #expect(heard.signals.count == 1)
        #expect(stage.hear(.reported([makeReport(order)])).changes.isEmpty)
        #expect(stage.dispatcher.leaving.isEmpty && stage.dispatcher.active.isEmpty)
    }

    @Test func `a job that is being closed does not start`() throws {
        var stage = Stage()
        stage.submit()
        stage.submit()  // Waits behind a job of unknown length.
        let asked = stage.ask(.titanicClose(TitanicID(job: JobID(rawValue: 2), token: 1)))
        let ticket = try #require(asked.queries.first?.ticket)
        stage.hear(.answered(ticket, .owners([.local], isIssued: [true])))
        let order = Order(sequence: 1, job: waiting(1))
        #expect(stage.hear(.reported([makeReport(order)])).orders.isEmpty)
    }

    @Test func `to close what nobody has is done already`() throws {
        var stage = Stage()
        let unknown = try closing(nil, by: caller(), in: &stage)
        #expect(unknown.changes.isEmpty && unknown.messages.map(\.reply) == [.count(0)])
        #expect(stage.ask(.titanicClose(nil)).messages.map(\.reply) == [.count(0)])
        // It was there when the store was asked, and is gone when it is written.
        let decided = try closing(.local, by: caller(), in: &stage)
        guard case .close(_, let ticket)? = decided.changes.first else { return }
        let gone = Fact.changed(ticket, count: 0, unfit: .gone(id.job))
        #expect(stage.hear(.wrote([gone])).messages.map(\.reply) == [.count(0)])
        #expect(stage.dispatcher.quotas.isIdle)
    }

    @Test func `who may change only its own jobs closes only those`() throws {
        for (role, owner, code) in [
            (Role.submit, ada.owner, nil), (.admin, .local, nil),
            (.submit, .local, "forbidden" as String?),
        ] {
            var stage = Stage()
            let decided = try closing(owner, by: keyed(role), in: &stage)
            #expect(refusal(decided) == code)
            #expect(decided.changes.count == (code == nil ? 1 : 0))
        }
    }

    @Test func `a close that cannot be written is refused, and the job goes on`() throws {
        var stage = Stage()
        let decided = try closing(.local, by: caller(), in: &stage)
        guard case .close(_, let ticket)? = decided.changes.first else { return }
        let full = Refusal(503, "disk_full", "No.")
        #expect(refusal(stage.hear(.wrote([.refused(ticket, full)]))) == "disk_full")
        #expect(stage.dispatcher.leaving.isEmpty)
    }
}
