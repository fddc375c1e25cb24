/// The workers, and the orders each of them has that are not reported yet.
///
/// A worker gets short jobs ahead in small credit, so that it never waits for the next order. Only
/// the first of its orders runs; the rest can be taken back until the worker begins them.
struct Crew {
    /// Credit, in expected µs of work and in orders.
    static let creditMicros = 2_000.0
    static let creditOrders = 64
    /// A run that lasts longer than this, in ms, makes its worker give back what waits behind it.
    static let recallAfterMs: Int64 = 5
    /// A run that lasts longer than this, in ms, is written down.
    static let recordAfterMs: Int64 = 20

    struct Outstanding {
        let sequence: UInt64
        let job: Waiting
        var expectedMicros: Double?
        /// True when the order is to bury an attempt of another worker.
        let isBurial: Bool
        /// True once the worker was told to break it off, because the job was called off.
        var isBrokenOff = false
        /// When it was first seen to go on though it should end.
        var overdueAt: Timestamp?
    }

    struct Member {
        var orders: [Outstanding] = []
        var sequence: UInt64 = 0
        /// What the worker's mark said last.
        var mark: WorkerMark?
        var isRecorded = false
        var isRecalled = false

        /// The order that is running, as far as is known. Orders before it have ended: the worker
        /// has not said so yet.
        var running: Outstanding? { orders.first { $0.sequence == mark?.sequence } }

        /// True when orders wait behind the one that is running.
        var hasAhead: Bool {
            guard let mark, let last = orders.last else { return false }
            return last.sequence > mark.sequence
        }

        /// Whether the worker has begun this order, as far as is known.
        func hasBegun(_ order: Outstanding) -> Bool { order.sequence <= mark?.sequence ?? 0 }
    }

    private(set) var members: [WorkerID: Member] = [:]
    /// Workers that were started and have not said that they are there.
    private(set) var expected: Set<WorkerID> = []
    private var nextWorker = 1

    var inOrder: [(key: WorkerID, value: Member)] { members.sorted { $0.key < $1.key } }

    /// True when somebody waits behind a run, and so for the run to be watched closely.
    var hasCreditGiven: Bool { members.values.contains { $0.orders.count > 1 } }

    var isIdle: Bool { members.values.allSatisfy(\.orders.isEmpty) }

    mutating func newWorker() -> WorkerID {
        let worker = WorkerID(rawValue: nextWorker)
        nextWorker += 1
        expected.insert(worker)
        return worker
    }

    mutating func join(_ worker: WorkerID) {
        expected.remove(worker)
        if members[worker] == nil { members[worker] = Member() }
    }

    /// - Returns: True when the worker was expected, and ends before it came.
    mutating func neverCame(_ worker: WorkerID) -> Bool { expected.remove(worker) != nil }

    /// - Returns: What the worker had been told and not reported.
    mutating func leave(_ worker: WorkerID) -> Member? { members.removeValue(forKey: worker) }

    subscript(worker: WorkerID) -> Member? {
        get { members[worker] }
        set { if members[worker] != nil { members[worker] = newValue } }
    }

    /// The worker that should have the next order: an idle one, else the one with the least to do
    /// whose credit is not used up. Nil when nobody should have one.
    func mostFree() -> WorkerID? {
        var chosen: (worker: WorkerID, orders: Int)?
        for (worker, member) in members where member.hasCredit {
            let orders = member.orders.count
            if let other = chosen, (other.orders, other.worker) < (orders, worker) { continue }
            chosen = (worker, orders)
        }
        return chosen?.worker
    }

    /// - Returns: The sequence number of the new order.
    mutating func give(
        _ job: Waiting,
        to worker: WorkerID,
        expectedMicros: Double?,
        isBurial: Bool = false
    ) -> UInt64 {
        guard var member = members.removeValue(forKey: worker) else { return 0 }
        member.sequence += 1
        let order = Outstanding(
            sequence: member.sequence,
            job: job,
            expectedMicros: expectedMicros,
            isBurial: isBurial
        )
        member.orders.append(order)
        members[worker] = member
        return order.sequence
    }

    /// A worker reported: its order is done.
    ///
    /// - Returns: Nil when this worker has no such order, because it was given up meanwhile.
    mutating func finish(_ worker: WorkerID, _ job: JobID, _ attempt: Attempt) -> Outstanding? {
        guard var member = members.removeValue(forKey: worker) else { return nil }
        defer { members[worker] = member }
        guard let place = member.place(of: job, attempt) else { return nil }
        return member.orders.remove(at: place)
    }

    /// Notes that the worker was told to break this attempt off.
    ///
    /// - Returns: The sequence number of its order.
    mutating func breakOff(_ job: JobID, _ attempt: Attempt, on worker: WorkerID) -> UInt64? {
        guard let place = members[worker]?.place(of: job, attempt) else { return nil }
        members[worker]?.orders[place].isBrokenOff = true
        return members[worker]?.orders[place].sequence
    }

    /// Notes that the worker's run goes on though it should end.
    ///
    /// - Returns: For how long that has been seen, in ms.
    mutating func overdueMs(
        _ run: Outstanding,
        on worker: WorkerID,
        at now: Timestamp
    ) -> Int64 {
        guard let place = members[worker]?.place(of: run.job.id, run.job.next) else { return 0 }
        let since = run.overdueAt ?? now
        members[worker]?.orders[place].overdueAt = since
        return now.ms(since: since)
    }

    /// - Returns: These orders, which the worker will not begin.
    mutating func takeBack(from worker: WorkerID, _ orders: Range<UInt64>) -> [Outstanding] {
        guard var member = members[worker] else { return [] }
        let back = member.orders.filter { orders.contains($0.sequence) }
        member.orders.removeAll { orders.contains($0.sequence) }
        member.isRecalled = false
        // What runs was thought to be short and is not: nothing more is put behind it.
        if let last = member.orders.indices.last { member.orders[last].expectedMicros = nil }
        members[worker] = member
        return back
    }

    /// The worker that has this attempt, and not in order to bury it.
    func holder(of job: JobID, _ attempt: Attempt) -> (worker: WorkerID, member: Member)? {
        for (worker, member) in members {
            guard let place = member.place(of: job, attempt) else { continue }
            if !member.orders[place].isBurial { return (worker, member) }
        }
        return nil
    }
}

extension Crew.Member {
    fileprivate func place(of job: JobID, _ attempt: Attempt) -> Int? {
        orders.firstIndex { $0.job.id == job && $0.job.next == attempt }
    }

    /// Idle, or with nothing but short jobs ahead, in sum no longer than the credit.
    fileprivate var hasCredit: Bool {
        guard !orders.isEmpty else { return true }
        guard orders.count < Crew.creditOrders, !isRecalled else { return false }
        var sum = 0.0
        for order in orders {
            guard let micros = order.expectedMicros else { return false }
            sum += micros
        }
        return sum < Crew.creditMicros
    }
}
