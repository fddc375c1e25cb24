/// All ready jobs in memory, queue by queue, and whose turn it is: queues take turns.
///
/// Bounded: what does not fit is left to the store, and loaded when there is room again.
struct Lanes {
    /// How much is kept in memory. Only tests have others.
    struct Bounds: Sendable {
        /// Jobs of one queue.
        var queueJobs = 16_384
        /// Jobs of all queues.
        var allJobs = 65_536
        /// Bytes of their specs.
        var allBytes = 64 << 20
        /// An incomplete lane is filled again when it falls below this many jobs, or below half of
        /// what the last load left in it.
        var refillBelow = 4_096
        /// A load asks for at least this many jobs.
        var loadJobs = 64
    }

    struct Present {
        let place: Waiting.Place
        let queue: QueueName
        let turn: Turn?
        let weight: Int
    }

    let bounds: Bounds
    private var lanes: [QueueName: QueueLane] = [:]
    /// The queues that have a lane, in the order of their turns.
    private var order: [QueueName] = []
    private var nextQueue = 0
    private(set) var present: [JobID: Present] = [:]
    private var bytes = 0
    private var taken: Set<Turn> = []
    private var paused: Set<QueueName> = []
    /// Loads under way, with the number of the moment at which each was asked for.
    private var loading: [QueueName: Int] = [:]
    private var moment = 0
    /// Queues of which a load that is under way may not show everything.
    private var missedByLoad: Set<QueueName> = []
    /// Jobs that went while a load was under way, and when: loads that were asked for before may
    /// still show them.
    private var gone: [JobID: Int] = [:]

    init(_ bounds: Bounds = Bounds()) { self.bounds = bounds }

    func contains(_ job: JobID) -> Bool { present[job] != nil }

    /// Takes a job in, or leaves it to the store when there is no room.
    mutating func add(_ job: Waiting) {
        guard present[job.id] == nil else { return }
        let queue = job.spec.queue
        guard !paused.contains(queue), hasRoom(in: queue) || makeRoom(for: job) else {
            return leaveToStore(queue)
        }
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

    private func hasRoom(in queue: QueueName) -> Bool {
        present.count < bounds.allJobs && bytes < bounds.allBytes
            && (lanes[queue]?.count ?? 0) < bounds.queueJobs
    }

    /// A job of higher priority takes the place of its queue's last one, which the store keeps.
    private mutating func makeRoom(for job: Waiting) -> Bool {
        let queue = job.spec.queue
        guard let worst = lanes[queue]?.worst, worst.spec.priority < job.spec.priority,
            let entry = present.removeValue(forKey: worst.id)
        else { return false }
        bytes -= entry.weight
        lanes[queue]?.remove(entry.place, turn: entry.turn)
        leaveToStore(queue)
        return true
    }

    /// The store may hold ready jobs of this queue for which there is room here: the lane is filled
    /// as soon as it can be.
    mutating func markIncomplete(_ queue: QueueName) {
        leaveToStore(queue)
        lanes[queue]?.refillBelow = bounds.refillBelow
    }

    private mutating func leaveToStore(_ queue: QueueName) {
        openLane(queue)
        lanes[queue]?.isComplete = false
        if loading[queue] != nil { missedByLoad.insert(queue) }
    }

    private mutating func openLane(_ queue: QueueName) {
        guard lanes[queue] == nil else { return }
        lanes[queue] = QueueLane(refillBelow: bounds.refillBelow)
        order.append(queue)
    }

    /// The job was cancelled or deleted, here or in the store alone.
    mutating func remove(_ job: JobID) {
        ended(job)
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

    /// A paused queue takes no room: its jobs are left to the store.
    mutating func setPaused(_ isPaused: Bool, _ queue: QueueName) {
        guard isPaused else {
            paused.remove(queue)
            return
        }
        paused.insert(queue)
        guard lanes[queue] != nil else { return }
        for (job, entry) in present where entry.queue == queue {
            present[job] = nil
            bytes -= entry.weight
        }
        lanes[queue] = QueueLane(refillBelow: bounds.refillBelow)
        markIncomplete(queue)
    }

    // MARK: Loads

    /// How many jobs a load should ask for: no more than there is room for.
    var loadLimit: Int {
        min(bounds.queueJobs, max(bounds.loadJobs, bounds.allJobs - present.count))
    }

    /// Queues to be filled from the store now; from here on they count as being loaded.
    mutating func queuesToLoad() -> [QueueName] {
        guard bytes < bounds.allBytes, present.count < bounds.allJobs else { return [] }
        let found = order.filter { queue in
            guard let lane = lanes[queue], !lane.isComplete else { return false }
            return lane.count < lane.refillBelow && loading[queue] == nil
                && !paused.contains(queue)
        }
        if !found.isEmpty { moment += 1 }
        for queue in found {
            loading[queue] = moment
            lanes[queue]?.refillBelow = 0
        }
        return found
    }

    /// Takes in what the store found, but for jobs that are here, running, or went meanwhile.
    ///
    /// - Returns: The jobs that need what their children made before they can be taken in.
    mutating func loaded(
        _ jobs: [Waiting],
        of queue: QueueName,
        isAll: Bool,
        isActive: (JobID) -> Bool
    ) -> [Waiting] {
        guard let askedAt = loading[queue] else { return [] }
        let hasMissed = missedByLoad.remove(queue) != nil
        lanes[queue]?.isComplete = isAll && !hasMissed
        let found = jobs.filter { job in
            present[job.id] == nil && !isActive(job.id) && gone[job.id] ?? -1 < askedAt
        }
        loadEnded(queue)
        for job in found where !job.lacksOutputs { add(job) }
        setRefill(queue)
        return found.filter(\.lacksOutputs)
    }

    /// A load is bounded by its bytes too: of large jobs it never brings as many as there is room
    /// for, so the next one waits until half of them are gone. An empty lane is loaded at once.
    private mutating func setRefill(_ queue: QueueName) {
        // Set anew while the load was under way: it may not show what is asked for.
        guard let lane = lanes[queue], lane.refillBelow == 0 else { return }
        lanes[queue]?.refillBelow = min(bounds.refillBelow, max(1, lane.count / 2))
    }

    /// A load that failed is tried again when the next one is due.
    mutating func loadFailed(_ queue: QueueName) {
        loadEnded(queue)
        lanes[queue]?.refillBelow = bounds.refillBelow
    }

    private mutating func loadEnded(_ queue: QueueName) {
        loading[queue] = nil
        if loading.isEmpty { gone.removeAll() }
    }

    /// Call for every job whose run was written down as ended: a load may still show it.
    mutating func ended(_ job: JobID) {
        if !loading.isEmpty { gone[job] = moment }
    }
}

extension Waiting {
    /// True before the last run of a divided job until its children's results were gathered.
    var lacksOutputs: Bool { isSplit && outputs.isEmpty }
}

extension Spec {
    /// What it takes in memory, in bytes, roughly.
    var weight: Int { frames.reduce(body.count + 400) { $0 + $1.bytes.count } }
}
