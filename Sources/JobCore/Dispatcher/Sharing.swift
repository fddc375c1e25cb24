/// Which jobs that write may share a transaction with others that write to the same database: those
/// that are run for the first time, are short as far as is known, and of a sort that has not shown
/// that it needs a transaction of its own.
///
/// A commit costs far more than what a short job changes, so that one commit for many is nearly as
/// cheap as for one. Each is still all or nothing: see `Order.group`.
struct Sharing {
    /// Jobs in one group at most: a worker can be told to give back 255 orders.
    static let jobs = 128
    /// Bytes of their specs, above which nobody joins.
    static let bytes = 1 << 20
    /// A job whose spec has more bytes does not share: it brings many rows, or large values, and is
    /// not short, whatever is known of its sort.
    static let jobBytes = 32 << 10
    /// Expected µs of their runs, above which nobody joins. A group delays its first job so long,
    /// and keeps others from writing to the database.
    static let micros = 10_000.0
    /// What is expected of a sort that is not known, in µs.
    static let unknownMicros = 500.0
    /// A sort whose runs take longer, in µs without their commits, does not share.
    static let longestMicros = 5_000.0

    private var micros = Averages()
    /// Sorts that need a transaction of their own.
    private var refused: Set<UInt64> = []

    /// Whether the job may share a transaction. What did not go well, or was undone, is tried again
    /// alone; what takes results has to read them first, while nobody waits for its commit.
    func admits(_ job: Waiting) -> Bool {
        guard job.spec.writes != nil, job.losses == 0, job.next == Attempt.none.next,
            job.spec.weight + job.spec.storedFrameBytes <= Self.jobBytes,
            job.sources.isEmpty
        else { return false }
        let sort = job.spec.sort
        return !refused.contains(sort) && expectedMicros(sort) <= Self.longestMicros
    }

    func expectedMicros(_ sort: UInt64) -> Double { micros[sort] ?? Self.unknownMicros }

    mutating func learn(_ sort: UInt64, from report: Report) {
        micros.learn(sort, max(0, report.durationMicros - report.commitMicros))
        guard report.needsOwnTransaction else { return }
        if refused.count >= Pace.sortsMax { refused.removeAll() }
        refused.insert(sort)
    }
}

/// Jobs that are given together to share a transaction, while others may join them.
struct Group {
    private(set) var count = 1
    private var bytes: Int
    private var micros: Double
    private let mostMicros: Double

    /// Nobody joins when more than `mostMicros` are expected.
    init(_ first: Waiting, _ sharing: Sharing, mostMicros: Double = Sharing.micros) {
        bytes = first.spec.weight
        micros = sharing.expectedMicros(first.spec.sort)
        self.mostMicros = mostMicros
    }

    var isFull: Bool {
        count >= Sharing.jobs || bytes >= Sharing.bytes || micros >= mostMicros
    }

    mutating func join(_ job: Waiting, _ sharing: Sharing) {
        count += 1
        bytes += job.spec.weight
        micros += sharing.expectedMicros(job.spec.sort)
    }
}
