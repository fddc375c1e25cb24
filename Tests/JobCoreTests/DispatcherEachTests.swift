import Testing

@testable import JobCore

/// Jobs with many rows, as the dispatcher sees them.
@Suite("Jobs with many rows") struct DispatcherEachTests {
    private func writing(bytes: Int) -> Spec {
        var spec = makeSpec(writes: "shop")
        spec.body = Array(repeating: 32, count: bytes - spec.weight)
        return spec
    }

    /// The orders that are given once a job that kept all others waiting has ended.
    private func groups(of specs: [Spec]) throws -> [UInt64?] {
        var stage = Stage()
        let first = try #require(stage.submit(makeSpec(writes: "shop", sort: 2)).orders.first)
        for spec in specs { stage.submit(spec) }
        let decided = stage.hear(
            .reported([makeReport(first.order)]),
            .wrote([.settled(reports: 1), ended(first.order)])
        )
        return decided.orders.map(\.order.group)
    }

    @Test func `a job that brings much shares no transaction, whatever is known of its sort`()
        throws
    {
        let small = writing(bytes: Sharing.jobBytes)
        let large = writing(bytes: Sharing.jobBytes + 1)
        #expect(try groups(of: [small, small]) == [2, 2])
        // Nobody behind it passes it.
        #expect(try groups(of: [small, large, small]) == [nil])
        #expect(try groups(of: [small, small, large]) == [2, 2])
        #expect(try groups(of: [large, small]) == [nil])
    }

    @Test func `a large CSV waits in the store, and its job shares no transaction`() throws {
        var large = makeSpec(writes: "shop")
        large.frames = [.init(number: 2, bytes: Array(repeating: 1, count: 100_000))]
        var stage = Stage()
        let order = try #require(stage.submit(large).orders.first?.order)
        #expect(order.frames.isEmpty && order.framesAreStored)
        #expect(try groups(of: [large, writing(bytes: 1_000)]) == [nil])

        var small = large
        small.frames = [.init(number: 2, bytes: [1])]
        var other = Stage()
        let whole = try #require(other.submit(small).orders.first?.order)
        #expect(whole.frames == small.frames && !whole.framesAreStored)
    }

    private func shown(
        _ state: JobState,
        _ progress: Progress?
    ) throws -> Progress? {
        var stage = Stage()
        let order = try #require(stage.submit().orders.first?.order)
        let mark = WorkerMark(
            worker: WorkerID(rawValue: 1),
            sequence: order.sequence,
            startedAt: stage.now,
            progress: progress
        )
        stage.hear(.seen([mark]))
        let asked = stage.ask(.show([order.job], isBatch: false))
        let query = try #require(asked.queries.first)
        var standing = Job.Standing(readyAt: stage.now)
        standing.state = state
        standing.attempt = state == .queued ? .none : order.attempt
        var details = JobDetails(
            job: Job(id: order.job, standing: standing, writes: false, retry: .standard),
            kind: .sql,
            queue: .standard,
            timeoutMs: 1,
            createdAt: stage.now
        )
        details.progress = Progress(done: 1, total: 2)
        let answer = Answer.shown([details], isIssued: [true])
        let told = stage.hear(.answered(query.ticket, answer))
        guard case .shown(let jobs, _)? = told.messages.first?.reply else { return nil }
        return jobs.first?.progress
    }

    @Test(arguments: [JobState.queued, .running])
    func `how far a run is stands in what is shown of its job`(state: JobState) throws {
        let far = Progress(done: 17, total: 40)
        #expect(try shown(state, far) == far)
        #expect(try shown(state, nil) == Progress(done: 1, total: 2), "The store's stands.")
    }

    @Test func `of a job that has ended no run tells anything`() throws {
        let found = try shown(.succeeded, Progress(done: 17, total: 40))
        #expect(found == Progress(done: 1, total: 2))
    }
}
