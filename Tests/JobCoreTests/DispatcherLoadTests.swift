import Testing

@testable import JobCore

/// Jobs so large that a load brings few of them, as the dispatcher sees them.
@Suite("Loads of large jobs") struct DispatcherLoadTests {
    /// A store that shows eight jobs at a time, and how often it was asked to.
    private struct Shelf {
        var stage: Stage
        var queued: [Int64]
        var loads = 0
        var started: [Order] = []

        init(workers: Int, jobs: Int64) {
            stage = Stage(workers: workers)
            queued = Array(1...jobs)
            stage.dispatcher.lanes.markIncomplete(Lane(.standard))
            carryOut(stage.hear())
        }

        private mutating func carryOut(_ first: Decisions) {
            var decisions = first
            while true {
                started += decisions.orders.map(\.order)
                guard let asked = decisions.queries.first, loads < 1_000,
                    case .load(let lane, _, _, let known) = asked.query
                else { return }
                loads += 1
                let rest = queued.filter { !known.contains(JobID(rawValue: $0)) }
                let jobs = rest.prefix(8).map { waiting($0) }
                let answer = Answer.loaded(lane, jobs, isAll: jobs.count == rest.count)
                decisions = stage.hear(.answered(asked.ticket, answer))
            }
        }

        mutating func end(_ order: Order) {
            carryOut(stage.hear(.reported([makeReport(order)])))
            queued.removeAll { $0 == order.job.rawValue }
            carryOut(stage.hear(.wrote([ended(order)])))
        }
    }

    @Test func `a load that brings few jobs is not asked for again before they are used up`() {
        var shelf = Shelf(workers: 1, jobs: 40)
        var place = 0
        while place < shelf.started.count {
            shelf.end(shelf.started[place])
            place += 1
        }
        #expect(shelf.started.map(\.job.rawValue) == Array(1...40))
        #expect(shelf.loads <= 10)
    }

    @Test func `large jobs that run leave room in a load for those that wait`() {
        var shelf = Shelf(workers: 12, jobs: 30)
        #expect(shelf.started.count == 12)
        #expect(shelf.loads == 2)
        #expect(shelf.stage.hear(.timePassed).queries.isEmpty)
    }

    @Test func `nobody is woken for a load that failed before a stop`() throws {
        var stage = Stage()
        stage.submit()
        stage.dispatcher.lanes.markIncomplete(Lane(.standard))
        let load = try #require(stage.hear().queries.first?.ticket)
        stage.hear(.answered(load, .unreadable(Refusal(500, "store_unfit", "No."))))
        stage.dispatcher.beginDraining(at: stage.now)
        stage.now = stage.now.adding(ms: 1_000)
        stage.hear(.timePassed)
        #expect(stage.dispatcher.nextWake().map { $0 > stage.now } ?? true)
    }

    // MARK: Results that are not written yet

    @Test func `nothing starts while too much of what was reported is not written`() throws {
        var stage = Stage(workers: 2)
        var plan = stage.dispatcher.plan
        plan.unsettledBytes = 10_000
        stage = Stage(plan, workers: 2)
        let orders = [stage.submit(), stage.submit()].compactMap(\.orders.first)
        #expect(orders.count == 2)
        stage.submit()
        var first = makeReport(orders[0].order, worker: orders[0].worker.rawValue)
        first.ending = .succeeded(Outcome(format: .bytes, bytes: .init(repeating: 0, count: 9_999)))
        #expect(stage.hear(.reported([first])).orders.isEmpty)
        let second = makeReport(orders[1].order, worker: orders[1].worker.rawValue)
        #expect(stage.hear(.reported([second])).orders.isEmpty)
        // The job may end before its report is dealt with: by a cancel.
        #expect(stage.hear(.wrote([ended(orders[0].order)])).orders.isEmpty)
        #expect(stage.hear(.wrote([.settled(reports: 1)])).orders.count == 1)
        #expect(!stage.dispatcher.unsettled.isEmpty)
        stage.hear(.wrote([.settled(reports: 1), ended(orders[1].order)]))
        #expect(stage.dispatcher.unsettled.isEmpty && stage.dispatcher.unsettled.bytes == 0)
    }

    @Test func `parts without ids count as what is not written`() throws {
        var stage = Stage(ids: 1...1)
        let order = try #require(stage.submit(makeSpec(parts: 2)).orders.first?.order)
        var report = makeReport(order)
        report.ending = .split([Part(body: [1])])
        #expect(stage.hear(.reported([report])).changes.count == 1)
        #expect(!stage.dispatcher.unsettled.isEmpty)
    }

    @Test func `while the store cannot be written nothing follows on what was reported`() throws {
        var stage = Stage()
        let full = Refusal(503, "disk_full", "The disk is full.")
        let order = try #require(stage.submit().orders.first?.order)
        stage.hear(.wrote([.unwritable(full)]))
        stage.submit()
        stage.hear(.wrote([.unwritable(full)]))
        #expect(stage.hear(.reported([makeReport(order)])).orders.isEmpty)
        #expect(stage.hear(.wrote([.settled(reports: 1), ended(order)])).orders.count == 1)
        // Nobody waits for a fact that does not come.
        var idle = Stage(isStarted: false)
        for asked in idle.hear().queries {
            idle.hear(.answered(asked.ticket, .surveyed(Survey())))
        }
        idle.submit()
        idle.hear(.wrote([.unwritable(full)]))
        #expect(idle.hear(.ready(WorkerID(rawValue: 1))).orders.count == 1)
    }
}
