/// All ready jobs in memory, lane by lane, and whose turn it is: queues take turns.
///
/// Bounded: what does not fit is left to the store, and loaded when there is room again. What waits
/// for a turn has bounds of its own, so that it takes no room from what could start. Nothing here
/// costs more because there are more queues.
struct Lanes {
    /// Jobs that are looked at in one search for a short one: they take half a millisecond.
    static let looks = 512
    /// Queues without jobs that may be remembered.
    private static let goneQueues = 64

    struct Present {
        let place: Waiting.Place
        let lane: Lane
        let weight: Int
    }

    /// What the jobs that need the same turns take.
    private struct Share {
        var jobs = 0
        var bytes = 0
    }

    let bounds: Bounds
    private var queues: [QueueName: QueueLane] = [:]
    /// The queues that may have a job to start.
    private var able = Rotation<QueueName>()
    /// The queues that may have a short one. Short jobs that start beside long ones have an order
    /// of their own, so that neither kind takes turns from the other.
    private var ableShort = Rotation<QueueName>()
    /// True when a search for a short job was broken off, and should go on soon.
    var isSearching = false
    /// The lanes that wait for a turn that is taken.
    private var blocked: [Turn: Rotation<Lane>] = [:]
    /// The lanes that would be filled, were there room.
    private var wanting: [Turns: Rotation<Lane>] = [:]
    private(set) var present: [JobID: Present] = [:]
    /// Those of them that external workers run.
    private var presentOutside = 0
    private var shares: [Turns: Share] = [:]
    /// The turns that somebody has, and how many jobs share each.
    private var taken: [Turn: Int] = [:]
    /// Queues that may have jobs that need these turns: that may share them, or that external
    /// workers run.
    private var sharers: [Turns: Rotation<QueueName>] = [:]
    private var paused: Set<QueueName> = []
    /// Loads under way, with the number of the moment at which each was asked for.
    private var loading: [Lane: Int] = [:]
    private var moment = 0
    /// Lanes of which a load that is under way may not show everything.
    private var missedByLoad: Set<Lane> = []
    /// Lanes whose load failed, until they are asked for again.
    private var failed: [Lane] = []
    /// Jobs that went while a load was under way, and when: loads that were asked for before may
    /// still show them.
    private var gone: [JobID: Int] = [:]

    init(_ bounds: Bounds = Bounds()) { self.bounds = bounds }

    func contains(_ job: JobID) -> Bool { present[job] != nil }

    var isEmpty: Bool { present.isEmpty }
    /// Whether there are jobs for the workers here.
    var hasJobsHere: Bool { present.count > presentOutside }

    // MARK: Room

    private func hasRoom(for turns: Turns) -> Bool {
        let share = shares[turns] ?? Share()
        return turns.isEmpty
            ? share.jobs < bounds.allJobs && share.bytes < bounds.allBytes
            : share.jobs < bounds.turnJobs && share.bytes < bounds.turnBytes
    }

    private func hasRoom(in lane: Lane) -> Bool {
        hasRoom(for: lane.turns) && (self[lane]?.jobs.count ?? 0) < bounds.laneJobs
    }

    private subscript(lane: Lane) -> QueueLane.Window? { queues[lane.queue]?.windows[lane.turns] }

    private mutating func note(_ entry: Present, as job: JobID) {
        present[job] = entry
        shares[entry.lane.turns, default: Share()].jobs += 1
        shares[entry.lane.turns, default: Share()].bytes += entry.weight
        if entry.lane.turns.skill != nil { presentOutside += 1 }
    }

    @discardableResult
    private mutating func forget(_ job: JobID) -> Present? {
        guard let entry = present.removeValue(forKey: job) else { return nil }
        let turns = entry.lane.turns
        shares[turns]?.jobs -= 1
        shares[turns]?.bytes -= entry.weight
        if turns.skill != nil { presentOutside -= 1 }
        return entry
    }

    // MARK: Jobs that come and go

    /// Takes a job in, or leaves it to the store when there is no room.
    mutating func add(_ job: Waiting) {
        let lane = job.lane
        // A paused queue takes no room: all its jobs are left to the store.
        guard present[job.id] == nil, !paused.contains(lane.queue) else { return }
        guard hasRoom(in: lane) || makeRoom(for: job) else { return leaveToStore(lane) }
        note(Present(place: job.place, lane: lane, weight: job.spec.weight), as: job.id)
        open(lane)
        queues[lane.queue]?.windows[lane.turns]?.jobs.add(job)
        let isForAll = lane.turns.skill == nil
        if lane.turns.canBeShared || !isForAll { mayShare(lane) }
        if isForAll, self[lane]?.isBlocked == false { mayStart(lane.queue) }
    }

    private mutating func mayShare(_ lane: Lane) {
        sharers[lane.turns, default: Rotation()].add(lane.queue)
        guard sharers[lane.turns, default: Rotation()].count > queues.count + Self.goneQueues
        else { return }
        sharers[lane.turns]?.keep { queues[$0] != nil }
    }

    private mutating func mayStart(_ queue: QueueName) {
        able.add(queue)
        ableShort.add(queue)
        // Nobody may ever look for short jobs: queues that are gone do not pile up.
        guard ableShort.count > queues.count + Self.goneQueues else { return }
        ableShort.keep { queues[$0] != nil }
    }

    /// A job of higher priority takes the place of its lane's last one, which the store keeps.
    private mutating func makeRoom(for job: Waiting) -> Bool {
        let lane = job.lane
        guard let worst = self[lane]?.jobs.worst, worst.spec.priority < job.spec.priority,
            forget(worst.id) != nil
        else { return false }
        queues[lane.queue]?.windows[lane.turns]?.jobs.remove(worst.place)
        leaveToStore(lane)
        return true
    }

    /// The store may hold ready jobs of this lane for which there is room here: it is filled as
    /// soon as it can be.
    mutating func markIncomplete(_ lane: Lane) {
        guard !paused.contains(lane.queue) else { return }
        open(lane)
        queues[lane.queue]?.windows[lane.turns]?.refillBelow = bounds.refillBelow
        leaveToStore(lane)
    }

    private mutating func leaveToStore(_ lane: Lane) {
        open(lane)
        queues[lane.queue]?.windows[lane.turns]?.isComplete = false
        if loading[lane] != nil { missedByLoad.insert(lane) }
        noteWant(of: lane)
    }

    private mutating func open(_ lane: Lane) {
        guard self[lane] == nil else { return }
        queues[lane.queue, default: QueueLane()].windows[lane.turns] =
            QueueLane.Window(refillBelow: bounds.refillBelow)
    }

    /// A lane without jobs costs nothing.
    private mutating func closeIfDone(_ lane: Lane) {
        guard self[lane]?.isDone == true else { return }
        queues[lane.queue]?.windows[lane.turns] = nil
        if queues[lane.queue]?.windows.isEmpty == true { queues[lane.queue] = nil }
    }

    /// The job was cancelled or deleted, here or in the store alone.
    mutating func remove(_ job: JobID) {
        ended(job)
        guard let entry = forget(job) else { return }
        queues[entry.lane.queue]?.windows[entry.lane.turns]?.jobs.remove(entry.place)
        hasLost(entry.lane)
    }

    private mutating func hasLost(_ lane: Lane) {
        noteWant(of: lane)
        closeIfDone(lane)
    }

    // MARK: Starts

    /// The next job that may start; the turns that it needs are taken from now on.
    mutating func take() -> Waiting? {
        while let queue = able.next() {
            blockWhatWaits(in: queue)
            guard let job = queues[queue]?.take() else { continue }
            able.add(queue)
            starts(job)
            return job
        }
        return nil
    }

    /// The next job that may start and is not long, as far as is known.
    mutating func takeShort(_ isLong: (UInt64) -> Bool) -> Waiting? {
        var looks = Self.looks
        while let queue = ableShort.next() {
            blockWhatWaits(in: queue)
            let job = queues[queue]?.takeShort(isLong, &looks)
            if job != nil || looks == 0 { ableShort.add(queue) }
            if let job { starts(job) }
            isSearching = job == nil && looks == 0
            if job != nil || isSearching { return job }
        }
        return nil
    }

    func hasJobs(for kernel: String) -> Bool { shares[Turns(skill: kernel)]?.jobs ?? 0 > 0 }

    /// The next job of this external kernel; queues take turns.
    mutating func take(for kernel: String) -> Waiting? {
        let turns = Turns(skill: kernel)
        while let queue = sharers[turns]?.next() {
            guard let job = queues[queue]?.takeOutside(turns) else { continue }
            sharers[turns]?.add(queue)
            starts(job)
            return job
        }
        sharers[turns] = nil
        return nil
    }

    /// Jobs that were taken to be long may be short.
    mutating func lookAgain() {
        for queue in queues.keys.sorted(by: { $0.rawValue < $1.rawValue }) { ableShort.add(queue) }
    }

    /// Takes jobs that share the turns of one that has just been taken. Queues take turns; one
    /// whose next job does not join waits for another time.
    ///
    /// `joins` says whether a job is to be taken, and nil when none is any more.
    mutating func takeBeside(_ first: Waiting, _ joins: (Waiting) -> Bool?) -> [Waiting] {
        let turns = first.turns
        guard var rotation = sharers.removeValue(forKey: turns) else { return [] }
        var found: [Waiting] = []
        var passed: [QueueName] = []
        while let queue = rotation.next() {
            guard let job = queues[queue]?.next(in: turns) else { continue }
            let joins = joins(job)
            guard joins == true else {
                passed.append(queue)
                if joins == nil { break }
                continue
            }
            queues[queue]?.take(job)
            starts(job)
            found.append(job)
            rotation.add(queue)
        }
        for queue in passed { rotation.add(queue) }
        sharers[turns] = rotation.isEmpty ? nil : rotation
        return found
    }

    private mutating func starts(_ job: Waiting) {
        forget(job.id)
        for turn in job.turns.all { taken[turn, default: 0] += 1 }
        hasLost(job.lane)
    }

    private mutating func blockWhatWaits(in queue: QueueName) {
        guard !taken.isEmpty else { return }
        for turns in queues[queue]?.unblocked ?? [] {
            guard let turn = takenTurn(of: turns) else { continue }
            queues[queue]?.windows[turns]?.isBlocked = true
            blocked[turn, default: Rotation()].add(Lane(queue, turns))
        }
    }

    /// The run has ended or was not begun: others may have its turns, unless it shares them with
    /// runs that go on.
    mutating func giveBack(turnsOf job: Waiting) {
        for turn in job.turns.all {
            taken[turn] = taken[turn].flatMap { $0 > 1 ? $0 - 1 : nil }
            guard taken[turn] == nil, var lanes = blocked.removeValue(forKey: turn) else {
                continue
            }
            while let lane = lanes.next() {
                queues[lane.queue]?.windows[lane.turns]?.isBlocked = false
                mayStart(lane.queue)
                closeIfDone(lane)
            }
        }
    }

    /// The turn that somebody has and without which these jobs cannot start.
    func takenTurn(of turns: Turns) -> Turn? { turns.all.first { taken[$0] != nil } }

    func isPaused(_ queue: QueueName) -> Bool { paused.contains(queue) }

    /// A paused queue takes no room. Whoever resumes it asks the store which lanes it has.
    mutating func setPaused(_ isPaused: Bool, _ queue: QueueName) {
        guard isPaused else {
            paused.remove(queue)
            return
        }
        paused.insert(queue)
        guard queues.removeValue(forKey: queue) != nil else { return }
        for (job, entry) in present where entry.lane.queue == queue { forget(job) }
    }

    // MARK: Loads

    private mutating func noteWant(of lane: Lane) {
        guard self[lane]?.wantsMore == true, loading[lane] == nil else { return }
        wanting[lane.turns, default: Rotation()].add(lane)
    }

    /// How many jobs a load should ask for: what is here already, which it shows again, and no more
    /// than there is room for.
    private func loadLimit(of lane: Lane) -> Int {
        let jobs = shares[lane.turns]?.jobs ?? 0
        let room =
            lane.turns.isEmpty
            ? max(bounds.loadJobs, bounds.allJobs - jobs) : bounds.turnJobs - jobs
        return min(bounds.laneJobs, room + (self[lane]?.jobs.count ?? 0))
    }

    /// Lanes to be filled from the store now, and with how many jobs; from here on they count as
    /// being loaded.
    mutating func lanesToLoad() -> [(lane: Lane, limit: Int)] {
        var found: [(lane: Lane, limit: Int)] = []
        for turns in wanting.keys.sorted() where hasRoom(for: turns) {
            while loading.count < bounds.loads, let lane = wanting[turns]?.next() {
                guard self[lane]?.wantsMore == true, loading[lane] == nil else { continue }
                loading[lane] = moment + 1
                queues[lane.queue]?.windows[turns]?.refillBelow = 0
                found.append((lane, loadLimit(of: lane)))
            }
            if wanting[turns]?.isEmpty == true { wanting[turns] = nil }
        }
        if !found.isEmpty { moment += 1 }
        return found
    }

    /// Takes in what the store found, but for jobs that are here, running, or went meanwhile.
    ///
    /// - Returns: The jobs that need what their children made before they can be taken in.
    mutating func loaded(
        _ jobs: [Waiting],
        of lane: Lane,
        isAll: Bool,
        isActive: (JobID) -> Bool
    ) -> [Waiting] {
        guard let askedAt = loading[lane] else { return [] }
        let hasMissed = missedByLoad.remove(lane) != nil
        queues[lane.queue]?.windows[lane.turns]?.isComplete = isAll && !hasMissed
        let found = jobs.filter { job in
            present[job.id] == nil && !isActive(job.id) && gone[job.id] ?? -1 < askedAt
        }
        loadEnded(lane)
        for job in found where !job.lacksOutputs { add(job) }
        setRefill(lane)
        hasLost(lane)
        return found.filter(\.lacksOutputs)
    }

    /// A load is bounded by its bytes too: of large jobs it never brings as many as there is room
    /// for, so the next one waits until half of them are gone. An empty lane is loaded at once.
    private mutating func setRefill(_ lane: Lane) {
        // Set anew while the load was under way: it may not show what is asked for.
        guard let window = self[lane], window.refillBelow == 0 else { return }
        queues[lane.queue]?.windows[lane.turns]?.refillBelow =
            min(bounds.refillBelow, max(1, window.jobs.count / 2))
    }

    /// It is asked for again with all others that failed.
    mutating func loadFailed(_ lane: Lane) {
        loadEnded(lane)
        failed.append(lane)
    }

    mutating func retryLoads() {
        for lane in failed {
            queues[lane.queue]?.windows[lane.turns]?.refillBelow = bounds.refillBelow
            noteWant(of: lane)
        }
        failed = []
    }

    private mutating func loadEnded(_ lane: Lane) {
        loading[lane] = nil
        if loading.isEmpty { gone.removeAll() }
    }

    /// Call for every job whose run was written down as ended: a load may still show it.
    mutating func ended(_ job: JobID) {
        if !loading.isEmpty { gone[job] = moment }
    }
}

extension Lanes {
    /// True when nothing is counted as taken or under way.
    var isUnused: Bool {
        taken.isEmpty && blocked.isEmpty && loading.isEmpty && failed.isEmpty
            && shares.values.allSatisfy { $0.jobs == 0 && $0.bytes == 0 }
    }
}
