import Testing

@testable import JobCore

@Suite("A job that comes after others")
struct DispatcherDependencyTests {
    private struct Missing: Error {}

    private func submission(after others: Int64...) -> Submission {
        var job = makeSubmission()
        job.after = others.map { Predecessor(.job(JobID(rawValue: $0)), givesResult: true) }
        return job
    }

    /// A stage on which a job of the common sort has run, so that others might run early.
    private func practised() throws -> Stage {
        var stage = Stage()
        let order = try #require(stage.submit().orders.first?.order)
        stage.hear(.reported([makeReport(order)]))
        stage.hear(.wrote([.settled(reports: 1), ended(order)]))
        return stage
    }

    @Test func `starts when it is told that it waits for none of them`() throws {
        var stage = try practised()
        let asked = stage.ask(.submit([submission(after: 7)], isBatch: false, waitMs: nil))
        guard case .insert(let insertion)? = asked.changes.first else {
            Issue.record("\(asked.changes)")
            return
        }
        #expect(insertion.jobs.first?.after.count == 1)
        let written = stage.hear(.wrote([stage.inserted(insertion)]))
        #expect(written.messages.count == 1)
        #expect(asked.orders.isEmpty && written.orders.isEmpty)

        var job = waiting(insertion.ids.lowerBound)
        job.sources = [Source(JobID(rawValue: 7), name: "load")]
        let order = try #require(stage.hear(.wrote([.queued(job)])).orders.first?.order)
        #expect(order.job == job.id)
        #expect(order.sources == job.sources)
    }

    @Test func `is neither kept from the writer nor run before it is written`() throws {
        var stage = try practised()
        let alone = stage.ask(.submit([submission(after: 7)], isBatch: false, waitMs: 1_000))
        #expect(alone.orders.isEmpty && alone.changes.count == 1)
        var other = try practised()
        let jobs = [makeSubmission(), submission(after: 7)]
        let together = other.ask(.submit(jobs, isBatch: true, waitMs: nil))
        #expect(together.orders.count == 1)
    }

    @Test(arguments: [false, true])
    func `shares no transaction when it takes results`(takes: Bool) {
        var stage = Stage()
        var jobs = [waiting(1, writes: "x"), waiting(2, writes: "x")]
        if takes { jobs[1].sources = [Source(JobID(rawValue: 7))] }
        let given = stage.hear(.wrote(jobs.map(Fact.queued))).orders
        #expect(given.map(\.order.job.rawValue) == (takes ? [1] : [1, 2]))
        #expect(given.allSatisfy { ($0.order.group == nil) == takes })
    }

    @Test func `that failed with its submission is told to who waits for it`() throws {
        var stage = try practised()
        let asked = stage.ask(.submit([submission(after: 7)], isBatch: false, waitMs: 1_000))
        guard case .insert(let insertion)? = asked.changes.first else { throw Missing() }
        let job = JobID(rawValue: insertion.ids.lowerBound)
        let failure = Failure.dependencyFailed(JobID(rawValue: 7), .failed)
        let end = JobEnd(id: job, state: .failed, attempt: .none, failure: failure)
        let written = stage.hear(
            .wrote([stage.inserted(insertion), .ended(Ended(end: end))])
        )
        #expect(written.messages.map(\.reply) == [.result(JobResult(end: end))])
        // A client has it wait again, and it may start.
        #expect(stage.hear(.wrote([.blocked(job, .none, .standard)])).orders.isEmpty)
        #expect(stage.hear(.wrote([.queued(waiting(job.rawValue))])).orders.count == 1)
    }
}
