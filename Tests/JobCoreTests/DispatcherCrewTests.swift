import Testing

@testable import JobCore

/// Workers that do not come, do not stop, or do so late, and what becomes of their jobs.
@Suite("Workers that come and go") struct DispatcherCrewTests {
    private let first = WorkerID(rawValue: 1)

    // MARK: Workers that do not stop

    @Test func `a worker is given up stuck_ms after it was seen to be overdue, not before`() throws {
        var stage = Stage()
        let order = try #require(stage.submit().orders.first?.order)
        let mark = stage.mark(order.sequence)
        // All of the process has stood still: nobody could tell the worker that its time is over.
        stage.now = stage.now.adding(ms: 1_000_000)
        #expect(!stage.hear(mark).signals.contains(.abandon(first)))
        stage.now = stage.now.adding(ms: 200)
        #expect(!stage.hear(mark).signals.contains(.abandon(first)))
        stage.now = stage.now.adding(ms: 1)
        #expect(stage.hear(mark).signals.contains(.abandon(first)))
    }

    @Test func `a worker is given up stuck_ms after it was seen to ignore a cancel`() throws {
        var stage = Stage()
        let order = try #require(stage.submit(makeSpec(writes: "x")).orders.first?.order)
        let mark = stage.mark(order.sequence)
        stage.hear(.wrote([.cancelRequested(order.job, order.attempt)]))
        stage.now = stage.now.adding(ms: 50_000)
        #expect(!stage.hear(mark).signals.contains(.abandon(first)))
        stage.now = stage.now.adding(ms: 201)
        #expect(stage.hear(mark).signals.contains(.abandon(first)))
    }
}
