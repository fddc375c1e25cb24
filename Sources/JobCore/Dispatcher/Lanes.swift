/// All ready jobs in memory, queue by queue, and whose turn it is: queues take turns.
///
/// Bounded: what does not fit is left to the store, and loaded when there is room again.
struct Lanes {
    /// Jobs in memory of one queue.
    static let queueJobs = 16_384
    /// Jobs in memory of all queues.
    static let allJobs = 65_536
    /// Bytes of their specs.
    static let allBytes = 64 << 20
    /// An incomplete lane is filled again when it falls below this many jobs.
    static let refillBelow = 4_096

    private struct Present {
        let place: Waiting.Place
        let queue: QueueName
        let turn: Turn?
        let weight: Int
    }

    private var lanes: [QueueName: QueueLane] = [:]
    /// The queues that have a lane, in the order of their turns.
    private var order: [QueueName] = []
    private var nextQueue = 0
    private var present: [JobID: Present] = [:]
    private var bytes = 0
    private var taken: Set<Turn> = []
    private var paused: Set<QueueName> = []
    private var loading: Set<QueueName> = []
    /// Queues of which a load that is under way may not show everything.
    private var missedByLoad: Set<QueueName> = []
    /// Jobs that went while a load was under way, which may therefore still show them.
    private var goneSinceLoad: Set<JobID> = []

    func contains(_ job: JobID) -> Bool { present[job] != nil }

    /// Takes a job in, or leaves it to the store when there is no room.
    mutating func add(_ job: Waiting) {
        guard present[job.id] == nil else { return }
        let queue = job.spec.queue
        let hasRoom =
            present.count < Self.allJobs && bytes < Self.allBytes
            && (lanes[queue]?.count ?? 0) < Self.queueJobs
        guard hasRoom else { return markIncomplete(queue) }
        let entry = Present(
            place: job.place,
            queue: queue,
            turn: job.turns.first,
            weight: job.spec.weight
        )
        present[job.id] = entry
        bytes += entry.weight
        openLane(queue)
        lanes[queue]?.add(job)
    }

    /// The store holds ready jobs of this queue that are not here.
    mutating func markIncomplete(_ queue: QueueName) {
        openLane(queue)
        lanes[queue]?.isComplete = false
        if loading.contains(queue) { missedByLoad.insert(queue) }
    }

    private mutating func openLane(_ queue: QueueName) {
        guard lanes[queue] == nil else { return }
        lanes[queue] = QueueLane()
        order.append(queue)
    }

    /// The job was cancelled or deleted, here or in the store alone.
    mutating func remove(_ job: JobID) {
        if !loading.isEmpty { goneSinceLoad.insert(job) }
        guard let entry = present.removeValue(forKey: job) else { return }
        bytes -= entry.weight
        lanes[entry.queue]?.remove(entry.place, turn: entry.turn)
    }

    /// The next job that may start; the turns that it needs are taken from now on.
    mutating func take() -> Waiting? {
        var visited = 0
        while visited < order.count {
            if nextQueue >= order.count { nextQueue = 0 }
            let queue = order[nextQueue]
            if let job = takeOne(from: queue) {
                nextQueue += 1
                return job
            }
            if !closeLaneIfDone(queue) {
                nextQueue += 1
                visited += 1
            }
        }
        return nil
    }

    private mutating func takeOne(from queue: QueueName) -> Waiting? {
        guard !paused.contains(queue),
            let job = lanes[queue]?.take(where: { [taken] in !taken.contains($0) })
        else { return nil }
        if let entry = present.removeValue(forKey: job.id) { bytes -= entry.weight }
        taken.formUnion(job.turns)
        return job
    }

    /// A queue without jobs costs nothing.
    private mutating func closeLaneIfDone(_ queue: QueueName) -> Bool {
        guard let lane = lanes[queue], lane.count == 0, lane.isComplete else { return false }
        lanes[queue] = nil
        order.remove(at: nextQueue)
        return true
    }

    /// The run has ended or was not begun: others may have its turns.
    mutating func giveBack(turnsOf job: Waiting) { taken.subtract(job.turns) }

    mutating func setPaused(_ isPaused: Bool, _ queue: QueueName) {
        if isPaused { paused.insert(queue) } else { paused.remove(queue) }
    }

    // MARK: Loads

    /// Queues to be filled from the store now; from here on they count as being loaded.
    mutating func queuesToLoad() -> [QueueName] {
        guard bytes < Self.allBytes, present.count < Self.allJobs else { return [] }
        let found = order.filter { queue in
            guard let lane = lanes[queue], !lane.isComplete else { return false }
            return lane.count < Self.refillBelow && !loading.contains(queue)
                && !paused.contains(queue)
        }
        loading.formUnion(found)
        return found
    }

    /// Takes in what the store found, but for jobs that are here, running, or went meanwhile.
    mutating func loaded(
        _ jobs: [Waiting],
        of queue: QueueName,
        isAll: Bool,
        isActive: (JobID) -> Bool
    ) {
        loading.remove(queue)
        let hasMissed = missedByLoad.remove(queue) != nil
        lanes[queue]?.isComplete = isAll && !hasMissed
        for job in jobs where !isActive(job.id) && !goneSinceLoad.contains(job.id) { add(job) }
        if loading.isEmpty { goneSinceLoad.removeAll() }
    }

    /// A load that failed is tried again when the next one is due.
    mutating func loadFailed(_ queue: QueueName) { loading.remove(queue) }

    /// Call for every job whose run was written down as ended: a load may still show it.
    mutating func ended(_ job: JobID) {
        if !loading.isEmpty { goneSinceLoad.insert(job) }
    }
}

extension Spec {
    /// What it takes in memory, in bytes, roughly.
    var weight: Int { frames.reduce(body.count + 400) { $0 + $1.bytes.count } }
}
