import Testing

@testable import JobCore

/// Direct calls of kernels: jobs that are answered with their results alone.
@Suite("Direct calls") struct CallTests {
    private let digest = CallDigest(high: 1, low: 2)

    private func call(low: UInt64 = 2) -> Request {
        .call(makeSubmission(), CallDigest(high: 1, low: low))
    }

    private func insertion(_ decisions: Decisions) -> Insertion? {
        decisions.changes.lazy.compactMap { change in
            if case .insert(let insertion) = change { insertion } else { nil }
        }.first
    }

    private func refusals(_ decisions: Decisions) -> [String] {
        decisions.messages.map { message in
            if case .refused(let refusal) = message.reply { refusal.code } else { "none" }
        }
    }

    /// A stage on which a call is written and runs.
    private func running(_ limits: Limits = Limits()) throws -> (Stage, Order) {
        var stage = Stage(limits: limits)
        let asked = stage.ask(call())
        #expect(asked.messages.isEmpty)
        let written = stage.hear(.wrote([stage.inserted(try #require(insertion(asked)))]))
        #expect(written.messages.isEmpty, "The result is all that is ever told.")
        return (stage, try #require(written.orders.first?.order))
    }

    private func end(_ stage: inout Stage, _ order: Order) -> [Message] {
        stage.hear(.reported([makeReport(order)]))
        return stage.hear(.wrote([.settled(reports: 1), ended(order)])).messages
    }

    private func result(of order: Order) -> Reply {
        let end = JobEnd(id: order.job, state: .succeeded, attempt: order.attempt, failure: nil)
        return .result(JobResult(end: end, head: outcome.head, bytes: outcome.bytes))
    }

    @Test func `a call is answered when its job has ended, however long that takes`() throws {
        var (stage, order) = try running()
        stage.now = stage.now.adding(ms: 86_400_000)
        #expect(stage.hear(.timePassed).messages.isEmpty)
        #expect(end(&stage, order) == [Message(to: caller(), result(of: order))])
        #expect(stage.dispatcher.calls.count == 0 && stage.dispatcher.calls.jobs == 0)
        #expect(stage.dispatcher.quotas.isIdle)
    }

    @Test func `the same call joins the job that is under way, and each caller is answered once`()
        throws
    {
        var (stage, order) = try running()
        // The same client again, and another one, as after a time-out.
        for client: UInt8 in [1, 2] {
            let joined = stage.ask(call(), client: client)
            #expect(joined.changes.isEmpty && joined.messages.isEmpty)
        }
        let told = end(&stage, order)
        #expect(told.map(\.to) == [caller(1), caller(1), caller(2)])
        #expect(told.allSatisfy { $0.reply == result(of: order) })
        let next = stage.ask(call()).orders.first?.order.job
        #expect(next.map { $0 > order.job } == true, "What has ended is not joined.")
    }

    @Test func `many that have joined are answered in several rounds, and others in between`()
        throws
    {
        var (stage, order) = try running()
        let most = stage.dispatcher.plan.answersARound
        for _ in 0..<most + 9 { #expect(stage.ask(call(), client: 2).messages.isEmpty) }
        #expect(end(&stage, order).count == most)
        #expect(stage.dispatcher.nextWake().map { $0 <= stage.now } == true)
        let next = stage.ask(.ping, client: 3).messages
        #expect(next.first == Message(to: caller(3), .pong))
        #expect(next.count == 1 + 10)
        #expect(next.dropFirst().allSatisfy { $0 == Message(to: caller(2), result(of: order)) })
        #expect(!stage.dispatcher.calls.isAnswering && stage.dispatcher.calls.count == 0)
        #expect(stage.dispatcher.quotas.isIdle)
    }

    @Test func `a stop waits until all callers of an ended job are told`() throws {
        var (stage, order) = try running()
        let most = stage.dispatcher.plan.answersARound
        for _ in 0..<most { #expect(stage.ask(call(), client: 2).messages.isEmpty) }
        stage.hear(.stop)
        #expect(end(&stage, order).count == most)
        #expect(stage.dispatcher.stop.step == .draining)
        let last = stage.hear(.timePassed)
        #expect(last.messages == [Message(to: caller(2), result(of: order))])
        #expect(last.signals == [.exit(startAgain: false)])
    }

    @Test func `a call joins before its job is written, too`() throws {
        var stage = Stage()
        let asked = stage.ask(call())
        #expect(stage.ask(call(), client: 2).changes.isEmpty)
        let written = stage.hear(.wrote([stage.inserted(try #require(insertion(asked)))]))
        let order = try #require(written.orders.first?.order)
        #expect(end(&stage, order).map(\.to) == [caller(1), caller(2)])
    }

    @Test func `another call, and the same of somebody else, is a job of its own`() throws {
        var (stage, _) = try running()
        #expect(insertion(stage.ask(call(low: 3))) != nil)
        let peer = Peer(owner: Owner(rawValue: "ada"), role: .submit)
        let ada = Caller(client: ClientID(rawValue: [1]), service: [], peer: peer)
        let asked = stage.hear(.asked(call(), by: ada))
        #expect(insertion(asked)?.owner == peer.owner)
    }

    @Test func `a short call is written once, with its end`() throws {
        var (stage, order) = try running()
        _ = end(&stage, order)
        let asked = stage.ask(call())
        #expect(asked.changes.isEmpty)
        let next = try #require(asked.orders.first?.order)
        let reported = stage.hear(.reported([makeReport(next)]))
        #expect(reported.changes.count == 2)
        let inserted = stage.inserted(try #require(insertion(reported)))
        let told = stage.hear(.wrote([.settled(reports: 1), inserted, ended(next)])).messages
        #expect(told.map(\.reply) == [result(of: next)])
    }

    @Test func `a call that failed or was cancelled is told so`() throws {
        for failure in [Failure.calledOff, Failure(.kernelError, "No.")] {
            var (stage, order) = try running()
            let state = failure.code == .cancelled ? JobState.cancelled : .failed
            let end = JobEnd(id: order.job, state: state, attempt: order.attempt, failure: failure)
            let told = stage.hear(.wrote([.ended(Ended(end: end))])).messages
            #expect(told.map(\.reply) == [.result(JobResult(end: end))])
        }
    }

    @Test func `a result that is too large for one reply is refused with its job's number`() throws
    {
        var limits = Limits()
        limits.replyBytes = 0
        var (stage, order) = try running(limits)
        guard case .refused(let refusal)? = end(&stage, order).first?.reply else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.code == "read_in_pieces")
        #expect(refusal.hint?.contains("job \(order.job.rawValue) ") == true)
    }

    // MARK: Refusals

    @Test func `whoever has joined is told when the job is refused`() throws {
        var stage = Stage()
        let asked = stage.ask(call())
        #expect(stage.ask(call(), client: 2).messages.isEmpty)
        let ticket = try #require(insertion(asked)?.ticket)
        let full = Refusal(429, "queue_full", "No.")
        let told = stage.hear(.wrote([.refused(ticket, full)])).messages
        #expect(told.map(\.to) == [caller(1), caller(2)])
        #expect(told.allSatisfy { $0.reply == .refused(full) })
        #expect(insertion(stage.ask(call())) != nil)
    }

    @Test func `as many calls wait as may, and no more`() throws {
        var limits = Limits()
        limits.calls = 2
        var (stage, order) = try running(limits)
        #expect(stage.ask(call(), client: 2).messages.isEmpty)
        #expect(refusals(stage.ask(call(), client: 3)) == ["too_many_calls"])
        #expect(refusals(stage.ask(call(low: 3), client: 3)) == ["too_many_calls"])
        #expect(end(&stage, order).count == 2)
        #expect(stage.ask(call(low: 3), client: 3).messages.isEmpty)
    }

    @Test func `a call costs its client a job, and one that joins nothing`() throws {
        var limits = Limits()
        limits.jobsPerSecondPerClient = 1
        var (stage, _) = try running(limits)
        #expect(stage.ask(call()).messages.isEmpty)
        #expect(refusals(stage.ask(call(low: 3))) == ["too_many_jobs"])
        #expect(insertion(stage.ask(call(low: 3), client: 2)) != nil)
    }

    @Test func `a call that is refused gives back what it cost`() throws {
        var limits = Limits()
        limits.jobsPerSecondPerClient = 1
        var stage = Stage(limits: limits)
        let ticket = try #require(insertion(stage.ask(call()))?.ticket)
        stage.hear(.wrote([.refused(ticket, Refusal(429, "queue_full", "No."))]))
        #expect(insertion(stage.ask(call())) != nil)
    }

    @Test func `a stop takes no new calls, and tells those that still wait at its end`() throws {
        var (stage, order) = try running()
        stage.hear(.stop)
        #expect(refusals(stage.ask(call(low: 3), client: 2)) == ["draining"])
        #expect(stage.ask(call(), client: 3).messages.isEmpty, "It may end before the runner does.")
        var report = makeReport(order)
        report.ending = .putBack
        stage.hear(.reported([report]))
        var back = waiting(order.job.rawValue)
        back.next = order.attempt.next
        let told = stage.hear(.wrote([.settled(reports: 1), .queued(back)]))
        #expect(refusals(told) == ["draining", "draining"])
        #expect(told.messages.map(\.to) == [caller(1), caller(3)])
    }
}
