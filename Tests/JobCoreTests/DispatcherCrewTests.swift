import Testing

@testable import JobCore

/// Workers that do not come, do not stop, or do so late, and what becomes of their jobs.
@Suite("Workers that come and go") struct DispatcherCrewTests {
    private let first = WorkerID(rawValue: 1)
    private let second = WorkerID(rawValue: 2)

    private func alarms(_ stage: inout Stage) -> [String] {
        let ticket = stage.ask(.statistics).queries.last?.ticket ?? Ticket(rawValue: 0)
        let told = stage.hear(.answered(ticket, .statistics(Statistics()))).messages
        guard case .statistics(let statistics)? = told.first?.reply else { return ["none"] }
        return statistics.alarms
    }

    // MARK: Workers that do not come

    @Test func `a worker that ends before it is ready is tried again, and missed until then`() {
        var stage = Stage(workers: 2, isStarted: false)
        for asked in stage.hear().queries {
            stage.hear(.answered(asked.ticket, .surveyed(Survey())))
        }
        stage.hear(.ready(second))
        #expect(alarms(&stage).isEmpty)
        #expect(stage.hear(.died(first)).signals.isEmpty)
        #expect(alarms(&stage) == ["1 of 2 workers cannot be started."])
        for worker in 3...5 {
            let due = stage.now.adding(ms: 1_000)
            #expect(stage.dispatcher.nextWake() == due)
            stage.now = due
            #expect(stage.hear(.timePassed).signals == [.start(WorkerID(rawValue: worker))])
            #expect(stage.dispatcher.nextWake() == nil)
            #expect(alarms(&stage).count == 1, "It is not there yet.")
            guard worker < 5 else { break }
            stage.hear(.died(WorkerID(rawValue: worker)))
        }
        stage.hear(.ready(WorkerID(rawValue: 5)))
        #expect(alarms(&stage).isEmpty)
    }

    @Test func `a stop starts no workers`() {
        var stage = Stage(isStarted: false)
        stage.hear(.died(first))
        stage.hear(.stop)
        stage.now = stage.now.adding(ms: 1_000)
        #expect(!stage.hear(.timePassed).signals.contains(.start(second)))
    }

    // MARK: Workers that do not stop

    @Test func `a worker is given up stuck_ms after it was seen to be late, not before`() throws {
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
