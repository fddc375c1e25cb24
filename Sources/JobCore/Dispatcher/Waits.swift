/// Clients that wait for jobs to end: each is answered when they have, or when its time is up.
struct Waits {
    struct Wait {
        enum Purpose: Equatable {
            case result(ByteRange)
            /// The result of the client's own submission, which is accepted and not refused any
            /// more, whatever happens to the result.
            case own
            case ends

            /// What is wanted of the result; nil when it is only whether the jobs have ended.
            var range: ByteRange? {
                switch self {
                case .result(let range): range
                case .own: .whole
                case .ends: nil
                }
            }
        }

        let caller: Caller
        let purpose: Purpose
        /// In the order in which they were asked for.
        let jobs: [JobID]
        let deadline: Timestamp
        var ends: [JobID: JobEnd] = [:]
        /// True until the store has said which of the jobs had ended before: the client hears that
        /// even when its time is up.
        var isLooking = false

        var isDone: Bool { ends.count == Set(jobs).count }
    }

    private var waits: [Ticket: Wait] = [:]
    private var byJob: [JobID: Set<Ticket>] = [:]
    private var byAccount: [Account: Share] = [:]

    /// What one client has parked.
    struct Share: Equatable {
        var waits = 0
        var jobs = 0
    }

    var count: Int { waits.count }

    func share(of account: Account) -> Share { byAccount[account] ?? Share() }

    subscript(ticket: Ticket) -> Wait? { waits[ticket] }

    /// When it is time to look for waits that are over: no deadline is earlier. It may be that of a
    /// wait that is parked no longer, so that not all are looked at when one goes.
    private(set) var nextDeadline: Timestamp?

    private mutating func note(_ deadline: Timestamp) {
        nextDeadline = min(nextDeadline ?? .distantFuture, deadline)
    }

    mutating func hasLooked(_ ticket: Ticket) {
        waits[ticket]?.isLooking = false
        if let deadline = waits[ticket]?.deadline { note(deadline) }
    }

    mutating func park(_ wait: Wait, as ticket: Ticket) {
        waits[ticket] = wait
        if !wait.isLooking { note(wait.deadline) }
        byAccount[wait.caller.account, default: Share()].waits += 1
        byAccount[wait.caller.account, default: Share()].jobs += wait.jobs.count
        for job in wait.jobs { byJob[job, default: []].insert(ticket) }
    }

    func isAwaited(_ job: JobID) -> Bool { byJob[job] != nil }

    /// Notes that a job has ended.
    ///
    /// - Returns: The waits that are over by it; they are parked no longer.
    mutating func ended(_ end: JobEnd) -> [Wait] {
        guard let tickets = byJob.removeValue(forKey: end.id) else { return [] }
        return tickets.sorted { $0.rawValue < $1.rawValue }.compactMap { ticket in
            waits[ticket]?.ends[end.id] = end
            return waits[ticket]?.isDone == true ? remove(ticket) : nil
        }
    }

    mutating func expired(at now: Timestamp) -> [Wait] {
        guard let nextDeadline, nextDeadline <= now else { return [] }
        let tickets = waits.filter { $0.value.deadline <= now && !$0.value.isLooking }.map(\.key)
        let expired = tickets.sorted { $0.rawValue < $1.rawValue }.compactMap { remove($0) }
        self.nextDeadline = waits.values.lazy.filter { !$0.isLooking }.map(\.deadline).min()
        return expired
    }

    /// Gives up all waits.
    mutating func removeAll() -> [Wait] {
        waits.keys.sorted { $0.rawValue < $1.rawValue }.compactMap { remove($0) }
    }

    @discardableResult
    mutating func remove(_ ticket: Ticket) -> Wait? {
        guard let wait = waits.removeValue(forKey: ticket) else { return nil }
        if waits.isEmpty { nextDeadline = nil }
        for job in wait.jobs {
            byJob[job]?.remove(ticket)
            if byJob[job]?.isEmpty == true { byJob[job] = nil }
        }
        var share = share(of: wait.caller.account)
        share.waits -= 1
        share.jobs -= wait.jobs.count
        byAccount[wait.caller.account] = share.waits > 0 ? share : nil
        return wait
    }
}
