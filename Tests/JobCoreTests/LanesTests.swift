import Testing

@testable import JobCore

@Suite("Lanes") struct LanesTests {
    private let a = QueueName(rawValue: "a") ?? .standard
    private let b = QueueName(rawValue: "b") ?? .standard

    @Test func `queues take turns`() {
        var lanes = Lanes()
        for id in Int64(1)...3 { lanes.add(waiting(id, queue: a)) }
        for id in Int64(4)...6 { lanes.add(waiting(id, queue: b)) }
        #expect(takeAll(&lanes) == [1, 4, 2, 5, 3, 6])
    }

    @Test func `every eighth start takes the job that is ready longest`() {
        var lanes = Lanes()
        lanes.add(waiting(1, priority: -100, readyAt: 0))
        for id in Int64(2)...12 { lanes.add(waiting(id, priority: 100, readyAt: 5)) }
        #expect(takeAll(&lanes).firstIndex(of: 1) == QueueLane.agingEvery - 1)
    }

    @Test func `a job is taken in once and goes at once when it is removed`() {
        var lanes = Lanes()
        lanes.add(waiting(1))
        lanes.add(waiting(1))
        lanes.add(waiting(2))
        lanes.remove(JobID(rawValue: 1))
        lanes.remove(JobID(rawValue: 9))
        #expect(takeAll(&lanes) == [2])
    }

    @Test func `jobs that write to one database take turns, and hold up nobody else`() {
        var lanes = Lanes()
        let (first, second) = (waiting(1, writes: "x"), waiting(2, writes: "x"))
        for job in [first, second, waiting(3, writes: "y"), waiting(4)] { lanes.add(job) }
        #expect(takeAll(&lanes) == [1, 3, 4])
        lanes.giveBack(turnsOf: first)
        #expect(takeAll(&lanes) == [2])
    }

    @Test func `one suspect runs at a time, whatever else it needs`() {
        var lanes = Lanes()
        let (first, second) = (waiting(1, losses: 1), waiting(2, writes: "x", losses: 2))
        for job in [first, second] { lanes.add(job) }
        #expect(takeAll(&lanes) == [1])
        lanes.giveBack(turnsOf: first)
        #expect(takeAll(&lanes) == [2])
        lanes.add(waiting(3, writes: "x"))
        #expect(takeAll(&lanes) == [])
        lanes.giveBack(turnsOf: second)
        #expect(takeAll(&lanes) == [3])
    }

    @Test func `what does not fit is left to the store and loaded later`() {
        var lanes = Lanes()
        for id in 1...Int64(lanes.bounds.laneJobs) + 10 { lanes.add(waiting(id, queue: a)) }
        #expect(!lanes.contains(JobID(rawValue: Int64(lanes.bounds.laneJobs) + 1)))
        #expect(toLoad(&lanes) == [])
        for _ in 0...lanes.bounds.laneJobs - lanes.bounds.refillBelow { _ = lanes.take() }
        #expect(toLoad(&lanes) == [Lane(a)])
        #expect(toLoad(&lanes) == [])
    }

    @Test func `large jobs are bounded by their bytes`() {
        var lanes = Lanes()
        let bytes = [UInt8](repeating: 0, count: 1 << 20)
        for id in Int64(1)...100 {
            var job = waiting(id)
            job.spec.body = bytes
            lanes.add(job)
        }
        #expect(takeAll(&lanes).count == 64)
    }

    @Test func `a paused queue starts nothing and takes no room`() {
        var lanes = Lanes()
        lanes.add(waiting(1, queue: a))
        lanes.setPaused(true, a)
        lanes.add(waiting(2, queue: a))
        lanes.add(waiting(3, queue: b))
        #expect(takeAll(&lanes) == [3])
        #expect(!lanes.contains(JobID(rawValue: 1)))
        lanes.markIncomplete(Lane(a))
        #expect(toLoad(&lanes) == [])
        lanes.setPaused(false, a)
        lanes.markIncomplete(Lane(a))
        #expect(toLoad(&lanes) == [Lane(a)])
    }

    @Test func `a load does not bring back what went while it was under way`() {
        var lanes = Lanes()
        lanes.markIncomplete(Lane(a))
        #expect(toLoad(&lanes) == [Lane(a)])
        lanes.remove(JobID(rawValue: 1))
        lanes.ended(JobID(rawValue: 2))
        load((1...4).map { waiting($0, queue: a) }, of: a, &lanes, active: [3])
        #expect(takeAll(&lanes) == [4])
    }

    @Test func `what went before a load was asked for may come back with it`() {
        var lanes = Lanes()
        lanes.markIncomplete(Lane(a))
        lanes.markIncomplete(Lane(b))
        #expect(toLoad(&lanes) == [Lane(a), Lane(b)])
        lanes.ended(JobID(rawValue: 1))
        load([], of: a, &lanes)
        lanes.markIncomplete(Lane(a))
        #expect(toLoad(&lanes) == [Lane(a)])
        load([waiting(1, queue: a)], of: a, &lanes)  // The load of b is still under way.
        #expect(takeAll(&lanes) == [1])
    }

    @Test func `a queue of which a load may have missed something is loaded again`() {
        var lanes = Lanes()
        lanes.markIncomplete(Lane(a))
        #expect(toLoad(&lanes) == [Lane(a)])
        lanes.markIncomplete(Lane(a))
        load([], of: a, &lanes)
        #expect(toLoad(&lanes) == [Lane(a)])
        lanes.loadFailed(Lane(a))
        #expect(toLoad(&lanes) == [])
        lanes.retryLoads()
        #expect(toLoad(&lanes) == [Lane(a)])
    }

    @Test func `a lane of large jobs is loaded again when half of them are gone`() {
        var lanes = Lanes()
        lanes.markIncomplete(Lane(a))
        _ = lanes.lanesToLoad()
        load((1...8).map { waiting($0, queue: a) }, of: a, &lanes, isAll: false)
        for _ in 0..<4 {
            #expect(toLoad(&lanes) == [])
            _ = lanes.take()
        }
        #expect(toLoad(&lanes) == [])
        _ = lanes.take()
        #expect(toLoad(&lanes) == [Lane(a)])
        // It brings what is here already, and nothing else.
        load((6...8).map { waiting($0, queue: a) }, of: a, &lanes, isAll: false)
        for _ in 0..<3 {
            #expect(toLoad(&lanes) == [])
            _ = lanes.take()
        }
        #expect(toLoad(&lanes) == [Lane(a)])
    }

    @Test func `what waits for a turn takes no room from what could start`() {
        var lanes = Lanes()
        lanes.add(waiting(1, queue: a, writes: "x"))
        let writer = lanes.take()
        for id in Int64(2)...100 {
            var job = waiting(id, queue: a, writes: "x")
            job.spec.body = [UInt8](repeating: 0, count: 1 << 20)
            lanes.add(job)
        }
        #expect(lanes.present.count == 4)  // The bytes of one turn.
        for id in Int64(101)...20_000 { lanes.add(waiting(id, queue: b, writes: "y")) }
        #expect(lanes.present.count == 4 + lanes.bounds.turnJobs)
        for id in Int64(20_001)...20_003 { lanes.add(waiting(id, queue: a)) }
        #expect(takeAll(&lanes) == [20_001, 101, 20_002, 20_003])
        #expect(toLoad(&lanes) == [Lane(b, Turns(writes: "y"))])
        if let writer { lanes.giveBack(turnsOf: writer) }
        #expect(takeAll(&lanes) == [2])
        #expect(toLoad(&lanes) == [Lane(a, Turns(writes: "x"))])
    }

    @Test func `suspects take no room from what could start either`() {
        var lanes = Lanes()
        for id in Int64(1)...1_000 { lanes.add(waiting(id, queue: a, losses: 1)) }
        #expect(takeAll(&lanes) == [1])
        #expect(lanes.present.count == lanes.bounds.turnJobs - 1)
        lanes.add(waiting(1_001, queue: a))
        #expect(takeAll(&lanes) == [1_001])
    }

    @Test func `queues take turns to write to a database, whoever came with more`() {
        var lanes = Lanes()
        for id in Int64(1)...3 { lanes.add(waiting(id, queue: a, writes: "x")) }
        lanes.add(waiting(4, queue: b, writes: "x"))
        var started: [Int64] = []
        while let job = lanes.take() {
            started.append(job.id.rawValue)
            #expect(lanes.take() == nil)
            #expect(lanes.takenTurn(of: job.turns) == .writing(database: "x"))
            lanes.giveBack(turnsOf: job)
        }
        #expect(started == [1, 4, 2, 3])
    }

    @Test func `what came and went while a turn was taken leaves nothing behind`() {
        var lanes = Lanes()
        lanes.add(waiting(1, queue: a, writes: "x"))
        let writer = lanes.take()
        for id in Int64(2)...9 {
            lanes.add(waiting(id, queue: a, writes: "x"))
            #expect(lanes.take() == nil)
            lanes.remove(JobID(rawValue: id))
        }
        if let writer { lanes.giveBack(turnsOf: writer) }
        #expect(lanes.take() == nil)
        lanes.add(waiting(10, queue: a, writes: "x"))
        #expect(takeAll(&lanes) == [10])
    }

    @Test(.timeLimit(.minutes(1)))
    func `a round costs the same whatever the number of queues`() {
        let count = Int64(50_000)
        var lanes = Lanes()
        for id in 1...count {
            let queue = QueueName(rawValue: "q\(id)") ?? a
            lanes.add(waiting(id, queue: queue))
            lanes.markIncomplete(Lane(queue, Turns(writes: "x")))
        }
        #expect(lanes.lanesToLoad().count == lanes.bounds.loads)
        for id in 1...count {
            #expect(lanes.take()?.id.rawValue == id)
            #expect(lanes.lanesToLoad().isEmpty)
        }
        #expect(lanes.take() == nil)
    }

    @Test func `what became ready while a lane is half full is asked for at once`() {
        var lanes = Lanes()
        lanes.markIncomplete(Lane(a))
        _ = lanes.lanesToLoad()
        load((1...8).map { waiting($0, queue: a) }, of: a, &lanes, isAll: false)
        lanes.markIncomplete(Lane(a))
        #expect(toLoad(&lanes) == [Lane(a)])
        lanes.markIncomplete(Lane(a))  // Perhaps too late for the load that is under way.
        load([], of: a, &lanes, isAll: false)
        #expect(toLoad(&lanes) == [Lane(a)])
    }

    @Test func `a divided job that a load shows again is not gathered again`() {
        var lanes = Lanes()
        var job = waiting(1, queue: a)
        job.isSplit = true
        lanes.markIncomplete(Lane(a))
        _ = lanes.lanesToLoad()
        #expect(load([job], of: a, &lanes) == [job])
        lanes.markIncomplete(Lane(a))
        _ = lanes.lanesToLoad()
        var gathered = job
        gathered.outputs = [[1]]
        lanes.add(gathered)
        #expect(load([job], of: a, &lanes) == [])
    }

    @discardableResult
    private func load(
        _ jobs: [Waiting],
        of queue: QueueName,
        _ lanes: inout Lanes,
        active: Set<Int64> = [],
        isAll: Bool = true
    ) -> [Waiting] {
        lanes.loaded(jobs, of: Lane(queue), isAll: isAll) { active.contains($0.rawValue) }
    }

    private func toLoad(_ lanes: inout Lanes) -> [Lane] { lanes.lanesToLoad().map(\.lane) }

    private func takeAll(_ lanes: inout Lanes) -> [Int64] {
        var found: [Int64] = []
        while let job = lanes.take() { found.append(job.id.rawValue) }
        return found
    }
}
