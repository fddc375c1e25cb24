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
        for id in 1...Int64(lanes.bounds.queueJobs) + 10 { lanes.add(waiting(id, queue: a)) }
        #expect(!lanes.contains(JobID(rawValue: Int64(lanes.bounds.queueJobs) + 1)))
        #expect(lanes.queuesToLoad() == [])
        for _ in 0...lanes.bounds.queueJobs - lanes.bounds.refillBelow { _ = lanes.take() }
        #expect(lanes.queuesToLoad() == [a])
        #expect(lanes.queuesToLoad() == [])
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
        #expect(lanes.queuesToLoad() == [])
        lanes.setPaused(false, a)
        lanes.markIncomplete(a)
        #expect(lanes.queuesToLoad() == [a])
    }

    @Test func `a load does not bring back what went while it was under way`() {
        var lanes = Lanes()
        lanes.markIncomplete(a)
        #expect(lanes.queuesToLoad() == [a])
        lanes.remove(JobID(rawValue: 1))
        lanes.ended(JobID(rawValue: 2))
        load((1...4).map { waiting($0, queue: a) }, of: a, &lanes, active: [3])
        #expect(takeAll(&lanes) == [4])
    }

    @Test func `what went before a load was asked for may come back with it`() {
        var lanes = Lanes()
        lanes.markIncomplete(a)
        lanes.markIncomplete(b)
        #expect(lanes.queuesToLoad() == [a, b])
        lanes.ended(JobID(rawValue: 1))
        load([], of: a, &lanes)
        lanes.markIncomplete(a)
        #expect(lanes.queuesToLoad() == [a])
        load([waiting(1, queue: a)], of: a, &lanes)  // The load of b is still under way.
        #expect(takeAll(&lanes) == [1])
    }

    @Test func `a queue of which a load may have missed something is loaded again`() {
        var lanes = Lanes()
        lanes.markIncomplete(a)
        #expect(lanes.queuesToLoad() == [a])
        lanes.markIncomplete(a)
        load([], of: a, &lanes)
        #expect(lanes.queuesToLoad() == [a])
        lanes.loadFailed(a)
        #expect(lanes.queuesToLoad() == [a])
    }

    @Test func `a lane of large jobs is loaded again when half of them are gone`() {
        var lanes = Lanes()
        lanes.markIncomplete(a)
        _ = lanes.queuesToLoad()
        load((1...8).map { waiting($0, queue: a) }, of: a, &lanes, isAll: false)
        for _ in 0..<4 {
            #expect(lanes.queuesToLoad() == [])
            _ = lanes.take()
        }
        #expect(lanes.queuesToLoad() == [])
        _ = lanes.take()
        #expect(lanes.queuesToLoad() == [a])
        // It brings what is here already, and nothing else.
        load((6...8).map { waiting($0, queue: a) }, of: a, &lanes, isAll: false)
        for _ in 0..<3 {
            #expect(lanes.queuesToLoad() == [])
            _ = lanes.take()
        }
        #expect(lanes.queuesToLoad() == [a])
    }

    @Test func `a lane that is waited for by jobs of one turn is not loaded again`() {
        var lanes = Lanes()
        lanes.add(waiting(1, queue: b, writes: "x"))
        let writer = lanes.take()
        lanes.markIncomplete(a)
        _ = lanes.queuesToLoad()
        load([waiting(2, queue: a, writes: "x")], of: a, &lanes, isAll: false)
        #expect(takeAll(&lanes) == [])
        #expect(lanes.queuesToLoad() == [])
        if let writer { lanes.giveBack(turnsOf: writer) }
        #expect(takeAll(&lanes) == [2])
        #expect(lanes.queuesToLoad() == [a])
    }

    @Test func `what became ready while a lane is half full is asked for at once`() {
        var lanes = Lanes()
        lanes.markIncomplete(a)
        _ = lanes.queuesToLoad()
        load((1...8).map { waiting($0, queue: a) }, of: a, &lanes, isAll: false)
        lanes.markIncomplete(a)
        #expect(lanes.queuesToLoad() == [a])
        lanes.markIncomplete(a)  // Perhaps too late for the load that is under way.
        load([], of: a, &lanes, isAll: false)
        #expect(lanes.queuesToLoad() == [a])
    }

    @Test func `a divided job that a load shows again is not gathered again`() {
        var lanes = Lanes()
        var job = waiting(1, queue: a)
        job.isSplit = true
        lanes.markIncomplete(a)
        _ = lanes.queuesToLoad()
        #expect(load([job], of: a, &lanes) == [job])
        lanes.markIncomplete(a)
        _ = lanes.queuesToLoad()
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
        lanes.loaded(jobs, of: queue, isAll: isAll) { active.contains($0.rawValue) }
    }

    private func takeAll(_ lanes: inout Lanes) -> [Int64] {
        var found: [Int64] = []
        while let job = lanes.take() { found.append(job.id.rawValue) }
        return found
    }
}
