/// The external workers that are attached, and what each of them runs.
///
/// Each has one job at a time and nothing ahead, and says nothing while it runs it. So one that is
/// busy is believed to be at work until its connection is gone, it says otherwise, or the job's
/// time is up; one that is idle has to be heard of now and then.
struct Externals {
    /// Pause between two heartbeats, in ms, as Majordomo has it (ZeroMQ RFC 7).
    static let beatMs: Int64 = 2_500
    /// An idle worker that is not heard of for so long, in ms, is taken to be gone: three of its
    /// heartbeats did not come.
    static let silenceMs = 3 * beatMs
    /// Pause before all are looked at again to write down who is busy, in ms.
    static let lookEveryMs: Int64 = 100
    /// Workers that are gone and may be remembered.
    static let goneWorkers = 64

    struct Run {
        let job: Waiting
        let address: OrderAddress
        let startedAt: Timestamp
        var isRecorded = false

        var endsAt: Timestamp { startedAt.adding(ms: job.spec.timeoutMs) }

        /// When it should be looked at again.
        var nextLook: Timestamp {
            isRecorded ? endsAt : min(endsAt, startedAt.adding(ms: Crew.recordAfterMs))
        }
    }

    struct Member {
        let peer: ClientID
        let kernel: String
        /// When it was heard of last.
        var heardAt: Timestamp
        var run: Run?

        func isSilent(at now: Timestamp) -> Bool {
            run == nil && now.ms(since: heardAt) >= Externals.silenceMs
        }
    }

    private(set) var members: [WorkerID: Member] = [:]
    private var workers: [ClientID: WorkerID] = [:]
    private var holders: [JobID: WorkerID] = [:]
    /// By kernel, those that may be idle.
    private var idle: [String: Rotation<WorkerID>] = [:]
    private var counts: [String: Int] = [:]
    /// Orders that were ever given.
    private var orders: UInt64 = 0
    private var nextBeat: Timestamp?
    private var lastLook: Timestamp?
    /// How often workers were told to begin anew and have not done so yet.
    private var told: [ClientID: Int] = [:]
    /// Of whom that is known. Who is forgotten begins anew by itself.
    static let toldWorkers = 4 * Limits.externalWorkers
    /// When somebody should look at them; nil while none is attached.
    private(set) var nextLook: Timestamp?

    var inOrder: [(key: WorkerID, value: Member)] { members.sorted { $0.key < $1.key } }

    /// Kernels of which a worker may be idle.
    var kernels: [String] { idle.keys.sorted() }

    func serves(_ kernel: String) -> Bool { counts[kernel, default: 0] > 0 }

    func worker(of peer: ClientID) -> WorkerID? { workers[peer] }

    /// The worker that has this attempt.
    func holder(of job: JobID, _ attempt: Attempt) -> (worker: WorkerID, run: Run)? {
        guard let worker = holders[job], let run = members[worker]?.run, run.job.next == attempt
        else { return nil }
        return (worker, run)
    }

    // MARK: Coming and going

    mutating func attach(
        _ worker: WorkerID,
        _ peer: ClientID,
        _ kernel: String,
        at now: Timestamp
    ) {
        members[worker] = Member(peer: peer, kernel: kernel, heardAt: now)
        workers[peer] = worker
        counts[kernel, default: 0] += 1
        idle[kernel, default: Rotation()].add(worker)
        let beat = nextBeat ?? now.adding(ms: Self.beatMs)
        nextBeat = beat
        nextLook = min(nextLook ?? beat, beat)
    }

    mutating func leave(_ worker: WorkerID) -> Member? {
        guard let member = members.removeValue(forKey: worker) else { return nil }
        workers[member.peer] = nil
        if let run = member.run { holders[run.job.id] = nil }
        counts[member.kernel, default: 0] -= 1
        if !serves(member.kernel) {
            counts[member.kernel] = nil
            idle[member.kernel] = nil
        } else if idle[member.kernel]?.count ?? 0 > members.count + Self.goneWorkers {
            idle[member.kernel]?.keep { members[$0] != nil }
        }
        if members.isEmpty { (nextBeat, nextLook) = (nil, nil) }
        return member
    }

    mutating func heard(_ worker: WorkerID, at now: Timestamp) { members[worker]?.heardAt = now }

    // MARK: Beginning anew

    mutating func tell(toBeginAnew peer: ClientID) {
        if told[peer] == nil, told.count >= Self.toldWorkers { told = [:] }
        told[peer, default: 0] += 1
    }

    /// It begins anew.
    ///
    /// - Returns: Whether that is because it was told to: it may have been more than once.
    mutating func wasTold(_ peer: ClientID) -> Bool {
        guard let times = told.removeValue(forKey: peer) else { return false }
        if times > 1 { told[peer] = times - 1 }
        return true
    }

    /// Nobody is there any more who could have been told.
    mutating func forget(_ peer: ClientID) { told[peer] = nil }

    // MARK: Runs

    /// The one of those that serve the kernel that has been idle longest.
    mutating func nextIdle(_ kernel: String) -> WorkerID? {
        while let worker = idle[kernel]?.next() {
            if let member = members[worker], member.run == nil { return worker }
        }
        idle[kernel] = nil
        return nil
    }

    /// It gets nothing after all.
    mutating func staysIdle(_ worker: WorkerID) {
        guard let kernel = members[worker]?.kernel else { return }
        idle[kernel, default: Rotation()].add(worker)
    }

    /// - Returns: The address of the order.
    mutating func give(
        _ job: Waiting,
        to worker: WorkerID,
        seed: UInt64,
        at now: Timestamp
    ) -> OrderAddress {
        orders += 1
        let token = scrambled(seed ^ scrambled(orders))
        let address = OrderAddress(job: job.id, attempt: job.next, token: token)
        let run = Run(job: job, address: address, startedAt: now)
        members[worker]?.run = run
        holders[job.id] = worker
        let look = nextLook(at: run, now)
        nextLook = min(nextLook ?? look, look)
        return address
    }

    /// - Returns: The run at this address; nil when this worker has no such run.
    mutating func finish(_ worker: WorkerID, _ address: OrderAddress) -> Run? {
        guard let run = members[worker]?.run, run.address == address else { return nil }
        members[worker]?.run = nil
        holders[run.job.id] = nil
        staysIdle(worker)
        return run
    }

    /// True when all that is kept of them fits together.
    var isSound: Bool {
        let busy = members.filter { $0.value.run != nil }
        return holders.count == busy.count && workers.count == members.count
            && counts.values.reduce(0, +) == members.count
            && idle.values.allSatisfy { $0.count <= members.count + Self.goneWorkers }
            && told.count <= Self.toldWorkers
    }

    mutating func recorded(_ worker: WorkerID) { members[worker]?.run?.isRecorded = true }

    /// Runs that the store still takes to be queued.
    var unrecorded: Int { members.values.count { $0.run?.isRecorded == false } }

    // MARK: Time

    /// - Returns: Who is to be told that the runner is there.
    mutating func beat(at now: Timestamp) -> [ClientID] {
        guard let due = nextBeat, due <= now else { return [] }
        nextBeat = now.adding(ms: Self.beatMs)
        return inOrder.map(\.value.peer)
    }

    /// To write it down not at once after the last look: each walks through all of them.
    private func nextLook(at run: Run, _ now: Timestamp) -> Timestamp {
        guard let lastLook, !run.isRecorded else { return run.nextLook }
        let pause = min(lastLook, now).adding(ms: Self.lookEveryMs)
        return min(run.endsAt, max(run.nextLook, pause))
    }

    /// All has been looked at.
    mutating func hasLooked(at now: Timestamp) {
        lastLook = now
        nextLook = members.values.compactMap { $0.run.map { nextLook(at: $0, now) } }.min()
        if let nextBeat { nextLook = min(nextLook ?? nextBeat, nextBeat) }
    }
}
