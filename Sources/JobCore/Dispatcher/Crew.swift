/// The workers, and the orders each of them has that are not reported yet.
///
/// A worker gets short jobs ahead in small credit, so that it never waits for the next order. Only
/// the first of its orders runs; the rest can be taken back until the worker begins them.
///
/// As many workers as the settings say may be busy at a time. When long jobs hold all of them, one
/// more takes short jobs: the express worker. It is no other than its fellows. When its job is long
/// after all, it is one of those that are held, and the next one is the express worker.
struct Crew {
    /// Credit, in expected µs of work and in orders.
    static let creditMicros = 2_000.0
    static let creditOrders = 64
    /// A run that lasts longer than this, in ms, is long: it makes its worker give back what waits
    /// behind it.
    static let recallAfterMs: Int64 = 5
    /// A run that lasts longer than this, in ms, is written down.
    static let recordAfterMs: Int64 = 20

    struct Outstanding {
        let sequence: UInt64
        let job: Waiting
        var expectedMicros: Double?
        /// True when the order is to bury an attempt of another worker.
        let isBurial: Bool
        /// True when an express worker has it.
        var isExpress = false
        /// True when the job is known to be long, or is seen to be.
        var isLong = false
        /// True once it was seen to be long.
        var hasLasted = false
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
        /// True once it was announced that the run is under way.
        var isAnnounced = false
        /// What was announced last of the run's progress.
        var toldProgress = ToldProgress()

        struct ToldProgress {
            var progress: Progress?
            var at: Timestamp?
        }

        /// Another order runs: nothing is known of it yet.
        mutating func beginsAnew() {
            isRecorded = false
            isAnnounced = false
            toldProgress = ToldProgress()
        }

        /// True while a long job holds it: nothing is put behind that.
        var isLong: Bool { orders.contains(where: \.isLong) }

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
    /// Workers that may be busy beside each other, express workers aside.
    let regular: Int
    /// Workers there may be in all, of which all but `regular` are for short jobs.
    private let most: Int
    /// Workers there should be.
    private(set) var wanted: Int

    init(workers: Int, hasExpress: Bool = false) {
        regular = workers
        most = hasExpress ? 2 * workers : workers
        wanted = workers
    }

    var inOrder: [(key: WorkerID, value: Member)] { members.sorted { $0.key < $1.key } }

    /// True when somebody waits behind a run, and so for the run to be watched closely.
    var hasCreditGiven: Bool { members.values.contains { $0.orders.count > 1 } }

    var isIdle: Bool { members.values.allSatisfy(\.orders.isEmpty) }

    /// True when a run may turn out to be long, and an express worker would then help who waits.
    var mayNeedExpress: Bool {
        most > regular && members.values.contains { !$0.orders.isEmpty && !$0.isLong }
    }

    /// Has one more worker when there is none left for short jobs.
    ///
    /// - Returns: Who is to be started.
    mutating func expressWorker() -> WorkerID? {
        guard wanted < most, members.values.count(where: \.isLong) >= wanted else { return nil }
        wanted += 1
        return newWorker()
    }

    mutating func newWorker() -> WorkerID {
        let worker = newNumber()
        expected.insert(worker)
        return worker
    }

    /// Of a worker here, or of an external one.
    mutating func newNumber() -> WorkerID {
        defer { nextWorker += 1 }
        return WorkerID(rawValue: nextWorker)
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

    /// Who should have the next order.
    struct Seat: Equatable {
        let worker: WorkerID
        /// True when long jobs hold as many workers as they may: this one is for short ones.
        var isExpress = false
    }

    /// An idle worker, else the one with the least to do whose credit is not used up. Nil when
    /// nobody should have an order.
    func mostFree() -> Seat? {
        var idle: WorkerID?
        var short: [(worker: WorkerID, member: Member)] = []
        var long = 0
        for (worker, member) in members {
            if member.orders.isEmpty {
                idle = min(idle ?? worker, worker)
            } else if member.isLong {
                long += 1
            } else {
                short.append((worker, member))
            }
        }
        let isExpress = long >= regular
        // Those who may work on what is short. Others that still do come to rest.
        let places = isExpress ? min(1, most - long) : regular - long
        if let idle, short.count < places { return Seat(worker: idle, isExpress: isExpress) }
        if short.count > places { short.sort { $0.worker < $1.worker } }
        let free = short.prefix(max(0, places)).filter(\.member.hasCredit)
            .min { ($0.member.orders.count, $0.worker) < ($1.member.orders.count, $1.worker) }
        return free.map { Seat(worker: $0.worker, isExpress: isExpress) }
    }

    /// - Returns: The sequence number of the new order.
    mutating func give(_ job: Waiting, to seat: Seat, _ guess: Guess = Guess()) -> UInt64 {
        let worker = seat.worker
        guard var member = members.removeValue(forKey: worker) else { return 0 }
        member.sequence += 1
        let order = Outstanding(
            sequence: member.sequence,
            job: job,
            expectedMicros: guess.micros,
            isBurial: guess.isBurial,
            isExpress: seat.isExpress,
            isLong: guess.isLong
        )
        member.orders.append(order)
        members[worker] = member
        return order.sequence
    }

    /// What is expected of an order.
    struct Guess {
        var micros: Double?
        var isLong = false
        var isBurial = false
    }

    /// Notes that the worker's run lasts.
    mutating func hasLasted(_ run: Outstanding, on worker: WorkerID) {
        guard let place = members[worker]?.place(of: run.job.id, run.job.next) else { return }
        members[worker]?.orders[place].hasLasted = true
        members[worker]?.orders[place].isLong = true
    }

    /// How many runs of each sort are seen to last.
    var lastingSorts: [UInt64: Int] {
        var sorts: [UInt64: Int] = [:]
        for member in members.values {
            for order in member.orders where order.hasLasted && !order.isBurial {
                sorts[order.job.spec.sort, default: 0] += 1
            }
        }
        return sorts
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
