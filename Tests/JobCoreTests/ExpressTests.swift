import Testing

@testable import JobCore

/// What happens to short jobs while long ones hold all workers.
@Suite("Short jobs beside long ones") struct ExpressTests {
    private static let longSort: UInt64 = 9
    private let long = makeSpec(sort: longSort)
    private let third = WorkerID(rawValue: 3)
    private let fourth = WorkerID(rawValue: 4)

    /// Two workers, and long jobs that are known to be.
    private func makeStage(hasExpress: Bool = true) -> Stage {
        let now = Timestamp(rawValue: 1_000)
        var plan = StoryWorld.dispatcher(run: 1, 2, Limits(), now, ids: 1...100_000).plan
        plan.hasExpress = hasExpress
        var stage = Stage(plan, workers: 2)
        stage.dispatcher.pace.learn(Self.longSort, micros: 1_000_000)
        return stage
    }

    /// The same with long jobs on both workers, ten more that wait, and an express worker.
    private func makeFullStage() -> Stage {
        var stage = makeStage()
        for _ in 0..<12 { stage.submit(long) }
        stage.hear(.ready(third))
        return stage
    }

    private func workers(_ decisions: Decisions) -> [Int] {
        decisions.orders.map(\.worker.rawValue)
    }

    @Test func `a worker for short jobs is started when long ones hold all others`() {
        var stage = makeStage()
        #expect(stage.submit(long).signals.isEmpty)
        let full = stage.submit(long)
        #expect(workers(full) == [2])
        #expect(full.signals == [.start(third)])
        #expect(stage.submit(long).orders.isEmpty)
        #expect(stage.hear(.ready(third)).orders.isEmpty, "It is not for long jobs.")
        #expect(workers(stage.submit()) == [3], "It starts before the one that came first.")
        #expect(stage.submit().orders.isEmpty, "Nobody knows how long the first takes.")
    }

    @Test func `a run that is seen to last makes its worker one of those that are held`() throws {
        var stage = makeStage()
        var marks: [Event] = []
        for worker in 1...2 {
            let order = try #require(stage.submit(makeSpec(sort: 5)).orders.first?.order)
            marks.append(stage.mark(order.sequence, worker: worker))
        }
        #expect(stage.submit(makeSpec(sort: 6)).orders.isEmpty)
        #expect(stage.dispatcher.watchEveryMs == 5)
        stage.now = stage.now.adding(ms: 4)
        #expect(stage.hear(marks[0], marks[1]).signals.isEmpty)
        stage.now = stage.now.adding(ms: 1)
        #expect(stage.hear(marks[0], marks[1]).signals == [.start(third)])
        #expect(workers(stage.hear(.ready(third))) == [3])
        #expect(stage.dispatcher.isLong(5) && !stage.dispatcher.pace.knows(5))
    }

    @Test func `a job that proves to be long on the express worker makes way for the next`() throws
    {
        var stage = makeFullStage()
        let order = try #require(stage.submit(makeSpec(sort: 5)).orders.first?.order)
        let mark = stage.mark(order.sequence, worker: 3)
        stage.now = stage.now.adding(ms: 5)
        let seen = stage.hear(mark)
        #expect(seen.signals == [.start(fourth)], "Nothing is broken off or begun anew.")
        stage.hear(.ready(fourth))
        let last = try #require(stage.submit(makeSpec(sort: 6)).orders.first)
        #expect(last.worker == fourth)
        let lastMark = stage.mark(last.order.sequence, worker: 4)
        stage.now = stage.now.adding(ms: 5)
        #expect(stage.hear(lastMark).signals.isEmpty, "Twice as many workers are enough.")
        #expect(stage.submit(makeSpec(sort: 7)).orders.isEmpty)

        let ended = stage.hear(.reported([makeReport(order, worker: 3, micros: 9_000)]))
        #expect(workers(ended) == [3], "The short one waits no longer, and the long ones do.")
        #expect(stage.dispatcher.crew[third]?.orders.first?.job.spec.sort == 7)
    }

    @Test func `no more long jobs start than there are workers when others have come back`() throws
    {
        var stage = makeFullStage()
        let first = try #require(stage.dispatcher.crew[WorkerID(rawValue: 1)]?.orders.first)
        let order = Order(sequence: first.sequence, job: first.job)
        stage.submit(makeSpec(sort: 5))
        let busy = stage.hear(.reported([makeReport(order, micros: 9_000)]))
        #expect(busy.orders.isEmpty, "The short job is still at it: two workers are busy.")
        let short = try #require(stage.dispatcher.crew[third]?.orders.first)
        let report = makeReport(Order(sequence: 1, job: short.job), worker: 3)
        #expect(workers(stage.hear(.reported([report]))) == [1])
        #expect(stage.submit(long).orders.isEmpty)
    }

    @Test func `short jobs keep their order among themselves`() {
        var stage = makeFullStage()
        stage.dispatcher.pace.learn(1, micros: 10)
        let jobs = [0, 5, 0, 7].map { makeSubmission(makeSpec(priority: $0)) }
        let asked = stage.ask(.submit(jobs, isBatch: true, waitMs: nil))
        guard case .insert(let insertion)? = asked.changes.first else { return }
        let orders = asked.orders + stage.hear(.wrote([stage.inserted(insertion)])).orders
        #expect(orders.map(\.order.job.rawValue) == [16, 14, 13, 15])
        #expect(Set(orders.map(\.worker)) == [third])
    }

    @Test func `a paused queue stays paused, and what writes waits for its turn`() {
        var stage = makeStage()
        stage.dispatcher.pace.learn(4, micros: 1_000_000)
        stage.submit(makeSpec(writes: "x", sort: 4))
        stage.submit(long)
        stage.hear(.ready(third))
        #expect(stage.submit(makeSpec(writes: "x", sort: 1)).orders.isEmpty)
        stage.hear(.wrote([.paused(true, [.standard], Ticket(rawValue: 99))]))
        #expect(stage.submit().orders.isEmpty)
    }

    @Test func `a suspect waits for a worker that is not in a hurry`() {
        var stage = makeFullStage()
        stage.dispatcher.lanes.add(waiting(500, losses: 1))
        #expect(stage.hear().orders.isEmpty)
        stage.dispatcher.lanes.add(waiting(501))
        #expect(stage.hear().orders.map(\.order.job.rawValue) == [501])
    }

    @Test func `a short job is found behind any number of long ones in memory`() {
        var stage = makeFullStage()
        for id in Int64(100)..<2_100 {
            var job = waiting(id)
            job.spec.sort = Self.longSort
            stage.dispatcher.lanes.add(job)
        }
        stage.dispatcher.lanes.add(waiting(5_000))
        var looks = 0
        var orders: [Decisions.Given] = []
        while orders.isEmpty, looks < 10 {
            orders = stage.hear().orders
            #expect(!orders.isEmpty || stage.dispatcher.watchEveryMs == 1, "It looks on soon.")
            looks += 1
        }
        #expect(orders.map(\.order.job.rawValue) == [5_000])
        #expect(looks == 2_010 / Lanes.looks + 1)
        stage.dispatcher.lanes.remove(JobID(rawValue: 100))
        #expect(!stage.dispatcher.lanes.contains(JobID(rawValue: 100)))
        #expect(stage.dispatcher.watchEveryMs == 5)
    }

    @Test func `without an express worker nobody passes`() {
        var stage = makeStage(hasExpress: false)
        for _ in 0..<3 { #expect(stage.submit(long).signals.isEmpty) }
        #expect(stage.submit().orders.isEmpty)
    }

    @Test func `an express worker that cannot be started is tried again a second later`() {
        var stage = makeStage()
        for _ in 0..<2 { stage.submit(long) }
        #expect(stage.hear(.died(third)).signals.isEmpty)
        stage.now = stage.now.adding(ms: 1_000)
        #expect(stage.hear(.timePassed).signals == [.start(fourth)])
        #expect(workers(stage.hear(.ready(fourth))) == [])
        #expect(workers(stage.submit()) == [4])
    }

    // MARK: What is long

    @Test func `one run that is held up does not make a sort long, and two do`() {
        var pace = Pace()
        #expect(!pace.isLong(1) && !pace.knows(1))
        pace.learn(1, micros: Pace.firstMicros - 1)
        #expect(!pace.isLong(1), "The first run had to open everything.")
        pace.learn(1, micros: Pace.longMicros)
        #expect(pace.isLong(1))
        pace.learn(1, micros: Pace.longMicros - 1)
        #expect(!pace.isLong(1))
        pace.learn(2, micros: Pace.firstMicros)
        #expect(pace.isLong(2))
        for sort in 3...UInt64(Pace.sortsMax) + 2 { pace.learn(sort, micros: 1_000_000) }
        #expect(!pace.isLong(1) && !pace.isLong(2))
    }

    @Test func `what was set aside passes too when its sort proves to be short`() throws {
        var stage = makeFullStage()
        let first = try #require(stage.submit(makeSpec(sort: 5)).orders.first?.order)
        let mark = stage.mark(first.sequence, worker: 3)
        stage.now = stage.now.adding(ms: 6)
        stage.hear(mark)
        #expect(stage.hear(.ready(fourth)).orders.isEmpty)
        #expect(stage.submit(makeSpec(sort: 5)).orders.isEmpty, "It may be long.")
        let report = makeReport(first, worker: 3, micros: 7_000)
        #expect(workers(stage.hear(.reported([report]))) == [3])
    }

    // MARK: Lanes

    @Test func `short jobs that pass take no turn from their queue's long ones`() throws {
        let queues = try ["a", "b"].map { try #require(QueueName(rawValue: $0)) }
        var lanes = Lanes()
        var id: Int64 = 0
        for sort in [Self.longSort, 1] {
            for _ in 0..<3 {
                for queue in queues {
                    id += 1
                    var job = waiting(id, queue: queue)
                    job.spec.sort = sort
                    lanes.add(job)
                }
            }
        }
        let isLong = { (sort: UInt64) in sort == Self.longSort }
        var found: [[Int64]] = [[], []]
        for _ in 0..<6 {
            found[0].append(lanes.takeShort(isLong)?.id.rawValue ?? 0)
            found[1].append(lanes.take()?.id.rawValue ?? 0)
        }
        #expect(found == [[7, 8, 9, 10, 11, 12], [1, 2, 3, 4, 5, 6]])
        #expect(lanes.take() == nil && lanes.takeShort(isLong) == nil && lanes.isEmpty)
    }

    @Test func `jobs that were set aside start by priority and by age like all others`() {
        var lanes = Lanes()
        for (id, priority) in [(Int64(1), 0), (2, 5), (3, 0), (4, 5)] {
            var job = waiting(id, priority: priority)
            job.spec.sort = UInt64(id)
            lanes.add(job)
        }
        #expect(lanes.takeShort { $0 != 3 }?.id.rawValue == 3)
        #expect(lanes.takeShort { _ in true } == nil)
        lanes.add(waiting(5, priority: 1))
        #expect((0..<4).map { _ in lanes.take()?.id.rawValue } == [2, 4, 5, 1])
    }
}
